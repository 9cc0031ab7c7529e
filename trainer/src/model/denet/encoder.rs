//! The transformer encoder of Eq. 2, one layer, post-norm as in Vaswani et al.:
//! `x = c + PE; x = LN(x + MSA(x)); x = LN(x + MLP(x))`. Dropout on attention weights and on both branches.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::config::DeNetConfig;
use crate::model::kernels::Kernels;
use crate::model::{Init, Noise, linear};

/// One encoder layer over `N` tokens of width `D`.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// `PE [N, D]`, learned.
    pub position: Param<Tensor<B, 2>>,
    /// `W_q, b_q`.
    pub query: Linear<B>,
    /// `W_k, b_k`.
    pub key: Linear<B>,
    /// `W_v, b_v`.
    pub value: Linear<B>,
    /// Joins the heads.
    pub joined: Linear<B>,
    /// After attention.
    pub norm_attention: LayerNorm<B>,
    /// `D -> ratio D`.
    pub widen: Linear<B>,
    /// `ratio D -> D`.
    pub narrow: Linear<B>,
    /// After the MLP.
    pub norm_mlp: LayerNorm<B>,
    /// Heads.
    pub heads: usize,
    /// Dropout.
    pub dropout: f64,
}

impl<B: Kernels> Encoder<B> {
    /// New, for `tokens` tokens of width `width`.
    pub fn new(config: &DeNetConfig, width: usize, tokens: usize, init: &mut Init<'_, B>) -> Self {
        let position = init.normal([tokens, width], 0.02);
        let device = position.val().device();
        let norm = || LayerNormConfig::new(width).init(&device);
        Self {
            query: init.xavier(width, width, 3 * width),
            key: init.xavier(width, width, 3 * width),
            value: init.xavier(width, width, 3 * width),
            joined: init.linear(width, width),
            widen: init.linear(width, config.mlp_ratio * width),
            narrow: init.linear(config.mlp_ratio * width, width),
            norm_attention: norm(),
            norm_mlp: norm(),
            position,
            heads: config.heads,
            dropout: config.encoder_dropout,
        }
    }

    /// Eq. 2: `[B, N, D]` to `[B, N, D]`.
    pub fn forward(&self, tokens: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 3> {
        let [b, n, d] = tokens.dims();
        // Added as rows of N D numbers: a broadcast over the batch alone is the CPU backend's fast one.
        let position = self.position.val().reshape([1, n * d]);
        let x = (tokens.reshape([b, n * d]) + position).reshape([b, n, d]);
        let rows = [b * n, d];
        let attended = self.attention(x.clone(), noise).reshape(rows);
        let x = self.add_norm(&self.norm_attention, x.reshape(rows), attended, noise);
        let hidden = self.widen.forward(x.clone());
        let mask = noise.mask(hidden.dims(), self.dropout, &hidden.device());
        let output = self.narrow.forward(B::masked_gelu(hidden, mask));
        self.add_norm(&self.norm_mlp, x, output, noise).reshape([b, n, d])
    }

    /// `LN(x + dropout(y))` of rows `[B N, D]`.
    fn add_norm(&self, norm: &LayerNorm<B>, x: Tensor<B, 2>, y: Tensor<B, 2>, noise: &mut Noise) -> Tensor<B, 2> {
        let mask = noise.mask(y.dims(), self.dropout, &y.device());
        let gamma = norm.gamma.val();
        let beta = norm.beta.as_ref().map_or_else(|| gamma.zeros_like(), burn::module::Param::val);
        B::add_norm(x, y, mask, gamma, beta).output
    }

    /// Multi-head self attention: `softmax(Q K^T / sqrt(D / heads)) V`, heads joined.
    fn attention(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 3> {
        let [b, n, d] = x.dims();
        let split = |y: Tensor<B, 3>| y.reshape([b, n, self.heads, d / self.heads]).swap_dims(1, 2);
        let scale = 1.0 / ((d / self.heads) as f64).sqrt();
        let query = split(linear(&self.query, x.clone()) * scale);
        let key = split(linear(&self.key, x.clone()));
        let value = split(linear(&self.value, x));
        let rows = [b * self.heads * n, n];
        let mask = noise.mask(rows, self.dropout, &value.device());
        let weights = B::masked_softmax(query.matmul(key.swap_dims(2, 3)).reshape(rows), mask).1;
        let heads = weights.reshape([b, self.heads, n, n]).matmul(value);
        linear(&self.joined, heads.swap_dims(1, 2).reshape([b, n, d]))
    }
}

/// `sqrt(2 / pi)`.
pub const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic term of the approximation.
pub const GELU_CUBIC: f64 = 0.044_715;
