//! DE-Net as one ONNX graph.
//!
//! The scale of the attention's logits is folded into the queries. Scales are fused as `sum_s repeat(W_s h^s)`, which is the
//! layer on the concatenation (Eq. 4) and survives every engine.

use burn::backend::Flex;
use runtime::Result;

use super::head::{begin, classified, input, norm, numbers, outputs};
use super::products::{Form, Products};
use super::quantise::Dense;
use super::step::Precision;
use super::{Exporter, step};
use crate::dataset::Statistics;
use crate::model::denet::encoder::Encoder;
use crate::model::denet::{DeNet, DeNetConfig};
use crate::onnx::{GraphBuilder, Value};

impl Exporter for DeNet<Flex> {
    fn head(&self, config: &DeNetConfig, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>> {
        of_denet(self, config, statistics, form)
    }

    fn step(
        &self,
        config: &DeNetConfig,
        statistics: &Statistics,
        look_ahead: usize,
        precision: Precision,
    ) -> Result<Option<Vec<u8>>> {
        // Without a scale there is nothing to remember from segment to segment: the full window serves, as for other models.
        if config.scales == 0 {
            return Ok(None);
        }
        step::of_denet(self, config, statistics, look_ahead, precision).map(Some)
    }
}

/// A network and its training set's statistics as an ONNX file.
pub fn of_denet(model: &DeNet<Flex>, config: &DeNetConfig, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>> {
    let segments = config.segments;
    let mut products = Products::new(form);
    let doc = "DE-Net: a window of raw segment features to one anomaly score per segment";
    let (mut g, x) = begin("denet", doc, segments, statistics);
    let x = input(&mut g, &mut products, (&x, segments), model.projection.as_ref(), statistics)?;
    let width = model.projection.as_ref().map_or(statistics.mean.len(), outputs);
    let mut fused: Option<Value> = None;
    for (s, scale) in model.mstm.scales.iter().enumerate() {
        let name = format!("scale{}", s + 1);
        g.scope(&name);
        let tokens = segments / scale.stride;
        // Eq. 1: kernel and stride are equal, so the convolution is a product of rows of `stride` segments.
        let rows = g.reshape(&x, &[1, tokens as i64, (scale.stride * width) as i64]);
        let local = products.run(&mut g, &format!("{name}_conv"), (&rows, tokens), &Dense::of(&scale.conv))?;
        let encoded = encoder(&mut g, &mut products, &name, &local, &scale.encoder, (tokens, width))?;
        let part = products.run(&mut g, &format!("{name}_fuse"), (&encoded, tokens), &Dense::of(&scale.fuse))?;
        let part = g.repeat_rows(&part, (1, tokens, width), scale.stride);
        fused = Some(match fused {
            Some(sum) => g.add(&sum, &part),
            None => part,
        });
    }
    g.scope("classifier");
    let x = fused.unwrap_or(x);
    classified(g, &mut products, (&x, segments), &Dense::of(&model.classifier.first), &model.classifier)
}

/// Eq. 2, post-norm, of the scale called `scale`.
fn encoder(
    g: &mut GraphBuilder,
    products: &mut Products<'_>,
    scale: &str,
    tokens: &Value,
    encoder: &Encoder<Flex>,
    (n, width): (usize, usize),
) -> Result<Value> {
    let mut product = |g: &mut GraphBuilder, part: &str, x: &Value, layer: Dense| {
        products.run(g, &format!("{scale}_{part}"), (x, n), &layer)
    };
    let position = g.f32s("position", &[1, n, width], &numbers(encoder.position.val()));
    let x = g.add(tokens, &position);
    let per_head = width / encoder.heads;
    let shape = [1, n as i64, encoder.heads as i64, per_head as i64];
    let mut heads = |g: &mut GraphBuilder, part: &str, layer: Dense, order: &[usize]| -> Result<Value> {
        let y = product(g, part, &x, layer)?;
        let y = g.reshape(&y, &shape);
        Ok(g.transpose(&y, order))
    };
    let query = Dense::of(&encoder.query).times(1.0 / (per_head as f32).sqrt());
    let query = heads(g, "query", query, &[0, 2, 1, 3])?;
    let key = heads(g, "key", Dense::of(&encoder.key), &[0, 2, 3, 1])?;
    let value = heads(g, "value", Dense::of(&encoder.value), &[0, 2, 1, 3])?;
    let logits = g.matmul(&query, &key);
    let weights = g.softmax(&logits, 3);
    let attended = g.matmul(&weights, &value);
    let attended = g.transpose(&attended, &[0, 2, 1, 3]);
    let attended = g.reshape(&attended, &[1, n as i64, width as i64]);
    let attended = product(g, "joined", &attended, Dense::of(&encoder.joined))?;
    let x = g.add(&x, &attended);
    let x = norm(g, &x, &encoder.norm_attention);
    let hidden = product(g, "widen", &x, Dense::of(&encoder.widen))?;
    let hidden = g.gelu_tanh(&hidden);
    let output = product(g, "narrow", &hidden, Dense::of(&encoder.narrow))?;
    let sum = g.add(&x, &output);
    Ok(norm(g, &sum, &encoder.norm_mlp))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Tensor, TensorData};
    use runtime::engine::tract::TractEngine;
    use runtime::engine::{Engine, Input};

    use super::*;
    use crate::evaluate::graphs::graph_scorer;
    use crate::export::products::Activations;
    use crate::export::ranges::Ranges;
    use crate::model::Detector;

    /// The largest difference between burn and tract over a few windows of made-up features.
    fn difference(width: Option<usize>, features: usize, scales: usize) -> f32 {
        let config = DeNetConfig { width, scales, ..DeNetConfig::default() };
        let device = burn::tensor::Device::<Flex>::default();
        let model = DeNet::<Flex>::new(&config, features, 11, &device);
        let statistics = Statistics {
            mean: (0..features).map(|d| (d as f32 * 0.3).sin() * 3.0).collect(),
            deviation: (0..features).map(|d| 0.5 + (d % 7) as f32).collect(),
        };
        let file = of_denet(&model, &config, &statistics, Form::Float).unwrap();
        if let Some(path) = std::env::var_os("TADPOLE_KEEP_ONNX") {
            std::fs::write(std::path::Path::new(&path).join(format!("head-{features}-{scales}.onnx")), &file).unwrap();
        }
        let mut engine = TractEngine::load(&file, "head").unwrap();
        assert_eq!(engine.info().input_shape, [1, 64, features]);
        assert_eq!(engine.info().output_shape, [1, 64]);
        let mut worst = 0.0_f32;
        for phase in 0..3 {
            let raw: Vec<f32> = (0..64 * features)
                .map(|i| {
                    let d = i % features;
                    ((i as f32 * 1.7 + phase as f32).sin() * 1.5) * statistics.deviation[d] + statistics.mean[d]
                })
                .collect();
            let mut scores = vec![0.0; 64];
            engine.run(Input::F32(&raw), &mut scores).unwrap();
            let mut window = raw.clone();
            statistics.apply(&mut window);
            let expected =
                numbers(model.scores(Tensor::from_data(TensorData::new(window, [1, 64, features]), &device)));
            let spread = expected.iter().fold(0.0_f32, |m, s| m.max((s - expected[0]).abs()));
            assert!(spread > 1e-4, "scores must differ for the comparison to mean anything");
            for (a, b) in scores.iter().zip(&expected) {
                worst = worst.max((a - b).abs());
            }
        }
        worst
    }

    #[test]
    fn tract_scores_as_burn_does_with_a_projection() {
        let worst = difference(Some(128), 400, 3);
        assert!(worst <= 1e-5, "{worst}");
    }

    #[test]
    fn tract_scores_as_burn_does_without_one() {
        let worst = difference(None, 64, 3);
        assert!(worst <= 1e-5, "{worst}");
    }

    #[test]
    fn every_number_of_scales_is_exported() {
        for scales in [0, 1, 2, 4] {
            let worst = difference(Some(32), 24, scales);
            assert!(worst <= 1e-5, "{scales} scales: {worst}");
        }
    }

    #[test]
    fn int8_scores_are_near_those_of_float32() {
        for (width, features) in [(Some(64), 40), (None, 32)] {
            let config = DeNetConfig { width, ..DeNetConfig::default() };
            let model = DeNet::<Flex>::new(&config, features, 5, &burn::tensor::Device::<Flex>::default());
            // Features of very different scales: one scale of all would lose the small ones.
            let statistics = Statistics {
                mean: (0..features).map(|d| (d % 5) as f32).collect(),
                deviation: (0..features).map(|d| 10_f32.powi(d as i32 % 4 - 2)).collect(),
            };
            let windows: Vec<f32> = (0..6 * 64 * features)
                .map(|i| {
                    let d = i % features;
                    ((i as f32 * 0.7).sin() + (i as f32 * 0.013).cos()) * statistics.deviation[d] + statistics.mean[d]
                })
                .collect();
            let ranges = Ranges::measure(&model, &config, &statistics, &windows).unwrap();
            assert_eq!(ranges.products().count(), usize::from(width.is_some()) + 3 * 8 + 1);
            let file = |form| of_denet(&model, &config, &statistics, form).unwrap();
            let scores = |file: &[u8]| graph_scorer(file, 64).unwrap()(&windows, 6).unwrap();
            for activations in [Activations::Static(&ranges), Activations::Dynamic] {
                let (float, int8) = (file(Form::Float), file(Form::Int8(activations, None)));
                assert!(int8.len() * 3 < float.len() * 2, "{} bytes, float32 {}", int8.len(), float.len());
                let (float, int8) = (scores(&float), scores(&int8));
                let gap = float.iter().zip(&int8).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(gap > 0.0 && gap <= 0.02, "{gap}");
                let one = scores(&file(Form::Int8(activations, Some("scale1_widen"))));
                assert!(one != float && one != int8);
            }
        }
    }
}
