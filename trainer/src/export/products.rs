//! The large matrix products of a graph, in the form that its engine computes them: a layer and its input in, the nodes
//! that stand for it out.
//!
//! | form | nodes | for |
//! |---|---|---|
//! | [`Form::Float`] | `MatMul`, `Add` | every engine |
//! | [`Form::Watched`] | the same, and the largest magnitude of each input row put out | calibration, [`super::ranges`] |
//! | [`Form::Int8`] | `Mul`, `Round`, `Clip`, `Cast`, `MatMulInteger`, `Cast`, `Mul` by `s_x s_w[n]`, `Add`; with [`Activations::Dynamic`] `s_x` is each row's own | tract, which keeps this in int8; unlike `QuantizeLinear` it can be written as NNEF |
//! | [`Form::Qdq`] | `QuantizeLinear` and `DequantizeLinear` around each operand of `MatMul`, `Add` | onnxruntime, TensorRT |
//!
//! Both int8 forms hold the same numbers: symmetric, activations per tensor with the scale that calibration found (or, for
//! tract, per row with the scale of its largest magnitude), weights per output column. QDQ keeps its weights as floats with the pair behind them: TensorRT 8 refuses
//! `DequantizeLinear` on a weight that is stored in int8.

use runtime::Result;

use super::quantise::{Dense, INT8_MAX, scale};
use super::ranges::{Ranges, Watch};
use crate::onnx::{ElementType, GraphBuilder, Value, attribute};

/// How the large products of a graph are computed.
#[derive(Debug)]
pub enum Form<'a> {
    /// In float32.
    Float,
    /// In float32, and the largest magnitude of each row that goes into them is put out instead of scores.
    Watched(&'a mut Watch),
    /// In int8 as tract likes it; with a name, that product alone.
    Int8(Activations<'a>, Option<&'a str>),
    /// In int8 as onnxruntime and TensorRT like it.
    Qdq(&'a Ranges),
}

/// What 1 stands for in an int8 activation.
#[derive(Clone, Copy, Debug)]
pub enum Activations<'a> {
    /// One scale of all that ever goes into a product, from calibration.
    Static(&'a Ranges),
    /// Each row its own, by its largest magnitude: nothing is calibrated, and looking for it takes time.
    Dynamic,
}

/// A row whose largest magnitude is below this is a row of zeros, in int8.
const ZERO_BELOW: f32 = 1e-30;

/// The rows of `x` in int8 along its axis `axis`, each by its largest magnitude, and what 1 stands for in each.
pub(super) fn quantised_rows(g: &mut GraphBuilder, x: &Value, axis: i64) -> (Value, Value) {
    let magnitude = g.abs(x);
    let most = g.reduce_max(&magnitude, &[axis], true);
    let (least, full) = (g.scalar(ZERO_BELOW), g.scalar(INT8_MAX));
    let most = g.max(&most, &least);
    let inverse = g.div(&full, &most);
    let scaled = g.mul(x, &inverse);
    let rounded = g.round(&scaled);
    let step = g.div(&most, &full);
    (g.cast(&rounded, ElementType::I8), step)
}

/// What an input became: its values, and the scale of each row where rows have their own.
type Quantised = (Value, Option<Value>);

/// Makes the products of one graph.
#[derive(Debug)]
pub(crate) struct Products<'a> {
    form: Form<'a>,
    /// The last input and what it became: query, key and value share theirs.
    last: Option<(Value, Quantised)>,
    watched: Vec<Value>,
}

impl<'a> Products<'a> {
    pub fn new(form: Form<'a>) -> Self {
        Self { form, last: None, watched: Vec::new() }
    }

    /// Whether inputs must be standardised before the projection, not by it: raw features differ in scale, and one
    /// scale of a tensor cannot serve them all.
    pub fn standardise_first(&self) -> bool {
        !matches!(self.form, Form::Float)
    }

    /// The product `name` of `x [1, tokens, K]`.
    pub fn run(
        &mut self,
        g: &mut GraphBuilder,
        name: &str,
        (x, tokens): (&Value, usize),
        layer: &Dense,
    ) -> Result<Value> {
        let [rows, columns] = layer.shape;
        let product = match &mut self.form {
            Form::Int8(activations, only) if only.is_none_or(|only| only == name) => {
                // Of the whole tensor; rows with scales of their own have none in common.
                let step = match activations {
                    Activations::Static(ranges) => scale(ranges.bound(name)?),
                    Activations::Dynamic => 1.0,
                };
                let (x, rows_steps) = once(&mut self.last, x, || match activations {
                    Activations::Static(_) => {
                        let inverse = g.scalar(1.0 / step);
                        let scaled = g.mul(x, &inverse);
                        let rounded = g.round(&scaled);
                        let clipped = g.clip(&rounded, -INT8_MAX, INT8_MAX);
                        (g.cast(&clipped, ElementType::I8), None)
                    }
                    Activations::Dynamic => {
                        let (values, steps) = quantised_rows(g, x, 2);
                        (values, Some(steps))
                    }
                });
                let weight = layer.quantised();
                let values = g.i8s("weight", &[rows, columns], &weight.values);
                let sums = g.matmul_integer(&x, &values);
                let mut sums = g.cast(&sums, ElementType::F32);
                // One after the other: onnxruntime would join a product of scales to the sums, as scales of whole tensors.
                if let Some(steps) = rows_steps {
                    sums = g.mul(&sums, &steps);
                }
                let steps: Vec<f32> = weight.scales.iter().map(|scale| scale * step).collect();
                let steps = g.f32s("scale", &[columns], &steps);
                g.mul(&sums, &steps)
            }
            Form::Qdq(ranges) => {
                let step = scale(ranges.bound(name)?);
                let (x, _) = once(&mut self.last, x, || {
                    let scale = g.scalar(step);
                    let quantised = g.quantize_i8(x, &scale);
                    (g.dequantize_i8(&quantised, &scale), None)
                });
                let weight = qdq_weight(g, layer);
                g.matmul(&x, &weight)
            }
            Form::Float | Form::Int8(..) => plain(g, x, layer),
            Form::Watched(watch) => {
                let magnitude = g.abs(x);
                self.watched.push(g.reduce_max(&magnitude, &[2], true));
                watch.add(name, tokens);
                plain(g, x, layer)
            }
        };
        Ok(match &layer.bias {
            Some(bias) => {
                // Of three axes in QDQ: onnxruntime joins a bias of one to the product, in float32, before it sees the int8.
                let vector = [1, 1, columns];
                let shape = if matches!(self.form, Form::Qdq(_)) { &vector } else { &vector[2..] };
                let bias = g.f32s("bias", shape, bias);
                g.add(&product, &bias)
            }
            None => product,
        })
    }

    /// What was watched, in the order of [`Watch`]: `[1, rows of all products]`. None for other forms.
    pub fn watched(&self, g: &mut GraphBuilder) -> Option<(Value, usize)> {
        let Form::Watched(watch) = &self.form else { return None };
        let all = g.concat(&self.watched.iter().collect::<Vec<_>>(), 1);
        Some((g.reshape(&all, &[1, watch.rows() as i64]), watch.rows()))
    }
}

/// What `make` makes of `x`, made once for products that follow each other with the same input (and thus the same range).
fn once(last: &mut Option<(Value, Quantised)>, x: &Value, make: impl FnOnce() -> Quantised) -> Quantised {
    match last {
        Some((known, made)) if known == x => made.clone(),
        _ => {
            let made = make();
            *last = Some((x.clone(), made.clone()));
            made
        }
    }
}

fn plain(g: &mut GraphBuilder, x: &Value, layer: &Dense) -> Value {
    let weight = g.f32s("weight", &layer.shape, &layer.weight);
    g.matmul(x, &weight)
}

/// The weight, quantised per column and back.
fn qdq_weight(g: &mut GraphBuilder, layer: &Dense) -> Value {
    let columns = layer.shape[1];
    let weight = g.f32s("weight", &layer.shape, &layer.weight);
    let scales = g.f32s("scale", &[columns], &layer.quantised().scales);
    let zeros = g.i8s("zero_points", &[columns], &vec![0; columns]);
    let axis = || vec![attribute::int("axis", 1)];
    let quantised = g.node("QuantizeLinear", &[&weight, &scales, &zeros], axis());
    g.node("DequantizeLinear", &[&quantised, &scales, &zeros], axis())
}
