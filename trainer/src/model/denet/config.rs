//! DE-Net's sizes and loss weights, with the paper's values.

use runtime::Result;
use serde::{Deserialize, Serialize};

use crate::model::settings::{check_dropout, check_top, check_weights, refuse};
use crate::model::{DetectorConfig, Knobs};
use crate::train::{Preset, Recipe};

/// What is erased between the two passes (the paper's Tab. 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Erasing {
    /// Nothing: one pass, `L = l1 L_u`.
    Off,
    /// Prominent segments of every abnormal video, without assessment.
    Always,
    /// Prominent segments of the abnormal videos assessed as incomplete.
    Dynamic,
}

/// Sizes and loss weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeNetConfig {
    /// D; `None` for the features' own width, without projection, as in the paper.
    pub width: Option<usize>,
    /// T: segments in a window; a multiple of `2^(scales - 1)`, 2 or more.
    pub segments: usize,
    /// S: temporal scales; 0 for none, the baseline of Tab. 4: each segment is classified by itself.
    pub scales: usize,
    /// Attention heads; a divisor of D.
    pub heads: usize,
    /// Width of the encoder's MLP in multiples of D.
    pub mlp_ratio: usize,
    /// Dropout in the encoder.
    pub encoder_dropout: f64,
    /// Dropout in the classifier.
    pub classifier_dropout: f64,
    /// What is erased.
    pub erasing: Erasing,
    /// delta, Eq. 10: segments that score above it are erased.
    pub erase_threshold: f32,
    /// How many of a window's highest scores `L_score` ranks, by their mean; the paper's 1 is their maximum.
    #[serde(default = "one")]
    pub top: usize,
    /// alpha 1, the weight of `L_score`.
    pub alpha_score: f64,
    /// alpha 2, the weight of `L_fea`.
    pub alpha_feature: f64,
    /// Weight of the abnormal windows' smoothness (Sultani et al., Eq. 7); 0, the paper's: none.
    #[serde(default)]
    pub smoothness: f64,
    /// Weight of the abnormal windows' sparsity (Sultani et al., Eq. 7); 0, the paper's: none.
    #[serde(default)]
    pub sparsity: f64,
    /// lambda 1, the weight of `L_u`.
    pub lambda_unerased: f64,
    /// lambda 2, the weight of `L_e`.
    pub lambda_erased: f64,
}

/// The paper's maximum, for runs from before there was a choice.
fn one() -> usize {
    1
}

impl Default for DeNetConfig {
    /// The paper's values; MLP width, encoder dropout and no projection are ours.
    fn default() -> Self {
        Self {
            width: None,
            segments: 64,
            scales: 3,
            heads: 8,
            mlp_ratio: 4,
            encoder_dropout: 0.1,
            classifier_dropout: 0.6,
            erasing: Erasing::Dynamic,
            erase_threshold: 0.8,
            top: 1,
            alpha_score: 1.0,
            alpha_feature: 1e-4,
            smoothness: 0.0,
            sparsity: 0.0,
            lambda_unerased: 1.0,
            lambda_erased: 1.0,
        }
    }
}

impl DeNetConfig {
    /// Whether the loss asks for more than each window's highest scores.
    pub fn regularised(&self) -> bool {
        self.smoothness > 0.0 || self.sparsity > 0.0
    }
}

impl DetectorConfig for DeNetConfig {
    fn segments(&self) -> usize {
        self.segments
    }

    /// Paper: its values and learning rate. Edge: width 128, with Sultani et al.'s smoothness and sparsity.
    fn preset(self, preset: Preset) -> (Self, Recipe) {
        match preset {
            Preset::Paper => (self, Recipe { steps: 5000, learning_rate: 1e-5, ..Recipe::EDGE }),
            Preset::Edge => (Self { width: Some(128), smoothness: 8e-4, sparsity: 8e-3, ..self }, Recipe::EDGE),
        }
    }

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { top: Some(&mut self.top), smoothness: Some(&mut self.smoothness), sparsity: Some(&mut self.sparsity) }
    }

    fn check(&self) -> Result<()> {
        if self.scales > 6 {
            return refuse(format!("{} scales", self.scales), "use 0 to 6");
        }
        let halvings = self.scales.saturating_sub(1);
        if self.segments < 2 || !self.segments.is_multiple_of(1 << halvings) {
            return refuse(
                format!("{} segments cannot be halved {halvings} times", self.segments),
                "use a multiple of 2^(scales - 1)",
            );
        }
        check_top(self.top, self.segments)?;
        check_dropout(self.encoder_dropout)?;
        check_dropout(self.classifier_dropout)?;
        check_weights(&[
            ("alpha_score", self.alpha_score),
            ("alpha_feature", self.alpha_feature),
            ("smoothness", self.smoothness),
            ("sparsity", self.sparsity),
            ("lambda_unerased", self.lambda_unerased),
            ("lambda_erased", self.lambda_erased),
        ])?;
        if !(0.0..=1.0).contains(&self.erase_threshold) {
            return refuse(format!("erase_threshold {}", self.erase_threshold), "use 0 to 1");
        }
        if self.heads == 0 || self.width.is_some_and(|width| width == 0 || !width.is_multiple_of(self.heads)) {
            return refuse(
                format!("width {:?} is no multiple of {} heads", self.width, self.heads),
                "choose a width that is",
            );
        }
        Ok(())
    }
}
