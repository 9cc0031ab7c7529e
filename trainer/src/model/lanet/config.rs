//! LA-Net's sizes and loss weights.

use runtime::Result;
use serde::{Deserialize, Serialize};

use crate::model::DetectorConfig;
use crate::model::settings::{check_dropout, check_segments, check_weights, refuse};
use crate::train::{Preset, Recipe, Schedule};

/// Sizes and loss weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaNetConfig {
    /// D; `None` for the features' own width, without projection.
    pub width: Option<usize>,
    /// T: segments in a window, any number.
    pub segments: usize,
    /// Width of the queries, keys and values.
    pub attention: usize,
    /// Dropout after each of the two layers before the score.
    pub dropout: f64,
    /// Weight of the dynamics ranking.
    pub lambda_ranking: f64,
    /// Weight of the dynamics alignment.
    pub lambda_alignment: f64,
}

impl LaNetConfig {
    /// The segments that stand for a window, by their scores.
    pub fn chosen(&self) -> usize {
        self.segments / 16 + 1
    }
}

impl Default for LaNetConfig {
    /// The width of the attention and both weights are ours: the abstract does not say.
    fn default() -> Self {
        Self { width: None, segments: 64, attention: 128, dropout: 0.1, lambda_ranking: 1.0, lambda_alignment: 1.0 }
    }
}

impl DetectorConfig for LaNetConfig {
    fn segments(&self) -> usize {
        self.segments
    }

    fn check(&self) -> Result<()> {
        check_segments(self.segments)?;
        if self.width == Some(0) || self.attention == 0 {
            return refuse(format!("width {:?}, attention {}", self.width, self.attention), "use 1 or more");
        }
        check_dropout(self.dropout)?;
        check_weights(&[("lambda_ranking", self.lambda_ranking), ("lambda_alignment", self.lambda_alignment)])
    }

    /// Paper: learning rate 5e-4 down to 0 along a cosine, 128 videos in a batch, 60 epochs of UCF-Crime. Edge: width 128.
    fn preset(self, preset: Preset) -> (Self, Recipe) {
        match preset {
            Preset::Paper => (
                self,
                Recipe { steps: 800, pairs: 64, learning_rate: 5e-4, schedule: Schedule::Cosine, ..Recipe::EDGE },
            ),
            Preset::Edge => (Self { width: Some(128), ..self }, Recipe::EDGE),
        }
    }
}
