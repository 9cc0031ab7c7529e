//! The depthwise layers of EfficientNet-Lite0 at 160 x 160, each in tract and in ours: `cargo bench -p runtime --bench depthwise`.
//!
//! Ours needs transpositions to channels last and back, which a rewritten network pays once and not for each layer. So layers
//! of stride 1 are timed once and in a row of nine: an eighth of the difference is a layer without them.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::numbers;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use runtime::engine::channels_last::accelerate;
use tract_onnx::prelude::*;

/// Channels, height and width of the input, kernel, stride.
const LAYERS: [(usize, usize, usize, usize); 12] = [
    (32, 80, 3, 1),
    (96, 80, 3, 2),
    (144, 40, 3, 1),
    (144, 40, 5, 2),
    (240, 20, 5, 1),
    (240, 20, 3, 2),
    (480, 10, 3, 1),
    (480, 10, 5, 1),
    (672, 10, 5, 1),
    (672, 10, 5, 2),
    (1152, 5, 5, 1),
    (1152, 5, 3, 1),
];

/// A graph of `count` such layers with their clamps, one after the other.
fn layers_of((channels, size, kernel, stride): (usize, usize, usize, usize), count: usize) -> TypedModel {
    let mut model = TypedModel::default();
    let image = model.add_source("image", f32::fact([1, channels, size, size])).unwrap();
    let wire = (0..count)
        .fold(image, |wire, i| common::conv(&mut model, i, wire, (channels, channels, channels), (kernel, stride)));
    model.select_output_outlets(&[wire]).unwrap();
    model
}

fn layers(c: &mut Criterion) {
    for layer in LAYERS {
        let (channels, size, kernel, stride) = layer;
        let image = numbers(&[1, channels, size, size]).into_tvalue();
        let mut group = c.benchmark_group(format!("{channels}x{size}x{size} kernel {kernel} stride {stride}"));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        for count in [1, 9].into_iter().filter(|&count| count == 1 || stride == 1) {
            let graph = || layers_of(layer, count);
            for (name, model) in [("tract", graph()), ("ours", accelerate(graph()).unwrap())] {
                let plan = model.into_optimized().unwrap().into_runnable().unwrap();
                let mut state = plan.spawn().unwrap();
                let run = |b: &mut Bencher<'_>| b.iter(|| state.run(tvec!(black_box(image.clone()))).unwrap());
                group.bench_function(format!("{name}, {count} in a row"), run);
            }
        }
        group.finish();
    }
}

criterion_group!(depthwise, layers);
criterion_main!(depthwise);
