//! Arithmetic of our own, for whatever the engines do not do as fast as the hardware: matrix products with packed weights,
//! written once over vectors of any width.

#![expect(clippy::inline_always, reason = "the kernels run inside one function compiled for the CPU's vectors")]

pub mod dots;
pub mod int8;
pub mod product;
pub mod simd;

pub use int8::{Int8Product, Int8Weights};
pub use product::{Product, Weights};

/// The sum of products of two rows of one length, in eight chains: the same bits on every machine.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_eights, a_rest) = a.as_chunks::<8>();
    let (b_eights, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_eights.iter().zip(b_eights) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn dot_is_the_sum_of_products() {
        let a: Vec<f32> = (0..19).map(|i| i as f32).collect();
        assert_eq!(dot(&a, &a), 2109.0);
        assert_eq!(dot(&a[..3], &a[1..4]), 8.0);
        assert_eq!(dot(&[], &[]), 0.0);
    }
}
