//! The classifier of DE-Net and MIL-Rank: three fully connected layers of 512, 32 and 1 units; ReLU after the first only; dropout between
//! layers; sigmoid at the end.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, activation};

use super::{Init, Noise};

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

/// Scores of a training pass.
#[derive(Debug)]
pub struct Learned<B: Backend> {
    /// `Y [B, T]`, without a gradient.
    pub scores: Vec<f32>,
    /// Each window's highest, `[B, 1]`.
    pub highest: Tensor<B, 2>,
    /// All of the first windows', `[whole, T]`, if any were asked for.
    pub all: Option<Tensor<B, 2>>,
}

impl<B: Backend> Classifier<B> {
    /// New, for features of width `width`.
    pub fn new(width: usize, dropout: f64, init: &mut Init<'_, B>) -> Self {
        Self { first: init.linear(width, 512), second: init.linear(512, 32), third: init.linear(32, 1), dropout }
    }

    /// `Y = f(X^)` (DE-Net's Eq. 5): `[B, T, D]` to `[B, T]`.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 2> {
        let [b, t, d] = x.dims();
        self.rows(x.reshape([b * t, d]), &[None, None]).reshape([b, t])
    }

    /// Training's `Y`, and what of it has a gradient: each window's highest score, or the mean of its `top` highest, and of the
    /// first `whole` windows all scores. The loss asks for no other (DE-Net's Eq. 11): as a rule `top` rows of a window are learned from,
    /// not 64.
    pub fn learned(&self, x: Tensor<B, 3>, top: usize, whole: usize, noise: &mut Noise) -> Learned<B> {
        let [b, t, d] = x.dims();
        let x = x.reshape([b * t, d]);
        let device = x.device();
        let masks =
            [&self.first, &self.second].map(|layer| noise.mask([b * t, layer.weight.dims()[1]], self.dropout, &device));
        let scores = self.clone().no_grad().rows(x.clone().detach(), &masks);
        let scores: Vec<f32> = scores.into_data().convert::<f32>().into_vec().unwrap_or_default();
        let top = top.min(t);
        let of_window = |(window, scores): (usize, &[f32])| {
            let mut order: Vec<usize> = (0..t).collect();
            // Stable: of equals, the first ones.
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            order.into_iter().take(top).map(move |segment| (window * t + segment) as i64).collect::<Vec<_>>()
        };
        let all = (whole > 0).then(|| {
            let first = |x: Tensor<B, 2>| x.narrow(0, 0, whole * t);
            let masks = masks.clone().map(|mask| mask.map(first));
            self.rows(first(x.clone()), &masks).reshape([whole, t])
        });
        let rows: Vec<i64> = scores.chunks(t).enumerate().flat_map(of_window).collect();
        let rows = Tensor::from_data(TensorData::new(rows, [b * top]), &device);
        let masks = masks.map(|mask| mask.map(|mask| mask.select(0, rows.clone())));
        Learned { scores, highest: self.rows(x.select(0, rows), &masks).reshape([b, top]).mean_dim(1), all }
    }

    /// Rows `[N, D]` to scores `[N, 1]`, through the two dropout masks.
    fn rows(&self, x: Tensor<B, 2>, masks: &[Option<Tensor<B, 2>>; 2]) -> Tensor<B, 2> {
        let masked = |x: Tensor<B, 2>, mask: &Option<Tensor<B, 2>>| match mask {
            Some(mask) => x * mask.clone(),
            None => x,
        };
        let x = masked(activation::relu(self.first.forward(x)), &masks[0]);
        let x = masked(self.second.forward(x), &masks[1]);
        activation::sigmoid(self.third.forward(x))
    }
}
