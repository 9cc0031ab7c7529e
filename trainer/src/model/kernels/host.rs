//! The kernels for the CPU backend, whose tensors are host memory: one pass over the rows, blocks of rows shared among
//! threads. Results do not depend on the number of threads: blocks are of fixed size and their sums are added in order.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{EPSILON, Kernels, NormGradients, Normalised, Rows};
use crate::model::denet::encoder::{GELU_CUBIC, GELU_SCALE};

/// Numbers in a block of work, about; always whole rows.
const BLOCK: usize = 1 << 14;

/// A tensor's numbers in memory order.
struct Host(FlexTensor);

impl Host {
    fn new<const D: usize>(tensor: Tensor<Flex, D>) -> Self {
        Self(tensor.into_primitive().tensor().to_contiguous())
    }

    fn numbers(&self) -> &[f32] {
        // Contiguous tensors of this backend always have a slice.
        self.0.as_slice().unwrap_or(&[])
    }
}

fn tensor<const D: usize>(numbers: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(FlexTensor::from_data(TensorData::new(numbers, shape))))
}

/// Numbers of a block of whole rows.
fn block(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1) * width.max(1)
}

/// The same part of an optional mask.
fn part(mask: Option<&Host>, block: usize, i: usize) -> Option<&[f32]> {
    let numbers = mask?.numbers();
    let start = i * block;
    numbers.get(start..(start + block).min(numbers.len()))
}

fn factor(mask: Option<&[f32]>, i: usize) -> f32 {
    mask.map_or(1.0, |mask| mask[i])
}

/// `e^x` to 2e-7 of its value for x in -87..88 (beyond, the value there), in plain arithmetic that compilers turn into
/// vector code; the polynomial is that of the Cephes library.
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    // 2^n, from the whole number in the low bits of `shifted`.
    value * f32::from_bits((shifted.to_bits().wrapping_sub(0x4B40_0000 - 127)) << 23)
}

const SLOPE: f32 = (2.0 * GELU_SCALE) as f32;
const CUBIC: f32 = (2.0 * GELU_SCALE * GELU_CUBIC) as f32;

/// `(1 + tanh u) / 2`.
fn gate(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x * (SLOPE + CUBIC * x * x)))
}

impl Kernels for Flex {
    fn masked_gelu(x: Rows<Self>, mask: Option<Rows<Self>>) -> Rows<Self> {
        let shape = x.dims();
        let (x, mask) = (Host::new(x), mask.map(Host::new));
        let mut out = vec![0.0; x.numbers().len()];
        out.par_chunks_mut(BLOCK).zip(x.numbers().par_chunks(BLOCK)).enumerate().for_each(|(i, (out, x))| {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * gate(x);
            }
            if let Some(mask) = part(mask.as_ref(), BLOCK, i) {
                out.iter_mut().zip(mask).for_each(|(out, factor)| *out *= factor);
            }
        });
        tensor(out, shape)
    }

    fn masked_gelu_backward(x: Rows<Self>, mask: Option<Rows<Self>>, grad: Rows<Self>) -> Rows<Self> {
        let shape = x.dims();
        let (x, mask, grad) = (Host::new(x), mask.map(Host::new), Host::new(grad));
        let mut out = vec![0.0; x.numbers().len()];
        let inputs = x.numbers().par_chunks(BLOCK).zip(grad.numbers().par_chunks(BLOCK));
        out.par_chunks_mut(BLOCK).zip(inputs).enumerate().for_each(|(i, (out, (x, grad)))| {
            for ((out, &x), &grad) in out.iter_mut().zip(x).zip(grad) {
                let s = gate(x);
                *out = grad * (s + x * s * (1.0 - s) * (SLOPE + 3.0 * CUBIC * x * x));
            }
            if let Some(mask) = part(mask.as_ref(), BLOCK, i) {
                out.iter_mut().zip(mask).for_each(|(out, factor)| *out *= factor);
            }
        });
        tensor(out, shape)
    }

    fn masked_softmax(x: Rows<Self>, mask: Option<Rows<Self>>) -> (Rows<Self>, Rows<Self>) {
        let shape = x.dims();
        let (x, block) = (Host::new(x), block(shape[1]));
        let mut p = vec![0.0; x.numbers().len()];
        p.par_chunks_mut(block).zip(x.numbers().par_chunks(block)).for_each(|(p, x)| {
            for (p, x) in p.chunks_exact_mut(shape[1]).zip(x.chunks_exact(shape[1])) {
                let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for (p, &x) in p.iter_mut().zip(x) {
                    *p = exp(x - highest);
                }
                let scale = 1.0 / p.iter().sum::<f32>();
                p.iter_mut().for_each(|p| *p *= scale);
            }
        });
        let p: Rows<Self> = tensor(p, shape);
        let masked = match mask {
            Some(mask) => p.clone() * mask,
            None => p.clone(),
        };
        (p, masked)
    }

    fn masked_softmax_backward(p: Rows<Self>, mask: Option<Rows<Self>>, grad: Rows<Self>) -> Rows<Self> {
        let shape = p.dims();
        let width = shape[1];
        let block = block(width);
        let (p, mask, grad) = (Host::new(p), mask.map(Host::new), Host::new(grad));
        let mut out = vec![0.0; p.numbers().len()];
        let inputs = p.numbers().par_chunks(block).zip(grad.numbers().par_chunks(block));
        out.par_chunks_mut(block).zip(inputs).enumerate().for_each(|(i, (out, (p, grad)))| {
            match part(mask.as_ref(), block, i) {
                Some(mask) => {
                    out.iter_mut().zip(grad.iter().zip(mask)).for_each(|(out, (g, factor))| *out = g * factor);
                }
                None => out.copy_from_slice(grad),
            }
            for (out, p) in out.chunks_exact_mut(width).zip(p.chunks_exact(width)) {
                let sum: f32 = out.iter().zip(p).map(|(g, p)| g * p).sum();
                out.iter_mut().zip(p).for_each(|(g, p)| *g = p * (*g - sum));
            }
        });
        tensor(out, shape)
    }

    fn add_norm(
        x: Rows<Self>,
        y: Rows<Self>,
        mask: Option<Rows<Self>>,
        gamma: Tensor<Self, 1>,
        beta: Tensor<Self, 1>,
    ) -> Normalised<Self> {
        let shape = x.dims();
        let width = shape[1];
        let block = block(width);
        let (x, y, mask) = (Host::new(x), Host::new(y), mask.map(Host::new));
        let (gamma, beta) = (Host::new(gamma), Host::new(beta));
        let mut rows = vec![0.0; x.numbers().len()];
        let mut output = vec![0.0; rows.len()];
        let mut inverse = vec![0.0; shape[0]];
        let results =
            rows.par_chunks_mut(block).zip(output.par_chunks_mut(block)).zip(inverse.par_chunks_mut(block / width));
        let inputs = x.numbers().par_chunks(block).zip(y.numbers().par_chunks(block));
        results.zip(inputs).enumerate().for_each(|(i, (((rows, output), inverse), (x, y)))| {
            let mask = part(mask.as_ref(), block, i);
            for (r, inverse) in inverse.iter_mut().enumerate() {
                let at = r * width..(r + 1) * width;
                let row = &mut rows[at.clone()];
                for (d, row) in row.iter_mut().enumerate() {
                    *row = x[at.start + d] + y[at.start + d] * factor(mask, at.start + d);
                }
                let mean = row.iter().sum::<f32>() / width as f32;
                row.iter_mut().for_each(|value| *value -= mean);
                let variance = row.iter().map(|value| value * value).sum::<f32>() / width as f32;
                *inverse = 1.0 / (variance + EPSILON).sqrt();
                let scaled = output[at].iter_mut().zip(gamma.numbers()).zip(beta.numbers());
                for (value, ((output, gamma), beta)) in row.iter_mut().zip(scaled) {
                    *value *= *inverse;
                    *output = *value * gamma + beta;
                }
            }
        });
        Normalised {
            output: tensor(output, shape),
            rows: tensor(rows, shape),
            inverse_deviation: tensor(inverse, [shape[0], 1]),
        }
    }

    fn add_norm_backward(
        state: Normalised<Self>,
        mask: Option<Rows<Self>>,
        gamma: Tensor<Self, 1>,
        grad: Rows<Self>,
    ) -> NormGradients<Self> {
        let shape = grad.dims();
        let width = shape[1];
        let block = block(width);
        let (rows, inverse) = (Host::new(state.rows), Host::new(state.inverse_deviation));
        let (gamma, grad) = (Host::new(gamma), Host::new(grad));
        let mut out = vec![0.0; grad.numbers().len()];
        let inputs = rows.numbers().par_chunks(block).zip(grad.numbers().par_chunks(block));
        let inputs = inputs.zip(inverse.numbers().par_chunks(block / width));
        let sums: Vec<Vec<f32>> = out
            .par_chunks_mut(block)
            .zip(inputs)
            .map(|(out, ((rows, grad), inverse))| {
                // The scale's gradient, then the bias's.
                let mut sums = vec![0.0; 2 * width];
                let (for_gamma, for_beta) = sums.split_at_mut(width);
                for (r, inverse) in inverse.iter().enumerate() {
                    let at = r * width..(r + 1) * width;
                    let (row, grad, out) = (&rows[at.clone()], &grad[at.clone()], &mut out[at]);
                    let (mut mean, mut along) = (0.0, 0.0);
                    for d in 0..width {
                        for_gamma[d] += grad[d] * row[d];
                        for_beta[d] += grad[d];
                        out[d] = grad[d] * gamma.numbers()[d];
                        mean += out[d];
                        along += out[d] * row[d];
                    }
                    mean /= width as f32;
                    along /= width as f32;
                    out.iter_mut().zip(row).for_each(|(g, row)| *g = (*g - mean - row * along) * inverse);
                }
                sums
            })
            .collect();
        let mut total = vec![0.0; 2 * width];
        for block in &sums {
            total.iter_mut().zip(block).for_each(|(total, sum)| *total += sum);
        }
        let for_beta = total.split_off(width);
        let x: Rows<Self> = tensor(out, shape);
        let y = match mask {
            Some(mask) => x.clone() * mask,
            None => x.clone(),
        };
        NormGradients { x, y, gamma: tensor(total, [width]), beta: tensor(for_beta, [width]) }
    }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_is_close_everywhere() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1000.0) < 1e-37 && exp(1000.0).is_finite());
    }
}
