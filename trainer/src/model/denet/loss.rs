//! The ranking losses, sec. 3.3. Batches are P abnormal windows followed by P normal ones; pair i is (i, P + i).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::config::DeNetConfig;
use crate::model::ranking::{self, hinge};

/// Eq. 11: `L_score = max(0, 1 - max y^a + max y^n)` for each pair, of each window's highest score; `[2 P, 1]` to `[P]`.
pub fn score_ranking<B: Backend>(highest: Tensor<B, 2>) -> Tensor<B, 1> {
    hinge(highest)
}

/// Eq. 12: `var(x_t) = 1 - cos(x_{t-k}, x_t)` with k = T/2, for t >= k; `[B, T, D]` to `[B, T - k]`.
pub fn variation<B: Backend>(features: Tensor<B, 3>) -> Tensor<B, 2> {
    let k = features.dims()[1] / 2;
    ranking::variation(features, k)
}

/// Eq. 13: `L_fea = max(0, 1 - max var(x^a) + max var(x^n))` for each pair; `[2 P, T, D]` to `[P]`.
pub fn feature_ranking<B: Backend>(features: Tensor<B, 3>) -> Tensor<B, 1> {
    hinge(variation(features).max_dim(1))
}

/// Eqs. 14 and 15: `a1 L_score + a2 L_fea` for each pair; `[P]`.
pub fn ranking<B: Backend>(features: Tensor<B, 3>, highest: Tensor<B, 2>, config: &DeNetConfig) -> Tensor<B, 1> {
    let score = score_ranking(highest) * config.alpha_score;
    if config.alpha_feature == 0.0 {
        return score;
    }
    score + feature_ranking(features) * config.alpha_feature
}
