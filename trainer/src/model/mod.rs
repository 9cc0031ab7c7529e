//! Detectors: a window of segment features in, one anomaly score per segment out.
//!
//! | model | module | paper |
//! |---|---|---|
//! | `denet` | [`denet`] | Dynamic Erasing Network, Zhang et al. |
//!
//! To add a model: a module that implements [`Detector`], a variant of [`ModelConfig`], and its arm in `with_model!`.

pub mod denet;
mod init;
pub mod kernels;
pub mod noise;
mod peers;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

pub use init::{Init, linear};
pub use noise::Noise;
pub use peers::Peers;

/// Which model, with its sizes and loss. Part of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "lowercase")]
pub enum ModelConfig {
    /// The Dynamic Erasing Network.
    DeNet(denet::DeNetConfig),
}

/// Call `$run::<$backend..., Model>($config, $args...)` with the type that `$model` names.
macro_rules! with_model {
    ($model:expr, |$kind:ident, $config:ident| $body:expr) => {
        match $model {
            $crate::model::ModelConfig::DeNet($config) => {
                use $crate::model::denet::DeNet as $kind;
                $body
            }
        }
    };
}
pub(crate) use with_model;

impl ModelConfig {
    /// The model's name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DeNet(_) => "denet",
        }
    }

    /// Segments in a window.
    pub fn segments(&self) -> usize {
        match self {
            Self::DeNet(config) => config.segments,
        }
    }

    /// Refuse sizes that the model cannot be built with, naming the setting.
    pub fn check(&self) -> runtime::Result<()> {
        match self {
            Self::DeNet(config) => config.check(),
        }
    }
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
}

/// A model that scores windows and knows its own loss.
pub trait Detector<B: Backend>: Module<B> {
    /// Its sizes and loss weights.
    type Config;

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
}
