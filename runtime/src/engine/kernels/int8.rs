//! The matrix product in int8, for one row at a time: rows `[rows, k]` of floats times weights `[k, cols]` of signed
//! bytes, plus bias, plus an optional second tensor, clamped.
//!
//! Each row is quantised as it comes, symmetrically, by its own largest magnitude; weights were quantised per column when
//! the model was exported. Sums are exact integers, and what follows is one operation after another on each number:
//! every machine gives the same bits.
//!
//! Such a product takes as long as its weights take to come from memory: a quarter of the time of floats. They lie in the
//! order in which [`super::dots`] reads them: four columns at a time, 32 bytes of each.

use super::dots::{Block, CHUNK, Dots, GROUP, WithDots, dispatch};

/// The longest row: the sum of so many products of -128..=127 is an `i32`.
pub const K_MAX: usize = 1 << 17;

/// What the largest magnitude of a row becomes.
const MOST: f32 = 127.0;

/// A row whose largest magnitude is below this is a row of zeros.
const ZERO_BELOW: f32 = 1e-30;

/// Room for quantised rows, 32 bytes at a time.
pub type Room = [[i8; CHUNK]];

/// Room for a row of `k` numbers.
pub fn room(k: usize) -> Box<Room> {
    vec![[0; CHUNK]; k.div_ceil(CHUNK)].into()
}

/// Weights `[k, cols]` in int8 with their scales and bias.
#[derive(Debug)]
pub struct Int8Weights {
    /// For every four columns (the last ones filled up with zeros), for every 32 rows (likewise).
    blocks: Vec<Block>,
    /// What 1 stands for in each column.
    scales: Vec<f32>,
    bias: Vec<f32>,
    /// Rows of the weight matrix, 1 to [`K_MAX`].
    pub k: usize,
    /// Its columns.
    pub cols: usize,
}

impl Int8Weights {
    /// Pack a matrix that is given as a function of (row, column), with a scale and a bias for each column. None when `k` is
    /// 0 or above [`K_MAX`], or scales and bias are not equally many.
    pub fn pack(k: usize, scales: Vec<f32>, bias: Vec<f32>, at: impl Fn(usize, usize) -> i8) -> Option<Self> {
        let cols = scales.len();
        if k == 0 || k > K_MAX || bias.len() != cols {
            return None;
        }
        let mut blocks = Vec::with_capacity(cols.div_ceil(GROUP) * k.div_ceil(CHUNK));
        for first_col in (0..cols).step_by(GROUP) {
            for first_row in (0..k).step_by(CHUNK) {
                let mut block = [[0; CHUNK]; GROUP];
                for (col, column) in (first_col..cols).zip(&mut block) {
                    for (row, byte) in (first_row..k).zip(column) {
                        *byte = at(row, col);
                    }
                }
                blocks.push(block);
            }
        }
        Some(Self { blocks, scales, bias, k, cols })
    }
}

/// One product: `out[r, c] = clamp(s[r] s[c] sum_i q[r, i] w[i, c] + bias[c] + add[r, c])`, where row `r` of `a` is about
/// `s[r] q[r]`. A row with a NaN or an infinity gives NaN.
#[derive(Debug)]
pub struct Int8Product<'a> {
    /// `[rows, k]`
    pub a: &'a [f32],
    /// `[k, cols]`
    pub weights: &'a Int8Weights,
    /// `[rows, cols]`, added before the clamp.
    pub add: Option<&'a [f32]>,
    /// The least and the largest output.
    pub clamp: (f32, f32),
    /// `[rows, cols]`
    pub out: &'a mut [f32],
    /// Room for a quantised row, at least that of [`room`].
    pub room: &'a mut Room,
}

impl Int8Product<'_> {
    /// Compute it.
    pub fn run(self) {
        dispatch(self);
    }
}

impl WithDots for Int8Product<'_> {
    #[inline(always)]
    fn with_dots<D: Dots>(self, dots: D) {
        let Self { a, weights, add, clamp: (low, high), out, room } = self;
        let Int8Weights { blocks, scales, bias, k, cols } = weights;
        let chunks = k.div_ceil(CHUNK);
        let room = &mut room[..chunks];
        for (r, (a, out)) in a.chunks_exact(*k).zip(out.chunks_exact_mut(*cols)).enumerate() {
            let step = quantise(a, room.as_flattened_mut());
            for (out, blocks) in out.chunks_mut(GROUP).zip(blocks.chunks_exact(chunks)) {
                for (y, sum) in out.iter_mut().zip(dots.four(room, blocks)) {
                    *y = sum as f32;
                }
            }
            for (y, (scale, bias)) in out.iter_mut().zip(scales.iter().zip(bias)) {
                *y = *y * (step * scale) + bias;
            }
            if let Some(add) = add {
                for (y, more) in out.iter_mut().zip(&add[r * cols..]) {
                    *y += more;
                }
            }
            // Clamping so keeps NaN.
            out.iter_mut().for_each(|y| *y = y.clamp(low, high));
        }
    }
}

/// `q = round(127 a / max |a|)`, halves to even; what 1 stands for is returned: NaN or infinite if any of `a` is.
#[inline(always)]
fn quantise(a: &[f32], q: &mut [i8]) -> f32 {
    // Without their sign, floats are ordered as their bits are, and NaN comes last.
    let most = f32::from_bits(a.iter().map(|x| x.to_bits() & 0x7fff_ffff).max().unwrap_or(0));
    let inverse = if most < ZERO_BELOW { 0.0 } else { MOST / most };
    let (q, filling) = q.split_at_mut(a.len());
    for (q, x) in q.iter_mut().zip(a) {
        *q = (x * inverse).round_ties_even() as i8;
    }
    filling.fill(0);
    most / MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

    fn run(a: &[f32], weights: &Int8Weights, add: Option<&[f32]>, clamp: (f32, f32)) -> Vec<f32> {
        let mut out = vec![7.0; a.len() / weights.k * weights.cols];
        let mut room = vec![[3; CHUNK]; weights.k.div_ceil(CHUNK) + 2];
        Int8Product { a, weights, add, clamp, out: &mut out, room: &mut room }.run();
        out
    }

    #[test]
    fn sums_are_those_of_plain_integers() {
        for (k, cols) in [(1, 1), (3, 5), (31, 4), (64, 32), (100, 9), (257, 6), (1024, 7)] {
            let weight = |row: usize, col: usize| (row * 89 + col * 57 + row * row * col % 7) as u8 as i8;
            let scales: Vec<f32> = (0..cols).map(|c| 0.01 + c as f32 / 100.0).collect();
            let bias: Vec<f32> = (0..cols).map(|c| c as f32 - 2.0).collect();
            let weights = Int8Weights::pack(k, scales.clone(), bias.clone(), weight).unwrap();
            let a: Vec<f32> = (0..3 * k).map(|i| (i as f32 * 1.3 + 1.0).sin() * (1.0 + (i / k) as f32)).collect();
            let add: Vec<f32> = (0..3 * cols).map(|i| i as f32 / 8.0).collect();
            let found = run(&a, &weights, Some(&add), (-3.0, 30.0));
            for (r, a) in a.chunks(k).enumerate() {
                let most = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                let q: Vec<i64> = a.iter().map(|x| (x * (127.0 / most)).round_ties_even() as i64).collect();
                assert!(q.iter().all(|q| q.abs() <= 127) && q.iter().any(|q| q.abs() == 127));
                for c in 0..cols {
                    let sum: i64 = q.iter().enumerate().map(|(i, q)| q * i64::from(weight(i, c))).sum();
                    let y = sum as f32 * (most / 127.0 * scales[c]) + bias[c] + add[r * cols + c];
                    assert_eq!(found[r * cols + c], y.clamp(-3.0, 30.0), "{k} x {cols}, row {r}, column {c}");
                }
            }
        }
    }

    #[test]
    fn the_longest_row_does_not_overflow() {
        let weights = Int8Weights::pack(K_MAX, vec![1.0; 5], vec![0.0; 5], |_, _| -128).unwrap();
        let found = run(&vec![-127.0; K_MAX], &weights, None, OPEN);
        assert_eq!(found, [(K_MAX as i64 * 127 * 128) as f32; 5]);
        assert!(Int8Weights::pack(K_MAX + 1, vec![1.0], vec![0.0], |_, _| 0).is_none());
        assert!(Int8Weights::pack(0, vec![1.0], vec![0.0], |_, _| 0).is_none());
        assert!(Int8Weights::pack(1, vec![1.0], vec![], |_, _| 0).is_none());
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let weights = Int8Weights::pack(3, vec![1.0; 2], vec![0.5; 2], |row, _| row as i8).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let found = run(&[1.0, bad, -2.0], &weights, None, (0.0, f32::INFINITY));
            assert!(found.iter().all(|y| y.is_nan()), "{bad}: {found:?}");
        }
        assert_eq!(run(&[0.0; 3], &weights, None, OPEN), [0.5; 2]);
        assert_eq!(run(&[1e-38; 3], &weights, None, OPEN), [0.5; 2]);
    }
}
