//! The matrix product behind every convolution that mixes channels: rows of pixels `[rows, k]` times weights
//! `[k, cols]`, plus bias, plus an optional second tensor, clamped.
//!
//! Channels last, a 1 x 1 convolution *is* this product: the activations need no packing, and the weights are
//! packed once, when the graph is loaded. Every output is one chain of fused multiply-adds over `k` in order, so
//! neither the tiling nor the vector width changes a bit of it.

use super::simd::{AlignedVec, dispatch, lanes};
use pulp::{Simd, WithSimd};

/// Activations of this many floats at most stay in the first-level or second-level cache while all panels of weights
/// pass over them.
const CHUNK: usize = 24 * 1024;

/// Vectors in a full panel of columns.
const PANEL: usize = 2;

/// Weights `[k, cols]` with their bias, in panels of two vectors of columns: for each panel, for each of `k`, the
/// panel's columns. The last panel is one vector wide if that is enough, and filled up with zeros.
#[derive(Debug)]
pub struct Weights {
    panels: AlignedVec,
    bias: AlignedVec,
    /// Rows of the weight matrix.
    pub k: usize,
    /// Its columns, the output channels.
    pub cols: usize,
}

impl Weights {
    /// Pack a matrix that is given as a function of (row, column).
    pub fn pack(k: usize, cols: usize, bias: &[f32], at: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = lanes();
        let vectors = cols.div_ceil(lanes);
        let mut panels = AlignedVec::zeros(vectors * lanes * k);
        let mut to = 0;
        for first in (0..vectors).step_by(PANEL) {
            let width = PANEL.min(vectors - first) * lanes;
            for row in 0..k {
                for col in 0..width.min(cols - first * lanes) {
                    panels[to + col] = at(row, first * lanes + col);
                }
                to += width;
            }
        }
        let mut padded = AlignedVec::zeros(vectors * lanes);
        padded[..cols].copy_from_slice(bias);
        Self { panels, bias: padded, k, cols }
    }
}

/// One product: `out[r, c] = clamp(bias[c] + sum_i a[r, i] w[i, c] + add[r, c])`.
#[derive(Debug)]
pub struct Product<'a> {
    /// `[rows, k]`
    pub a: &'a [f32],
    /// `[k, cols]`
    pub weights: &'a Weights,
    /// `[rows, cols]`, added before the clamp.
    pub add: Option<&'a [f32]>,
    /// Lowest and highest value of an output; infinite where there is no bound.
    pub clamp: (f32, f32),
    /// `[rows, cols]`
    pub out: &'a mut [f32],
}

impl Product<'_> {
    /// Compute it.
    pub fn run(self) {
        dispatch(self);
    }
}

/// Of the tile heights on offer, the one that computes the fewest rows twice.
fn tile_rows(rows: usize, heights: &[usize]) -> usize {
    heights.iter().copied().filter(|h| *h <= rows).min_by_key(|h| rows.div_ceil(*h) * h).unwrap_or(1)
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.out.len() / self.weights.cols;
        // As many rows as accumulators fit in the registers beside the weights: 32 registers with AVX-512 and
        // NEON, 16 with AVX2.
        if S::F32_LANES == 16 || cfg!(target_arch = "aarch64") {
            match tile_rows(rows, &[14, 13, 10, 4]) {
                14 => tiles::<S, 14>(simd, self, rows),
                13 => tiles::<S, 13>(simd, self, rows),
                10 => tiles::<S, 10>(simd, self, rows),
                4 => tiles::<S, 4>(simd, self, rows),
                _ => tiles::<S, 1>(simd, self, rows),
            }
        } else {
            match tile_rows(rows, &[6, 5, 4]) {
                6 => tiles::<S, 6>(simd, self, rows),
                5 => tiles::<S, 5>(simd, self, rows),
                4 => tiles::<S, 4>(simd, self, rows),
                _ => tiles::<S, 1>(simd, self, rows),
            }
        }
    }
}

/// The product in tiles of `M` rows by a panel. The last tile is moved up to end with the last row: rows that it
/// shares with the tile before are computed twice, to the same bits.
#[inline(always)]
fn tiles<S: Simd, const M: usize>(simd: S, product: Product<'_>, rows: usize) {
    let Product { a, weights, add, clamp, out } = product;
    let Weights { k, cols, .. } = *weights;
    let (panels, _) = S::as_simd_f32s(&weights.panels);
    let (bias, _) = S::as_simd_f32s(&weights.bias);
    let clamp = (simd.splat_f32s(clamp.0), simd.splat_f32s(clamp.1));
    let chunk = (CHUNK / k.max(1)).next_multiple_of(M).max(M);
    for chunk_first in (0..rows).step_by(chunk) {
        let chunk_end = rows.min(chunk_first + chunk);
        for first in (0..bias.len()).step_by(PANEL) {
            let width = PANEL.min(bias.len() - first);
            let panel = &panels[first * k..(first + width) * k];
            let bias = &bias[first..first + width];
            for tile_first in (chunk_first..chunk_end).step_by(M) {
                let row = tile_first.min(rows - M);
                let tile = Tile {
                    a: &a[row * k..(row + M) * k],
                    panel,
                    bias,
                    add: add.map(|add| &add[row * cols..(row + M) * cols]),
                    clamp,
                    out: &mut out[row * cols..(row + M) * cols],
                    k,
                    cols,
                    col: first * S::F32_LANES,
                };
                if width == PANEL {
                    tile.compute::<M, PANEL>(simd);
                } else {
                    tile.compute::<M, 1>(simd);
                }
            }
        }
    }
}

/// `M` rows by one panel.
struct Tile<'a, S: Simd> {
    a: &'a [f32],
    panel: &'a [S::f32s],
    bias: &'a [S::f32s],
    add: Option<&'a [f32]>,
    clamp: (S::f32s, S::f32s),
    out: &'a mut [f32],
    k: usize,
    cols: usize,
    col: usize,
}

impl<S: Simd> Tile<'_, S> {
    #[inline(always)]
    fn compute<const M: usize, const N: usize>(self, simd: S) {
        let Self { a, panel, bias, add, clamp, out, k, cols, col } = self;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        for sums in &mut sums {
            sums.copy_from_slice(bias);
        }
        let rows: [&[f32]; M] = std::array::from_fn(|m| &a[m * k..(m + 1) * k]);
        for (i, w) in panel.chunks_exact(N).enumerate() {
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let x = simd.splat_f32s(row[i]);
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = simd.mul_add_f32s(x, *w, *sum);
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                let from = m * cols + col + n * S::F32_LANES;
                let to = (from + S::F32_LANES).min((m + 1) * cols);
                let mut y = *sum;
                if let Some(add) = add {
                    y = simd.add_f32s(y, simd.partial_load_f32s(&add[from..to]));
                }
                // The bound comes first: of two operands, one of them NaN, the second is the answer.
                y = simd.min_f32s(clamp.1, simd.max_f32s(clamp.0, y));
                simd.partial_store_f32s(&mut out[from..to], y);
            }
        }
    }
}
