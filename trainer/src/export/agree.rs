//! Int8 against float32, on the recordings that the run held out (or, where it held out none, on some that it learned from:
//! what is asked is whether two graphs agree, not how good they are). Scores of both come in, and where one tells incidents from
//! traffic differently from the other, the export is refused.
//!
//! With few recordings, two that score alike and change places move the AUC by more than any limit: one such pair is
//! allowed.

use runtime::engine::largest_difference;
use runtime::{Error, Result};

use super::head;
use super::products::{Activations, Form};
use super::ranges::Ranges;
use crate::dataset::{Split, Video};
use crate::evaluate::graphs::graph_scorer;
use crate::evaluate::metrics::{Curve, Observation};
use crate::evaluate::{Scored, VideoScorer, figures, score_each};
use crate::train::{Plan, Run};

/// How far the AUC of int8 may be from that of float32.
pub const AUC_GAP_MAX: f64 = 0.005;

/// How well scores tell recordings, and frames where their truth is known, from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aucs {
    /// Over videos, by their highest score; absent with one class alone.
    pub video: Option<f64>,
    /// Over frames; absent where events are not listed.
    pub frame: Option<f64>,
    /// Pairs of an abnormal and a normal video.
    pub pairs: usize,
}

/// Recordings at most to compare on, where the run held out none.
const COMPARED_MAX: usize = 200;

/// The training videos to compare on, if the data that the run was trained on is still there: those that it held out, else
/// evenly spaced ones.
///
/// # Errors
/// When it is not, or is other data.
pub fn recordings(run: &Run) -> Result<Vec<Video>> {
    let mark = &run.file.dataset;
    let dataset = mark.open()?;
    let videos = dataset.videos(Split::Train)?;
    let labels: Vec<bool> = videos.iter().map(|video| video.entry.abnormal).collect();
    if dataset.contract != run.file.contract || videos.len() != mark.videos {
        return Err(Error::invalid(&mark.path, "is no longer the data of the run", "put back what it was trained on"));
    }
    let plan = Plan::new(&labels, run.file.settings.validation_share, run.file.seed);
    if plan.held_out.is_empty() {
        return Ok(videos.iter().step_by(videos.len().div_ceil(COMPARED_MAX).max(1)).cloned().collect());
    }
    Ok(plan.held_out.into_iter().map(|index| videos[index].clone()).collect())
}

/// Score all videos, and judge the scores.
pub fn aucs(videos: &[Video], scorer: &mut VideoScorer<'_>) -> Result<Aucs> {
    let scored = score_each(videos, scorer)?;
    let known = |video: &Video| video.entry.frames.is_some() && video.entry.abnormal != video.entry.events.is_empty();
    let frame = if videos.iter().all(known) { figures(&scored)?.frame_auc } else { None };
    let of = |item: &Scored<'_>| {
        let highest = item.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Observation::of(highest, item.video.entry.abnormal)
    };
    let abnormal = videos.iter().filter(|video| video.entry.abnormal).count();
    let video = Curve::new(scored.iter().map(of).collect()).auc();
    Ok(Aucs { video, frame, pairs: abnormal * (videos.len() - abnormal) })
}

/// Whether int8 tells recordings apart as float32 does.
pub fn agree(float: Aucs, int8: Aucs) -> bool {
    let within = |a: Option<f64>, b: Option<f64>, limit: f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= limit + 1e-9,
        (a, b) => a == b,
    };
    let one_pair = 1.0 / float.pairs.max(1) as f64;
    within(float.video, int8.video, AUC_GAP_MAX.max(one_pair)) && within(float.frame, int8.frame, AUC_GAP_MAX)
}

/// The product that, alone in int8, moves the scores of `windows` most, and by how much.
pub fn worst_product(
    run: &Run,
    ranges: &Ranges,
    activations: Activations<'_>,
    windows: &[f32],
) -> Result<(String, f32)> {
    let segments = run.file.settings.model.segments();
    let n = windows.len() / (segments * run.features());
    let scores = |form: Form<'_>| graph_scorer(&head::of_run(run, form)?, segments)?(windows, n);
    let float = scores(Form::Float)?;
    let mut worst = (String::new(), 0.0_f32);
    for product in ranges.products() {
        let int8 = scores(Form::Int8(activations, Some(product)))?;
        let gap = largest_difference(&int8, &float);
        if gap.is_nan() || gap >= worst.1 {
            worst = (product.into(), gap);
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_may_change_places_and_no_more() {
        let of = |video, frame, pairs| Aucs { video, frame, pairs };
        assert!(agree(of(Some(0.9), None, 1000), of(Some(0.896), None, 1000)));
        assert!(!agree(of(Some(0.9), None, 1000), of(Some(0.894), None, 1000)));
        assert!(agree(of(Some(0.75), None, 4), of(Some(1.0), None, 4)));
        assert!(!agree(of(Some(0.5), None, 4), of(Some(1.0), None, 4)));
        assert!(!agree(of(Some(0.9), Some(0.9), 10), of(Some(0.9), Some(0.91), 10)));
        assert!(agree(of(None, None, 0), of(None, None, 0)));
        assert!(!agree(of(Some(0.9), None, 10), of(None, None, 10)));
    }
}
