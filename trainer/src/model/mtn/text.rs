//! The text branch, as in TEVAD: vectors of what was said of each segment, through a network of their own, meet the features of the
//! pictures. `X_t [B, T, W]` -> projection (ours, if `W != D_t`) -> [`Network`] -> dropout -> `X_t^ [B, T, D_t]`, then
//!
//! - `concat`: `[X^, X_t^]`, `[B, T, D + D_t]`
//! - `add`: `dropout(ReLU(FC(X^))) + X_t^`, `[B, T, D_t]`
//!
//! In a batch the text is the last W columns of each row. Cameras have no captions: such a model is for workstations.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::network::{Network, Seen};
use crate::model::{Init, linear};

/// How text meets pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fusion {
    /// Beside each other.
    #[default]
    Concat,
    /// Added, the pictures' features brought to the text's width.
    Add,
}

/// Settings of a text branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextConfig {
    /// W: width of the vectors of text.
    pub width: usize,
    /// How they meet the pictures.
    pub fusion: Fusion,
}

/// The branch.
#[derive(Module, Debug)]
pub struct TextBranch<B: Backend> {
    /// W.
    pub width: usize,
    /// `W -> D_t`; `None` when they are equal.
    pub projection: Option<Linear<B>>,
    /// Multi-scale temporal network of the text.
    pub network: Network<B>,
    /// `D -> D_t`, where features are added.
    pub bridge: Option<Linear<B>>,
}

impl<B: Backend> TextBranch<B> {
    /// New, beside features of width `features`; inside `width` wide, or as wide as the text.
    pub fn new(config: TextConfig, features: usize, width: Option<usize>, init: &mut Init<'_, B>) -> Self {
        let inside = width.unwrap_or(config.width);
        Self {
            width: config.width,
            projection: (inside != config.width).then(|| init.linear(config.width, inside)),
            network: Network::new(inside, init),
            bridge: (config.fusion == Fusion::Add).then(|| init.xavier(features, inside, inside)),
        }
    }

    /// Width of what comes out, beside features of width `features`.
    pub fn fused(config: TextConfig, features: usize, width: Option<usize>) -> usize {
        let inside = width.unwrap_or(config.width);
        if config.fusion == Fusion::Add { inside } else { features + inside }
    }

    /// The pictures' features `[B, T, D]`, dropped out, and text `[B, T, W]` as one; `dropped` drops out.
    pub fn fuse(
        &self,
        features: Tensor<B, 3>,
        text: Tensor<B, 3>,
        seen: Seen<'_>,
        mut dropped: impl FnMut(Tensor<B, 3>) -> Tensor<B, 3>,
    ) -> Tensor<B, 3> {
        let text = match &self.projection {
            Some(projection) => linear(projection, text),
            None => text,
        };
        let text = dropped(self.network.forward(text, seen));
        match &self.bridge {
            Some(bridge) => dropped(relu(linear(bridge, features))) + text,
            None => Tensor::cat(vec![features, text], 2),
        }
    }
}
