//! The kernels in burn's own operations: for every backend without better, and the measure of those that have.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};

use super::{EPSILON, NormGradients, Normalised, Rows};
use crate::model::denet::encoder::{GELU_CUBIC, GELU_SCALE};

fn masked<B: Backend>(x: Rows<B>, mask: Option<Rows<B>>) -> Rows<B> {
    match mask {
        Some(mask) => x * mask,
        None => x,
    }
}

/// `sigmoid(2 u)` with `u = sqrt(2/pi) (x + 0.044715 x^3)`, which is `(1 + tanh u) / 2`.
fn gate<B: Backend>(x: Rows<B>) -> Rows<B> {
    activation::sigmoid((x.clone() * x.clone() * (2.0 * GELU_SCALE * GELU_CUBIC) + 2.0 * GELU_SCALE) * x)
}

/// `GELU(x) mask`.
pub fn gelu<B: Backend>(x: Rows<B>, mask: Option<Rows<B>>) -> Rows<B> {
    masked(x.clone() * gate(x), mask)
}

/// `d GELU = s + x s (1 - s) 2 u'` with s the gate.
pub fn gelu_backward<B: Backend>(x: Rows<B>, mask: Option<Rows<B>>, grad: Rows<B>) -> Rows<B> {
    let s = gate(x.clone());
    let slope = x.clone() * x.clone() * (6.0 * GELU_SCALE * GELU_CUBIC) + 2.0 * GELU_SCALE;
    masked(grad, mask) * (s.clone() + x * s.clone() * (s.neg() + 1.0) * slope)
}

/// `p = softmax(x)` and `p mask`.
pub fn softmax<B: Backend>(x: Rows<B>, mask: Option<Rows<B>>) -> (Rows<B>, Rows<B>) {
    let p = activation::softmax(x, 1);
    (p.clone(), masked(p, mask))
}

/// `dx = p (g - sum g p)` with `g = grad mask`.
pub fn softmax_backward<B: Backend>(p: Rows<B>, mask: Option<Rows<B>>, grad: Rows<B>) -> Rows<B> {
    let grad = masked(grad, mask);
    let sum = (grad.clone() * p.clone()).sum_dim(1);
    p * (grad - sum)
}

/// `LN(x + y mask) gamma + beta`.
pub fn add_norm<B: Backend>(
    x: Rows<B>,
    y: Rows<B>,
    mask: Option<Rows<B>>,
    gamma: Tensor<B, 1>,
    beta: Tensor<B, 1>,
) -> Normalised<B> {
    let sum = x + masked(y, mask);
    let centred = sum.clone() - sum.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    let inverse_deviation = (variance + EPSILON).sqrt().recip();
    let rows = centred * inverse_deviation.clone();
    let output = rows.clone() * gamma.unsqueeze() + beta.unsqueeze();
    Normalised { output, rows, inverse_deviation }
}

/// `dx = (g - mean g - x^ mean(g x^)) / deviation` with `g = grad gamma` and `x^` the normalised rows.
pub fn add_norm_backward<B: Backend>(
    state: Normalised<B>,
    mask: Option<Rows<B>>,
    gamma: Tensor<B, 1>,
    grad: Rows<B>,
) -> NormGradients<B> {
    let Normalised { rows, inverse_deviation, .. } = state;
    let width = rows.dims()[1];
    let gradient_gamma = (grad.clone() * rows.clone()).sum_dim(0).reshape([width]);
    let gradient_beta = grad.clone().sum_dim(0).reshape([width]);
    let g = grad * gamma.unsqueeze();
    let along = (g.clone() * rows.clone()).mean_dim(1);
    let x = (g.clone() - g.mean_dim(1) - rows * along) * inverse_deviation;
    NormGradients { y: masked(x.clone(), mask), x, gamma: gradient_gamma, beta: gradient_beta }
}
