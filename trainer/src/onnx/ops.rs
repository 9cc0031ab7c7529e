//! Operators as methods of [`GraphBuilder`]: values in, one value out. Shapes are in each method's doc; broadcasting is ONNX's
//! (numpy's). Nothing is checked here: the engines and the ONNX checker judge shapes when the file is loaded.

use super::attribute::{float, int, ints};
use super::builder::{ElementType, GraphBuilder, Value};

/// Geometry of a convolution over N spatial axes (1: `[B, C, T]`, 2: `[B, C, H, W]`).
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    /// Step along each spatial axis (N numbers).
    pub strides: &'a [usize],
    /// Zeros added before every axis, then after every axis (2 N numbers): top, left, bottom, right.
    pub pads: &'a [usize],
    /// Groups: 1 for a dense convolution, the number of channels for a depthwise one.
    pub groups: usize,
}

fn wide(numbers: &[usize]) -> Vec<i64> {
    numbers.iter().map(|&n| n as i64).collect()
}

impl GraphBuilder {
    /// Convolution: `x [B, C, ...]`, `w [O, C / groups, k...]`, `bias [O]` -> `[B, O, ...]`.
    pub fn conv(&mut self, x: &Value, w: &Value, bias: Option<&Value>, conv: &Conv<'_>) -> Value {
        let mut inputs = vec![x, w];
        inputs.extend(bias);
        self.node(
            "Conv",
            &inputs,
            vec![
                int("group", conv.groups as i64),
                ints("pads", &wide(conv.pads)),
                ints("strides", &wide(conv.strides)),
            ],
        )
    }

    /// Matrix product over the last two axes: `a [..., M, K]`, `b [..., K, N]` -> `[..., M, N]`.
    pub fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("MatMul", &[a, b], vec![])
    }

    /// `a [M, K] * b + c`: `b` is `[K, N]`, or `[N, K]` with `transpose_b`; `c [N]` -> `[M, N]`. Rank 2 only.
    pub fn gemm(&mut self, a: &Value, b: &Value, c: &Value, transpose_b: bool) -> Value {
        self.node("Gemm", &[a, b, c], vec![int("transB", i64::from(transpose_b))])
    }

    /// Integer matrix product without zero points: `a [..., M, K]` i8, `b [K, N]` i8 -> `[..., M, N]` i32.
    pub fn matmul_integer(&mut self, a: &Value, b: &Value) -> Value {
        self.node("MatMulInteger", &[a, b], vec![])
    }

    /// Symmetric quantisation to i8, `saturate(round(x / scale))`: `x [...]`, `scale` of rank 0 -> `[...]` i8. The scale must be
    /// an initializer.
    pub fn quantize_i8(&mut self, x: &Value, scale: &Value) -> Value {
        let zero = self.i8s("zero_point", &[], &[0]);
        self.node("QuantizeLinear", &[x, scale, &zero], vec![])
    }

    /// The inverse of [`GraphBuilder::quantize_i8`]: `x [...]` i8, `scale` of rank 0 -> `[...]` f32. The zero point is
    /// written out: where onnxruntime (1.23) moves a pair of the two past a `Reshape`, it would take an absent one for u8.
    pub fn dequantize_i8(&mut self, x: &Value, scale: &Value) -> Value {
        let zero = self.i8s("zero_point", &[], &[0]);
        self.node("DequantizeLinear", &[x, scale, &zero], vec![])
    }

    /// `a + b`, broadcast.
    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Add", &[a, b], vec![])
    }

    /// `a - b`, broadcast.
    pub fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Sub", &[a, b], vec![])
    }

    /// `a * b` by element, broadcast.
    pub fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Mul", &[a, b], vec![])
    }

    /// `a / b` by element, broadcast.
    pub fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Div", &[a, b], vec![])
    }

    /// The larger of `a` and `b` by element, broadcast.
    pub fn max(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Max", &[a, b], vec![])
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &[x], vec![])
    }

    /// `min(max(x, low), high)`.
    pub fn clip(&mut self, x: &Value, low: f32, high: f32) -> Value {
        let (low, high) = (self.scalar(low), self.scalar(high));
        self.node("Clip", &[x, &low, &high], vec![])
    }

    /// `|x|`.
    pub fn abs(&mut self, x: &Value) -> Value {
        self.node("Abs", &[x], vec![])
    }

    /// `tanh x`.
    pub fn tanh(&mut self, x: &Value) -> Value {
        self.node("Tanh", &[x], vec![])
    }

    /// `1 / (1 + e^-x)`, written out. tract has a fit for ONNX's `Sigmoid` that ends at 4.8e-7 (0.23.9: `ssigmoid` clamps `x` to 14.5):
    /// quiet segments, nine in ten of a calm road, would all score the same, and a curve over all thresholds counts their order.
    pub fn sigmoid(&mut self, x: &Value) -> Value {
        let (zero, one) = (self.scalar(0.0), self.scalar(1.0));
        let negative = self.sub(&zero, x);
        let power = self.node("Exp", &[&negative], vec![]);
        let sum = self.add(&one, &power);
        self.div(&one, &sum)
    }

    /// The nearest integer, halves to even; still f32.
    pub fn round(&mut self, x: &Value) -> Value {
        self.node("Round", &[x], vec![])
    }

    /// Other elements, same shape.
    pub fn cast(&mut self, x: &Value, to: ElementType) -> Value {
        self.node("Cast", &[x], vec![int("to", i64::from(to.code()))])
    }

    /// Axes in another order: axis `i` of the result is axis `order[i]` of `x`.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        self.node("Transpose", &[x], vec![ints("perm", &wide(order))])
    }

    /// The same elements in row-major order as another shape; one `-1` stands for what remains.
    pub fn reshape(&mut self, x: &Value, shape: &[i64]) -> Value {
        let shape = self.i64s("shape", shape);
        self.node("Reshape", &[x, &shape], vec![])
    }

    /// New axes of length 1 at the positions `axes` of the result.
    pub fn unsqueeze(&mut self, x: &Value, axes: &[i64]) -> Value {
        let axes = self.i64s("axes", axes);
        self.node("Unsqueeze", &[x, &axes], vec![])
    }

    /// Drops the axes `axes`, which must have length 1.
    pub fn squeeze(&mut self, x: &Value, axes: &[i64]) -> Value {
        let axes = self.i64s("axes", axes);
        self.node("Squeeze", &[x, &axes], vec![])
    }

    /// `x[start..end]` along one axis; negative numbers count from the end.
    pub fn slice(&mut self, x: &Value, axis: i64, start: i64, end: i64) -> Value {
        let starts = self.i64s("starts", &[start]);
        let ends = self.i64s("ends", &[end]);
        let axes = self.i64s("axes", &[axis]);
        self.node("Slice", &[x, &starts, &ends, &axes], vec![])
    }

    /// The parts one after another along `axis`.
    pub fn concat(&mut self, parts: &[&Value], axis: i64) -> Value {
        self.node("Concat", parts, vec![int("axis", axis)])
    }

    /// The mean over `axes`, which become 1 (`keep`) or go.
    pub fn reduce_mean(&mut self, x: &Value, axes: &[i64], keep: bool) -> Value {
        self.node("ReduceMean", &[x], vec![ints("axes", axes), int("keepdims", i64::from(keep))])
    }

    /// The maximum over `axes`, which become 1 (`keep`) or go.
    pub fn reduce_max(&mut self, x: &Value, axes: &[i64], keep: bool) -> Value {
        self.node("ReduceMax", &[x], vec![ints("axes", axes), int("keepdims", i64::from(keep))])
    }

    /// `e^x / sum e^x` along `axis`.
    pub fn softmax(&mut self, x: &Value, axis: i64) -> Value {
        self.node("Softmax", &[x], vec![int("axis", axis)])
    }

    /// Layer normalisation over the last axis: `x [..., D]`, `scale [D]`, `bias [D]` -> `[..., D]`.
    pub fn layer_norm(&mut self, x: &Value, scale: &Value, bias: &Value, epsilon: f32) -> Value {
        self.node("LayerNormalization", &[x, scale, bias], vec![int("axis", -1), float("epsilon", epsilon)])
    }
}
