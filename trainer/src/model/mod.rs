//! Detectors: a window of segment features in, one anomaly score per segment out.
//!
//! | model | module | paper |
//! |---|---|---|
//! | `denet` | [`denet`] | Dynamic Erasing Network, Zhang et al. |
//! | `mil` | [`mil`] | the ranking baseline, Sultani et al. |
//! | `mtn` | [`mtn`] | multi-scale temporal network with feature magnitude, as in RTFM and TEVAD |
//! | `lanet` | [`lanet`] | Locality-aware Attention Network with Discriminative Dynamics Learning |
//!
//! To add a model: a module that implements [`DetectorConfig`], [`Detector`] and [`crate::export::Exporter`], and its line in
//! `models!`. Command line, `run.json`, training, evaluation and export know it from then on.

mod bag;
mod batch_norm;
mod classifier;
mod convolution;
pub mod denet;
mod init;
pub mod kernels;
pub mod lanet;
pub mod mil;
pub mod mtn;
pub mod noise;
mod peers;
mod ranking;
mod settings;
#[cfg(test)]
pub(crate) mod testing;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use clap::ValueEnum;
use runtime::Result;
use serde::{Deserialize, Serialize};

use crate::train::{Preset, Recipe};
pub use batch_norm::BatchNorm;
pub use classifier::Classifier;
pub use init::{Init, linear};
pub use mtn::{Fusion, TextConfig};
pub use noise::Noise;
pub use peers::Peers;

/// Everything that lists the models, from a line each: `/// doc`, network, its module, its settings. (`$d` is a dollar sign.)
macro_rules! models {
    ($d:tt $($(#[$doc:meta])+ $name:ident, $module:ident, $config:ident;)+) => {
        /// Which model, with its sizes and loss. Part of `run.json`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "model", rename_all = "lowercase")]
        pub enum ModelConfig {
            $($(#[$doc])+ $name($module::$config),)+
        }

        /// A model's name on the command line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        #[value(rename_all = "lower")]
        pub enum Model {
            $($(#[$doc])+ $name,)+
        }

        impl Model {
            /// The model with its paper's sizes.
            pub fn config(self) -> ModelConfig {
                match self {
                    $(Self::$name => ModelConfig::$name($module::$config::default()),)+
                }
            }
        }

        impl ModelConfig {
            /// The model's name on the command line.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($module),)+
                }
            }

            /// Segments in a window.
            pub fn segments(&self) -> usize {
                match self {
                    $(Self::$name(config) => config.segments(),)+
                }
            }

            /// Refuse sizes that the model cannot be built with, naming the setting.
            pub fn check(&self) -> Result<()> {
                match self {
                    $(Self::$name(config) => config.check(),)+
                }
            }

            /// As the preset has it, and how it is trained then.
            pub fn preset(self, preset: Preset) -> (Self, Recipe) {
                match self {
                    $(Self::$name(config) => {
                        let (config, recipe) = config.preset(preset);
                        (Self::$name(config), recipe)
                    })+
                }
            }

            /// The text that the model takes in beside the features.
            pub fn text(&self) -> Option<TextConfig> {
                match self {
                    $(Self::$name(config) => config.text(),)+
                }
            }

            /// Have the model take text in; false where it cannot.
            pub fn set_text(&mut self, text: TextConfig) -> bool {
                match self {
                    $(Self::$name(config) => config.set_text(text),)+
                }
            }

            /// What the command line may set.
            pub fn knobs(&mut self) -> Knobs<'_> {
                match self {
                    $(Self::$name(config) => config.knobs(),)+
                }
            }
        }

        /// `$body` with `$kind` as the type that `$model` names, and `$config` as its settings.
        macro_rules! with_model {
            ($d model:expr, |$d kind:ident, $d config:ident| $d body:expr) => {
                match $d model {
                    $($crate::model::ModelConfig::$name($d config) => {
                        use $crate::model::$module::$name as $d kind;
                        $d body
                    })+
                }
            };
        }
        pub(crate) use with_model;
    };
}

models! { $
    /// The Dynamic Erasing Network.
    DeNet, denet, DeNetConfig;
    /// Multiple instance ranking, the plain baseline: each segment by itself.
    Mil, mil, MilConfig;
    /// The multi-scale temporal network with feature magnitudes.
    Mtn, mtn, MtnConfig;
    /// The locality-aware attention network with discriminative dynamics.
    LaNet, lanet, LaNetConfig;
}

/// A model's sizes and loss weights; `default` has its paper's.
pub trait DetectorConfig: Clone + Default + Sync {
    /// T: segments in a window.
    fn segments(&self) -> usize;

    /// Refuse what cannot be built, naming the setting.
    fn check(&self) -> Result<()>;

    /// As the preset has it, and how it is trained then.
    fn preset(self, preset: Preset) -> (Self, Recipe);

    /// The text that the model takes in beside the features; none unless said.
    fn text(&self) -> Option<TextConfig> {
        None
    }

    /// Have the model take text in; false where it cannot, as most.
    fn set_text(&mut self, _text: TextConfig) -> bool {
        false
    }

    /// What the command line may set; none unless said.
    fn knobs(&mut self) -> Knobs<'_> {
        Knobs::default()
    }
}

/// Settings that flags of the command line change, where a model has them.
#[derive(Debug, Default)]
pub struct Knobs<'a> {
    /// How many of a window's highest scores are ranked, by their mean.
    pub top: Option<&'a mut usize>,
    /// Weight of the smoothness of abnormal windows' scores.
    pub smoothness: Option<&'a mut f64>,
    /// Weight of their sparsity.
    pub sparsity: Option<&'a mut f64>,
}

/// A batch of equally many abnormal and normal windows, standardised, in host memory.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[2 P, T, D]`: P abnormal windows, then P normal ones.
    pub windows: Vec<f32>,
    /// P.
    pub pairs: usize,
    /// T.
    pub segments: usize,
    /// D.
    pub width: usize,
}

impl Batch {
    /// In at most `parts` batches of whole pairs, of sizes as equal as can be.
    pub fn split(&self, parts: usize) -> Vec<Self> {
        let parts = parts.clamp(1, self.pairs.max(1));
        let first = |part: usize| part * self.pairs / parts;
        (0..parts).map(|part| self.take(&(first(part)..first(part + 1)).collect::<Vec<_>>())).collect()
    }

    /// The batch of these pairs alone.
    #[must_use]
    pub fn take(&self, pairs: &[usize]) -> Self {
        let size = self.segments * self.width;
        let chosen = pairs.iter().copied().chain(pairs.iter().map(|pair| self.pairs + pair));
        let windows = chosen.flat_map(|i| &self.windows[i * size..(i + 1) * size]).copied().collect();
        Self { windows, pairs: pairs.len(), ..*self }
    }
}

/// What one training step's loss is made of, for the log.
#[derive(Clone, Debug)]
pub struct Loss<B: Backend> {
    /// The loss to minimise, `[1]`.
    pub total: Tensor<B, 1>,
    /// Abnormal windows of which something was erased.
    pub erased_windows: usize,
    /// Segments erased in all.
    pub erased_segments: usize,
    /// What the model's running statistics are to take in ([`Detector::observed`]); nothing where there are none.
    pub seen: Vec<f32>,
}

impl<B: Backend> Loss<B> {
    /// Of a model that erases nothing and has no running statistics.
    pub fn of(total: Tensor<B, 1>) -> Self {
        Self { total, erased_windows: 0, erased_segments: 0, seen: Vec::new() }
    }
}

/// A model that scores windows and knows its own loss.
pub trait Detector<B: Backend>: Module<B> {
    /// Its sizes and loss weights.
    type Config: DetectorConfig;

    /// A new model for features of width `features`, its weights drawn from `seed` alone.
    fn new(config: &Self::Config, features: usize, seed: u64, device: &B::Device) -> Self;

    /// Scores `[B, T]` in 0..=1 of standardised windows `[B, T, D]`.
    fn scores(&self, windows: Tensor<B, 3>) -> Tensor<B, 2>;

    /// The loss of a batch, or of one part of a batch whose other parts are `peers`; `noise` draws the dropout masks.
    fn loss(
        &self,
        config: &Self::Config,
        batch: &Batch,
        peers: &Peers,
        noise: &mut Noise,
        device: &B::Device,
    ) -> Loss<B>;

    /// The model with what its training pass has seen taken into its running statistics: the mean of what the parts of a batch
    /// saw. Nothing changes in a model that has none.
    #[must_use]
    fn observed(self, _seen: &[f32]) -> Self {
        self
    }
}
