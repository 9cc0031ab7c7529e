//! What one thread of this machine can do at best: floors for what we measure. Best of a few tries, since a floor asks
//! for the machine, not for its load.

#![expect(clippy::inline_always, reason = "the kernel runs inside one function compiled for the CPU's vectors")]

use std::hint::black_box;
use std::time::Instant;

use pulp::{Simd, WithSimd};

use crate::engine::kernels::simd::dispatch;
use crate::engine::kernels::{Product, Weights};

/// Bytes read for the bandwidth: far more than any cache holds.
const BUFFER_BYTES: usize = 512 << 20;
const TRIES: usize = 5;
/// Rows, columns and depth of the product.
const PRODUCT: usize = 512;
const PRODUCT_TRIES: usize = 20;

/// Bytes that one thread reads from memory in a second.
pub fn read_bytes_per_s() -> f64 {
    // Ones: pages of zeros may all be one page.
    let buffer = vec![1.0_f32; BUFFER_BYTES / size_of::<f32>()];
    best(TRIES, || {
        black_box(dispatch(Sum(black_box(&buffer))));
    })
    .recip()
        * BUFFER_BYTES as f64
}

/// Multiply-adds of float32 that one thread does in a second, by our own matrix product of 512 x 512 x 512.
pub fn multiply_adds_per_s() -> f64 {
    let n = PRODUCT;
    let weights = Weights::pack(n, n, &vec![0.0; n], |row, column| ((row * 7 + column) % 13) as f32);
    let a: Vec<f32> = (0..n * n).map(|i| (i % 17) as f32).collect();
    let mut out = vec![0.0; n * n];
    best(PRODUCT_TRIES, || {
        let clamp = (f32::NEG_INFINITY, f32::INFINITY);
        Product { a: black_box(&a), weights: &weights, add: None, clamp, out: &mut out }.run();
        black_box(&mut out);
    })
    .recip()
        * (n * n * n) as f64
}

/// The least time of several, seconds.
fn best(tries: usize, mut work: impl FnMut()) -> f64 {
    let time = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    };
    (0..tries).map(time).fold(f64::INFINITY, f64::min)
}

/// A sum in four chains: no chain waits for the one before.
struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let (fours, few) = vectors.as_chunks::<4>();
        let zero = simd.splat_f32s(0.0);
        let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
        for [e, f, g, h] in fours {
            a = simd.add_f32s(a, *e);
            b = simd.add_f32s(b, *f);
            c = simd.add_f32s(c, *g);
            d = simd.add_f32s(d, *h);
        }
        let mut sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
        for vector in few {
            sum = simd.add_f32s(sum, *vector);
        }
        simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_buffer_is_read() {
        let numbers: Vec<f32> = (0..1003).map(|i| i as f32).collect();
        assert_eq!(dispatch(Sum(&numbers)), 1002.0 * 1003.0 / 2.0);
        assert_eq!(dispatch(Sum(&[])), 0.0);
    }
}
