//! Sums of products of signed bytes, four at once, which is all that the int8 product spends its time on.
//!
//! x86-64 has an instruction for pairs of them (`pmaddwd`), which compilers do not find in a loop over bytes; elsewhere the
//! plain loop becomes what there is (`smlal`). The sums are exact either way.

use pulp::{Simd, WithSimd};

/// Sums made together, so that the row is read once for all of them.
pub const GROUP: usize = 4;

/// Bytes of a row or a column that lie together.
pub const CHUNK: usize = 32;

/// A chunk of each column of a group: they lie one after another, so that a product reads its weights from the first to the
/// last byte, as memory likes it.
pub type Block = [[i8; CHUNK]; GROUP];

/// Makes sums of products.
pub trait Dots: Copy {
    /// The sums of products of `q` with each column of `blocks`, chunk by chunk.
    fn four(self, q: &[[i8; CHUNK]], blocks: &[Block]) -> [i32; GROUP];
}

/// A loop, for the compiler to make vectors of.
#[derive(Clone, Copy)]
pub struct Plain;

impl Dots for Plain {
    #[inline(always)]
    fn four(self, q: &[[i8; CHUNK]], blocks: &[Block]) -> [i32; GROUP] {
        let mut sums = [0_i32; GROUP];
        for (q, block) in q.iter().zip(blocks) {
            for (sum, column) in sums.iter_mut().zip(block) {
                // Sums of 32 products of bytes, of which `k` may have 4096, cannot overflow; a checked sum would be no vector.
                let products = q.iter().zip(column).map(|(q, w)| i32::from(*q) * i32::from(*w));
                *sum = sum.wrapping_add(products.fold(0, i32::wrapping_add));
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::cast;
    use pulp::x86::{V3, V4};

    use super::{Block, CHUNK, Dots, GROUP};

    impl Dots for V4 {
        #[inline(always)]
        fn four(self, q: &[[i8; CHUNK]], blocks: &[Block]) -> [i32; GROUP] {
            let wide = |bytes: [i8; CHUNK]| self.avx512bw._mm512_cvtepi8_epi16(cast(bytes));
            let mut sums = [self.avx512f._mm512_setzero_si512(); GROUP];
            for (q, block) in q.iter().zip(blocks) {
                let q = wide(*q);
                for (sum, column) in sums.iter_mut().zip(block) {
                    *sum = self.avx512f._mm512_add_epi32(*sum, self.avx512bw._mm512_madd_epi16(q, wide(*column)));
                }
            }
            sums.map(|sum| self.avx512f._mm512_reduce_add_epi32(sum))
        }
    }

    impl Dots for V3 {
        #[inline(always)]
        fn four(self, q: &[[i8; CHUNK]], blocks: &[Block]) -> [i32; GROUP] {
            let wide = |bytes: [i8; CHUNK]| cast::<_, [_; 2]>(bytes).map(|half| self.avx2._mm256_cvtepi8_epi16(half));
            let mut sums = [self.avx._mm256_setzero_si256(); GROUP];
            for (q, block) in q.iter().zip(blocks) {
                let [q0, q1] = wide(*q);
                for (sum, column) in sums.iter_mut().zip(block) {
                    let [w0, w1] = wide(*column);
                    let pair = self
                        .avx2
                        ._mm256_add_epi32(self.avx2._mm256_madd_epi16(q0, w0), self.avx2._mm256_madd_epi16(q1, w1));
                    *sum = self.avx2._mm256_add_epi32(*sum, pair);
                }
            }
            sums.map(|sum| cast::<_, [i32; 8]>(sum).iter().sum())
        }
    }
}

/// What is computed with sums of products.
pub trait WithDots {
    /// Compute it. To be inlined always, as what it is compiled for depends on where.
    fn with_dots<D: Dots>(self, dots: D);
}

/// Run `kernel` with what this CPU does best.
pub fn dispatch<K: WithDots>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::x86::{V3, V4};
        if let Some(simd) = V4::try_new() {
            return Simd::vectorize(simd, On { kernel, dots: simd });
        }
        if let Some(simd) = V3::try_new() {
            return Simd::vectorize(simd, On { kernel, dots: simd });
        }
    }
    pulp::Arch::new().dispatch(On { kernel, dots: Plain });
}

struct On<K, D> {
    kernel: K,
    dots: D,
}

impl<K: WithDots, D: Dots> WithSimd for On<K, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.kernel.with_dots(self.dots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a>(&'a [[i8; CHUNK]], &'a [Block], &'a mut [i32; GROUP]);

    impl WithDots for Sums<'_> {
        #[inline(always)]
        fn with_dots<D: Dots>(self, dots: D) {
            *self.2 = dots.four(self.0, self.1);
        }
    }

    /// As [`Sums`], with the dots that are given.
    struct Given<'a, D>(Sums<'a>, D);

    impl<D: Dots> WithSimd for Given<'_, D> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            self.0.with_dots(self.1);
        }
    }

    #[test]
    fn every_instruction_set_gives_the_sums_of_plain_integers() {
        for chunks in [0_usize, 1, 3, 40] {
            let byte = |i: usize| (i * i * 31 + i * 7) as u8 as i8;
            let q: Vec<[i8; CHUNK]> =
                (0..chunks).map(|i| std::array::from_fn(|j| byte(i * CHUNK + j).max(-127))).collect();
            let block = |i: usize| std::array::from_fn(|c| std::array::from_fn(|j| byte(i * 128 + c * CHUNK + j + 5)));
            let blocks: Vec<Block> = (0..chunks).map(block).collect();
            let expected: [i32; GROUP] = std::array::from_fn(|c| {
                let products = |i: usize| q[i].iter().zip(&blocks[i][c]).map(|(q, w)| i32::from(*q) * i32::from(*w));
                (0..chunks).flat_map(products).sum()
            });
            let mut found = [1; GROUP];
            Sums(&q, &blocks, &mut found).with_dots(Plain);
            assert_eq!(found, expected, "plain, {chunks}");
            dispatch(Sums(&q, &blocks, &mut found));
            assert_eq!(found, expected, "{chunks}");
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                found = [1; GROUP];
                simd.vectorize(|| Given(Sums(&q, &blocks, &mut found), simd).with_simd(simd));
                assert_eq!(found, expected, "AVX2, {chunks}");
            }
        }
    }
}
