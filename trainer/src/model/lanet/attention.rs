//! Locality-aware attention: every segment asks the whole window, its neighbours first.
//!
//! `LN(x + W softmax(Q K^T / sqrt(d) + M) V)` with one head, and `M_ij = exp(-|w (i - j)^2 + b|)`.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::model::kernels::Kernels;
use crate::model::{Init, linear};

/// The attention of one head.
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    /// `D -> d`.
    pub query: Linear<B>,
    /// `D -> d`.
    pub key: Linear<B>,
    /// `D -> d`.
    pub value: Linear<B>,
    /// W: `d -> D`.
    pub output: Linear<B>,
    /// After the residual.
    pub norm: LayerNorm<B>,
    /// w, `[1]`.
    pub falloff: Param<Tensor<B, 1>>,
    /// b, `[1]`.
    pub offset: Param<Tensor<B, 1>>,
}

impl<B: Kernels> Attention<B> {
    /// New, on features of width `width`, with queries of width `inner`.
    pub fn new(width: usize, inner: usize, init: &mut Init<'_, B>) -> Self {
        let (query, key, value) = (init.linear(width, inner), init.linear(width, inner), init.linear(width, inner));
        let output = init.linear(inner, width);
        let (falloff, offset) = (init.constant([1], 0.6), init.constant([1], 0.2));
        let norm = LayerNormConfig::new(width).init(&falloff.val().device());
        Self { query, key, value, output, norm, falloff, offset }
    }

    /// `[B, T, D]` to `[B, T, D]`.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [b, t, d] = x.dims();
        let query = linear(&self.query, x.clone());
        let scale = 1.0 / (query.dims()[2] as f64).sqrt();
        let key = linear(&self.key, x.clone());
        let value = linear(&self.value, x.clone());
        let logits = (query * scale).matmul(key.swap_dims(1, 2)) + self.locality(t).unsqueeze::<3>();
        let weights = B::masked_softmax(logits.reshape([b * t, t]), None).1.reshape([b, t, t]);
        let attended = linear(&self.output, weights.matmul(value));
        let gamma = self.norm.gamma.val();
        let beta = self.norm.beta.as_ref().map_or_else(|| gamma.zeros_like(), Param::val);
        let rows = [b * t, d];
        B::add_norm(x.reshape(rows), attended.reshape(rows), None, gamma, beta).output.reshape([b, t, d])
    }
}

impl<B: Backend> Attention<B> {
    /// M of a window of T segments, `[T, T]`.
    pub fn locality(&self, segments: usize) -> Tensor<B, 2> {
        let squares: Vec<f32> =
            (0..segments).flat_map(|i| (0..segments).map(move |j| (i as f32 - j as f32).powi(2))).collect();
        let falloff = self.falloff.val().reshape([1, 1]);
        let squares = Tensor::from_data(TensorData::new(squares, [segments, segments]), &falloff.device());
        (squares * falloff + self.offset.val().reshape([1, 1])).abs().neg().exp()
    }
}
