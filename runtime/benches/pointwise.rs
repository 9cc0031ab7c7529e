//! The pointwise layers of EfficientNet-Lite0 at 160 x 160, in float32 as we compute them and in int8 as tract would:
//! `cargo bench -p runtime --bench pointwise`.
//!
//! Depthwise layers and additions stay float32, so int8 is timed from float32 to float32: quantised by a scale known
//! beforehand, multiplied, scaled per channel, bias added, clamped. Ours is timed with transpositions that a rewritten network pays
//! once; in a row of nine they weigh little (`depthwise.rs`).

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::numbers;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use runtime::engine::channels_last::accelerate;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::math::{add, max, min, mul, round_half_to_even};

/// Narrow and wide channels, height and width: each block widens and narrows again.
const BLOCKS: [(usize, usize, usize); 7] =
    [(16, 96, 80), (24, 144, 40), (40, 240, 20), (80, 480, 10), (112, 672, 10), (192, 1152, 5), (320, 1280, 5)];
/// Times that a block is run through in one graph.
const ROW: usize = 4;

/// Widen, narrow, widen, narrow, in float32.
fn float((narrow, wide, size): (usize, usize, usize)) -> TypedModel {
    let mut model = TypedModel::default();
    let mut wire = model.add_source("image", f32::fact([1, narrow, size, size])).unwrap();
    for i in 0..2 * ROW {
        let (from, to) = if i % 2 == 0 { (narrow, wide) } else { (wide, narrow) };
        wire = common::conv(&mut model, i, wire, (from, to, 1), (1, 1));
    }
    model.select_output_outlets(&[wire]).unwrap();
    model
}

/// The same in int8, pixels as rows.
fn int8((narrow, wide, size): (usize, usize, usize)) -> TypedModel {
    let mut model = TypedModel::default();
    let mut wire = model.add_source("pixels", f32::fact([size * size, narrow])).unwrap();
    let scalar = |value: f32| tensor2(&[[value]]);
    let [zero, six] = [("zero", 0.0), ("six", 6.0)].map(|(name, value)| model.add_const(name, scalar(value)).unwrap());
    let inverse = model.add_const("inverse", scalar(127.0 / 6.0)).unwrap();
    for i in 0..2 * ROW {
        let (from, to) = if i % 2 == 0 { (narrow, wide) } else { (wide, narrow) };
        let bytes: Vec<i8> = (0..from * to).map(|i| (i * 37 % 255) as u8 as i8).collect();
        let weights = Tensor::from_shape(&[from, to], &bytes).unwrap();
        let weights = model.add_const(format!("weights{i}"), weights).unwrap();
        let scales = model.add_const(format!("scales{i}"), numbers(&[1, to])).unwrap();
        let bias = model.add_const(format!("bias{i}"), numbers(&[1, to])).unwrap();
        let mut then = |name: &str, op: Box<dyn TypedOp>, inputs: &[OutletId]| {
            model.wire_node(format!("{name}{i}"), op, inputs).unwrap()[0]
        };
        wire = then("scaled", Box::new(mul()), &[wire, inverse]);
        wire = then("rounded", Box::new(round_half_to_even()), &[wire]);
        wire = then("byte", Box::new(cast(i8::datum_type())), &[wire]);
        let product = EinSum::new("mk,kn->mn".parse().unwrap(), i32::datum_type());
        wire = then("product", Box::new(product), &[wire, weights]);
        wire = then("sum", Box::new(cast(f32::datum_type())), &[wire]);
        wire = then("unscaled", Box::new(mul()), &[wire, scales]);
        wire = then("biased", Box::new(add()), &[wire, bias]);
        wire = then("max", Box::new(max()), &[wire, zero]);
        wire = then("min", Box::new(min()), &[wire, six]);
    }
    model.select_output_outlets(&[wire]).unwrap();
    model
}

fn blocks(c: &mut Criterion) {
    for block in BLOCKS {
        let (narrow, wide, size) = block;
        let mut group = c.benchmark_group(format!("{narrow}-{wide}-{narrow} at {size}x{size}, {ROW} times"));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        let image = numbers(&[1, narrow, size, size]).into_tvalue();
        let pixels = numbers(&[size * size, narrow]).into_tvalue();
        for (name, model, input) in
            [("ours, float32", accelerate(float(block)).unwrap(), image), ("tract, int8", int8(block), pixels)]
        {
            let plan = model.into_decluttered().unwrap().into_optimized().unwrap().into_runnable().unwrap();
            let mut state = plan.spawn().unwrap();
            let run = |b: &mut Bencher<'_>| b.iter(|| state.run(tvec!(black_box(input.clone()))).unwrap());
            group.bench_function(name, run);
        }
        group.finish();
    }
}

criterion_group!(pointwise, blocks);
criterion_main!(pointwise);
