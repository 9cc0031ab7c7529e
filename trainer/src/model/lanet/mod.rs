//! LA-Net with DDL: "Locality-aware Attention Network with Discriminative Dynamics Learning for Weakly Supervised Anomaly
//! Detection" (Pu and Wu).
//!
//! `X [B, T, D_in]` -> projection (ours, if `D_in != D`) -> [`attention`] -> `X^ [B, T, D]` -> 512 - 128 (GELU, dropout) -> a causal
//! convolution over 7 segments, sigmoid -> `Y [B, T]`. Windows are told apart by their highest scores, and by how much
//! scores change; where scores change, features are to change ([`loss`]).
//!
//! The losses' formulas are our reading of the abstract. Ours too: GELU in its tanh form, and 64 segments.

pub mod attention;
pub mod config;
mod export;
pub mod loss;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::bag::{cross_entropy, largest_of};
use super::convolution::around;
use super::kernels::Kernels;
use super::{Batch, Detector, Init, Loss, Noise, Peers, linear};
pub use attention::Attention;
pub use config::LaNetConfig;

/// The segments that a score is made of: itself and the 6 before it.
pub const CAUSAL: [isize; 7] = [-6, -5, -4, -3, -2, -1, 0];

/// The network.
#[derive(Module, Debug)]
pub struct LaNet<B: Backend> {
    /// `D_in -> D`; `None` when they are equal.
    pub projection: Option<Linear<B>>,
    /// Locality-aware attention.
    pub attention: Attention<B>,
    /// `D -> 512`.
    pub widen: Linear<B>,
    /// `512 -> 128`.
    pub narrow: Linear<B>,
    /// `[7 * 128, 1]`, over [`CAUSAL`].
    pub score: Linear<B>,
    /// Dropout.
    pub dropout: f64,
}

impl<B: Kernels> LaNet<B> {
    /// `X^`.
    fn features(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        self.attention.forward(match &self.projection {
            Some(projection) => linear(projection, x),
            None => x,
        })
    }

    /// `Y` of `X^`.
    fn scored(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 2> {
        let [b, t, d] = x.dims();
        let mut x = x.reshape([b * t, d]);
        for layer in [&self.widen, &self.narrow] {
            let y = layer.forward(x);
            let mask = noise.mask(y.dims(), self.dropout, &y.device());
            x = B::masked_gelu(y, mask);
        }
        let narrow = x.dims()[1];
        let rows = around(&x.reshape([b, t, narrow]), &CAUSAL);
        sigmoid(linear(&self.score, rows)).reshape([b, t])
    }
}

impl<B: Kernels> Detector<B> for LaNet<B> {
    type Config = LaNetConfig;

    fn new(config: &LaNetConfig, features: usize, seed: u64, device: &B::Device) -> Self {
        let mut init = Init::new(seed, device);
        let width = config.width.unwrap_or(features);
        Self {
            projection: (width != features).then(|| init.linear(features, width)),
            attention: Attention::new(width, config.attention, &mut init),
            widen: init.linear(width, 512),
            narrow: init.linear(512, 128),
            score: init.linear(CAUSAL.len() * 128, 1),
            dropout: config.dropout,
        }
    }

    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2> {
        self.scored(self.features(windows), &mut Noise::off())
    }

    /// Cross entropy of the highest scores' mean, `lambda` dynamics ranking and `lambda` dynamics alignment.
    fn loss(&self, config: &LaNetConfig, batch: &Batch, _: &Peers, noise: &mut Noise, device: &B::Device) -> Loss<B> {
        let shape = [2 * batch.pairs, batch.segments, batch.width];
        let features = self.features(Tensor::from_data(TensorData::new(batch.windows.clone(), shape), device));
        let scores = self.scored(features.clone(), noise);
        let bags = (scores.clone() * largest_of(&scores, config.chosen())).sum_dim(1);
        let dynamics = loss::dynamics(scores);
        let ranking = loss::ranking(dynamics.clone()).mean() * config.lambda_ranking;
        let alignment = loss::alignment(dynamics, features) * config.lambda_alignment;
        Loss::of(cross_entropy(bags) + ranking + alignment)
    }
}

#[cfg(test)]
mod tests;
