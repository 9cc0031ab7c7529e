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

impl<'a> WithSimd for Product<'a> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.out.len() / self.weights.cols;
        // As many rows as accumulators fit in the registers beside the weights: 32 registers with AVX-512 and
        // NEON, 16 with AVX2.
        if S::F32_LANES == 16 || cfg!(target_arch = "aarch64") {
            match tile_rows(rows, &[14, 13, 10, 4]) {
                14 => tiles::<S, Rows14<'a, S, PANEL>, Rows14<'a, S, 1>>(simd, self, rows),
                13 => tiles::<S, Rows13<'a, S, PANEL>, Rows13<'a, S, 1>>(simd, self, rows),
                10 => tiles::<S, Rows10<'a, S, PANEL>, Rows10<'a, S, 1>>(simd, self, rows),
                4 => tiles::<S, Rows4<'a, S, PANEL>, Rows4<'a, S, 1>>(simd, self, rows),
                _ => tiles::<S, Row<'a, S, PANEL>, Row<'a, S, 1>>(simd, self, rows),
            }
        } else {
            match tile_rows(rows, &[6, 5, 4]) {
                6 => tiles::<S, Rows6<'a, S, PANEL>, Rows6<'a, S, 1>>(simd, self, rows),
                5 => tiles::<S, Rows5<'a, S, PANEL>, Rows5<'a, S, 1>>(simd, self, rows),
                4 => tiles::<S, Rows4<'a, S, PANEL>, Rows4<'a, S, 1>>(simd, self, rows),
                _ => tiles::<S, Row<'a, S, PANEL>, Row<'a, S, 1>>(simd, self, rows),
            }
        }
    }
}

/// The product in tiles of `R::COUNT` rows by a panel of two vectors, or of one for the last panel. The last tile is
/// moved up to end with the last row: rows that it shares with the tile before are computed twice, to the same bits.
#[inline(always)]
fn tiles<'a, S: Simd, R: Rows<'a, S, PANEL>, R1: Rows<'a, S, 1>>(simd: S, product: Product<'a>, rows: usize) {
    let Product { a, weights, add, clamp, out } = product;
    let Weights { k, cols, .. } = *weights;
    let (panels, _) = S::as_simd_f32s(&weights.panels);
    let (bias, _) = S::as_simd_f32s(&weights.bias);
    let chunk = (CHUNK / k.max(1)).next_multiple_of(R::COUNT).max(R::COUNT);
    for chunk_first in (0..rows).step_by(chunk) {
        let chunk_end = rows.min(chunk_first + chunk);
        for first in (0..bias.len()).step_by(PANEL) {
            let end = bias.len().min(first + PANEL);
            let (panel, bias) = (&panels[first * k..end * k], &bias[first..end]);
            for row in (chunk_first..chunk_end).step_by(R::COUNT) {
                let row = row.min(rows - R::COUNT);
                let a = &a[row * k..(row + R::COUNT) * k];
                let mut end =
                    End { clamp: clamp_vectors(simd, clamp), add, out, cols, at: row * cols + first * S::F32_LANES };
                if let Some(bias) = bias.first_chunk::<PANEL>() {
                    tile::<S, R, PANEL>(simd, a, panel, bias, &mut end);
                } else if let Some(bias) = bias.first_chunk::<1>() {
                    tile::<S, R1, 1>(simd, a, panel, bias, &mut end);
                }
            }
        }
    }
}

#[inline(always)]
fn clamp_vectors<S: Simd>(simd: S, (low, high): (f32, f32)) -> (S::f32s, S::f32s) {
    (simd.splat_f32s(low), simd.splat_f32s(high))
}

/// One tile: `R::COUNT` rows `a` by a panel of `N` vectors of columns.
#[inline(always)]
fn tile<'a, S: Simd, R: Rows<'a, S, N>, const N: usize>(
    simd: S,
    a: &'a [f32],
    panel: &[S::f32s],
    bias: &[S::f32s; N],
    end: &mut End<'_, S>,
) {
    let (panel, _) = panel.as_chunks::<N>();
    let k = panel.len();
    let mut rows = R::start(a, k, bias);
    for (i, weights) in panel.iter().enumerate() {
        rows.step(simd, i, weights);
    }
    rows.finish(simd, end);
}

/// What happens to the sums of a tile.
struct End<'a, S: Simd> {
    clamp: (S::f32s, S::f32s),
    add: Option<&'a [f32]>,
    out: &'a mut [f32],
    cols: usize,
    /// Where the next row of the tile begins in `out`.
    at: usize,
}

/// Some rows of a tile, with their sums over a panel of `N` vectors. Composed as types, so that every sum is a
/// variable of its own, and stays in a register.
trait Rows<'a, S: Simd, const N: usize>: Sized {
    /// How many.
    const COUNT: usize;
    /// Sums that begin with the bias, of the rows `a`, each `k` long.
    fn start(a: &'a [f32], k: usize, bias: &[S::f32s; N]) -> Self;
    /// Add element `i` of every row times its weights.
    fn step(&mut self, simd: S, i: usize, weights: &[S::f32s; N]);
    /// Hand the sums on, the first row first.
    fn finish(self, simd: S, end: &mut End<'_, S>);
}

/// One row.
struct Row<'a, S: Simd, const N: usize> {
    a: &'a [f32],
    sums: [S::f32s; N],
}

impl<'a, S: Simd, const N: usize> Rows<'a, S, N> for Row<'a, S, N> {
    const COUNT: usize = 1;

    #[inline(always)]
    fn start(a: &'a [f32], k: usize, bias: &[S::f32s; N]) -> Self {
        Self { a: &a[..k], sums: *bias }
    }

    #[inline(always)]
    fn step(&mut self, simd: S, i: usize, weights: &[S::f32s; N]) {
        let x = simd.splat_f32s(self.a[i]);
        for (sum, weight) in self.sums.iter_mut().zip(weights) {
            *sum = simd.mul_add_f32s(x, *weight, *sum);
        }
    }

    #[inline(always)]
    fn finish(self, simd: S, end: &mut End<'_, S>) {
        let row_end = end.at - end.at % end.cols + end.cols;
        let to = row_end.min(end.at + N * S::F32_LANES);
        for (n, sum) in self.sums.into_iter().enumerate() {
            let range = end.at + n * S::F32_LANES..to.min(end.at + (n + 1) * S::F32_LANES);
            let mut y = sum;
            if let Some(add) = end.add {
                y = simd.add_f32s(y, load(simd, &add[range.clone()]));
            }
            // The bound comes first: of two operands, one of them NaN, the second is the answer.
            y = simd.min_f32s(end.clamp.1, simd.max_f32s(end.clamp.0, y));
            store(simd, &mut end.out[range], y);
        }
        end.at += end.cols;
    }
}

/// A vector from memory, zeros after the end.
#[inline(always)]
fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    match S::as_simd_f32s(from).0 {
        [full] => *full,
        _ => simd.partial_load_f32s(from),
    }
}

/// As much of a vector as there is room for.
#[inline(always)]
fn store<S: Simd>(simd: S, to: &mut [f32], y: S::f32s) {
    match S::as_mut_simd_f32s(to) {
        ([full], _) => *full = y,
        (_, rest) => simd.partial_store_f32s(rest, y),
    }
}

/// Rows, then more rows.
struct Both<A, B>(A, B);

impl<'a, S: Simd, const N: usize, A: Rows<'a, S, N>, B: Rows<'a, S, N>> Rows<'a, S, N> for Both<A, B> {
    const COUNT: usize = A::COUNT + B::COUNT;

    #[inline(always)]
    fn start(a: &'a [f32], k: usize, bias: &[S::f32s; N]) -> Self {
        Self(A::start(a, k, bias), B::start(&a[A::COUNT * k..], k, bias))
    }

    #[inline(always)]
    fn step(&mut self, simd: S, i: usize, weights: &[S::f32s; N]) {
        self.0.step(simd, i, weights);
        self.1.step(simd, i, weights);
    }

    #[inline(always)]
    fn finish(self, simd: S, end: &mut End<'_, S>) {
        self.0.finish(simd, end);
        self.1.finish(simd, end);
    }
}

type Rows2<'a, S, const N: usize> = Both<Row<'a, S, N>, Row<'a, S, N>>;
type Rows4<'a, S, const N: usize> = Both<Rows2<'a, S, N>, Rows2<'a, S, N>>;
type Rows5<'a, S, const N: usize> = Both<Rows4<'a, S, N>, Row<'a, S, N>>;
type Rows6<'a, S, const N: usize> = Both<Rows4<'a, S, N>, Rows2<'a, S, N>>;
type Rows8<'a, S, const N: usize> = Both<Rows4<'a, S, N>, Rows4<'a, S, N>>;
type Rows10<'a, S, const N: usize> = Both<Rows8<'a, S, N>, Rows2<'a, S, N>>;
type Rows13<'a, S, const N: usize> = Both<Rows8<'a, S, N>, Rows5<'a, S, N>>;
type Rows14<'a, S, const N: usize> = Both<Rows8<'a, S, N>, Rows6<'a, S, N>>;
