//! Graphs of a bundle as scorers, on the camera's own engine.

use runtime::Result;
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Input};
use runtime::score::Scorer;
use runtime::score::step::{StepHead, StepModel};

use crate::dataset::Video;

/// Scores of raw windows by a full-window graph, to be used as a [`super::Scorer`].
pub fn graph_scorer(graph: &[u8], segments: usize) -> Result<impl FnMut(&[f32], usize) -> Result<Vec<f32>> + use<>> {
    let mut engine = TractEngine::load(graph, "head")?;
    Ok(move |windows: &[f32], n: usize| {
        let mut scores = vec![0.0; n * segments];
        for (window, scores) in windows.chunks_exact(windows.len() / n).zip(scores.chunks_exact_mut(segments)) {
            engine.run(Input::F32(window), scores)?;
        }
        Ok(scores)
    })
}

/// Scores as a camera gives them, row by row: by the head while the window fills, and by the step from then on. To be
/// used as a [`super::VideoScorer`].
pub fn camera_scorer(head: &[u8], step: &[u8]) -> Result<impl FnMut(&Video) -> Result<Vec<f32>> + use<>> {
    let step = StepHead::new(StepModel::from_onnx(step)?);
    let mut scorer = Scorer::new(Box::new(TractEngine::load(head, "head")?), Some(step))?;
    Ok(move |video: &Video| {
        scorer.restart();
        video.read()?.mean_crop().chunks_exact(video.header.width).map(|row| scorer.score(row)).collect()
    })
}
