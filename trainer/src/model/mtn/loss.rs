//! The loss of feature magnitudes.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `||x_t||_2` of each segment; `[B, T, D]` to `[B, T]`.
pub fn magnitudes<B: Backend>(features: Tensor<B, 3>) -> Tensor<B, 2> {
    let [b, t, _] = features.dims();
    // Of zeros too the root has a gradient.
    (features.clone() * features).sum_dim(2).clamp_min(1e-12).sqrt().reshape([b, t])
}

/// `L_fm = max(0, c - f^a) + f^n` of each pair, where f is the mean magnitude of a window's chosen segments; `[2 P, 1]` to `[P]`.
pub fn magnitude<B: Backend>(magnitudes: Tensor<B, 2>, margin: f64) -> Tensor<B, 1> {
    let pairs = magnitudes.dims()[0] / 2;
    let abnormal = magnitudes.clone().narrow(0, 0, pairs);
    let normal = magnitudes.narrow(0, pairs, pairs);
    ((abnormal.neg() + margin).clamp_min(0.0) + normal).reshape([pairs])
}
