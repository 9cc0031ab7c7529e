//! Kernels against their formulas in double precision, and their gradients against burn's own differentiation of burn's
//! own operations.

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::{Tensor, TensorData};

use super::*;
use crate::model::denet::encoder::{GELU_CUBIC, GELU_SCALE};

type A = Autodiff<Flex>;

fn wave<B: Backend, const D: usize>(shape: [usize; D], phase: f64, scale: f64) -> Tensor<B, D> {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((i as f64 * 1.3 + phase).sin() * scale) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &B::Device::default())
}

fn mask<B: Backend>(shape: [usize; 2]) -> Rows<B> {
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| if i % 3 == 0 { 0.0 } else { 1.5 }).collect();
    Tensor::from_data(TensorData::new(values, shape), &B::Device::default())
}

fn values<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().into_vec().unwrap()
}

fn close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() < 2e-6 + 5e-5 * e.abs(), "{i}: {a} is not {e}");
    }
}

/// Rows enough for several blocks, the last one not full.
const SHAPE: [usize; 2] = [700, 64];

/// The kernels' formulas in double precision, row by row.
mod exact {
    use super::{EPSILON, GELU_CUBIC, GELU_SCALE};

    pub fn gelu(x: &[f64]) -> Vec<f64> {
        x.iter().map(|x| x / 2.0 * (1.0 + (GELU_SCALE * (x + GELU_CUBIC * x.powi(3))).tanh())).collect()
    }

    pub fn softmax(x: &[f64]) -> Vec<f64> {
        let sum: f64 = x.iter().map(|x| x.exp()).sum();
        x.iter().map(|x| x.exp() / sum).collect()
    }

    pub fn norm(x: &[f64]) -> Vec<f64> {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        x.iter().map(|x| (x - mean) / (variance + f64::from(EPSILON)).sqrt()).collect()
    }
}

fn doubles<const D: usize>(x: Tensor<NdArray, D>) -> Vec<f64> {
    values(x).into_iter().map(f64::from).collect()
}

/// `f` of each row of `x`.
fn by_row(x: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    x.chunks(SHAPE[1]).flat_map(f).collect()
}

#[test]
fn forward_equals_the_formulas() {
    for with in [false, true] {
        let m = || with.then(|| mask::<Flex>(SHAPE));
        let factors = if with { doubles(mask(SHAPE)) } else { vec![1.0; SHAPE[0] * SHAPE[1]] };
        let masked = |x: Vec<f64>| -> Vec<f64> { x.iter().zip(&factors).map(|(x, factor)| x * factor).collect() };
        let near = |actual: Rows<Flex>, expected: &[f64]| {
            for (i, (a, e)) in values(actual).into_iter().zip(expected).enumerate() {
                assert!((f64::from(a) - e).abs() < 2e-6 + 2e-6 * e.abs(), "{i}: {a} is not {e}");
            }
        };
        near(
            Flex::masked_gelu(wave(SHAPE, 0.1, 4.0), m()),
            &masked(by_row(&doubles(wave(SHAPE, 0.1, 4.0)), exact::gelu)),
        );
        near(
            Flex::masked_softmax(wave(SHAPE, 0.2, 9.0), m()).1,
            &masked(by_row(&doubles(wave(SHAPE, 0.2, 9.0)), exact::softmax)),
        );
        let flex = Flex::add_norm(
            wave(SHAPE, 0.3, 2.0),
            wave(SHAPE, 0.4, 1.0),
            m(),
            wave([64], 0.5, 1.0),
            wave([64], 0.6, 1.0),
        );
        let sum: Vec<f64> = doubles(wave(SHAPE, 0.3, 2.0))
            .iter()
            .zip(masked(doubles(wave(SHAPE, 0.4, 1.0))))
            .map(|(x, y)| x + y)
            .collect();
        let (gamma, beta) = (doubles(wave([64], 0.5, 1.0)), doubles(wave([64], 0.6, 1.0)));
        let scaled =
            |row: &[f64]| exact::norm(row).iter().zip(&gamma).zip(&beta).map(|((x, g), b)| x * g + b).collect();
        near(flex.output, &by_row(&sum, scaled));
    }
}

/// The gradients of `sum(f(inputs) w)` for each input.
fn gradients<const N: usize>(f: impl Fn([Rows<A>; N]) -> Rows<A>, inputs: [Rows<A>; N]) -> Vec<Vec<f32>> {
    let inputs = inputs.map(Tensor::require_grad);
    let output = f(inputs.clone());
    let weights = wave(output.dims(), 0.9, 1.0);
    let grads = (output * weights).sum().backward();
    inputs.iter().map(|input| values(input.grad(&grads).unwrap())).collect()
}

#[test]
fn gradients_equal_differentiation_of_the_reference() {
    let x = || wave::<A, 2>(SHAPE, 0.1, 3.0);
    let y = || wave::<A, 2>(SHAPE, 0.7, 2.0);
    for m in [None, Some(mask::<A>(SHAPE))] {
        let pairs = [
            (
                gradients(|[x]| A::masked_gelu(x, m.clone()), [x()]),
                gradients(|[x]| reference::gelu(x, m.clone()), [x()]),
            ),
            (
                gradients(|[x]| A::masked_softmax(x, m.clone()).1, [x()]),
                gradients(|[x]| reference::softmax(x, m.clone()).1, [x()]),
            ),
        ];
        for (ours, expected) in pairs {
            close(&ours[0], &expected[0]);
        }
        // Scale and bias as rows of one, so that all four inputs are of one kind.
        let inputs = || [x(), y(), wave([1, 64], 0.2, 1.0) + 1.0, wave([1, 64], 0.3, 1.0)];
        let flat = |row: Rows<A>| row.reshape([64]);
        let ours = gradients(|[x, y, g, b]| A::add_norm(x, y, m.clone(), flat(g), flat(b)).output, inputs());
        let expected =
            gradients(|[x, y, g, b]| reference::add_norm(x, y, m.clone(), flat(g), flat(b)).output, inputs());
        for (ours, expected) in ours.iter().zip(&expected).take(2) {
            close(ours, expected);
        }
        for (ours, expected) in ours.iter().zip(&expected).skip(2) {
            // Sums over 700 rows.
            ours.iter().zip(expected).for_each(|(a, e)| assert!((a - e).abs() < 1e-3, "{a} is not {e}"));
        }
    }
}
