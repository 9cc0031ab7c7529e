//! A candidate on this machine: its golden vectors, how long a segment takes it, and the memory that it needs. A bundle comes
//! in, [`Evidence`] goes out, or why it will not do. Panics of an engine are failures like others.
//!
//! The times are those of an idle pipeline beside whatever else the machine does; it belongs on a thread of its own.

use std::time::Instant;

use firmware_config::golden;

use super::judge::Limits;
use super::state::Evidence;
use crate::bench::memory::Memory;
use crate::bundle::Bundle;
use crate::engine::{Engines, Input};
use crate::health::supervision::panics;
use crate::pipeline::{proof, scorer};
use crate::window::SEGMENTS;
use crate::{Error, Result};

/// Segments that are timed, once the window is full.
const TIMED: usize = 16;
/// How many of them may take longer than what is told: whatever else the machine did meanwhile.
const LATE: usize = 2;

/// Prove a candidate.
///
/// # Errors
/// When a graph does not load, run or agree with its golden vectors, or a budget is overrun.
pub fn gather(bundle: &Bundle, engines: &Engines, limits: &Limits) -> Result<Evidence> {
    let name = format!("{} release {}", bundle.manifest.name, bundle.manifest.release);
    panics::caught(&name, || {
        let before_mb = Memory::now().map_or(0.0, |memory| memory.resident_mb);
        let proof = proof::prove(bundle, engines)?;
        let segment_ms = time_segments(bundle, engines)?;
        let after_mb = Memory::now().map_or(0.0, |memory| memory.resident_mb);
        let differences = [Some(proof.head), proof.step, proof.extractor];
        let evidence = Evidence {
            difference: differences.into_iter().flatten().fold(0.0, f32::max),
            segment_ms,
            memory_mb: (after_mb - before_mb).max(0.0) as f32,
        };
        limits
            .allow(&evidence)
            .map_err(|problem| Error::failed(&name, problem, "use a smaller model, or a faster device"))?;
        Ok(evidence)
    })
}

/// What all but [`LATE`] of [`TIMED`] segments stay within, from clip to score, in milliseconds; the window is full, and everything was
/// run before.
fn time_segments(bundle: &Bundle, engines: &Engines) -> Result<f32> {
    let (Some(input), Some(vectors)) = (&bundle.manifest.contract.input, &bundle.manifest.golden.extractor) else {
        bundle.require_extractor()?;
        return Err(Error::corrupt(&bundle.manifest.name, "has no golden clip", "export it again"));
    };
    let clip = golden::clip(vectors.seed, input);
    let mut extractor = engines.load(bundle.require_extractor()?, "extractor")?;
    let mut scorer = scorer(bundle, engines)?;
    for _ in 0..SEGMENTS {
        scorer.score(&vectors.row)?;
    }
    let (mut row, mut times_ms) = (vectors.row.clone(), [0f32; TIMED]);
    for time_ms in &mut times_ms {
        let begun = Instant::now();
        extractor.run(Input::U8(&clip), &mut row)?;
        scorer.score(&row)?;
        *time_ms = begun.elapsed().as_secs_f32() * 1e3;
    }
    times_ms.sort_by(f32::total_cmp);
    Ok(times_ms[TIMED - 1 - LATE])
}
