//! A window as a bag of segments that share its label: which segments stand for it, and the cross entropy of what they say.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Of each of the windows `[B, T]`, the `k` largest values: `1 / k` there and 0 elsewhere, so that a sum with these weights is
/// their mean. Of equals, the first ones.
pub fn largest(values: &[f32], segments: usize, k: usize) -> Vec<f32> {
    let k = k.clamp(1, segments);
    let mut weights = vec![0.0; values.len()];
    for (values, weights) in values.chunks_exact(segments).zip(weights.chunks_exact_mut(segments)) {
        let mut order: Vec<usize> = (0..segments).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        order[..k].iter().for_each(|&segment| weights[segment] = 1.0 / k as f32);
    }
    weights
}

/// [`largest`] of a tensor `[B, T]`, as one; which are the largest carries no gradient.
pub fn largest_of<B: Backend>(values: &Tensor<B, 2>, k: usize) -> Tensor<B, 2> {
    let shape = values.dims();
    let host = values.clone().into_data().convert::<f32>().into_vec::<f32>().unwrap_or_default();
    Tensor::from_data(TensorData::new(largest(&host, shape[1], k), shape), &values.device())
}

/// Binary cross entropy of `[2 P, 1]`, abnormal windows first: the mean of `-ln p` and `-ln (1 - p)`; `[1]`.
pub fn cross_entropy<B: Backend>(scores: Tensor<B, 2>) -> Tensor<B, 1> {
    let pairs = scores.dims()[0] / 2;
    // A score of exactly 0 or 1 costs much, and not everything.
    let scores = scores.clamp(1e-6, 1.0 - 1e-6);
    let abnormal = scores.clone().narrow(0, 0, pairs);
    let normal = scores.narrow(0, pairs, pairs).neg() + 1.0;
    Tensor::cat(vec![abnormal, normal], 0).log().mean().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{close, row, values};

    #[test]
    fn the_largest_are_weighed_alike_and_sum_to_one() {
        assert_eq!(largest(&[0.1, 0.9, 0.9, 0.3, 3.0, 1.0, 2.0, 0.0], 4, 2), [0., 0.5, 0.5, 0., 0.5, 0., 0.5, 0.]);
        assert_eq!(largest(&[1.0, 1.0], 2, 1), [1.0, 0.0]);
        assert_eq!(largest(&[1.0, 2.0], 2, 0), [0.0, 1.0]);
    }

    #[test]
    fn cross_entropy_is_of_the_abnormal_first() {
        let scores = Tensor::cat(vec![row([0.8]), row([0.5]), row([0.5]), row([0.1])], 0);
        // -(ln .8 + ln .5 + ln .5 + ln .9) / 4 = -ln .18 / 4
        close(&values(cross_entropy(scores)), &[1.714_798_4 / 4.0]);
    }
}
