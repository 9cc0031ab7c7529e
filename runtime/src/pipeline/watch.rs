//! A camera being watched: the pipeline's decisions become alarm events, told to the outputs at once and to health.
//! Live, replay and demo all watch through here; what they add is pace and pictures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firmware_config::config::Mode;

use super::{Pipeline, Step};
use crate::Result;
use crate::alarm::Decision;
use crate::alarm::duty::Duty;
use crate::features::Segment;
use crate::health::Health;
use crate::health::supervision::panics;
use crate::output::{AlarmEvent, Outputs, Phase};

/// Something shared between a camera's thread and those who look after it.
pub type Shared<T> = Arc<Mutex<T>>;

/// Lock, also when another holder panicked: outputs and health must go on.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one step of a watch saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A segment and its score.
    Segment(Segment, f32),
    /// Frames were lost.
    Gap(String),
    /// The recording is over.
    End,
}

/// One camera, its outputs and its health.
pub struct Watch {
    camera: String,
    pipeline: Pipeline,
    outputs: Shared<Outputs>,
    health: Shared<Health>,
    last: Segment,
    current: Option<AlarmEvent>,
    duty: Duty,
}

impl Watch {
    /// Watch `camera` through `pipeline`.
    pub fn new(
        camera: impl Into<String>,
        pipeline: Pipeline,
        outputs: Shared<Outputs>,
        health: Shared<Health>,
    ) -> Self {
        let camera = camera.into();
        Self { camera, pipeline, outputs, health, last: Segment::default(), current: None, duty: Duty::default() }
    }

    /// Look at one clip in `every` from now on, to shed load; see [`Pipeline::look_at_one_in`].
    pub fn look_at_one_in(&mut self, every: u32) {
        self.pipeline.look_at_one_in(every);
    }

    /// Whether alarms are wanted from the next segment on, and by whom. An alarm belongs to one duty: one that is on ends for those who
    /// were told of it, and goes on as another for those who are to be told now. The events are those of both.
    pub fn on_duty(&mut self, duty: Duty) -> Vec<AlarmEvent> {
        let former = std::mem::replace(&mut self.duty, duty);
        if former == duty {
            return Vec::new();
        }
        let disarmed = self.pipeline.arm(duty.mode != Mode::Off);
        if let Some(cleared) = disarmed {
            return vec![self.tell(cleared, 0.0)];
        }
        let Some(current) = &self.current else { return Vec::new() };
        let (at_ns, peak) = (self.last.end_ns, current.peak);
        vec![self.tell(Decision::Cleared { at_ns, peak }, 0.0), self.tell(Decision::Raised { at_ns }, peak)]
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Take in one segment at `now`; outputs are told before this returns. The event is that of an alarm which began
    /// or ended here.
    ///
    /// # Errors
    /// Those of the pipeline, and its panics, after an alarm that is on was ended. The pipeline is not to be used again.
    pub fn step(&mut self, now: Duration) -> Result<(Seen, Option<AlarmEvent>)> {
        let step = panics::caught(&self.camera, || self.pipeline.step());
        match step {
            Ok(Step::Scored { segment, score, decision }) => {
                self.last = segment;
                let dropped = self.pipeline.feed().dropped();
                let mut health = lock(&self.health);
                health.frame(now, dropped);
                health.score(score);
                if segment.held {
                    health.held(now);
                }
                drop(health);
                if let Some(current) = &mut self.current {
                    current.peak = current.peak.max(score);
                }
                Ok((Seen::Segment(segment, score), decision.map(|d| self.tell(d, score))))
            }
            Ok(Step::Gap { reason, decision }) => {
                lock(&self.health).gap(&reason);
                Ok((Seen::Gap(reason), decision.map(|d| self.tell(d, 0.0))))
            }
            Ok(Step::End { decision }) => Ok((Seen::End, decision.map(|d| self.tell(d, 0.0)))),
            Err(error) => {
                if let Some(decision) = self.pipeline.interrupt() {
                    self.tell(decision, 0.0);
                }
                Err(error)
            }
        }
    }

    /// The pipeline, to let a second model score along or to change which of two decides.
    pub fn pipeline_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    /// Let the second model score the last segment too: [`Pipeline::score_second`].
    ///
    /// # Errors
    /// Its own, and its panics; it is gone then, and the first goes on.
    pub fn score_second(&mut self, held: bool) -> Result<Option<(f32, Duration)>> {
        let scored = panics::caught(&self.camera, || self.pipeline.score_second(held));
        scored.inspect_err(|_| self.pipeline.set_second(None))
    }

    /// Nobody watches any longer: an alarm that is on ends, and outputs are told; the event is that of its end.
    pub fn interrupt(&mut self) -> Option<AlarmEvent> {
        self.pipeline.interrupt().map(|decision| self.tell(decision, 0.0))
    }

    fn tell(&mut self, decision: Decision, score: f32) -> AlarmEvent {
        let event = match (decision, self.current.take()) {
            (Decision::Cleared { at_ns, peak }, Some(begun)) => AlarmEvent {
                phase: Phase::Ended,
                segment: self.last.number,
                end_s: seconds(at_ns),
                last_frame: self.last.last_frame,
                peak: begun.peak.max(peak),
                ..begun
            },
            (Decision::Raised { at_ns } | Decision::Cleared { at_ns, .. }, _) => {
                let id = lock(&self.health).alarm();
                AlarmEvent {
                    phase: Phase::Started,
                    camera: self.camera.clone(),
                    id,
                    segment: self.last.number,
                    start_s: seconds(at_ns),
                    end_s: seconds(at_ns),
                    first_frame: self.last.last_frame,
                    last_frame: self.last.last_frame,
                    peak: score,
                    quiet: self.duty.mode == Mode::Quiet,
                    test: self.duty.test,
                }
            }
        };
        if event.phase == Phase::Started {
            self.current = Some(event.clone());
        }
        let mut outputs = lock(&self.outputs);
        let failures = outputs.alarm(&event);
        let fault = outputs.fault();
        drop(outputs);
        for e in &failures {
            log::error!("{}: {e}", self.camera);
        }
        lock(&self.health).outputs(fault);
        event
    }
}

fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1e3
}
