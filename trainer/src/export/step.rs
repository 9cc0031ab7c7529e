//! DE-Net's step as one ONNX graph with its state in and out: the newest raw row and what earlier segments left behind in,
//! the asked position's score and what this segment leaves behind out. The same numbers as the full window's.
//!
//! With D the width, `N_s = T / 2^(s-1)` tokens at scale s, and the window that ends at the newest segment:
//!
//! | input | shape | what |
//! |---|---|---|
//! | `row` | `[1, D_in]` | the newest raw row |
//! | `past` | `[1, (2^(S-1) - 1) D]` | the `x` of the segments before it, oldest first (more than one scale only) |
//! | `keysS`, `valuesS` | `[N_s - 1, D]` | `W_k c` and `W_v c` of the window's earlier tokens, oldest first |
//! | `askedS` | `[1, D]` | `c` of the asked token, where a look-ahead makes it an earlier one |
//!
//! | output | shape | what |
//! |---|---|---|
//! | `score` | `[1, 1]` | the score of the asked position |
//! | `x` | `[1, D]` | the newest segment, projected or standardised |
//! | `convS`, `keyS`, `valueS` | `[1, D]` | what the newest segment completes |
//!
//! Weights are named for the firmware, which takes them out of the graph and keeps the state itself. In int8, the large
//! layers' `NAME_weight` is of signed bytes, with a `NAME_scale` per output column; the row that goes into them is
//! quantised as it comes, by its own largest magnitude, so nothing is calibrated.

use burn::backend::Flex;
use burn::nn::{LayerNorm, Linear};
use clap::ValueEnum;
use runtime::Result;
use runtime::pipeline::proof::last_score;
use runtime::score::step::{StepHead, StepModel};

use super::Exporter as _;
use super::head::{self, numbers};
use super::products::quantised_rows;
use super::quantise::Dense;
use crate::dataset::Statistics;
use crate::model::denet::encoder::Encoder;
use crate::model::denet::{DeNet, DeNetConfig};
use crate::model::{Classifier, with_model};
use crate::onnx::{ElementType, GraphBuilder, Value, with_metadata};
use crate::train::Run;

/// How a step's large layers are stored and computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// As trained.
    Float32,
    /// A quarter of the bytes, and of the time that they take to come from memory.
    Int8,
}

/// The chosen weights of a run as a step graph; none where its model has no step.
pub fn of_run(run: &Run, look_ahead: usize, precision: Precision) -> Result<Option<Vec<u8>>> {
    with_model!(&run.file.settings.model, |Model, config| {
        let model: Model<Flex> = run.model(config, &burn::tensor::Device::<Flex>::default())?;
        model.step(config, &run.file.statistics, look_ahead, precision)
    })
}

/// How far an int8 step's golden score may be off on another machine: where arithmetic differs in the last bit, a number that
/// lies between two steps of int8 falls to the other side.
const GOLDEN_TOLERANCE: f32 = 5e-3;

/// The int8 step that says what it scores here for `window [T, D_in]`: not quite what the float32 head does.
///
/// # Errors
/// When the firmware cannot read the step.
pub fn with_golden_score(step: &[u8], window: &[f32]) -> Result<Vec<u8>> {
    let score = last_score(&mut StepHead::new(StepModel::from_onnx(step)?), window).unwrap_or(f32::NAN);
    with_metadata(step, &[("golden_score", score.to_string()), ("golden_tolerance", GOLDEN_TOLERANCE.to_string())])
}

/// The step of a network, with its training set's statistics, asking for the position `look_ahead` before the newest.
pub fn of_denet(
    model: &DeNet<Flex>,
    config: &DeNetConfig,
    statistics: &Statistics,
    look_ahead: usize,
    precision: Precision,
) -> Result<Vec<u8>> {
    let segments = config.segments;
    let features = statistics.mean.len();
    let mut g = GraphBuilder::new("denet-step", "DE-Net, one segment at a time: exactly the full window's score");
    g.metadata("heads", &config.heads.to_string());
    g.metadata("scales", &config.scales.to_string());
    g.metadata("look_ahead", &look_ahead.to_string());
    g.metadata("segments", &segments.to_string());
    let row = g.input("row", ElementType::F32, &[1, features]);
    g.scope("input");
    let x = match &model.projection {
        Some(projection) if precision == Precision::Int8 => {
            // Raw features differ in scale, and would be quantised with one.
            let x = head::standardised(&mut g, &row, statistics);
            layer(&mut g, "projection", &x, &Dense::of(projection), precision)
        }
        Some(projection) => {
            let (weight, bias) = head::folded(projection, statistics);
            let folded = Dense { shape: [features, bias.len()], weight, bias: Some(bias) };
            layer(&mut g, "projection", &row, &folded, precision)
        }
        None => head::standardised(&mut g, &row, statistics),
    };
    let width = model.projection.as_ref().map_or(features, head::outputs);
    g.output("x", &x, ElementType::F32, &[1, width]);
    let longest = 1 << (config.scales - 1);
    let past = (longest > 1).then(|| g.input("past", ElementType::F32, &[1, (longest - 1) * width]));
    let mut fused: Option<Value> = None;
    for (s, scale) in model.mstm.scales.iter().enumerate() {
        let name = format!("scale{}", s + 1);
        g.scope(&name);
        let rows = match &past {
            Some(past) if scale.stride > 1 => {
                let end = ((longest - 1) * width) as i64;
                let before = g.slice(past, 1, end - ((scale.stride - 1) * width) as i64, end);
                g.concat(&[&before, &x], 1)
            }
            _ => x.clone(),
        };
        let conv = layer(&mut g, &format!("{name}_conv"), &rows, &Dense::of(&scale.conv), precision);
        g.output(&format!("conv{}", s + 1), &conv, ElementType::F32, &[1, width]);
        let shape = Shape { name, number: s + 1, tokens: segments / scale.stride, width, precision };
        let asked = (segments - 1 - look_ahead) / scale.stride;
        let encoded = encoder(&mut g, &shape, &conv, asked, &scale.encoder);
        let part = layer(&mut g, &format!("{}_fuse", shape.name), &encoded, &Dense::of(&scale.fuse), precision);
        fused = Some(match fused {
            Some(sum) => g.add(&sum, &part),
            None => part,
        });
    }
    g.scope("classifier");
    // The last two layers are small.
    let Classifier { first, second, third, .. } = &model.classifier;
    let y = layer(&mut g, "classifier_first", &fused.unwrap_or(x), &Dense::of(first), precision);
    let y = g.relu(&y);
    let y = layer(&mut g, "classifier_second", &y, &Dense::of(second), Precision::Float32);
    let y = layer(&mut g, "classifier_third", &y, &Dense::of(third), Precision::Float32);
    let score = g.sigmoid(&y);
    g.output("score", &score, ElementType::F32, &[1, 1]);
    g.finish()
}

/// Of one scale.
struct Shape {
    name: String,
    number: usize,
    tokens: usize,
    width: usize,
    precision: Precision,
}

fn encoder(g: &mut GraphBuilder, shape: &Shape, conv: &Value, asked: usize, encoder: &Encoder<Flex>) -> Value {
    let &Shape { ref name, number, tokens, width, precision } = shape;
    let hint = |part: &str| format!("{name}_{part}");
    let heads = encoder.heads;
    let per_head = width / heads;
    let position = numbers(encoder.position.val());
    // Keys and values of the whole window: those kept, the new one, and the constant part of each.
    let mut rows = |kind: &str, layer_of: &Linear<Flex>, order: &[usize]| {
        let unbiased = Dense { bias: None, ..Dense::of(layer_of) };
        let new = layer(g, &hint(kind), conv, &unbiased, precision);
        g.output(&format!("{kind}{number}"), &new, ElementType::F32, &[1, width]);
        let all = if tokens > 1 {
            let kept = g.input(&format!("{kind}s{number}"), ElementType::F32, &[tokens - 1, width]);
            g.concat(&[&kept, &new], 0)
        } else {
            new
        };
        let constant =
            g.f32s(&hint(&format!("{kind}_position")), &[tokens, width], &of_positions(layer_of, &position, width));
        let all = g.add(&all, &constant);
        let all = g.reshape(&all, &[tokens as i64, heads as i64, per_head as i64]);
        g.transpose(&all, order)
    };
    let key = rows("key", &encoder.key, &[1, 2, 0]);
    let value = rows("value", &encoder.value, &[1, 0, 2]);
    let c = if asked + 1 == tokens {
        conv.clone()
    } else {
        g.input(&format!("asked{number}"), ElementType::F32, &[1, width])
    };
    let here = g.f32s(&hint("position"), &[1, width], &position[asked * width..(asked + 1) * width]);
    let z = g.add(&c, &here);
    let query = Dense::of(&encoder.query).times(1.0 / (per_head as f32).sqrt());
    let query = layer(g, &hint("query"), &z, &query, precision);
    let query = g.reshape(&query, &[heads as i64, 1, per_head as i64]);
    let logits = g.matmul(&query, &key);
    let weights = g.softmax(&logits, 2);
    let attended = g.matmul(&weights, &value);
    let attended = g.reshape(&attended, &[1, width as i64]);
    let attended = layer(g, &hint("joined"), &attended, &Dense::of(&encoder.joined), precision);
    let sum = g.add(&z, &attended);
    let y = norm(g, &hint("norm_attention"), &sum, &encoder.norm_attention);
    let hidden = layer(g, &hint("widen"), &y, &Dense::of(&encoder.widen), precision);
    let hidden = g.gelu_tanh(&hidden);
    let output = layer(g, &hint("narrow"), &hidden, &Dense::of(&encoder.narrow), precision);
    let sum = g.add(&y, &output);
    norm(g, &hint("norm_mlp"), &sum, &encoder.norm_mlp)
}

/// `W PE_i + b` for every position, `[N, D]`, in float64.
fn of_positions(layer: &Linear<Flex>, position: &[f32], width: usize) -> Vec<f32> {
    let weight = numbers(layer.weight.val());
    let bias = layer.bias.as_ref().map_or_else(|| vec![0.0; width], |bias| numbers(bias.val()));
    let mut out = Vec::with_capacity(position.len());
    for row in position.chunks_exact(width) {
        let mut sums: Vec<f64> = bias.iter().copied().map(f64::from).collect();
        for (x, weights) in row.iter().zip(weight.chunks_exact(width)) {
            for (sum, w) in sums.iter_mut().zip(weights) {
                *sum += f64::from(*x) * f64::from(*w);
            }
        }
        out.extend(sums.into_iter().map(|sum| sum as f32));
    }
    out
}

fn norm(g: &mut GraphBuilder, hint: &str, x: &Value, layer: &LayerNorm<Flex>) -> Value {
    let (gamma, beta) = head::norm_weights(layer);
    let scale = g.f32s(&format!("{hint}_gamma"), &[gamma.len()], &gamma);
    let bias = g.f32s(&format!("{hint}_beta"), &[beta.len()], &beta);
    g.layer_norm(x, &scale, &bias, head::EPSILON)
}

/// `x [1, K]` through a layer, to `[1, N]`.
fn layer(g: &mut GraphBuilder, hint: &str, x: &Value, of: &Dense, precision: Precision) -> Value {
    let columns = of.shape[1];
    let name = format!("{hint}_weight");
    let product = match precision {
        Precision::Float32 => {
            let weight = g.f32s(&name, &of.shape, &of.weight);
            g.matmul(x, &weight)
        }
        Precision::Int8 => {
            let (x, step) = quantised_rows(g, x, 1);
            let weight = of.quantised();
            let values = g.i8s(&name, &of.shape, &weight.values);
            let sums = g.matmul_integer(&x, &values);
            let sums = g.cast(&sums, ElementType::F32);
            let scales = g.f32s(&format!("{hint}_scale"), &[columns], &weight.scales);
            // One after the other: onnxruntime would join a product of scales to the sums, as scales of whole tensors.
            let sums = g.mul(&sums, &step);
            g.mul(&sums, &scales)
        }
    };
    match &of.bias {
        Some(bias) => {
            let bias = g.f32s(&format!("{hint}_bias"), &[columns], bias);
            g.add(&product, &bias)
        }
        None => product,
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use runtime::engine::tract::TractEngine;
    use runtime::engine::{Engine, Input};

    use super::*;
    use crate::export::denet;
    use crate::export::products::Form;
    use crate::model::Detector as _;

    /// A network of random weights, a stream of random rows, and the largest difference between the step's scores and those
    /// of the full window, over every segment from the 64th on.
    fn difference(
        width: Option<usize>,
        features: usize,
        scales: usize,
        look_ahead: usize,
        precision: Precision,
    ) -> f32 {
        let config = DeNetConfig { width, scales, ..DeNetConfig::default() };
        let device = burn::tensor::Device::<Flex>::default();
        let seed = (features * 100 + scales * 10 + look_ahead) as u64;
        let model = DeNet::<Flex>::new(&config, features, seed, &device);
        let statistics = Statistics {
            mean: (0..features).map(|d| (d as f32 * 0.3).sin() * 3.0).collect(),
            deviation: (0..features).map(|d| 0.5 + (d % 7) as f32).collect(),
        };
        let full = denet::of_denet(&model, &config, &statistics, Form::Float).unwrap();
        let mut full = TractEngine::load(&full, "head").unwrap();
        let step = of_denet(&model, &config, &statistics, look_ahead, precision).unwrap();
        let mut step = StepHead::new(StepModel::from_onnx(&step).unwrap());
        let mut rows: Vec<f32> = Vec::new();
        let (mut worst, mut low, mut high) = (0.0_f32, 1.0_f32, 0.0_f32);
        for t in 0..300_usize {
            let row: Vec<f32> = (0..features)
                .map(|d| {
                    let noise = ((t * features + d) as f32 * 12.9898 + seed as f32).sin() * 43_758.547;
                    (noise.fract() * 2.0) * statistics.deviation[d] + statistics.mean[d]
                })
                .collect();
            rows.extend(&row);
            let score = step.push(&row);
            assert_eq!(score.is_some(), t >= 63, "the step scores from the 64th segment on");
            let Some(score) = score else { continue };
            let mut scores = vec![0.0; 64];
            full.run(Input::F32(&rows[(t - 63) * features..]), &mut scores).unwrap();
            worst = worst.max((score - scores[63 - look_ahead]).abs());
            (low, high) = (low.min(score), high.max(score));
        }
        assert!(high - low > 1e-4, "scores must differ for the comparison to mean anything");
        worst
    }

    #[test]
    fn a_step_is_the_full_window_at_every_width_and_number_of_scales() {
        for (width, features) in [(None, 64), (Some(128), 40), (Some(256), 300)] {
            for scales in 1..=4 {
                for look_ahead in [0, 3] {
                    let worst = difference(width, features, scales, look_ahead, Precision::Float32);
                    assert!(worst <= 1e-5, "{width:?} {scales} scales, look-ahead {look_ahead}: {worst}");
                }
            }
        }
    }

    #[test]
    fn an_int8_step_is_near_the_full_window() {
        for (width, features) in [(None, 64), (Some(128), 40), (Some(256), 300)] {
            for (scales, look_ahead) in [(1, 0), (3, 0), (3, 5)] {
                let worst = difference(width, features, scales, look_ahead, Precision::Int8);
                assert!(worst > 0.0 && worst <= 0.02, "{width:?} {scales} scales, look-ahead {look_ahead}: {worst}");
            }
        }
    }

    #[test]
    fn int8_takes_a_third_of_the_bytes() {
        let config = DeNetConfig { width: Some(256), ..DeNetConfig::default() };
        let model = DeNet::<Flex>::new(&config, 300, 1, &burn::tensor::Device::<Flex>::default());
        let bytes = |precision| of_denet(&model, &config, &Statistics::identity(300), 0, precision).unwrap().len();
        let (float, int8) = (bytes(Precision::Float32), bytes(Precision::Int8));
        assert!(int8 * 3 <= float, "{int8} bytes, float32 {float}");
    }
}
