//! One camera's stretch from source to decision: feed → window → score → alarm. Outputs, health and reports are the
//! caller's: live, replay and demo differ only in what they do with a [`Step`].

pub mod proof;
pub mod second;
pub mod watch;

use std::time::{Duration, Instant};

use firmware_config::config;
use firmware_config::manifest::{FileRole, Manifest};

use crate::alarm::{Alarm, AlarmRule, Decision};
use crate::bundle::Bundle;
use crate::engine::Engines;
use crate::features::{Extractor, Fed, Feed, Segment};
use crate::memory;
use crate::score::Scorer;
use crate::score::step::{StepHead, StepModel};
use crate::source::open::Opened;
use crate::{Error, Result};
use second::Second;

/// What one call of [`Pipeline::step`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A segment was scored.
    Scored {
        /// Where it lies.
        segment: Segment,
        /// Score of the segment, 0..=1.
        score: f32,
        /// What changed with it.
        decision: Option<Decision>,
    },
    /// Frames were lost; the window starts anew.
    Gap {
        /// Why, for people.
        reason: String,
        /// An alarm that this ended.
        decision: Option<Decision>,
    },
    /// The recording is over.
    End {
        /// An alarm that this ended.
        decision: Option<Decision>,
    },
}

/// Overrides of the bundle's alarm rule, from the command line or the config.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RuleOverrides {
    /// Threshold, 0..=1.
    pub threshold: Option<f32>,
    /// The alarm ends below this share of the threshold, 0..=1.
    pub release_ratio: Option<f32>,
    /// Minimum length in seconds.
    pub min_length_s: Option<f32>,
    /// Cool-down in seconds.
    pub cool_down_s: Option<f32>,
}

impl From<&config::Alarm> for RuleOverrides {
    fn from(alarm: &config::Alarm) -> Self {
        let config::Alarm { threshold, release_ratio, min_length_s, cool_down_s, .. } = *alarm;
        Self { threshold, release_ratio, min_length_s, cool_down_s }
    }
}

/// The alarm rule that a manifest carries, with `over` laid upon it.
pub fn alarm_rule(manifest: &Manifest, over: &RuleOverrides) -> AlarmRule {
    let threshold = over.threshold.unwrap_or_else(|| manifest.threshold());
    let seconds = manifest.contract.input.as_ref().map_or(0.64, firmware_config::ClipContract::segment_seconds);
    let min_length_s = over.min_length_s.unwrap_or(manifest.alarm.min_length_s);
    AlarmRule {
        threshold,
        release: threshold * over.release_ratio.unwrap_or(manifest.alarm.release_ratio),
        min_length: ((f64::from(min_length_s) / seconds).round() as u32).max(1),
        cool_down_ns: (f64::from(over.cool_down_s.unwrap_or(manifest.alarm.cool_down_s)) * 1e9) as u64,
        min_segments: manifest.min_segments as usize,
    }
}

/// A bundle's head, and its step where there is one, before the first segment.
///
/// # Errors
/// When a graph does not load, or they do not fit each other.
pub fn scorer(bundle: &Bundle, engines: &Engines) -> Result<Scorer> {
    let head = engines.load(bundle.head(), "head")?;
    let step = bundle.content(FileRole::Step).map(StepModel::from_onnx).transpose()?;
    Scorer::new(head, step.map(StepHead::new))
}

/// One camera, from source to decision.
pub struct Pipeline {
    /// The model's id.
    id: String,
    feed: Feed,
    scorer: Scorer,
    alarm: Alarm,
    row: Vec<f32>,
    end_ns: u64,
    /// How long the last score took.
    scoring: Duration,
    second: Option<Second>,
    /// Whether an alarm may be raised.
    armed: bool,
}

impl Pipeline {
    /// Join an opened source to a verified bundle.
    ///
    /// # Errors
    /// When a graph does not load, or the features of a recording are of another contract than the model's.
    pub fn new(source: Opened, bundle: &Bundle, engines: &Engines, over: &RuleOverrides) -> Result<Self> {
        let scorer = scorer(bundle, engines)?;
        let contract = &bundle.manifest.contract;
        let feed = match source {
            Opened::Frames(frames) => {
                let engine = engines.load(bundle.require_extractor()?, "extractor")?;
                Feed::frames(frames, Extractor::new(engine, contract.clone())?)?
            }
            Opened::Rows(rows) => {
                rows.check_contract(contract)?;
                Feed::rows(rows)
            }
        };
        let alarm = Alarm::new(alarm_rule(&bundle.manifest, over));
        let id = bundle.id.clone();
        Ok(Self {
            id,
            feed,
            scorer,
            alarm,
            row: Vec::new(),
            end_ns: 0,
            scoring: Duration::ZERO,
            second: None,
            armed: true,
        })
    }

    /// The alarm and its rule.
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// Whether alarms may be raised from the next segment on; scores go on all the same. One that is on ends.
    pub fn arm(&mut self, armed: bool) -> Option<Decision> {
        self.armed = armed;
        if armed { None } else { self.alarm.disarm(self.end_ns) }
    }

    /// The stream broke: an alarm that is on ends.
    pub fn interrupt(&mut self) -> Option<Decision> {
        self.alarm.interrupt(self.end_ns)
    }

    /// Look at one clip in `every` from now on; 1 looks at all of them. A segment that is not looked at takes the row of the
    /// one before, so that the window is as long as ever and each score means what it always means. It decides nothing:
    /// only what was looked at raises or ends an alarm, and the time between counts for the alarm's minimum length.
    pub fn look_at_one_in(&mut self, every: u32) {
        self.feed.look_at_one_in(every);
    }

    /// The id of the model that decides.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How long the model took for the last segment that was looked at, from clip to score.
    pub fn took(&self) -> Duration {
        self.feed.took() + self.scoring
    }

    /// The model that scores along, and decides nothing.
    pub fn second(&self) -> Option<&Second> {
        self.second.as_ref()
    }

    /// Let another model score along from now on, or none. It must see the same clips ([`second::check_same_clips`]); rows that were
    /// recorded are seen by one model alone.
    pub fn set_second(&mut self, second: Option<Second>) {
        self.second = second.filter(|_| matches!(self.feed, Feed::Frames { .. }));
    }

    /// Let the second model score the clip of the last segment, and say how long that took. `None` when there is none, or nothing to look
    /// at yet.
    ///
    /// # Errors
    /// When it fails, or its score is not a score.
    pub fn score_second(&mut self, held: bool) -> Result<Option<(f32, Duration)>> {
        match (&mut self.second, self.feed.clip()) {
            (Some(second), Some((clip, _))) => second.score(clip, held),
            _ => Ok(None),
        }
    }

    /// Let the model of this id decide from the next segment on. The one that decided until now scores along.
    ///
    /// # Errors
    /// Of kind `Unavailable` when it is neither of the two here.
    pub fn lead(&mut self, id: &str) -> Result<()> {
        if self.id == id {
            return Ok(());
        }
        let Some(second) = self.second.as_mut().filter(|second| second.id == id) else {
            return Err(Error::unavailable(
                "model",
                "another is to decide here",
                "the camera is started again with it",
            ));
        };
        let Second { id, extractor, background, scorer, rule, seen, .. } = second;
        std::mem::swap(&mut self.id, id);
        std::mem::swap(&mut self.scorer, scorer);
        self.feed.exchange(extractor, background, seen);
        *rule = self.alarm.follow(*rule);
        Ok(())
    }

    /// The features of the last segment, `[D]`; empty before the first.
    pub fn row(&self) -> &[f32] {
        &self.row
    }

    /// The feed, for pictures of the last clip.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Take in one segment.
    ///
    /// # Errors
    /// When the source ends in failure, the engine fails, or the score is not a score.
    pub fn step(&mut self) -> Result<Step> {
        match self.feed.next_row(&mut self.row)? {
            Fed::Row(segment) => {
                self.end_ns = segment.end_ns;
                let begun = Instant::now();
                let score = self.scorer.score(&self.row)?;
                self.scoring = begun.elapsed();
                if self.scorer.segments() == 1 {
                    // Every buffer has its size now; what loading and first runs left between them is free.
                    memory::give_back();
                }
                let decision = if !self.armed {
                    None
                } else if segment.held {
                    self.alarm.hold();
                    None
                } else {
                    self.alarm.judge(score, self.scorer.segments(), segment.end_ns)
                };
                Ok(Step::Scored { segment, score, decision })
            }
            Fed::Gap { reason } => {
                self.scorer.restart();
                self.second.iter_mut().for_each(Second::restart);
                Ok(Step::Gap { reason, decision: self.alarm.interrupt(self.end_ns) })
            }
            Fed::End => Ok(Step::End { decision: self.alarm.interrupt(self.end_ns) }),
        }
    }
}

#[cfg(test)]
mod tests;
