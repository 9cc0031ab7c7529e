//! A second model at a camera: it sees the clips that the first sees, scores them, and decides nothing. The two can change
//! places between two segments: both windows are full, and source, clips and alarm go on, so that no frame and no alarm is lost.
//!
//! Refused: a model that sees clips of another shape; it would need frames of its own.

use std::time::{Duration, Instant};

use firmware_config::{ClipContract, FeatureContract};

use super::{RuleOverrides, alarm_rule, scorer};
use crate::alarm::AlarmRule;
use crate::bundle::Bundle;
use crate::clip::Clip;
use crate::engine::Engines;
use crate::features::Extractor;
use crate::features::background::Background;
use crate::score::Scorer;
use crate::{Error, Result};

/// A model that scores beside another.
pub struct Second {
    pub(super) id: String,
    pub(super) extractor: Extractor,
    pub(super) background: Background,
    pub(super) scorer: Scorer,
    pub(super) rule: AlarmRule,
    /// The row of the last clip that was looked at, before the background was subtracted; empty before the first.
    pub(super) seen: Vec<f32>,
    pub(super) row: Vec<f32>,
}

impl Second {
    /// Load `bundle` once more; `over` is laid upon its alarm rule.
    ///
    /// # Errors
    /// When a graph does not load.
    pub fn new(bundle: &Bundle, engines: &Engines, over: &RuleOverrides) -> Result<Self> {
        let contract = bundle.manifest.contract.clone();
        Ok(Self {
            id: bundle.id.clone(),
            background: Background::new(contract.background_segments),
            extractor: Extractor::new(engines.load(bundle.require_extractor()?, "extractor")?, contract)?,
            scorer: scorer(bundle, engines)?,
            rule: alarm_rule(&bundle.manifest, over),
            seen: Vec::new(),
            row: Vec::new(),
        })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its alarm threshold.
    pub fn threshold(&self) -> f32 {
        self.rule.threshold
    }

    /// Score a clip, and say how long that took; `None` for one that nobody looked at before there was any.
    pub(super) fn score(&mut self, clip: &Clip, held: bool) -> Result<Option<(f32, Duration)>> {
        let begun = Instant::now();
        if !held {
            self.extractor.extract(clip, &mut self.seen)?;
        } else if self.seen.is_empty() {
            return Ok(None);
        }
        self.row.clone_from(&self.seen);
        self.background.subtract(&mut self.row);
        let score = self.scorer.score(&self.row)?;
        Ok(Some((score, begun.elapsed())))
    }

    /// Frames were lost.
    pub(super) fn restart(&mut self) {
        self.scorer.restart();
        self.background.restart();
        self.seen.clear();
    }
}

/// Whether two models can look at the same clips.
///
/// # Errors
/// Of kind `InvalidInput` when they cannot.
pub fn check_same_clips(present: &FeatureContract, other: &FeatureContract) -> Result<()> {
    let shape = |contract: &FeatureContract| {
        let input = contract.input.as_ref();
        input.map(|ClipContract { width, height, rate_hz, clip_ticks, ticks, .. }| {
            (*width, *height, *rate_hz, *clip_ticks, ticks.clone())
        })
    };
    if shape(present).is_some() && shape(present) == shape(other) {
        return Ok(());
    }
    Err(Error::invalid(
        &other.name,
        format!("sees other clips than the present model's {}, so the two cannot run beside each other", present.name),
        "activate it with `--at-start`",
    ))
}
