//! Evaluation: windows of a test list through a scorer, and figures out.
//!
//! Anything that scores windows can be judged: a RUN's weights, or a bundle. It is handed to [`evaluate`] as a closure
//! from `n` raw (not standardised) windows `[n, T, D]` to scores `[n, T]`.

pub mod bootstrap;
pub mod command;
pub mod compare;
pub mod detection;
pub mod graphs;
pub mod metrics;
pub mod report;
pub mod rows;
mod scoring;
pub mod seeds;
pub(crate) mod table;
pub mod warnings;

use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::dataset::{Entry, Video};
use metrics::{Curve, Observation};
pub use scoring::{Mode, run_scorer, score_video};

/// Scores of windows: `n` raw windows `[n, T, D]` in, `[n, T]` out.
pub type Scorer<'a> = dyn FnMut(&[f32], usize) -> Result<Vec<f32>> + 'a;

/// The scores of a video's rows.
pub type VideoScorer<'a> = dyn FnMut(&Video) -> Result<Vec<f32>> + 'a;

/// The figures of one way of scoring. A figure is absent where its videos are of one class only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Area under the ROC curve over all frames.
    pub frame_auc: Option<f64>,
    /// Average precision over all frames (step-wise).
    pub frame_ap: Option<f64>,
    /// Area under the ROC curve over the frames of abnormal videos alone.
    pub abnormal_auc: Option<f64>,
    /// Area under the ROC curve over videos; a video's score is its highest.
    pub video_auc: Option<f64>,
    /// Their intervals, where they were asked for.
    #[serde(flatten, default)]
    pub intervals: Intervals,
}

/// 95 % intervals of [`Figures`], lowest and highest, by [`bootstrap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of `frame_auc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_auc_interval: Option<[f64; 2]>,
    /// Of `frame_ap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_ap_interval: Option<[f64; 2]>,
    /// Of `abnormal_auc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abnormal_auc_interval: Option<[f64; 2]>,
    /// Of `video_auc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_auc_interval: Option<[f64; 2]>,
}

impl From<[Option<[f64; 2]>; 4]> for Intervals {
    /// In the order of [`Figures::values`].
    fn from([frame_auc, frame_ap, abnormal_auc, video_auc]: [Option<[f64; 2]>; 4]) -> Self {
        Self {
            frame_auc_interval: frame_auc,
            frame_ap_interval: frame_ap,
            abnormal_auc_interval: abnormal_auc,
            video_auc_interval: video_auc,
        }
    }
}

impl Intervals {
    /// In the order of [`Figures::values`].
    pub fn values(&self) -> [Option<[f64; 2]>; 4] {
        [self.frame_auc_interval, self.frame_ap_interval, self.abnormal_auc_interval, self.video_auc_interval]
    }
}

impl Figures {
    /// Frame AUC, frame AP, AUC inside abnormal videos, video AUC.
    pub fn values(&self) -> [Option<f64>; 4] {
        [self.frame_auc, self.frame_ap, self.abnormal_auc, self.video_auc]
    }

    /// Figures, in the order of [`Figures::values`], without intervals.
    pub fn of([frame_auc, frame_ap, abnormal_auc, video_auc]: [Option<f64>; 4]) -> Self {
        Self { frame_auc, frame_ap, abnormal_auc, video_auc, intervals: Intervals::default() }
    }
}

/// A video's scores, row by row, with what is known of it.
#[derive(Clone, Debug)]
pub struct Scored<'a> {
    /// The video.
    pub video: &'a Video,
    /// One score per row.
    pub scores: Vec<f32>,
}

/// Score every video in `mode`.
pub fn score_all<'a>(
    videos: &'a [Video],
    segments: usize,
    mode: Mode,
    scorer: &mut Scorer<'_>,
) -> Result<Vec<Scored<'a>>> {
    score_each(videos, &mut |video| score_video(&video.read()?.mean_crop(), video.header.width, segments, mode, scorer))
}

/// Score every video by `scorer`; what is not finite is refused.
pub fn score_each<'a>(videos: &'a [Video], scorer: &mut VideoScorer<'_>) -> Result<Vec<Scored<'a>>> {
    videos
        .iter()
        .map(|video| {
            let scores = scorer(video)?;
            if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
                return Err(Error::failed(
                    &video.entry.video,
                    format!("the score of row {row} is {}", scores[row]),
                    "train again, with a lower learning rate",
                ));
            }
            Ok(Scored { video, scores })
        })
        .collect()
}

/// The figures of scored videos.
pub fn figures(scored: &[Scored<'_>]) -> Result<Figures> {
    let mut all = Vec::new();
    let mut abnormal = Vec::new();
    let mut videos = Vec::new();
    for item in scored {
        let rows = observations(item)?;
        if item.video.entry.abnormal {
            abnormal.extend_from_slice(&rows);
        }
        all.extend(rows);
        let highest = item.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        videos.push(Observation::of(highest, item.video.entry.abnormal));
    }
    let frames = Curve::new(all);
    let (abnormal, videos) = (Curve::new(abnormal), Curve::new(videos));
    Ok(Figures::of([frames.auc(), frames.average_precision(), abnormal.auc(), videos.auc()]))
}

/// The row of `rows` that frame `frame` (from 0) of `frames` belongs to: `floor(frame rows / frames)`.
pub fn row_of_frame(frame: u64, frames: u64, rows: usize) -> usize {
    (u128::from(frame) * rows as u128 / u128::from(frames)) as usize
}

/// The first frame (from 0) of row `row`; of row `rows`, the number of frames.
pub fn first_frame_of_row(row: usize, frames: u64, rows: usize) -> u64 {
    (row as u128 * u128::from(frames)).div_ceil(rows as u128) as u64
}

/// The frames of a test video; refused where its list lacks what judging needs.
pub fn truth(entry: &Entry) -> Result<u64> {
    let frames = entry.frames.ok_or_else(|| {
        Error::invalid(
            format!("test.csv, video {}", entry.video),
            "has no number of frames",
            "fill in the column `frames`",
        )
    })?;
    if entry.abnormal && entry.events.is_empty() {
        return Err(Error::invalid(
            format!("test.csv, video {}", entry.video),
            "is abnormal but has no events",
            "fill in the column `events` as `first-last;first-last`",
        ));
    }
    Ok(frames)
}

/// Each row's score, with how many of its frames lie in an event and how many do not.
pub fn observations(scored: &Scored<'_>) -> Result<Vec<Observation>> {
    let entry = &scored.video.entry;
    let frames = truth(entry)?;
    let rows = scored.scores.len();
    Ok(scored
        .scores
        .iter()
        .enumerate()
        .map(|(row, &score)| {
            let (first, end) = (first_frame_of_row(row, frames, rows), first_frame_of_row(row + 1, frames, rows));
            // Events are 1-based and include their last frame: frames first-1 .. last from 0.
            let inside: u64 = entry.events.iter().map(|&(a, b)| b.min(end).saturating_sub((a - 1).max(first))).sum();
            Observation { score, positives: inside, negatives: end - first - inside }
        })
        .collect())
}

#[cfg(test)]
pub(crate) mod tests;
