//! The multi-scale temporal network with feature magnitude: RTFM (Tian et al., "Weakly-supervised Video Anomaly Detection
//! with Robust Temporal Feature Magnitude Learning") and TEVAD (Chen et al., "TEVAD: Improved video anomaly detection with
//! captions"), with captions or without.
//!
//! `X [B, T, D_in]` -> projection (ours, if `D_in != D`) -> [`network`] -> dropout -> `X^ [B, T, D]` -> 512 - 128 - 1, ReLU,
//! dropout, sigmoid -> `Y [B, T]`. The segments whose features are longest stand for a window: they are to be long in
//! abnormal windows and short in normal ones, and their scores are to be the label ([`loss`]).
//!
//! With captions a row is `[D_in + W]`, and what comes out of the pictures' network meets what comes out of the text's ([`text`])
//! before the classifier; magnitudes are then those of both. Refused: windows of other widths than the model's.

pub mod config;
mod export;
pub mod loss;
pub mod network;
pub mod text;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::bag::{cross_entropy, largest_of};
use super::ranking::regularisation;
use super::{Batch, Detector, Init, Loss, Noise, Peers, linear};
pub use config::MtnConfig;
pub use network::{Network, Seen};
pub use text::{Fusion, TextBranch, TextConfig};

/// The model.
#[derive(Module, Debug)]
pub struct Mtn<B: Backend> {
    /// `D_in -> D`; `None` when they are equal.
    pub projection: Option<Linear<B>>,
    /// Multi-scale temporal network.
    pub network: Network<B>,
    /// `D -> 512`, or of what the text makes of D.
    pub first: Linear<B>,
    /// `512 -> 128`.
    pub second: Linear<B>,
    /// `128 -> 1`.
    pub third: Linear<B>,
    /// Dropout.
    pub dropout: f64,
    /// For captions.
    pub text: Option<TextBranch<B>>,
}

impl<B: Backend> Mtn<B> {
    /// `X^`, with dropout; with captions, fused with what was said.
    fn features(&self, x: Tensor<B, 3>, noise: &mut Noise, mut seen: Seen<'_>) -> Tensor<B, 3> {
        let [_, _, width] = x.dims();
        let said = self.text.as_ref().map(|branch| (branch, x.clone().narrow(2, width - branch.width, branch.width)));
        let x = match &self.text {
            Some(branch) => x.narrow(2, 0, width - branch.width),
            None => x,
        };
        let x = match &self.projection {
            Some(projection) => linear(projection, x),
            None => x,
        };
        let x = self.dropped(self.network.forward(x, seen.as_deref_mut()), noise);
        match said {
            Some((branch, said)) => branch.fuse(x, said, seen, |x| self.dropped(x, noise)),
            None => x,
        }
    }

    /// `Y` of `X^`.
    fn classified(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 2> {
        let [b, t, _] = x.dims();
        let x = self.dropped(relu(linear(&self.first, x)), noise);
        let x = self.dropped(relu(linear(&self.second, x)), noise);
        sigmoid(linear(&self.third, x)).reshape([b, t])
    }

    fn dropped(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 3> {
        match noise.mask(x.dims(), self.dropout, &x.device()) {
            Some(mask) => x * mask,
            None => x,
        }
    }
}

impl<B: Backend> Detector<B> for Mtn<B> {
    type Config = MtnConfig;

    fn new(config: &MtnConfig, features: usize, seed: u64, device: &B::Device) -> Self {
        let mut init = Init::new(seed, device);
        let features = features.saturating_sub(config.text.map_or(0, |text| text.width));
        let width = config.width.unwrap_or(features);
        let fused = config.text.map_or(width, |text| TextBranch::<B>::fused(text, width, config.width));
        Self {
            projection: (width != features).then(|| init.linear(features, width)),
            network: Network::new(width, &mut init),
            first: init.xavier(fused, 512, 512),
            second: init.xavier(512, 128, 128),
            third: init.xavier(128, 1, 1),
            dropout: config.dropout,
            text: config.text.map(|text| TextBranch::new(text, width, config.width, &mut init)),
        }
    }

    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2> {
        let x = self.features(windows, &mut Noise::off(), None);
        self.classified(x, &mut Noise::off())
    }

    /// `alpha L_fm + L_bce`, and the abnormal windows' regularisation where it has a weight.
    fn loss(&self, config: &MtnConfig, batch: &Batch, _: &Peers, noise: &mut Noise, device: &B::Device) -> Loss<B> {
        let shape = [2 * batch.pairs, batch.segments, batch.width];
        let x = Tensor::from_data(TensorData::new(batch.windows.clone(), shape), device);
        let mut seen = Vec::new();
        let features = self.features(x, noise, Some(&mut seen));
        let scores = self.classified(features.clone(), noise);
        let magnitudes = loss::magnitudes(features);
        let chosen = largest_of(&magnitudes, config.chosen());
        let magnitude = (magnitudes * chosen.clone()).sum_dim(1);
        let bags = (scores.clone() * chosen).sum_dim(1);
        let mut total = loss::magnitude(magnitude, config.margin).mean() * config.alpha + cross_entropy(bags);
        if config.smoothness > 0.0 || config.sparsity > 0.0 {
            let abnormal = scores.narrow(0, 0, batch.pairs);
            total = total + regularisation(abnormal, config.smoothness, config.sparsity).mean();
        }
        Loss { seen, ..Loss::of(total) }
    }

    fn observed(mut self, seen: &[f32]) -> Self {
        let (network, seen) = self.network.observed(seen);
        self.network = network;
        self.text = self.text.map(|branch| TextBranch { network: branch.network.observed(seen).0, ..branch });
        self
    }
}

#[cfg(test)]
mod tests;
