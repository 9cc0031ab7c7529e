//! Batch normalisation over all rows of a batch, with running statistics that are part of the model.
//!
//! `y = (x - mean) / sqrt(var + eps) gamma + beta`: in training with the mean and variance of the rows at hand, in scoring with
//! the running ones. A training pass changes nothing: it says what it saw, and [`BatchNorm::observed`] takes that in after the
//! step, so that a batch may be computed in parts. Each part is normalised by its own rows, as in any data-parallel
//! training; what is taken in is the mean of what the parts saw.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Init;

/// Added to the variance; PyTorch's default.
const EPSILON: f64 = 1e-5;

/// How much of the running statistics each step replaces; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Over the last axis, D wide.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// Scale, `[D]`.
    pub gamma: Param<Tensor<B, 1>>,
    /// Bias, `[D]`.
    pub beta: Param<Tensor<B, 1>>,
    /// Running mean, `[D]`; has no gradient.
    pub mean: Param<Tensor<B, 1>>,
    /// Running variance, `[D]`; has no gradient.
    pub variance: Param<Tensor<B, 1>>,
}

impl<B: Backend> BatchNorm<B> {
    /// New, with `gamma` as its scale.
    pub fn new(width: usize, gamma: f32, init: &mut Init<'_, B>) -> Self {
        Self {
            gamma: init.constant([width], gamma),
            beta: init.constant([width], 0.0),
            mean: init.constant([width], 0.0).set_require_grad(false),
            variance: init.constant([width], 1.0).set_require_grad(false),
        }
    }

    /// Numbers that a pass sees: D means, D variances.
    pub fn numbers(&self) -> usize {
        2 * self.mean.dims()[0]
    }

    /// Rows `[B, T, D]` by the running statistics, or where `seen` is given by their own, which are appended to it (the
    /// variance as that of a sample, n - 1).
    pub fn forward(&self, x: Tensor<B, 3>, seen: Option<&mut Vec<f32>>) -> Tensor<B, 3> {
        let [b, t, d] = x.dims();
        let row = |values: Tensor<B, 1>| values.reshape([1, d]);
        let x = x.reshape([b * t, d]);
        let normal = match seen {
            None => {
                let inverse = (row(self.variance.val()) + EPSILON).sqrt().recip();
                (x - row(self.mean.val())) * inverse
            }
            Some(seen) => {
                let n = (b * t) as f64;
                let mean = x.clone().mean_dim(0);
                let centred = x - mean.clone();
                let variance = (centred.clone() * centred.clone()).mean_dim(0);
                let sample = variance.clone() * (n / (n - 1.0).max(1.0));
                for values in [mean, sample] {
                    seen.extend(values.into_data().convert::<f32>().into_vec::<f32>().unwrap_or_default());
                }
                centred * (variance + EPSILON).sqrt().recip()
            }
        };
        (normal * row(self.gamma.val()) + row(self.beta.val())).reshape([b, t, d])
    }

    /// With what a batch was seen to be taken in: [`BatchNorm::numbers`] of `seen`, of which the rest is returned.
    pub fn observed(self, seen: &[f32]) -> (Self, &[f32]) {
        let width = self.mean.dims()[0];
        if seen.len() < 2 * width {
            return (self, seen);
        }
        let toward = |running: Param<Tensor<B, 1>>, seen: &[f32]| {
            running.map(|running| {
                let seen = Tensor::<B, 1>::from_floats(seen, &running.device());
                (running * (1.0 - MOMENTUM) + seen * MOMENTUM).detach()
            })
        };
        let (mean, rest) = seen.split_at(width);
        let (variance, rest) = rest.split_at(width);
        (Self { mean: toward(self.mean, mean), variance: toward(self.variance, variance), ..self }, rest)
    }

    /// Scoring's `y = x scale + shift`, as (scale, shift).
    pub fn folded(&self) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let scale = self.gamma.val() * (self.variance.val() + EPSILON).sqrt().recip();
        let shift = self.beta.val() - self.mean.val() * scale.clone();
        (scale, shift)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};

    use super::*;
    use crate::model::testing::{close, cube, device, values};

    fn norm() -> BatchNorm<Flex> {
        let device = device();
        let mut norm = BatchNorm::new(2, 2.0, &mut Init::new(0, &device));
        norm.beta = Param::from_tensor(Tensor::from_floats([0.5, 0.0], &device));
        norm
    }

    #[test]
    fn training_normalises_by_the_batch_and_scoring_by_what_was_taken_in() {
        let norm = norm();
        // Columns 1, 3 and 4, 4: means 2 and 4, variances 1 and 0 (of a sample: 2 and 0).
        let x = cube(&[1., 4., 3., 4.], [2, 1, 2]);
        let mut seen = Vec::new();
        let y = values(norm.forward(x.clone(), Some(&mut seen)));
        let one = 2.0 / (1.0_f32 + 1e-5).sqrt();
        close(&y, &[0.5 - one, 0.0, 0.5 + one, 0.0]);
        close(&seen, &[2.0, 4.0, 2.0, 0.0]);
        let (norm, rest) = norm.observed(&seen);
        assert!(rest.is_empty());
        // A tenth of the way from mean 0 and variance 1.
        close(&values(norm.mean.val()), &[0.2, 0.4]);
        close(&values(norm.variance.val()), &[1.1, 0.9]);
        let y = values(norm.forward(x.clone(), None));
        close(&y[..2], &[0.5 + 2.0 * 0.8 / 1.100_01_f32.sqrt(), 2.0 * 3.6 / 0.900_01_f32.sqrt()]);
        let (scale, shift) = norm.folded();
        let (scale, shift) = (values(scale), values(shift));
        let folded: Vec<f32> = values(x).iter().enumerate().map(|(i, x)| x * scale[i % 2] + shift[i % 2]).collect();
        close(&folded, &y);
    }

    #[test]
    fn running_statistics_have_no_gradient() {
        let device = device();
        let norm = BatchNorm::<Autodiff<Flex>>::new(2, 1.0, &mut Init::new(0, &device));
        let x = Tensor::from_data(cube(&[1., 4., 3., 5.], [2, 1, 2]).into_data(), &device);
        let gradients = norm.forward(x, Some(&mut Vec::new())).sum().backward();
        let (norm, _) = norm.observed(&[1.0, 2.0, 3.0, 4.0]);
        assert!(norm.gamma.val().grad(&gradients).is_some());
        assert!(!norm.mean.val().is_require_grad() && !norm.variance.val().is_require_grad());
    }
}
