//! First weights, drawn from the run's seed alone (never from a process-wide generator).

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand_pcg::Pcg64Mcg;

use super::noise::{Stream, generator};

/// Draws first weights.
#[derive(Debug)]
pub struct Init<'a, B: Backend> {
    rng: Pcg64Mcg,
    device: &'a B::Device,
}

impl<'a, B: Backend> Init<'a, B> {
    /// The weights of a run's seed.
    pub fn new(seed: u64, device: &'a B::Device) -> Self {
        Self { rng: generator(seed, Stream::Weights, 0), device }
    }

    /// Uniform in 0..1, never 0.
    fn unit(&mut self) -> f64 {
        ((self.rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Uniform in `-bound..bound`.
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<B, D>> {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| ((2.0 * self.unit() - 1.0) * bound) as f32).collect();
        self.parameter(values, shape)
    }

    /// Normal with mean 0 (Box and Muller).
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<B, D>> {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n)
            .map(|_| {
                let radius = (-2.0 * self.unit().ln()).sqrt();
                (deviation * radius * (std::f64::consts::TAU * self.unit()).cos()) as f32
            })
            .collect();
        self.parameter(values, shape)
    }

    /// The same value everywhere.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<B, D>> {
        self.parameter(vec![value; shape.iter().product()], shape)
    }

    fn parameter<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<B, D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    /// A fully connected layer, weights and bias uniform within `1 / sqrt(inputs)`: the usual default, in the paper's field too.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Linear<B> {
        let bound = 1.0 / (inputs as f64).sqrt();
        Linear { weight: self.uniform([inputs, outputs], bound), bias: Some(self.uniform([outputs], bound)) }
    }

    /// A fully connected layer with Xavier weights for `fan_out` outputs in all, and zero bias: attention's projections.
    pub fn xavier(&mut self, inputs: usize, outputs: usize, fan_out: usize) -> Linear<B> {
        let bound = (6.0 / (inputs + fan_out) as f64).sqrt();
        Linear { weight: self.uniform([inputs, outputs], bound), bias: Some(self.constant([outputs], 0.0)) }
    }
}

/// Apply a layer to the last dimension of `[B, T, D]`, as one product of `[B T, D]`: batched products would sum the
/// weight's gradient over B afterwards.
pub fn linear<B: Backend>(layer: &Linear<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [b, t, d] = x.dims();
    let y = layer.forward(x.reshape([b * t, d]));
    let width = y.dims()[1];
    y.reshape([b, t, width])
}
