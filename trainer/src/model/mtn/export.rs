//! The network as an ONNX graph. Convolutions are products of rows with their neighbours; batch norms are what their running
//! statistics make of them: folded into the layer before where nothing stands between, a scale and a shift after a ReLU
//! (beyond a window's ends the next convolution sees zeros, not shifted ones, so they cannot be folded into that).

use burn::backend::Flex;
use burn::module::Param;
use burn::tensor::Tensor;
use runtime::{Error, Result};

use super::network::{DILATIONS, NonLocal};
use super::{Mtn, MtnConfig};
use crate::dataset::Statistics;
use crate::export::Exporter;
use crate::export::head::{begin, finish, input, linear, numbers, outputs};
use crate::export::products::{Form, Products};
use crate::export::quantise::Dense;
use crate::model::BatchNorm;
use crate::model::convolution::three;
use crate::onnx::{GraphBuilder, Value};

impl Exporter for Mtn<Flex> {
    /// Refused: a model with a text branch. Whoever watches a road live has no captions of it, and without them its scores mean
    /// nothing.
    fn head(&self, config: &MtnConfig, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>> {
        if self.text.is_some() {
            return Err(Error::invalid(
                "mtn",
                "was trained with captions, which cameras do not have",
                "train it without --text for cameras; `tadpole-trainer evaluate` judges it as it is",
            ));
        }
        let mut products = Products::new(form);
        let segments = config.segments;
        let doc = "Multi-scale temporal network: a window of raw segment features to one anomaly score per segment";
        let (mut g, x) = begin("mtn", doc, segments, statistics);
        let x = input(&mut g, &mut products, (&x, segments), self.projection.as_ref(), statistics)?;
        let width = self.projection.as_ref().map_or(statistics.mean.len(), outputs);
        let quarter = outputs(&self.network.narrow);
        let mut parts = Vec::with_capacity(4);
        for (branch, dilation) in self.network.branches.iter().zip(DILATIONS) {
            let name = format!("dilation{dilation}");
            g.scope(&name);
            let rows = g.around(&x, (segments, width), &three(dilation));
            let y = products.run(&mut g, &name, (&rows, segments), &Dense::of(&branch.conv))?;
            let y = g.relu(&y);
            parts.push(normalised(&mut g, &y, &branch.norm));
        }
        g.scope("non_local");
        let narrow = products.run(&mut g, "narrow", (&x, segments), &Dense::of(&self.network.narrow))?;
        let narrow = g.relu(&narrow);
        parts.push(non_local(&mut g, &narrow, &self.network.non_local, segments));
        g.scope("join");
        let all = g.concat(&parts.iter().collect::<Vec<_>>(), 2);
        let rows = g.around(&all, (segments, 4 * quarter), &three(1));
        let joined = products.run(&mut g, "join", (&rows, segments), &Dense::of(&self.network.join))?;
        let joined = g.relu(&joined);
        let joined = normalised(&mut g, &joined, &self.network.norm);
        let features = g.add(&joined, &x);
        g.scope("classifier");
        let hidden = products.run(&mut g, "classifier_first", (&features, segments), &Dense::of(&self.first))?;
        finish(g, &products, segments, |g| {
            let hidden = g.relu(&hidden);
            let hidden = linear(g, &hidden, &self.second);
            let hidden = g.relu(&hidden);
            linear(g, &hidden, &self.third)
        })
    }
}

/// `x scale + shift`.
fn normalised(g: &mut GraphBuilder, x: &Value, norm: &BatchNorm<Flex>) -> Value {
    let (scale, shift) = norm.folded();
    let width = scale.dims()[0];
    let scale = g.f32s("scale", &[width], &numbers(scale));
    let shift = g.f32s("shift", &[width], &numbers(shift));
    let scaled = g.mul(x, &scale);
    g.add(&scaled, &shift)
}

/// The block, its batch norm and the division by T folded into its last layer: `(x + (theta phi^T) g (W s / T) + b s + shift)`.
fn non_local(g: &mut GraphBuilder, x: &Value, block: &NonLocal<Flex>, segments: usize) -> Value {
    let theta = linear(g, x, &block.theta);
    let phi = linear(g, x, &block.phi);
    let phi = g.transpose(&phi, &[0, 2, 1]);
    let pairs = g.matmul(&theta, &phi);
    let values = linear(g, x, &block.g);
    let gathered = g.matmul(&pairs, &values);
    let (scale, shift) = block.norm.folded();
    let [rows, columns] = block.output.weight.dims();
    let weight = block.output.weight.val() * scale.clone().reshape([1, columns]) / segments as f64;
    let bias = block.output.bias.as_ref().map_or_else(|| Tensor::zeros_like(&shift), Param::val);
    let weight = g.f32s("weight", &[rows, columns], &numbers(weight));
    let bias = g.f32s("bias", &[columns], &numbers(bias * scale + shift));
    let y = g.linear(&gathered, &weight, Some(&bias));
    g.add(&y, x)
}
