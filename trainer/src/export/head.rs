//! What every model's full-window graph is made of: `window [1, T, D_in]` of raw features in, `scores [1, T]` out.
//!
//! Standardisation is part of the graph: folded into the layer that takes the features in where there is one, two nodes where
//! there is none; in int8, features are standardised before they are quantised. Large products come in the [`Form`] that is
//! asked for. A model's own graph is its [`Exporter`](super::Exporter).

use burn::backend::Flex;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use runtime::Result;

use super::Exporter as _;
use super::products::{Form, Products};
use super::quantise::Dense;
use crate::dataset::Statistics;
use crate::model::{Classifier, with_model};
use crate::onnx::{ElementType, GraphBuilder, Value};
use crate::train::Run;

/// The name of the graph's input.
pub const INPUT: &str = "window";
/// The name of the graph's output.
pub const OUTPUT: &str = "scores";

/// The output of a watched graph, `[1, rows of all products]`: the largest magnitude of each row.
pub const RANGES: &str = "ranges";

/// The chosen weights of a run as an ONNX file.
pub fn of_run(run: &Run, form: Form<'_>) -> Result<Vec<u8>> {
    with_model!(&run.file.settings.model, |Model, config| {
        let model: Model<Flex> = run.model(config, &burn::tensor::Device::<Flex>::default())?;
        model.head(config, &run.file.statistics, form)
    })
}

/// A graph with its input, `[1, segments, D_in]` of raw features.
pub(crate) fn begin(name: &str, doc: &str, segments: usize, statistics: &Statistics) -> (GraphBuilder, Value) {
    let mut g = GraphBuilder::new(name, doc);
    let x = g.input(INPUT, ElementType::F32, &[1, segments, statistics.mean.len()]);
    g.scope("input");
    (g, x)
}

/// Raw features standardised, and projected where there is a projection; `[1, segments, D]`.
pub(crate) fn input(
    g: &mut GraphBuilder,
    products: &mut Products<'_>,
    (x, segments): (&Value, usize),
    projection: Option<&Linear<Flex>>,
    statistics: &Statistics,
) -> Result<Value> {
    let Some(projection) = projection else { return Ok(standardised(g, x, statistics)) };
    let (x, layer) = on_raw(g, products, x, projection, statistics);
    products.run(g, "projection", (&x, segments), &layer)
}

/// The layer that takes the features in, and what it takes in: raw ones, with the standardisation folded into it, or where
/// that is asked for standardised ones.
pub(crate) fn on_raw(
    g: &mut GraphBuilder,
    products: &Products<'_>,
    x: &Value,
    layer: &Linear<Flex>,
    statistics: &Statistics,
) -> (Value, Dense) {
    if products.standardise_first() {
        return (standardised(g, x, statistics), Dense::of(layer));
    }
    let (weight, bias) = folded(layer, statistics);
    (x.clone(), Dense { shape: layer.weight.dims(), weight, bias: Some(bias) })
}

/// The end of a graph: a [`Classifier`], whose first layer is given as it takes in `x [1, segments, D]`.
pub(crate) fn classified(
    mut g: GraphBuilder,
    products: &mut Products<'_>,
    x: (&Value, usize),
    first: &Dense,
    classifier: &Classifier<Flex>,
) -> Result<Vec<u8>> {
    g.scope("classifier");
    let hidden = products.run(&mut g, "classifier_first", x, first)?;
    finish(g, products, x.1, |g| {
        let hidden = g.relu(&hidden);
        let hidden = linear(g, &hidden, &classifier.second);
        linear(g, &hidden, &classifier.third)
    })
}

/// The end of a graph: `logits` makes what is left after the large products, `[1, segments, 1]`. A watched graph ends before.
pub(crate) fn finish(
    mut g: GraphBuilder,
    products: &Products<'_>,
    segments: usize,
    logits: impl FnOnce(&mut GraphBuilder) -> Value,
) -> Result<Vec<u8>> {
    if let Some((ranges, rows)) = products.watched(&mut g) {
        g.output(RANGES, &ranges, ElementType::F32, &[1, rows]);
        return g.finish();
    }
    let x = logits(&mut g);
    let x = g.reshape(&x, &[1, segments as i64]);
    let scores = g.sigmoid(&x);
    g.output(OUTPUT, &scores, ElementType::F32, &[1, segments]);
    g.finish()
}

/// A layer norm over the last axis.
pub(crate) fn norm(g: &mut GraphBuilder, x: &Value, layer: &LayerNorm<Flex>) -> Value {
    let (gamma, beta) = norm_weights(layer);
    let scale = g.f32s("gamma", &[gamma.len()], &gamma);
    let bias = g.f32s("beta", &[beta.len()], &beta);
    g.layer_norm(x, &scale, &bias, EPSILON)
}

/// Scale and bias of a layer norm.
pub(crate) fn norm_weights(layer: &LayerNorm<Flex>) -> (Vec<f32>, Vec<f32>) {
    let gamma = numbers(layer.gamma.val());
    let beta = layer.beta.as_ref().map_or_else(|| vec![0.0; gamma.len()], |beta| numbers(beta.val()));
    (gamma, beta)
}

/// burn's default, which no layer changes.
pub(crate) const EPSILON: f32 = 1e-5;

/// A layer too small to be worth another form.
pub(crate) fn linear(g: &mut GraphBuilder, x: &Value, layer: &Linear<Flex>) -> Value {
    let Dense { shape, weight, bias } = Dense::of(layer);
    let weight = g.f32s("weight", &shape, &weight);
    let bias = bias.map(|bias| g.f32s("bias", &[shape[1]], &bias));
    g.linear(x, &weight, bias.as_ref())
}

/// A layer on standardised features, as weight and bias for raw ones:
/// `((x - m) / d) P + b = x (P / d) + (b - (m / d) P)`, in float64.
pub(crate) fn folded(layer: &Linear<Flex>, statistics: &Statistics) -> (Vec<f32>, Vec<f32>) {
    let columns = outputs(layer);
    let mut weight = numbers(layer.weight.val());
    let bias = layer.bias.as_ref().map_or_else(|| vec![0.0; columns], |bias| numbers(bias.val()));
    let mut bias: Vec<f64> = bias.into_iter().map(f64::from).collect();
    for (row, values) in weight.chunks_exact_mut(columns).enumerate() {
        let (mean, deviation) = (f64::from(statistics.mean[row]), f64::from(statistics.deviation[row]));
        for (value, bias) in values.iter_mut().zip(&mut bias) {
            let scaled = f64::from(*value) / deviation;
            *bias -= mean * scaled;
            *value = scaled as f32;
        }
    }
    (weight, bias.into_iter().map(|value| value as f32).collect())
}

/// Raw features without a projection: `(x - mean) / deviation`.
pub(crate) fn standardised(g: &mut GraphBuilder, x: &Value, statistics: &Statistics) -> Value {
    let width = statistics.mean.len();
    let inverse: Vec<f32> = statistics.deviation.iter().map(|deviation| 1.0 / deviation).collect();
    let mean = g.f32s("mean", &[width], &statistics.mean);
    let inverse = g.f32s("inverse_deviation", &[width], &inverse);
    let centred = g.sub(x, &mean);
    g.mul(&centred, &inverse)
}

/// N of a layer `[K, N]`.
pub(crate) fn outputs(layer: &Linear<Flex>) -> usize {
    layer.weight.dims()[1]
}

/// A tensor's numbers, row by row.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
    tensor.into_data().into_vec().unwrap_or_default()
}
