//! The classifier f: three fully connected layers of 512, 32 and 1 units; ReLU after the first only; dropout between
//! layers; sigmoid at the end.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};

use super::config::DeNetConfig;
use crate::model::{Init, Noise, linear};

/// The classifier.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    /// `D -> 512`.
    pub first: Linear<B>,
    /// `512 -> 32`.
    pub second: Linear<B>,
    /// `32 -> 1`.
    pub third: Linear<B>,
    /// Dropout.
    pub dropout: f64,
}

impl<B: Backend> Classifier<B> {
    /// New, for features of width `width`.
    pub fn new(config: &DeNetConfig, width: usize, init: &mut Init<'_, B>) -> Self {
        Self {
            first: init.linear(width, 512),
            second: init.linear(512, 32),
            third: init.linear(32, 1),
            dropout: config.classifier_dropout,
        }
    }

    /// `Y = f(X^)` (Eq. 5): `[B, T, D]` to `[B, T]`.
    pub fn forward(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 2> {
        let [b, t, _] = x.dims();
        let x = noise.dropout(activation::relu(linear(&self.first, x)), self.dropout);
        let x = noise.dropout(linear(&self.second, x), self.dropout);
        activation::sigmoid(linear(&self.third, x)).reshape([b, t])
    }
}
