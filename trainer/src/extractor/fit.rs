//! Learns the projection from pooled maps, without labels: principal components, first of channels, then of raw rows.
//!
//! Flows in: the pooled maps of many clips, half precision. Flows out: a [`Projection`]. Refused: too few clips for the width
//! asked for. Pooling and channel projection are both linear, so projecting pooled maps here gives the numbers
//! that the graph gets by pooling projected maps.

use half::f16;
use nalgebra::DMatrix;
use runtime::{Error, Result};

use super::architecture::CHANNELS;
use super::graph::{CELLS, IMAGES, Projection, RAW_WIDTH, REDUCED};
use super::principal::{Scatter, principal};

/// Numbers of one clip's pooled maps, `[4, 1280, 9]`.
pub const CLIP_CELLS: usize = IMAGES * CHANNELS * CELLS;

/// Numbers of one image's pooled map, `[1280, 9]`.
const IMAGE_CELLS: usize = CHANNELS * CELLS;

/// Clips that are turned to matrices at a time.
const BLOCK: usize = 256;

/// A deviation below this share of the largest is treated as this share: what hardly varies is not blown up.
const DEVIATION_FLOOR: f64 = 1e-3;

/// How the projection is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Width of a feature row.
    pub width: usize,
    /// 1: every component gets unit variance; 0: components keep the variance they have, up to one common factor;
    /// between: its power. The mean variance is 1 in every case.
    pub whitening: f64,
    /// Seed of the subspace iteration's start.
    pub seed: u64,
}

/// Learns the projection from `cells`, `[clips, 4, 1280, 9]`.
///
/// # Errors
/// When there are fewer than two clips per component.
pub fn fit(cells: &[f16], options: Options) -> Result<Projection> {
    let clips = cells.len() / CLIP_CELLS;
    let Options { width, whitening, seed } = options;
    if width == 0 || width > RAW_WIDTH || clips < 2 * width {
        return Err(Error::invalid(
            "--width",
            format!("{width} components cannot be learned from {clips} clips"),
            "give at least two clips per component (more training videos, or a larger --clips), or a smaller --width",
        ));
    }
    let colour = channels(cells, 0, seed);
    let fringe = channels(cells, 2, seed + 1);
    let mut projection =
        Projection { colour: rows_f32(&colour), fringe: rows_f32(&fringe), weights: Vec::new(), bias: Vec::new() };
    let mut scatter = Scatter::new(RAW_WIDTH);
    for block in cells.chunks(BLOCK * CLIP_CELLS) {
        scatter.add(&raw_rows(block, &projection));
    }
    let (mean, covariance) = (scatter.mean(), scatter.covariance());
    let deviation = floored(covariance.diagonal().iter().map(|v| v.max(0.0).sqrt()).collect());
    let correlation = DMatrix::from_fn(RAW_WIDTH, RAW_WIDTH, |i, j| covariance[(i, j)] / (deviation[i] * deviation[j]));
    let (components, variances) = principal(&correlation, width, seed + 2);
    let spread = floored(variances.iter().map(|v| v.max(0.0).sqrt()).collect());
    let left: Vec<f64> = spread.iter().map(|s| s.powf(1.0 - whitening)).collect();
    let common = (left.iter().map(|s| s * s).sum::<f64>() / width as f64).sqrt();
    let mut bias = vec![0.0; width];
    for j in 0..RAW_WIDTH {
        for i in 0..width {
            let weight = components[(j, i)] / (deviation[j] * spread[i].powf(whitening) * common);
            projection.weights.push(weight as f32);
            bias[i] -= mean[j] * weight;
        }
    }
    projection.bias = bias.into_iter().map(|b| b as f32).collect();
    Ok(projection)
}

/// Raw rows of clips: `cells [clips, 4, 1280, 9]` -> `[2304, clips]`, one column per clip.
pub fn raw_rows(cells: &[f16], projection: &Projection) -> DMatrix<f32> {
    let reducer = |w: &[f32]| DMatrix::from_column_slice(CHANNELS, REDUCED, w);
    let (colour, fringe) = (reducer(&projection.colour), reducer(&projection.fringe));
    let clips = cells.len() / CLIP_CELLS;
    let mut rows = DMatrix::zeros(RAW_WIDTH, clips);
    let kind = REDUCED * CELLS;
    for (clip, mut row) in cells.chunks_exact(CLIP_CELLS).zip(rows.column_iter_mut()) {
        let reduced = |image: usize, by: &DMatrix<f32>| {
            let map = &clip[image * IMAGE_CELLS..][..IMAGE_CELLS];
            let map = DMatrix::from_iterator(CELLS, CHANNELS, map.iter().map(|x| x.to_f32()));
            map * by
        };
        let (a, b) = (reduced(0, &colour), reduced(1, &colour));
        let (c, d) = (reduced(2, &fringe), reduced(3, &fringe));
        for i in 0..kind {
            row[i] = (a[i] + b[i]) * 0.5;
            row[kind + i] = (b[i] - a[i]).abs();
            row[2 * kind + i] = (c[i] + d[i]) * 0.5;
            row[3 * kind + i] = d[i] - c[i];
        }
    }
    rows
}

/// The 64 principal directions of the maps of images `first` and `first + 1`: `[1280, 64]`.
fn channels(cells: &[f16], first: usize, seed: u64) -> DMatrix<f64> {
    let mut scatter = Scatter::new(CHANNELS);
    for block in cells.chunks(BLOCK * CLIP_CELLS) {
        let pixels = block.len() / CLIP_CELLS * 2 * CELLS;
        let mut samples = DMatrix::zeros(CHANNELS, pixels);
        let images = block
            .chunks_exact(CLIP_CELLS)
            .flat_map(|clip| clip[first * IMAGE_CELLS..][..2 * IMAGE_CELLS].chunks_exact(IMAGE_CELLS));
        for (image, map) in images.enumerate() {
            for (channel, row) in map.chunks_exact(CELLS).enumerate() {
                for (cell, x) in row.iter().enumerate() {
                    samples[(channel, image * CELLS + cell)] = x.to_f32();
                }
            }
        }
        scatter.add(&samples);
    }
    principal(&scatter.covariance(), REDUCED, seed).0
}

/// Columns as rows: `[1280, 64]` -> `[64, 1280]` row-major.
fn rows_f32(columns: &DMatrix<f64>) -> Vec<f32> {
    columns.iter().map(|&x| x as f32).collect()
}

fn floored(mut deviations: Vec<f64>) -> Vec<f64> {
    let largest = deviations.iter().copied().fold(0.0, f64::max);
    let floor = if largest > 0.0 { largest * DEVIATION_FLOOR } else { 1.0 };
    deviations.iter_mut().for_each(|d| *d = d.max(floor));
    deviations
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Clips of a few hidden causes, as maps.
    fn clips(count: usize) -> Vec<f16> {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(3);
        let causes: Vec<Vec<f32>> =
            (0..6).map(|_| (0..CLIP_CELLS).map(|_| rng.random_range(0.0..1.0)).collect()).collect();
        let mut cells = Vec::with_capacity(count * CLIP_CELLS);
        for _ in 0..count {
            let shares: Vec<f32> = causes.iter().map(|_| rng.random_range(0.0..1.0)).collect();
            for i in 0..CLIP_CELLS {
                let value: f32 = causes.iter().zip(&shares).map(|(c, s)| c[i] * s).sum();
                cells.push(f16::from_f32(value));
            }
        }
        cells
    }

    fn features(cells: &[f16], p: &Projection) -> DMatrix<f64> {
        let raw = raw_rows(cells, p);
        let width = p.width();
        DMatrix::from_fn(width, raw.ncols(), |i, clip| {
            let sum: f64 =
                (0..RAW_WIDTH).map(|j| f64::from(p.weights[j * width + i]) * f64::from(raw[(j, clip)])).sum();
            sum + f64::from(p.bias[i])
        })
    }

    #[test]
    fn features_are_centred_uncorrelated_and_of_unit_variance() {
        let cells = clips(40);
        let whole = fit(&cells, Options { width: 4, whitening: 1.0, seed: 0 }).unwrap();
        let f = features(&cells, &whole);
        let covariance = &f * f.transpose() / f.ncols() as f64;
        for i in 0..4 {
            assert!(f.row(i).mean().abs() < 1e-3, "component {i} has mean {}", f.row(i).mean());
            for j in 0..4 {
                let expected = f64::from(u8::from(i == j));
                assert!((covariance[(i, j)] - expected).abs() < 1e-2, "{covariance}");
            }
        }
        let partly = fit(&cells, Options { width: 4, whitening: 0.5, seed: 0 }).unwrap();
        let f = features(&cells, &partly);
        let variance: Vec<f64> = (0..4).map(|i| f.row(i).norm_squared() / f.ncols() as f64).collect();
        assert!((variance.iter().sum::<f64>() - 4.0).abs() < 4e-2, "{variance:?}");
        assert!(variance[0] > variance[3] * 1.05, "{variance:?}");
    }

    #[test]
    fn too_few_clips_are_refused() {
        let error = fit(&clips(3), Options { width: 4, whitening: 1.0, seed: 0 }).unwrap_err();
        assert!(error.to_string().contains("3 clips"), "{error}");
    }
}
