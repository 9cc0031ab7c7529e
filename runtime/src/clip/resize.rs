//! Pictures made smaller or larger, with filters that are computed once for each size: nothing is allocated from the second
//! picture on.
//!
//! A triangle filter as wide as the reduction, rows first and then columns, in integers of 16 bits: the same bits on every
//! machine, and those of the `fast_image_resize` crate (`Convolution(Bilinear)`), which computes its filters anew for
//! every picture. That crate is the judge in this module's tests.

#![expect(clippy::inline_always, reason = "the loops run inside one function compiled for the CPU's vectors")]

use pulp::{Simd, WithSimd};

use crate::engine::kernels::simd::dispatch;

/// Resizes pictures of `N` interleaved bytes a pixel to one size.
#[derive(Debug)]
pub struct Resizer<const N: usize> {
    to: (usize, usize),
    from: (usize, usize),
    columns: Filter,
    rows: Filter,
    /// The picture once its rows are resized, `[to.1, from.0, N]`.
    between: Vec<u8>,
    /// One row of sums.
    sums: Vec<i32>,
}

impl<const N: usize> Resizer<N> {
    /// To `width` x `height` pixels.
    pub fn new(width: usize, height: usize) -> Self {
        let filter = Filter::default();
        let (columns, rows) = (filter.clone(), filter);
        Self { to: (width, height), from: (0, 0), columns, rows, between: Vec::new(), sums: Vec::new() }
    }

    /// Resize the picture of `width` x `height` pixels whose row `y` is `row(y)`, at least `width * N` bytes, into `out`,
    /// `[to height, to width, N]`.
    pub fn resize<'a>(&mut self, (width, height): (usize, usize), row: impl Fn(usize) -> &'a [u8], out: &mut [u8]) {
        if self.from != (width, height) {
            self.from = (width, height);
            self.columns = Filter::new(width, self.to.0);
            self.rows = Filter::new(height, self.to.1);
            self.between = vec![0; self.to.1 * width * N];
            self.sums = vec![0; width * N];
        }
        dispatch(Picture { resizer: self, row, out });
    }
}

/// One picture to resize, compiled for the CPU's vectors.
struct Picture<'a, const N: usize, F> {
    resizer: &'a mut Resizer<N>,
    row: F,
    out: &'a mut [u8],
}

impl<'a, const N: usize, F: Fn(usize) -> &'a [u8]> WithSimd for Picture<'_, N, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Weights add up to at most 2^22 and a byte is below 2^8: no sum wraps. Checking each costs ten times the sums.
        let Resizer { to: (to_width, _), from: (width, _), columns, rows, between, sums } = self.resizer;
        for (to, between) in between.chunks_exact_mut(*width * N).enumerate() {
            sums.fill(rows.half());
            let (first, weights) = rows.taps(to);
            for (from, &weight) in (first..).zip(weights) {
                let weight = i32::from(weight);
                for (sum, &byte) in sums.iter_mut().zip((self.row)(from)) {
                    *sum = sum.wrapping_add(i32::from(byte).wrapping_mul(weight));
                }
            }
            for (byte, &sum) in between.iter_mut().zip(&*sums) {
                *byte = rows.rounded(sum);
            }
        }
        for (out, between) in self.out.chunks_exact_mut(*to_width * N).zip(between.chunks_exact(*width * N)) {
            let (pixels, _) = between.as_chunks::<N>();
            for (to, out) in out.as_chunks_mut::<N>().0.iter_mut().enumerate() {
                let (first, weights) = columns.taps(to);
                let mut sums = [columns.half(); N];
                for (pixel, &weight) in pixels[first..].iter().zip(weights) {
                    for (sum, &byte) in sums.iter_mut().zip(pixel) {
                        *sum = sum.wrapping_add(i32::from(byte).wrapping_mul(i32::from(weight)));
                    }
                }
                *out = sums.map(|sum| columns.rounded(sum));
            }
        }
    }
}

/// What each place along one direction is made of.
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Weights are in units of `2^-precision`.
    precision: u32,
    /// For each place, the first place of the source, and where its weights are.
    places: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i16>,
}

impl Filter {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let radius = scale.max(1.0);
        let mut places = Vec::with_capacity(to);
        let mut exact: Vec<f64> = Vec::new();
        for place in 0..to {
            let centre = (place as f64 + 0.5) * scale;
            let first = (centre - radius).floor().max(0.0) as usize;
            let end = (centre + radius).ceil().min(from as f64) as usize;
            let weight = |x: usize| (1.0 - ((x as f64 - (centre - 0.5)) * (1.0 / radius)).abs()).max(0.0);
            // Zeros at either end are left out.
            let first = (first..end).find(|&x| weight(x) != 0.0).unwrap_or(first);
            let end = (first..end).rev().find(|&x| weight(x) != 0.0).map_or(first, |last| last + 1);
            let total: f64 = (first..end).map(weight).sum();
            let begin = exact.len();
            exact.extend((first..end).map(|x| weight(x) / total));
            places.push((first, begin..exact.len()));
        }
        // The most precise unit in which the largest weight is still an i16.
        let most = exact.iter().copied().fold(0.0, f64::max);
        let fits = |precision: &u32| (most * f64::from(1 << precision)).round() < f64::from(1 << 15);
        let precision = (1..22).take_while(fits).last().unwrap_or(0);
        let weights = exact.iter().map(|weight| (weight * f64::from(1 << precision)).round() as i16).collect();
        Self { precision, places, weights }
    }

    /// The first source place of a place, and the weights from there on.
    fn taps(&self, place: usize) -> (usize, &[i16]) {
        let (first, weights) = &self.places[place];
        (*first, &self.weights[weights.clone()])
    }

    /// What rounds a sum to nearest.
    fn half(&self) -> i32 {
        1 << (self.precision.max(1) - 1)
    }

    fn rounded(&self, sum: i32) -> u8 {
        (sum >> self.precision).clamp(0, 255) as u8
    }
}

#[cfg(test)]
mod tests {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer as Judge};
    use proptest::prelude::*;

    use super::*;

    fn judged<const N: usize>(bytes: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
        let kind = if N == 1 { PixelType::U8 } else { PixelType::U8x3 };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let from = ImageRef::new(from.0 as u32, from.1 as u32, bytes, kind).unwrap();
        let mut image = Image::new(to.0 as u32, to.1 as u32, kind);
        Judge::new().resize(&from, &mut image, &options).unwrap();
        image.into_vec()
    }

    fn ours<const N: usize>(bytes: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
        let mut out = vec![7; to.0 * to.1 * N];
        Resizer::<N>::new(to.0, to.1).resize(from, |y| &bytes[y * from.0 * N..], &mut out);
        out
    }

    fn noise(seed: u64, count: usize) -> Vec<u8> {
        (0..count as u64).map(|i| ((i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8).collect()
    }

    #[test]
    fn cameras_pictures_are_those_of_the_judge() {
        for from in [(640, 360), (640, 480), (1920, 1080), (320, 240), (160, 160), (768, 576), (101, 67)] {
            let bytes = noise(1, from.0 * from.1 * 3);
            assert!(ours::<3>(&bytes, from, (160, 160)) == judged::<3>(&bytes, from, (160, 160)), "{from:?}");
            let grey = &bytes[..from.0 * from.1];
            assert!(ours::<1>(grey, from, (160, 160)) == judged::<1>(grey, from, (160, 160)), "{from:?}, grey");
        }
    }

    #[test]
    fn a_picture_of_another_size_gets_its_own_filter() {
        let mut resizer = Resizer::<1>::new(4, 4);
        let mut out = [0; 16];
        for (size, value) in [((8, 6), 9), ((3, 3), 200), ((8, 6), 31)] {
            let row = vec![value; size.0];
            resizer.resize(size, |_| &row, &mut out);
            assert_eq!(out, [value; 16]);
        }
    }

    proptest! {
        #[test]
        fn any_picture_is_that_of_the_judge(
            from in (1_usize..90, 1_usize..90), to in (1_usize..40, 1_usize..40), seed: u32,
        ) {
            let bytes = noise(seed.into(), from.0 * from.1 * 3);
            prop_assert_eq!(ours::<3>(&bytes, from, to), judged::<3>(&bytes, from, to));
            let grey = &bytes[..from.0 * from.1];
            prop_assert_eq!(ours::<1>(grey, from, to), judged::<1>(grey, from, to));
        }
    }
}
