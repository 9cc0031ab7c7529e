//! Dynamic erasing, sec. 3.2, in host memory: which segments of which abnormal videos are zeroed before the second pass.
//! Input features are the standardised `X`, before any projection.

use super::config::{DeNetConfig, Erasing};
use crate::model::Batch;

/// Eq. 6: `t_h = argmax Y` and `t_l = argmin Y`, the first of equals.
pub fn extremes(scores: &[f32]) -> (usize, usize) {
    let mut high = 0;
    let mut low = 0;
    for (t, &score) in scores.iter().enumerate() {
        if score > scores[high] {
            high = t;
        }
        if score < scores[low] {
            low = t;
        }
    }
    (high, low)
}

/// Eq. 7: `Sim(X) = cos(x_{t_h}, x_{t_l})`, of one window `[T, D]` with scores `[T]`.
pub fn similarity(window: &[f32], scores: &[f32]) -> f32 {
    let width = window.len() / scores.len();
    let (high, low) = extremes(scores);
    let row = |t: usize| &window[t * width..(t + 1) * width];
    cosine(row(high), row(low))
}

/// Cosine of two vectors, 0 where one of them is (nearly) zero: the product of norms is at least 1e-8.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-8)) as f32
}

/// Eq. 8: `Completeness(X^a) = Sim(X^a) - mean over the batch's normal videos of Sim(X^n)`, for each abnormal video.
pub fn completeness(abnormal: &[f32], normal: &[f32]) -> Vec<f32> {
    let mean = normal.iter().sum::<f32>() / normal.len() as f32;
    abnormal.iter().map(|similarity| similarity - mean).collect()
}

/// Eqs. 9 and 10: the rows to erase (indices into the batch's `[2 P T]` rows), and the pairs that they are of.
/// `scores` is `[2 P, T]`, of the training-mode forward pass. `gather` turns the similarities of this part's normal videos
/// into those of the whole batch's.
pub fn select(
    batch: &Batch,
    scores: &[f32],
    config: &DeNetConfig,
    gather: impl FnOnce(Vec<f32>) -> Vec<f32>,
) -> (Vec<usize>, Vec<usize>) {
    let Batch { pairs, segments, width, .. } = *batch;
    let window = |i: usize| &batch.windows[i * segments * width..(i + 1) * segments * width];
    let row = |i: usize| &scores[i * segments..(i + 1) * segments];
    let incomplete: Vec<bool> = match config.erasing {
        Erasing::Off => vec![false; pairs],
        Erasing::Always => vec![true; pairs],
        Erasing::Dynamic => {
            let all: Vec<f32> = (0..2 * pairs).map(|i| similarity(window(i), row(i))).collect();
            let (abnormal, normal) = all.split_at(pairs);
            completeness(abnormal, &gather(normal.to_vec()))
                .into_iter()
                .map(|completeness| completeness <= 0.0)
                .collect()
        }
    };
    let mut rows = Vec::new();
    let mut changed = Vec::new();
    for i in (0..pairs).filter(|&i| incomplete[i]) {
        let before = rows.len();
        rows.extend((0..segments).filter(|&t| row(i)[t] > config.erase_threshold).map(|t| i * segments + t));
        if rows.len() > before {
            changed.push(i);
        }
    }
    (rows, changed)
}

/// Eq. 10: `x_t := 0` for the selected rows of `[n, D]`.
pub fn erase(rows: &mut [f32], width: usize, selected: &[usize]) {
    for &row in selected {
        rows[row * width..(row + 1) * width].fill(0.0);
    }
}
