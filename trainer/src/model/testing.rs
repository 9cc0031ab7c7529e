//! What the tests of the models share: made-up tensors, and comparison with numbers computed by hand.

use burn::backend::Flex;
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Where they run.
pub fn device() -> burn::tensor::Device<Flex> {
    burn::tensor::Device::<Flex>::default()
}

/// `sin(0.7 i + phase) / 2` for element i.
pub fn wave<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<Flex, D> {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((i as f64 * 0.7 + phase).sin() * 0.5) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// A layer of waves.
pub fn layer(inputs: usize, outputs: usize, phase: f64) -> Linear<Flex> {
    let bias = Some(Param::from_tensor(wave([outputs], phase + 0.05)));
    Linear { weight: Param::from_tensor(wave([inputs, outputs], phase)), bias }
}

/// A tensor's numbers.
pub fn values<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().into_vec().unwrap()
}

/// The same numbers, to 2e-6.
pub fn close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() < 2e-6, "{actual:?} is not {expected:?}");
    }
}

/// `[1, N]`.
pub fn row<const N: usize>(values: [f32; N]) -> Tensor<Flex, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, N]), &device())
}

/// `[B, T, D]` of these numbers.
pub fn cube(values: &[f32], shape: [usize; 3]) -> Tensor<Flex, 3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}
