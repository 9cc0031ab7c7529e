//! How large the inputs of a head's products become: real windows through the watched float32 graph in, one bound per
//! product out. A static int8 scale is that bound over 127.
//!
//! The bound is what 99.9 % of the rows stay within, by their largest magnitude: rare rows may be the incident
//! itself, so next to none is cut, and one freak row does not cost all others their resolution.

use std::collections::BTreeMap;

use burn::backend::Flex;
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Input};
use runtime::{Error, Result};

use super::Exporter;
use super::products::Form;
use crate::dataset::{Statistics, Video, to_segments};
use crate::model::{DetectorConfig as _, with_model};
use crate::train::Run;

/// The share of rows that a bound holds.
const SHARE: f64 = 0.999;

/// Which products are watched, and how many rows each takes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch(Vec<(String, usize)>);

impl Watch {
    /// One more product.
    pub(super) fn add(&mut self, product: &str, rows: usize) {
        self.0.push((product.into(), rows));
    }

    /// Rows of all products.
    pub fn rows(&self) -> usize {
        self.0.iter().map(|(_, rows)| rows).sum()
    }
}

/// A bound on the inputs' magnitude of each product.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges(BTreeMap<String, f32>);

impl Ranges {
    /// Measure them on raw windows `[n, T, D_in]`.
    ///
    /// # Errors
    /// Without windows, or when the graph cannot be run.
    pub fn measure<M: Exporter>(
        model: &M,
        config: &M::Config,
        statistics: &Statistics,
        windows: &[f32],
    ) -> Result<Self> {
        let mut watch = Watch::default();
        let graph = model.head(config, statistics, Form::Watched(&mut watch))?;
        let mut engine = TractEngine::load(&graph, "watched head")?;
        let mut seen: Vec<Vec<f32>> = vec![Vec::new(); watch.0.len()];
        let mut rows = vec![0.0; watch.rows()];
        for window in windows.chunks_exact(config.segments() * statistics.mean.len()) {
            engine.run(Input::F32(window), &mut rows)?;
            let mut rest = &rows[..];
            for ((_, count), seen) in watch.0.iter().zip(&mut seen) {
                let (part, others) = rest.split_at(*count);
                seen.extend_from_slice(part);
                rest = others;
            }
        }
        let bounds = watch.0.into_iter().zip(seen).map(|((product, _), mut rows)| {
            let bound = quantile(&mut rows).filter(|bound| bound.is_finite());
            let bound = bound.ok_or_else(|| {
                Error::failed(
                    format!("int8 range of {product}"),
                    format!("cannot be told from {} rows", rows.len()),
                    "calibrate on recordings with finite features",
                )
            })?;
            Ok((product, bound))
        });
        Ok(Self(bounds.collect::<Result<_>>()?))
    }

    /// Those of a run's chosen weights.
    ///
    /// # Errors
    /// As [`Ranges::measure`].
    pub fn of_run(run: &Run, windows: &[f32]) -> Result<Self> {
        with_model!(&run.file.settings.model, |Model, config| {
            let model: Model<Flex> = run.model(config, &burn::tensor::Device::<Flex>::default())?;
            Self::measure(&model, config, &run.file.statistics, windows)
        })
    }

    /// The bound of a product.
    ///
    /// # Errors
    /// When it was not measured.
    pub fn bound(&self, product: &str) -> Result<f32> {
        self.0.get(product).copied().ok_or_else(|| {
            Error::failed(format!("int8 range of {product}"), "was not measured", "measure it on the same network")
        })
    }

    /// The products' names.
    pub fn products(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The value that [`SHARE`] of them do not exceed; NaN counts as largest.
fn quantile(values: &mut [f32]) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let most = values.len().checked_sub(1)?;
    values.last().filter(|last| last.is_nan()).or(values.get((most as f64 * SHARE).round() as usize)).copied()
}

/// Raw windows `[n, T, D]` to calibrate on, at most `most`: each recording as a whole in T segments, and stretches of T rows
/// from evenly spaced recordings.
pub fn windows(videos: &[Video], segments: usize, most: usize) -> Result<Vec<f32>> {
    let every = videos.len().div_ceil((most / 2).max(1)).max(1);
    let mut windows = Vec::new();
    for (i, video) in videos.iter().step_by(every).enumerate() {
        let rows = video.read()?.mean_crop();
        let width = video.header.width;
        windows.extend(to_segments(&rows, width, segments));
        let count = rows.len() / width;
        if count > segments {
            // A different place in each, from the first rows to the last.
            let first = (i * 37 % 101) * (count - segments) / 100;
            windows.extend_from_slice(&rows[first * width..(first + segments) * width]);
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_leaves_one_row_in_a_thousand_out() {
        let mut rows: Vec<f32> = (0..2001).rev().map(|i| i as f32).collect();
        assert_eq!(quantile(&mut rows), Some(1998.0));
        assert_eq!(quantile(&mut [3.0]), Some(3.0));
        assert_eq!(quantile(&mut []), None);
        assert!(quantile(&mut [f32::NAN, 1.0, 2.0]).unwrap().is_nan());
    }
}
