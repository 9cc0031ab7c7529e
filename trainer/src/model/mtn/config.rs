//! The multi-scale temporal network's sizes and loss weights.

use runtime::Result;
use serde::{Deserialize, Serialize};

use super::text::TextConfig;
use crate::model::settings::{check_dropout, check_segments, check_weights, refuse};
use crate::model::{DetectorConfig, Knobs};
use crate::train::{Preset, Recipe};

/// Sizes and loss weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MtnConfig {
    /// D; `None` for the features' own width, without projection, as in the papers.
    pub width: Option<usize>,
    /// T: segments in a window, any number.
    pub segments: usize,
    /// Dropout after the network and between the classifier's layers.
    pub dropout: f64,
    /// alpha, the weight of the magnitudes' loss.
    pub alpha: f64,
    /// c, what an abnormal window's magnitude is to reach.
    pub margin: f64,
    /// Weight of the smoothness of abnormal windows' scores.
    pub smoothness: f64,
    /// Weight of their sparsity.
    pub sparsity: f64,
    /// The text that is taken in beside the features; none, without captions.
    #[serde(default)]
    pub text: Option<TextConfig>,
}

impl MtnConfig {
    /// k, the segments that stand for a window: a tenth of them.
    pub fn chosen(&self) -> usize {
        (self.segments / 10).max(1)
    }
}

impl Default for MtnConfig {
    fn default() -> Self {
        Self {
            width: None,
            segments: 64,
            dropout: 0.7,
            alpha: 1e-4,
            margin: 100.0,
            smoothness: 0.0,
            sparsity: 0.0,
            text: None,
        }
    }
}

impl DetectorConfig for MtnConfig {
    fn segments(&self) -> usize {
        self.segments
    }

    fn text(&self) -> Option<TextConfig> {
        self.text
    }

    fn set_text(&mut self, text: TextConfig) -> bool {
        self.text = Some(text);
        true
    }

    fn check(&self) -> Result<()> {
        check_segments(self.segments)?;
        if self.text.is_some_and(|text| text.width < 8) {
            return refuse("text of fewer than 8 numbers".into(), "use another encoder");
        }
        if self.width.is_some_and(|width| width < 8) {
            return refuse(format!("width {:?} has no eighth", self.width), "use 8 or more");
        }
        check_dropout(self.dropout)?;
        check_weights(&[
            ("alpha", self.alpha),
            ("margin", self.margin),
            ("smoothness", self.smoothness),
            ("sparsity", self.sparsity),
        ])
    }

    /// Paper: learning rate 1e-3, weight decay 5e-3. Edge: width 128, with smoothness and sparsity of their usual weights.
    fn preset(self, preset: Preset) -> (Self, Recipe) {
        match preset {
            Preset::Paper => (self, Recipe { steps: 5000, learning_rate: 1e-3, weight_decay: 5e-3, ..Recipe::EDGE }),
            Preset::Edge => (Self { width: Some(128), smoothness: 8e-4, sparsity: 8e-3, ..self }, Recipe::EDGE),
        }
    }

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { top: None, smoothness: Some(&mut self.smoothness), sparsity: Some(&mut self.sparsity) }
    }
}
