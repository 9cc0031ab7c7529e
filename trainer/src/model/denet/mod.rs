//! DE-Net, the Dynamic Erasing Network (Zhang et al., "Dynamic Erasing Network Based on Multi-Scale Temporal Features for
//! Weakly Supervised Video Anomaly Detection"). Equation numbers in this folder are the paper's.
//!
//! `X [B, T, D_in]` -> projection (ours, if `D_in != D`) -> [`mstm`] -> `X^ [B, T, D]` -> [`classifier`] -> `Y [B, T]`.
//! Training runs it twice: on `X`, and on `X` with prominent segments erased ([`erasing`]); [`loss`] ranks both.

pub mod classifier;
pub mod config;
pub mod encoder;
pub mod erasing;
pub mod loss;
pub mod mstm;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::kernels::Kernels;
use super::{Batch, Detector, Init, Loss, Noise, Peers, linear};
pub use classifier::Classifier;
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

/// What a forward pass yields.
#[derive(Clone, Debug)]
pub struct Output<B: Backend> {
    /// `X^ [B, T, D]`, Eq. 4.
    pub features: Tensor<B, 3>,
    /// `Y [B, T]` in 0..=1, Eq. 5.
    pub scores: Tensor<B, 2>,
}

impl<B: Kernels> DeNet<B> {
    /// `Y = f(MSTM(X))` for standardised `X [B, T, D_in]` (Eqs. 1-5).
    pub fn forward(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Output<B> {
        let x = match &self.projection {
            Some(projection) => linear(projection, x),
            None => x,
        };
        let features = self.mstm.forward(x, noise);
        let scores = self.classifier.forward(features.clone(), noise);
        Output { features, scores }
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
            classifier: Classifier::new(config, width, &mut init),
        }
    }

    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2> {
        self.forward(windows, &mut Noise::off()).scores
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
        let shape = [2 * batch.pairs, batch.segments, batch.width];
        let tensor = |values: Vec<f32>| Tensor::<B, 3>::from_data(TensorData::new(values, shape), device);
        let x = tensor(batch.windows.clone());
        let unerased = self.forward(x.clone(), noise);
        let loss_u = loss::ranking(&unerased, config);
        if config.erasing == Erasing::Off {
            return Loss { total: loss_u * config.lambda_unerased, erased_windows: 0, erased_segments: 0 };
        }
        // Assessment and mask carry no gradient: they are made in host memory from the scores' values.
        let scores = unerased.scores.detach().into_data().convert::<f32>().into_vec().unwrap_or_default();
        let (erased_rows, erased_windows) = erasing::select(batch, &scores, config, |values| peers.gather(values));
        let input = if erased_rows.is_empty() {
            x
        } else {
            let mut windows = batch.windows.clone();
            erasing::erase(&mut windows, batch.width, &erased_rows);
            tensor(windows)
        };
        let erased = self.forward(input, noise);
        let loss_e = loss::ranking(&erased, config);
        Loss {
            total: loss_u * config.lambda_unerased + loss_e * config.lambda_erased,
            erased_windows,
            erased_segments: erased_rows.len(),
        }
    }
}

#[cfg(test)]
mod tests;
