//! The depthwise layers of EfficientNet-Lite0 at 160 x 160, each in tract and in ours: `cargo bench -p runtime --bench depthwise`.
//!
//! Ours is timed with the transpositions to channels last and back, which the rewritten network pays once and not for
//! each layer: where it wins here, it wins there.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use runtime::engine::channels_last::accelerate;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math::{max, min};
use tract_onnx::tract_core::ops::nn::DataFormat;

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

fn numbers(shape: &[usize]) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_shape(shape, &values).unwrap()
}

/// A graph of one layer with its clamp.
fn layer((channels, size, kernel, stride): (usize, usize, usize, usize)) -> TypedModel {
    let mut model = TypedModel::default();
    let image = model.add_source("image", f32::fact([1, channels, size, size])).unwrap();
    let conv = Conv {
        pool_spec: PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec!(kernel, kernel),
            padding: PaddingSpec::SameUpper,
            dilations: None,
            strides: Some(tvec!(stride, stride)),
            input_channels: channels,
            output_channels: channels,
        },
        kernel_fmt: KernelFormat::OIHW,
        group: channels,
        q_params: None,
    };
    let weights = model.add_const("weights", numbers(&[channels, 1, kernel, kernel])).unwrap();
    let bias = model.add_const("bias", numbers(&[channels])).unwrap();
    let mut wire = model.wire_node("conv", conv, &[image, weights, bias]).unwrap()[0];
    let zero = model.add_const("zero", tensor4(&[[[[0_f32]]]])).unwrap();
    let six = model.add_const("six", tensor4(&[[[[6_f32]]]])).unwrap();
    wire = model.wire_node("max", max(), &[wire, zero]).unwrap()[0];
    wire = model.wire_node("min", min(), &[wire, six]).unwrap()[0];
    model.select_output_outlets(&[wire]).unwrap();
    model
}

fn layers(c: &mut Criterion) {
    for layer_of in LAYERS {
        let (channels, size, kernel, stride) = layer_of;
        let image = numbers(&[1, channels, size, size]).into_tvalue();
        let mut group = c.benchmark_group(format!("{channels}x{size}x{size} kernel {kernel} stride {stride}"));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        for (name, model) in [("tract", layer(layer_of)), ("ours", accelerate(layer(layer_of)).unwrap())] {
            let plan = model.into_optimized().unwrap().into_runnable().unwrap();
            let mut state = plan.spawn().unwrap();
            group.bench_function(name, |b| b.iter(|| state.run(tvec!(black_box(image.clone()))).unwrap()));
        }
        group.finish();
    }
}

criterion_group!(depthwise, layers);
criterion_main!(depthwise);
