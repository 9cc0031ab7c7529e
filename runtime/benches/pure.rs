//! The pure parts of the road, one by one: `cargo bench -p runtime`. `cargo xtask bench` sets the whole against its peer.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use firmware_config::manifest::FileRole;
use runtime::alarm::{Alarm, AlarmRule};
use runtime::bundle::{Bundle, demo_keys, find};
use runtime::clip::Squeezer;
use runtime::score::step::{StepHead, StepModel};
use runtime::source::{Frame, PixelFormat};
use runtime::window::{SEGMENTS, Window};

/// Numbers in 0..1 that look random.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin().abs()).collect()
}

fn window(c: &mut Criterion) {
    const WIDTH: usize = 256;
    let row = numbers(WIDTH);
    let mut window = Window::new(WIDTH);
    let mut stretched = vec![0.0; SEGMENTS * WIDTH];
    c.bench_function("window/push", |b| b.iter(|| window.push(black_box(&row))));
    c.bench_function("window/stretch_into", |b| b.iter(|| window.stretch_into(black_box(&mut stretched))));
}

fn step(c: &mut Criterion) {
    let bundle = Bundle::open(find::shipped().unwrap(), &demo_keys()).unwrap();
    let model = StepModel::from_onnx(bundle.content(FileRole::Step).unwrap()).unwrap();
    let mut head = StepHead::new(model);
    let row = numbers(head.features());
    for _ in 0..SEGMENTS {
        head.push(&row);
    }
    c.bench_function("score/step", |b| b.iter(|| head.push(black_box(&row))));
}

fn alarm(c: &mut Criterion) {
    let rule = AlarmRule { threshold: 0.5, release: 0.4, min_length: 2, cool_down_ns: 1_000_000_000, min_segments: 8 };
    let mut alarm = Alarm::new(rule);
    let scores = numbers(1000);
    let mut at = 0_u64;
    c.bench_function("alarm/judge", |b| {
        b.iter(|| {
            at += 1;
            alarm.judge(scores[at as usize % scores.len()], SEGMENTS, at * 640_000_000)
        });
    });
}

fn clip(c: &mut Criterion) {
    let mut squeezer = Squeezer::new(160, 160);
    let mut out = vec![0; 160 * 160 * 3];
    for (name, width, height) in [("vga", 640, 480), ("full hd", 1920, 1080)] {
        let data = (0..width * height * 3 / 2).map(|i| (i * i / 7) as u8).collect();
        let frame = Frame { data, format: PixelFormat::I420, width, height, stride: width, ..Frame::default() };
        c.bench_function(&format!("clip/squeeze/{name}"), |b| {
            b.iter(|| squeezer.squeeze(black_box(&frame), &mut out).unwrap());
        });
    }
}

criterion_group!(pure, window, step, alarm, clip);
criterion_main!(pure);
