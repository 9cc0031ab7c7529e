//! Recognising what can be rewritten: a convolution with what follows it, up to an addition and clamps.
//!
//! Flows in: a typed graph. Flows out: [`Unit`]s. Refused, and so left to tract: anything but float32, two spatial
//! axes, channels first, constant weights, concrete shapes, no dilation, no window wholly on padding, and either one
//! group or one per channel.

use super::depthwise::Shape;
use std::collections::HashSet;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::change_axes::AxisOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::math::{Add, Max, Min};
use tract_onnx::tract_core::ops::nn::DataFormat;

/// `clamp(conv(input) + add)`, as nodes of tract's graph.
#[derive(Debug)]
pub struct Unit {
    /// The convolution's input.
    pub input: OutletId,
    /// A tensor that is added to the convolution's output.
    pub add: Option<OutletId>,
    /// Lowest and highest output.
    pub clamp: (f32, f32),
    /// What holds the result.
    pub output: OutletId,
    /// All nodes that the unit stands for, from the convolution to the one of `output`.
    pub nodes: Vec<usize>,
    /// Sizes; `channels` are those of the input.
    pub shape: Shape,
    /// Output channels.
    pub channels_out: usize,
    /// One filter per channel, instead of every channel mixed into every other.
    pub depthwise: bool,
    /// `[out, in (1 if depthwise), height, width]`
    pub kernel: Arc<Tensor>,
    /// One value per output channel.
    pub bias: Vec<f32>,
}

/// Every unit of the graph, in the order of their outputs.
pub fn find(model: &TypedModel, order: &[usize]) -> TractResult<Vec<Unit>> {
    let mut taken = HashSet::new();
    let mut units = vec![];
    for id in order {
        if let Some(mut unit) = convolution(model, *id)? {
            extend(model, &mut unit, &taken)?;
            taken.extend(unit.nodes.iter().copied());
            units.push(unit);
        }
    }
    let place = |unit: &Unit| order.iter().position(|id| *id == unit.output.node);
    units.sort_by_cached_key(place);
    Ok(units)
}

/// The convolution at node `id`, if it is one that we know.
fn convolution(model: &TypedModel, id: usize) -> TractResult<Option<Unit>> {
    let node = model.node(id);
    let Some(conv) = node.op_as::<Conv>() else {
        return Ok(None);
    };
    let spec = &conv.pool_spec;
    let [input, kernel, bias] = *node.inputs.as_slice() else {
        return Ok(None);
    };
    let (fact_in, fact_out) = (model.outlet_fact(input)?, model.outlet_fact(id.into())?);
    let depthwise = conv.group > 1 && conv.group == spec.input_channels && conv.group == spec.output_channels;
    if conv.q_params.is_some()
        || conv.kernel_fmt != KernelFormat::OIHW
        || spec.data_format != DataFormat::NCHW
        || spec.dilations().iter().any(|d| *d != 1)
        || !(conv.group == 1 || depthwise)
        || fact_in.datum_type != f32::datum_type()
    {
        return Ok(None);
    }
    let (Some(shape_in), Some(shape_out)) = (fact_in.shape.as_concrete(), fact_out.shape.as_concrete()) else {
        return Ok(None);
    };
    let (&[n, channels, h, w], &[_, channels_out, oh, ow]) = (shape_in, shape_out) else {
        return Ok(None);
    };
    let (Some(kernel), Some(bias)) = (constant(model, kernel)?, constant(model, bias)?) else {
        return Ok(None);
    };
    if kernel.datum_type() != f32::datum_type() || kernel.rank() != 4 || bias.datum_type() != f32::datum_type() {
        return Ok(None);
    }
    let bias = bias.try_as_plain_ram()?.as_slice::<f32>()?;
    let bias = match bias.len() {
        1 => vec![bias[0]; channels_out],
        len if len == channels_out => bias.to_vec(),
        _ => return Ok(None),
    };
    if n * channels_out * oh * ow == 0 || n * channels * h * w == 0 {
        return Ok(None);
    }
    let pad = spec.computed_padding(&[h, w]);
    let mut padded = pad.iter().zip(kernel.shape()[2..].iter());
    if padded.any(|(pad, taps)| pad.pad_before.max(pad.pad_after) >= *taps) {
        return Ok(None);
    }
    Ok(Some(Unit {
        input,
        add: None,
        clamp: (f32::NEG_INFINITY, f32::INFINITY),
        output: id.into(),
        nodes: vec![id],
        shape: Shape {
            channels,
            input: [h, w],
            output: [oh, ow],
            kernel: [kernel.shape()[2], kernel.shape()[3]],
            stride: [spec.stride(0), spec.stride(1)],
            pad: [pad[0].pad_before, pad[1].pad_before],
        },
        channels_out,
        depthwise,
        kernel,
        bias,
    }))
}

/// Take in the addition and the clamps that follow, as long as nobody else reads what lies between.
fn extend(model: &TypedModel, unit: &mut Unit, taken: &HashSet<usize>) -> TractResult<()> {
    let mut clamped = false;
    loop {
        if model.output_outlets()?.contains(&unit.output) {
            return Ok(());
        }
        let [next] = model.outlet_successors(unit.output) else {
            return Ok(());
        };
        let node = model.node(next.node);
        let Some(TypedBinOp(op, None)) = node.op_as::<TypedBinOp>() else {
            return Ok(());
        };
        let other = node.inputs[1 - next.slot];
        let same_shape = |outlet| -> TractResult<bool> {
            let (fact, ours) = (model.outlet_fact(outlet)?, model.outlet_fact(unit.output)?);
            Ok(fact.datum_type == ours.datum_type && fact.shape == ours.shape)
        };
        if taken.contains(&next.node) || !same_shape(next.node.into())? {
            return Ok(());
        }
        if op.is::<Add>() && unit.add.is_none() && !clamped && !unit.depthwise && same_shape(other)? {
            unit.add = Some(other);
        } else if let Some(bound) = scalar(model, other)? {
            let (low, high) = unit.clamp;
            unit.clamp = if op.is::<Max>() {
                (low.max(bound), high.max(bound))
            } else if op.is::<Min>() {
                (low.min(bound), high.min(bound))
            } else {
                return Ok(());
            };
            clamped = true;
        } else {
            return Ok(());
        }
        unit.nodes.push(next.node);
        unit.output = next.node.into();
    }
}

/// The one float of a constant that has no other.
fn scalar(model: &TypedModel, outlet: OutletId) -> TractResult<Option<f32>> {
    let floats = constant(model, outlet)?.filter(|tensor| tensor.datum_type() == f32::datum_type());
    let uniform = floats.and_then(|tensor| tensor.as_uniform());
    uniform.map(|value| value.cast_to_scalar::<f32>()).transpose()
}

/// The value of a constant, or of what is computed from constants alone (casts and added axes, before declutter).
fn constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    if let Some(constant) = &model.outlet_fact(outlet)?.konst {
        return Ok(Some(constant.clone()));
    }
    let node = model.node(outlet.node);
    if node.inputs.is_empty() || !(node.op_is::<Cast>() || node.op_is::<AxisOp>()) {
        return Ok(None);
    }
    let mut inputs = tvec!();
    for input in &node.inputs {
        let Some(value) = constant(model, *input)? else {
            return Ok(None);
        };
        inputs.push(value.into_tvalue());
    }
    let values = node.op.eval_out_of_plan(inputs)?;
    Ok(values.and_then(|mut values| values.pop()).map(IntoArcTensor::into_arc_tensor))
}
