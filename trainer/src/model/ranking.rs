//! The ranking loss of multiple instance learning, and what Sultani et al. ("Real-World Anomaly Detection in Surveillance
//! Videos") add to it. Batches are P abnormal windows followed by P normal ones; pair i is (i, P + i).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `max(0, 1 - a + n)` for each pair of a column `[2 P, 1]`; of scores, Sultani et al.'s Eq. 6.
pub fn hinge<B: Backend>(peaks: Tensor<B, 2>) -> Tensor<B, 1> {
    let pairs = peaks.dims()[0] / 2;
    let abnormal = peaks.clone().narrow(0, 0, pairs);
    let normal = peaks.narrow(0, pairs, pairs);
    (normal - abnormal + 1.0).clamp_min(0.0).reshape([pairs])
}

/// Sultani et al., Eq. 7, of abnormal windows' scores `[P, T]`: `smoothness sum_t (y_t - y_{t+1})^2 + sparsity sum_t y_t`; `[P]`.
/// Incidents are short, and scores do not jump.
pub fn regularisation<B: Backend>(scores: Tensor<B, 2>, smoothness: f64, sparsity: f64) -> Tensor<B, 1> {
    let [p, t] = scores.dims();
    let steps = scores.clone().narrow(1, 1, t - 1) - scores.clone().narrow(1, 0, t - 1);
    let smooth = (steps.clone() * steps).sum_dim(1) * smoothness;
    (smooth + scores.sum_dim(1) * sparsity).reshape([p])
}

/// How features change over `k` segments: `1 - cos(x_{t-k}, x_t)`, for t >= k; `[B, T, D]` to `[B, T - k]`.
pub fn variation<B: Backend>(features: Tensor<B, 3>, k: usize) -> Tensor<B, 2> {
    let [b, t, _] = features.dims();
    let earlier = features.clone().narrow(1, 0, t - k);
    let later = features.narrow(1, k, t - k);
    // The product of norms is at least 1e-8, so that zero vectors have no infinite gradient.
    let square = |x: Tensor<B, 3>| (x.clone() * x).sum_dim(2);
    let norms = (square(earlier.clone()) * square(later.clone())).clamp_min(1e-16).sqrt();
    let cosine = (earlier * later).sum_dim(2) / norms;
    (cosine.neg() + 1.0).reshape([b, t - k])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{close, row, values};

    #[test]
    fn a_pair_costs_what_its_abnormal_peak_lacks_of_one_more_than_the_normal() {
        let highest = Tensor::cat(vec![row([0.9]), row([0.1]), row([0.4]), row([0.8])], 0);
        // Pairs: 1 - 0.9 + 0.4 and 1 - 0.1 + 0.8.
        close(&values(hinge(highest)), &[0.5, 1.7]);
        close(&values(hinge(Tensor::cat(vec![row([1.0]), row([0.0])], 0))), &[0.0]);
    }

    #[test]
    fn regularisation_is_of_jumps_and_of_all_scores() {
        let scores = Tensor::cat(vec![row([0.1, 0.9, 0.9, 0.4]), row([0.0, 0.0, 0.0, 0.0])], 0);
        // 2 (0.64 + 0 + 0.25) + 0.1 * 2.3
        close(&values(regularisation(scores, 2.0, 0.1)), &[2.01, 0.0]);
    }
}
