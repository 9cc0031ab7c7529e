//! Presets: every number that shapes a run, typed and kept in `run.json`.

use clap::ValueEnum;
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::model::ModelConfig;

/// A named set of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The model's paper's: features at full width, its learning rate, whole videos; a tenth is held out, and chooses the weights.
    Paper,
    /// For cameras: width 128, learning rate 1e-4, whole videos; nothing is held out, so that few videos go a long way. Smoothness
    /// and sparsity with their usual weights keep scores high at incidents alone, and not through a whole video.
    Edge,
}

/// Which weights a run ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choose {
    /// Those of the last step.
    Last,
    /// Those of the assessment with the highest validation AUC (the earliest of equals).
    Best,
}

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// From the whole down to 0 at the last step, along half a cosine.
    Cosine,
}

impl Schedule {
    /// What step `step` (from 0) of `steps` multiplies the learning rate by.
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()),
        }
    }
}

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The preset that they come from.
    pub preset: Preset,
    /// The model, its sizes and loss weights.
    pub model: ModelConfig,
    /// Training steps.
    pub steps: u64,
    /// Abnormal videos in a batch, and as many normal ones.
    pub pairs: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// What becomes of the learning rate.
    #[serde(default)]
    pub schedule: Schedule,
    /// Adam's weight decay (added to the gradient).
    pub weight_decay: f32,
    /// One batch in `n` is made of contiguous windows, the others of whole videos; 0: none.
    pub window_every: u64,
    /// Least rows of a contiguous window; the most is the model's window.
    pub window_rows_min: usize,
    /// Share of the training videos held out for validation.
    pub validation_share: f64,
    /// Steps between assessments (and checkpoints).
    pub assess_every: u64,
    /// Decay d of the moving average of the weights, below 1; 0: none. What is assessed and kept is the average.
    #[serde(default)]
    pub average_decay: f64,
    /// Which weights the run ends with.
    pub choose: Choose,
    /// Assessments without a higher validation AUC after which the run ends early; absent: it takes all its steps.
    #[serde(default)]
    pub patience: Option<u64>,
}

/// What of a preset differs from model to model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Training steps.
    pub steps: u64,
    /// Abnormal videos in a batch, and as many normal ones.
    pub pairs: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// What becomes of it.
    pub schedule: Schedule,
    /// Adam's weight decay.
    pub weight_decay: f32,
}

impl Recipe {
    /// For cameras, where a model has no reason to differ.
    pub const EDGE: Self =
        Self { steps: 600, pairs: 32, learning_rate: 1e-4, schedule: Schedule::Constant, weight_decay: 1e-3 };
}

impl Preset {
    /// The preset's settings for a model of default sizes.
    pub fn settings(self, model: ModelConfig) -> Settings {
        let (model, Recipe { steps, pairs, learning_rate, schedule, weight_decay }) = model.preset(self);
        let (validation_share, assess_every, choose) = match self {
            Self::Paper => (0.1, 250, Choose::Best),
            Self::Edge => (0.0, 50, Choose::Last),
        };
        Settings {
            preset: self,
            model,
            steps,
            pairs,
            learning_rate,
            schedule,
            weight_decay,
            window_every: 0,
            window_rows_min: 16,
            validation_share,
            assess_every,
            average_decay: 0.0,
            choose,
            patience: None,
        }
    }
}

impl Settings {
    /// Refuse settings that no run can be made with.
    pub fn check(&self) -> Result<()> {
        self.model.check()?;
        let refuse = |key: &str, problem: &str| Err(Error::invalid(key, problem, "change the setting"));
        if self.steps == 0 {
            return refuse("steps", "is 0");
        }
        if self.pairs == 0 {
            return refuse("pairs", "is 0");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("learning_rate", "is not above 0");
        }
        if !(0.0..1.0).contains(&self.average_decay) {
            return refuse("average_decay", "is not at least 0 and below 1");
        }
        if !(0.0..=0.5).contains(&self.validation_share) {
            return refuse("validation_share", "is not between 0 and 0.5");
        }
        if self.choose == Choose::Best && self.validation_share == 0.0 {
            return refuse("choose", "is `best` without held-out videos");
        }
        if self.patience == Some(0) {
            return refuse("patience", "is 0");
        }
        if self.patience.is_some() && self.choose != Choose::Best {
            return refuse("patience", "ends a run after its best weights, which `choose` does not keep");
        }
        if self.assess_every == 0 {
            return refuse("assess_every", "is 0");
        }
        if self.window_rows_min == 0 || self.window_rows_min > self.model.segments() {
            return refuse("window_rows_min", "is not between 1 and the model's window");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_the_whole_to_nothing() {
        let factor = |step| Schedule::Cosine.factor(step, 8);
        assert_eq!((factor(0), Schedule::Constant.factor(5, 8)), (1.0, 1.0));
        assert!((factor(4) - 0.5).abs() < 1e-12 && (factor(2) - (0.5 + 0.5_f64.sqrt() / 2.0)).abs() < 1e-12);
        assert!(factor(8) < 1e-12);
    }
}
