//! The steady loop: after the first full window clips, scores and alarms allocate nothing, and what an engine allocates for a
//! call is given back and never grows.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use runtime::alarm::{Alarm, AlarmRule};
use runtime::bundle::{Bundle, demo_keys};
use runtime::clip::{Clip, ClipReader, Next};
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Engines, Input};
use runtime::source::{Advance, Frame, FrameHeader, PixelFormat, Source, SourceInfo};
use system_tests::{numbers, shipped};

fn bundle() -> Bundle {
    Bundle::open(shipped(), &demo_keys()).unwrap()
}

/// A camera of 640 x 480 at 25/s that shows grey, in the format that most cameras have.
struct Grey(SourceInfo, u64);

impl Grey {
    fn new() -> Self {
        let info = SourceInfo {
            uri: "grey".into(),
            width: 640,
            height: 480,
            rate_hz: Some(25.0),
            constant_rate: true,
            frames: None,
            live: false,
        };
        Self(info, 0)
    }
}

impl Source for Grey {
    fn info(&self) -> &SourceInfo {
        &self.0
    }

    fn advance(&mut self) -> runtime::Result<Advance> {
        self.1 += 1;
        Ok(Advance::Frame(FrameHeader { number: self.1, pts_ns: (self.1 - 1) * 40_000_000 }))
    }

    fn read(&mut self, frame: &mut Frame) -> runtime::Result<()> {
        frame.data.resize(640 * 480 * 3 / 2, 0);
        frame.data.fill((self.1 % 200) as u8);
        (frame.format, frame.width, frame.height, frame.stride) = (PixelFormat::I420, 640, 480, 640);
        Ok(())
    }
}

#[test]
fn clips_are_cut_without_allocating() {
    let contract = bundle().manifest.contract.input.unwrap();
    let (mut source, mut reader, mut clip) = (Grey::new(), ClipReader::new(contract), Clip::default());
    let mut cut = || measure(|| assert!(matches!(reader.next_clip(&mut source, &mut clip).unwrap(), Next::Clip)));
    cut();
    cut();
    for i in 0..200 {
        assert_eq!(cut().count_total, 0, "clip {i}");
    }
}

#[test]
fn segments_are_scored_and_judged_without_allocating() {
    let bundle = bundle();
    let width = bundle.manifest.contract.feature_width as usize;
    let mut scorer = runtime::pipeline::scorer(&bundle, &Engines::default()).unwrap();
    let rule = AlarmRule { threshold: 0.5, release: 0.4, min_length: 2, cool_down_ns: 1_000_000_000, min_segments: 8 };
    let mut alarm = Alarm::new(rule);
    let rows = numbers(3, 100 * width);
    let mut watch = |segments: u64| {
        for (row, t) in rows.chunks_exact(width).cycle().zip(0..segments) {
            let score = scorer.score(row).unwrap();
            alarm.judge(score, scorer.segments(), t * 640_000_000);
        }
    };
    watch(64);
    let found = measure(|| watch(10_000));
    assert_eq!(found.count_total, 0, "{found:?}");
}

/// An engine may allocate, but always the same: what grows by a byte a call is gone in a year.
fn takes_the_same(graph: &[u8], input: Input<'_>, outputs: usize, calls: usize) {
    let mut engine = TractEngine::load(graph, "graph").unwrap();
    let mut output = vec![0.0; outputs];
    let mut call = || measure(|| engine.run(input, &mut output).unwrap());
    call();
    let first = call();
    for i in 0..calls {
        let found = call();
        assert_eq!((found.bytes_total, found.bytes_current), (first.bytes_total, 0), "call {i}");
    }
}

#[test]
fn the_head_takes_the_same_memory_call_after_call() {
    let bundle = bundle();
    let rows = numbers(4, 64 * bundle.manifest.contract.feature_width as usize);
    takes_the_same(bundle.head(), Input::F32(&rows), 64, 10_000);
}

fn extractor_takes_the_same(calls: usize) {
    let bundle = bundle();
    let contract = &bundle.manifest.contract;
    let pixels = firmware_config::golden::clip(1, contract.input.as_ref().unwrap());
    takes_the_same(bundle.require_extractor().unwrap(), Input::U8(&pixels), contract.feature_width as usize, calls);
}

#[test]
fn the_extractor_takes_the_same_memory_call_after_call() {
    extractor_takes_the_same(100);
}

#[test]
#[ignore = "minutes: cargo xtask soak --engines"]
fn the_extractor_takes_the_same_memory_10_000_times() {
    extractor_takes_the_same(10_000);
}

#[test]
fn cameras_share_the_weights_of_one_graph() {
    let bundle = bundle();
    let engines = Engines::default();
    let graph = bundle.require_extractor().unwrap();
    let mut both = vec![];
    let taken = [(); 2].map(|()| measure(|| both.push(engines.load(graph, "extractor").unwrap())).bytes_current);
    assert!(taken[0] > 10_000_000 && taken[1] < 100_000, "{taken:?}");
    let pixels = firmware_config::golden::clip(1, bundle.manifest.contract.input.as_ref().unwrap());
    let rows = both.iter_mut().map(|engine| {
        let mut row = vec![0.0; bundle.manifest.contract.feature_width as usize];
        engine.run(Input::U8(&pixels), &mut row).unwrap();
        row
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows[0], rows[1]);
}
