//! Discriminative dynamics learning. Our reading of the abstract: the paper's text gives no formulas to be had, and its
//! authors published no code of these losses.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::model::ranking::{hinge, variation};

/// Score dynamics, `|y_{t+1} - y_t|`; `[B, T]` to `[B, T - 1]`.
pub fn dynamics<B: Backend>(scores: Tensor<B, 2>) -> Tensor<B, 2> {
    let t = scores.dims()[1];
    (scores.clone().narrow(1, 1, t - 1) - scores.narrow(1, 0, t - 1)).abs()
}

/// Dynamics ranking: `max(0, 1 - max_t |y^a_{t+1} - y^a_t| + max_t |y^n_{t+1} - y^n_t|)` of each pair, from score dynamics
/// `[2 P, T - 1]`; `[P]`.
pub fn ranking<B: Backend>(dynamics: Tensor<B, 2>) -> Tensor<B, 1> {
    hinge(dynamics.max_dim(1))
}

/// Dynamics alignment: the mean squared gap between the score dynamics `[B, T - 1]` and the feature dynamics
/// `1 - cos(x_{t+1}, x_t)` of `[B, T, D]`, each divided by its sum over the bag; mean over bags, `[1]`.
pub fn alignment<B: Backend>(dynamics: Tensor<B, 2>, features: Tensor<B, 3>) -> Tensor<B, 1> {
    // A bag in which nothing changes has shares of 0.
    let shares = |x: Tensor<B, 2>| x.clone() / x.sum_dim(1).clamp_min(1e-6);
    let gap = shares(dynamics) - shares(variation(features, 1));
    (gap.clone() * gap).mean()
}
