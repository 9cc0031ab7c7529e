//! DE-Net, the Dynamic Erasing Network (Zhang et al., "Dynamic Erasing Network Based on Multi-Scale Temporal Features for
//! Weakly Supervised Video Anomaly Detection"). Equation numbers in this folder are the paper's.
//!
//! `X [B, T, D_in]` -> projection (ours, if `D_in != D`) -> [`mstm`] -> `X^ [B, T, D]` -> [`Classifier`] -> `Y [B, T]`.
//! Training runs it twice: on `X`, and on `X` with prominent segments erased ([`erasing`]); [`loss`] ranks both.

pub mod config;
pub mod encoder;
pub mod erasing;
pub mod loss;
pub mod mstm;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::classifier::{Classifier, Learned};
use super::kernels::Kernels;
use super::ranking::regularisation;
use super::{Batch, Detector, Init, Loss, Noise, Peers, linear};
pub use config::{DeNetConfig, Erasing};
pub use mstm::Mstm;

/// The network.
#[derive(Module, Debug)]
pub struct DeNet<B: Backend> {
    /// `D_in -> D`; `None` when they are equal.
    pub projection: Option<Linear<B>>,
    /// Multi-scale temporal modelling, sec. 3.1.
    pub mstm: Mstm<B>,
    /// The classifier f.
    pub classifier: Classifier<B>,
}

/// What a training pass yields.
#[derive(Debug)]
struct Pass<B: Backend> {
    /// `Y [2 P, T]`, Eq. 5.
    scores: Vec<f32>,
    /// Each pair's loss, Eqs. 14 and 15, with its abnormal window's regularisation if any, `[P]`.
    loss: Tensor<B, 1>,
}

impl<B: Kernels> DeNet<B> {
    /// `X^ = MSTM(X)` for standardised `X [B, T, D_in]` (Eqs. 1-4).
    pub fn features(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 3> {
        let x = match &self.projection {
            Some(projection) => linear(projection, x),
            None => x,
        };
        self.mstm.forward(x, noise)
    }

    /// A batch through the network, with dropout.
    fn pass(&self, config: &DeNetConfig, batch: Batch, noise: &mut Noise, device: &B::Device) -> Pass<B> {
        let shape = [2 * batch.pairs, batch.segments, batch.width];
        let features = self.features(Tensor::from_data(TensorData::new(batch.windows, shape), device), noise);
        let whole = if config.regularised() { batch.pairs } else { 0 };
        let Learned { scores, highest, all } = self.classifier.learned(features.clone(), config.top, whole, noise);
        let ranking = loss::ranking(features, highest, config);
        let loss = match all {
            Some(abnormal) => ranking + regularisation(abnormal, config.smoothness, config.sparsity),
            None => ranking,
        };
        Pass { scores, loss }
    }
}

impl<B: Kernels> Detector<B> for DeNet<B> {
    type Config = DeNetConfig;

    fn new(config: &DeNetConfig, features: usize, seed: u64, device: &B::Device) -> Self {
        let mut init = Init::new(seed, device);
        let width = config.width.unwrap_or(features);
        Self {
            projection: (width != features).then(|| init.linear(features, width)),
            mstm: Mstm::new(config, width, &mut init),
            classifier: Classifier::new(width, config.classifier_dropout, &mut init),
        }
    }

    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2> {
        self.classifier.forward(self.features(windows, &mut Noise::off()))
    }

    /// `L = l1 L_u + l2 L_e` (Eqs. 14-16); Algorithm 1, lines 3-12.
    fn loss(
        &self,
        config: &DeNetConfig,
        batch: &Batch,
        peers: &Peers,
        noise: &mut Noise,
        device: &B::Device,
    ) -> Loss<B> {
        let DeNetConfig { lambda_unerased, lambda_erased, .. } = *config;
        let unerased = self.pass(config, batch.clone(), noise, device);
        let mean = |sum: Tensor<B, 1>| sum / batch.pairs as f64;
        if config.erasing == Erasing::Off {
            let total = mean(unerased.loss.sum()) * lambda_unerased;
            return Loss::of(total);
        }
        // Assessment and mask carry no gradient: they are made in host memory from the scores' values.
        let (rows, pairs) = erasing::select(batch, &unerased.scores, config, |values| peers.gather(values));
        // A pair of which nothing was erased would go through the network a second time as the first: its loss counts twice.
        let mut weights = vec![(lambda_unerased + lambda_erased) as f32; batch.pairs];
        pairs.iter().for_each(|&pair| weights[pair] = lambda_unerased as f32);
        let weights = Tensor::from_data(TensorData::new(weights, [batch.pairs]), device);
        let mut sum = (unerased.loss * weights).sum();
        if !pairs.is_empty() {
            let mut erased = batch.clone();
            erasing::erase(&mut erased.windows, batch.width, &rows);
            sum = sum + self.pass(config, erased.take(&pairs), noise, device).loss.sum() * lambda_erased;
        }
        Loss { erased_windows: pairs.len(), erased_segments: rows.len(), ..Loss::of(mean(sum)) }
    }
}

#[cfg(test)]
mod tests;
