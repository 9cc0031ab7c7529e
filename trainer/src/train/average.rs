//! The moving average of the weights over the steps: what a noisy descent circles around.
//!
//! Exponential, `a_t = d_t a_{t-1} + (1 - d_t) w_t`, with `d_t = min(d, (1 + t) / (10 + t))`, so that the random
//! beginning is forgotten at once.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `average` after step `step` (from 1), which came to `model`; `decay` is d, and 0 gives `model` itself.
pub fn averaged<B: Backend, M: Module<B>>(average: M, model: &M, decay: f64, step: u64) -> M {
    let decay = decay.min((1 + step) as f64 / (10 + step) as f64);
    let mut newest = Weights(GradientsParams::new());
    model.visit(&mut newest);
    average.map(&mut Towards { newest: newest.0, decay })
}

/// Tensors by parameter, for which burn has this container.
struct Weights(GradientsParams);

impl<B: Backend> ModuleVisitor<B> for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.register::<B, D>(param.id, param.val());
    }
}

struct Towards {
    newest: GradientsParams,
    decay: f64,
}

impl<B: Backend> ModuleMapper<B> for Towards {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match self.newest.get::<B, D>(param.id) {
            Some(newest) => param.map(|average| average * self.decay + newest * (1.0 - self.decay)),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{Linear, LinearConfig};

    use super::*;

    fn weight(layer: &Linear<Flex>) -> f32 {
        layer.weight.val().into_data().into_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn the_average_follows_the_weights_slowly_after_a_quick_beginning() {
        let device = burn::tensor::Device::<Flex>::default();
        let model = LinearConfig::new(1, 1).init::<Flex>(&device);
        let set = |value: f32| Linear { weight: model.weight.clone().map(|w| w * 0.0 + value), ..model.clone() };
        let follow = |decay: f64, step: u64| weight(&averaged(set(1.0), &set(2.0), decay, step));
        assert!((follow(0.99, 1) - (1.0 * 2.0 + 2.0 * 9.0) / 11.0).abs() < 1e-6);
        assert!((follow(0.99, 10_000) - 1.01).abs() < 1e-6);
        assert_eq!(follow(0.0, 7), 2.0);
    }
}
