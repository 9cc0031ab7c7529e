//! Kernels against burn's own operations, and their gradients against burn's own differentiation of those.

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::{Tensor, TensorData};

use super::*;

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

#[test]
fn forward_equals_the_reference() {
    for with in [false, true] {
        let (m, n) = (with.then(|| mask::<Flex>(SHAPE)), with.then(|| mask::<NdArray>(SHAPE)));
        close(
            &values(Flex::masked_gelu(wave(SHAPE, 0.1, 4.0), m.clone())),
            &values(NdArray::masked_gelu(wave(SHAPE, 0.1, 4.0), n.clone())),
        );
        close(
            &values(Flex::masked_softmax(wave(SHAPE, 0.2, 9.0), m.clone()).1),
            &values(NdArray::masked_softmax(wave(SHAPE, 0.2, 9.0), n.clone()).1),
        );
        let flex =
            Flex::add_norm(wave(SHAPE, 0.3, 2.0), wave(SHAPE, 0.4, 1.0), m, wave([64], 0.5, 1.0), wave([64], 0.6, 1.0));
        let reference = NdArray::add_norm(
            wave(SHAPE, 0.3, 2.0),
            wave(SHAPE, 0.4, 1.0),
            n,
            wave([64], 0.5, 1.0),
            wave([64], 0.6, 1.0),
        );
        close(&values(flex.output), &values(reference.output));
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
