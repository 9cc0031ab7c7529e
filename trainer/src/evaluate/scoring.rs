//! Scores of a video's rows, offline or as a camera would have given them.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use runtime::Result;

use super::Scorer;
use crate::dataset::{segment_edges, segment_of_row, stretch, to_segments};
use crate::model::{Detector, with_model};
use crate::train::Run;

/// How a video is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole video cut into T segments.
    Offline,
    /// At each row the window is the last T rows (fewer are stretched), and the newest segment's score counts.
    Streaming,
}

/// Windows in one call of the scorer.
const BATCH: usize = 64;

/// One score per row of `rows` `[n, D]`.
pub fn score_video(
    rows: &[f32],
    width: usize,
    segments: usize,
    mode: Mode,
    scorer: &mut Scorer<'_>,
) -> Result<Vec<f32>> {
    let n = rows.len() / width;
    match mode {
        Mode::Offline => {
            let scores = scorer(&to_segments(rows, width, segments), 1)?;
            Ok((0..n).map(|row| offline_row(&scores, n, segments, row)).collect())
        }
        Mode::Streaming => {
            let mut windows = Vec::with_capacity(BATCH * segments * width);
            let mut out = Vec::with_capacity(n);
            for newest in 0..n {
                let first = (newest + 1).saturating_sub(segments);
                let ring = &rows[first * width..(newest + 1) * width];
                let start = windows.len();
                windows.resize(start + segments * width, 0.0);
                stretch(ring, width, segments, &mut windows[start..]);
                let count = windows.len() / (segments * width);
                if count == BATCH || newest + 1 == n {
                    let scores = scorer(&windows, count)?;
                    out.extend(scores.chunks_exact(segments).map(|window| window[segments - 1]));
                    windows.clear();
                }
            }
            Ok(out)
        }
    }
}

/// The score of a row: of the segment that covers it; where a row was repeated, the mean of its repetitions.
fn offline_row(scores: &[f32], rows: usize, segments: usize, row: usize) -> f32 {
    if rows >= segments {
        return scores[segment_of_row(rows, segments, row)];
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (i, score) in scores.iter().enumerate() {
        if segment_edges(rows, segments, i).start == row {
            sum += score;
            count += 1.0;
        }
    }
    sum / count
}

/// A scorer with a RUN's chosen weights, on the CPU.
pub fn run_scorer(run: &Run) -> Result<Box<Scorer<'static>>> {
    let statistics = run.file.statistics.clone();
    let segments = run.file.settings.model.segments();
    let device = burn::tensor::Device::<Flex>::default();
    with_model!(&run.file.settings.model, |Model, config| {
        let model: Model<Flex> = run.model(config, &device)?;
        Ok(Box::new(move |windows: &[f32], n: usize| {
            let mut windows = windows.to_vec();
            statistics.apply(&mut windows);
            let width = windows.len() / (n * segments);
            let scores = model.scores(Tensor::from_data(TensorData::new(windows, [n, segments, width]), &device));
            Ok(scores.into_data().into_vec::<f32>().unwrap_or_default())
        }))
    })
}
