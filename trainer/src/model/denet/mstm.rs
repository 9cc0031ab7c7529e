//! Multi-Scale Temporal Modelling, sec. 3.1: `X [B, T, D]` in, `X^ [B, T, D]` out.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::config::DeNetConfig;
use super::encoder::Encoder;
use crate::model::kernels::Kernels;
use crate::model::{Init, Noise, linear};

/// One temporal scale.
#[derive(Module, Debug)]
pub struct Scale<B: Backend> {
    /// The convolution of Eq. 1. As kernel and stride are equal, it is a product: rows of `[2^(s-1) D]` (2^(s-1)
    /// consecutive segments, oldest first) by a weight `[2^(s-1) D, D]`.
    pub conv: Linear<B>,
    /// Position and attention, Eq. 2.
    pub encoder: Encoder<B>,
    /// This scale's share `W_s [D, D]` of the fusing layer of Eq. 4.
    pub fuse: Linear<B>,
    /// `2^(s-1)`: segments per token.
    pub stride: usize,
}

/// Multi-scale temporal modelling.
#[derive(Module, Debug)]
pub struct Mstm<B: Backend> {
    /// Scales 1 to S; without any, features pass as they are. The bias of Eq. 4 is that of the first scale's `fuse`; the others have none.
    pub scales: Vec<Scale<B>>,
}

impl<B: Kernels> Mstm<B> {
    /// New, for features of width `width`.
    pub fn new(config: &DeNetConfig, width: usize, init: &mut Init<'_, B>) -> Self {
        // Eq. 4 is one layer of S D inputs: its parts share that layer's bound.
        let bound = 1.0 / ((config.scales * width) as f64).sqrt();
        let scales = (0..config.scales)
            .map(|s| Scale {
                conv: init.linear(width << s, width),
                encoder: Encoder::new(config, width, config.segments >> s, init),
                fuse: Linear {
                    weight: init.uniform([width, width], bound),
                    bias: (s == 0).then(|| init.uniform([width], bound)),
                },
                stride: 1 << s,
            })
            .collect();
        Self { scales }
    }

    /// Eqs. 1-4.
    pub fn forward(&self, x: Tensor<B, 3>, noise: &mut Noise) -> Tensor<B, 3> {
        let mut fused: Option<Tensor<B, 3>> = None;
        for scale in &self.scales {
            let tokens = local(&scale.conv, x.clone(), scale.stride);
            let tokens = scale.encoder.forward(tokens, noise);
            let part = repeat(linear(&scale.fuse, tokens), scale.stride);
            fused = Some(match fused {
                Some(sum) => sum + part,
                None => part,
            });
        }
        fused.unwrap_or(x)
    }
}

/// Eq. 1: `Conv1D` with kernel = stride = `stride`; `[B, T, D]` to `[B, T / stride, D]`.
pub fn local<B: Backend>(conv: &Linear<B>, x: Tensor<B, 3>, stride: usize) -> Tensor<B, 3> {
    let [b, t, d] = x.dims();
    linear(conv, x.reshape([b, t / stride, stride * d]))
}

/// Eq. 3: repeat each token `times` times, `[B, T, D]` to `[B, T times, D]`. Eq. 4's layer is applied before repeating, scale by scale:
/// `FC(concat_s repeat(h^s)) = sum_s repeat(W_s h^s) + b`, the same numbers for fewer products.
pub fn repeat<B: Backend>(x: Tensor<B, 3>, times: usize) -> Tensor<B, 3> {
    if times == 1 {
        return x;
    }
    let [b, t, d] = x.dims();
    x.reshape([b, t, 1, d]).repeat_dim(2, times).reshape([b, t * times, d])
}
