//! MIL-Rank, the plain baseline (Sultani et al., "Real-World Anomaly Detection in Surveillance Videos"): each segment is
//! scored by itself, `X [B, T, D]` -> [`Classifier`] (512 - 32 - 1) -> `Y [B, T]`, and the highest score of an abnormal
//! window is to exceed that of a normal one.
//!
//! Equation numbers are the paper's. Ours: 64 segments where the paper has 32 (what a camera's window holds), Adam where it
//! has Adagrad, and features are standardised.

mod export;

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use runtime::Result;
use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, Learned};
use super::ranking::{hinge, regularisation};
use super::{Batch, Detector, DetectorConfig, Init, Knobs, Loss, Noise, Peers};
use crate::model::settings::{check_dropout, check_segments, check_top, check_weights};
use crate::train::{Preset, Recipe};

/// Sizes and loss weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MilConfig {
    /// T: segments in a window.
    pub segments: usize,
    /// Dropout between the classifier's layers.
    pub dropout: f64,
    /// How many of a window's highest scores are ranked, by their mean; the paper's 1 is their maximum.
    pub top: usize,
    /// lambda 1, the weight of the smoothness of abnormal windows' scores.
    pub smoothness: f64,
    /// lambda 2, the weight of their sparsity.
    pub sparsity: f64,
}

impl Default for MilConfig {
    fn default() -> Self {
        Self { segments: 64, dropout: 0.6, top: 1, smoothness: 8e-5, sparsity: 8e-5 }
    }
}

impl DetectorConfig for MilConfig {
    fn segments(&self) -> usize {
        self.segments
    }

    fn check(&self) -> Result<()> {
        check_segments(self.segments)?;
        check_top(self.top, self.segments)?;
        check_dropout(self.dropout)?;
        check_weights(&[("smoothness", self.smoothness), ("sparsity", self.sparsity)])
    }

    /// Paper: its batch of 30 pairs, by Adam. Edge: as all models.
    fn preset(self, preset: Preset) -> (Self, Recipe) {
        match preset {
            Preset::Paper => (self, Recipe { steps: 5000, pairs: 30, ..Recipe::EDGE }),
            Preset::Edge => (self, Recipe::EDGE),
        }
    }

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { top: Some(&mut self.top), smoothness: Some(&mut self.smoothness), sparsity: Some(&mut self.sparsity) }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mil<B: Backend> {
    /// All of it.
    pub classifier: Classifier<B>,
}

impl<B: Backend> Detector<B> for Mil<B> {
    type Config = MilConfig;

    fn new(config: &MilConfig, features: usize, seed: u64, device: &B::Device) -> Self {
        Self { classifier: Classifier::new(features, config.dropout, &mut Init::new(seed, device)) }
    }

    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2> {
        self.classifier.forward(windows)
    }

    /// Eq. 7: `max(0, 1 - max y^a + max y^n) + l1 sum (y^a_t - y^a_{t+1})^2 + l2 sum y^a_t`, mean over pairs.
    fn loss(&self, config: &MilConfig, batch: &Batch, _: &Peers, noise: &mut Noise, device: &B::Device) -> Loss<B> {
        let shape = [2 * batch.pairs, batch.segments, batch.width];
        let x = Tensor::from_data(TensorData::new(batch.windows.clone(), shape), device);
        let regularised = config.smoothness > 0.0 || config.sparsity > 0.0;
        let whole = if regularised { batch.pairs } else { 0 };
        let Learned { highest, all, .. } = self.classifier.learned(x, config.top, whole, noise);
        let ranking = hinge(highest);
        let loss = match all {
            Some(abnormal) => ranking + regularisation(abnormal, config.smoothness, config.sparsity),
            None => ranking,
        };
        Loss::of(loss.mean())
    }
}

#[cfg(test)]
mod tests;
