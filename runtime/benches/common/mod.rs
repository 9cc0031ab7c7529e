//! What benches of layers are wired from.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math::{max, min};
use tract_onnx::tract_core::ops::nn::DataFormat;

/// The same numbers each time, in -1..1.
pub fn numbers(shape: &[usize]) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_shape(shape, &values).unwrap()
}

/// A convolution with bias and clamp to 0..6 in groups of `group`, from `[1, from, H, W]` to `to` channels; `i` names it.
pub fn conv(
    model: &mut TypedModel,
    i: usize,
    wire: OutletId,
    (from, to, group): (usize, usize, usize),
    (kernel, stride): (usize, usize),
) -> OutletId {
    let op = Conv {
        pool_spec: PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec!(kernel, kernel),
            padding: PaddingSpec::SameUpper,
            dilations: None,
            strides: Some(tvec!(stride, stride)),
            input_channels: from,
            output_channels: to,
        },
        kernel_fmt: KernelFormat::OIHW,
        group,
        q_params: None,
    };
    let weights = model.add_const(format!("weights{i}"), numbers(&[to, from / group, kernel, kernel])).unwrap();
    let bias = model.add_const(format!("bias{i}"), numbers(&[to])).unwrap();
    let zero = model.add_const(format!("zero{i}"), tensor4(&[[[[0_f32]]]])).unwrap();
    let six = model.add_const(format!("six{i}"), tensor4(&[[[[6_f32]]]])).unwrap();
    let wire = model.wire_node(format!("conv{i}"), op, &[wire, weights, bias]).unwrap()[0];
    let wire = model.wire_node(format!("max{i}"), max(), &[wire, zero]).unwrap()[0];
    model.wire_node(format!("min{i}"), min(), &[wire, six]).unwrap()[0]
}
