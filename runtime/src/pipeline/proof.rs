//! Whether a bundle computes on this machine what its maker computed: its golden vectors, run through the engines.

use firmware_config::golden;
use firmware_config::manifest::{FileRole, GoldenVectors};

use crate::bundle::Bundle;
use crate::engine::{Engines, Input, largest_difference};
use crate::score::step::{GoldenScore, StepHead, StepModel};
use crate::{Error, Result};

/// The largest differences from a bundle's golden vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Of the window's scores, by the full-window graph.
    pub head: f32,
    /// Of the asked position's score, by the streaming step.
    pub step: Option<f32>,
    /// Of the golden clip's row, by the extractor.
    pub extractor: Option<f32>,
}

/// Run a bundle's golden vectors.
///
/// # Errors
/// When a graph does not load or run, or a difference exceeds the tolerance that the bundle promises.
pub fn prove(bundle: &Bundle, engines: &Engines) -> Result<Proof> {
    let vectors = &bundle.manifest.golden;
    let mut scores = vec![0.0; vectors.head_scores.len()];
    engines.load(bundle.head(), "head")?.run(Input::F32(&vectors.head_input), &mut scores)?;
    let head = within(vectors.tolerance, "head", largest_difference(&scores, &vectors.head_scores))?;
    let step = bundle.content(FileRole::Step).map(|onnx| prove_step(onnx, vectors)).transpose()?;
    let extractor = match (bundle.extractor(), &vectors.extractor, &bundle.manifest.contract.input) {
        (Some(graph), Some(expected), Some(clip)) => {
            let mut row = vec![0.0; expected.row.len()];
            engines.load(graph, "extractor")?.run(Input::U8(&golden::clip(expected.seed, clip)), &mut row)?;
            Some(within(vectors.tolerance, "extractor", largest_difference(&row, &expected.row))?)
        }
        _ => None,
    };
    Ok(Proof { head, step, extractor })
}

/// Run the golden window through a step graph, row by row: its last score must be the full window's, or, in int8, the one that
/// the graph says. Returns the difference.
///
/// # Errors
/// As [`prove`].
pub fn prove_step(onnx: &[u8], vectors: &GoldenVectors) -> Result<f32> {
    let mut step = StepHead::new(StepModel::from_onnx(onnx)?);
    let score = last_score(&mut step, &vectors.head_input);
    let of_head = vectors.head_scores.len().checked_sub(1 + step.look_ahead()).map(|i| vectors.head_scores[i]);
    let (expected, tolerance) = match step.golden() {
        Some(GoldenScore { score, tolerance }) => (Some(score), tolerance),
        None => (of_head, vectors.tolerance),
    };
    let difference = score.zip(expected).map_or(f32::NAN, |(score, expected)| (score - expected).abs());
    within(tolerance, "step", difference)
}

/// The score after the last row of `window [T, D_in]`.
pub fn last_score(step: &mut StepHead, window: &[f32]) -> Option<f32> {
    window.chunks_exact(step.features().max(1)).fold(None, |_, row| step.push(row))
}

fn within(tolerance: f32, what: &str, difference: f32) -> Result<f32> {
    if difference <= tolerance {
        return Ok(difference);
    }
    Err(Error::failed(
        format!("the model's {what}"),
        format!("computes something else here: {difference} from the golden vectors, {tolerance} is allowed"),
        "do not trust this model on this machine; report it with the output of `lscpu`",
    ))
}
