//! Whether a camera's scores can be relied upon. Pure: events and the time go in, a change of state comes out.
//!
//! ```text
//!        gap · stage failed · score not finite · no frame for 2 s (live) · output fault
//!   ok ─────────────────────────────────────────────────────────────────────────────────▶ degraded
//!      ◀───────────────────────────────────────────────────────────────────────────────
//!        a frame came and a score that is finite was made since; outputs without fault
//! ```
//!
//! Between them is "reduced": all is well, but fewer clips are looked at, to spare a hot board ([`shedding`]) or because the
//! processor is too slow for all of them.
//!
//! "Degraded" is the promise that a silent alarm is not taken for a quiet road: an engine that fails never looks like
//! "nothing happens".

pub mod calendar;
pub mod clock;
pub mod date;
pub mod sensors;
pub mod shedding;
pub mod supervision;
pub mod systemd;

use std::time::Duration;

pub use clock::{Clock, SimClock, SystemClock};

use crate::output::{HealthEvent, HealthState};
use crate::{Error, ErrorKind};

/// A live source without a frame for longer than this is degraded.
pub const FRAME_SILENCE_MAX: Duration = Duration::from_secs(2);

/// A processor that was too slow for a clip is called so for this long.
pub const LATE_MEMORY: Duration = Duration::from_secs(10);

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Frames taken from the source.
    pub frames: u64,
    /// Frames that a live source dropped.
    pub frames_dropped: u64,
    /// Gaps that the source reported.
    pub gaps: u64,
    /// Segments scored.
    pub scores: u64,
    /// Those of them that nobody looked at, to shed load.
    pub segments_held: u64,
    /// Alarms.
    pub alarms: u64,
    /// Scores that were not finite.
    pub scores_not_finite: u64,
    /// Errors, by kind.
    pub errors: ErrorCounters,
}

/// Errors counted by [`ErrorKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ErrorCounters {
    /// [`ErrorKind::InvalidInput`].
    pub invalid_input: u64,
    /// [`ErrorKind::Corrupt`].
    pub corrupt: u64,
    /// [`ErrorKind::Untrusted`].
    pub untrusted: u64,
    /// [`ErrorKind::Unavailable`].
    pub unavailable: u64,
    /// [`ErrorKind::NoRoom`].
    pub no_room: u64,
    /// [`ErrorKind::Failed`].
    pub failed: u64,
    /// [`ErrorKind::Panicked`].
    pub panicked: u64,
}

impl ErrorCounters {
    fn count(&mut self, kind: ErrorKind) {
        *match kind {
            ErrorKind::InvalidInput => &mut self.invalid_input,
            ErrorKind::Corrupt => &mut self.corrupt,
            ErrorKind::Untrusted => &mut self.untrusted,
            ErrorKind::Unavailable => &mut self.unavailable,
            ErrorKind::NoRoom => &mut self.no_room,
            ErrorKind::Failed => &mut self.failed,
            ErrorKind::Panicked => &mut self.panicked,
        } += 1;
    }
}

/// The health of one camera.
#[derive(Clone, Debug)]
pub struct Health {
    camera: String,
    live: bool,
    last_frame: Duration,
    /// Why frames do not flow.
    stream: Option<String>,
    /// Why scores do not flow.
    score: Option<String>,
    /// Why an output does not work.
    output: Option<String>,
    /// Why fewer clips are looked at.
    load: Option<String>,
    /// When a clip was last not looked at.
    held_at: Option<Duration>,
    /// That was lately, and not to shed load.
    late: bool,
    told: Option<String>,
    last_score: Option<f32>,
    counters: Counters,
}

impl Health {
    /// A camera that is well at `now`. `live`: silence is an illness.
    pub fn new(camera: impl Into<String>, live: bool, now: Duration) -> Self {
        Self {
            camera: camera.into(),
            live,
            last_frame: now,
            stream: None,
            score: None,
            output: None,
            load: None,
            held_at: None,
            late: false,
            told: None,
            last_score: None,
            counters: Counters::default(),
        }
    }

    /// A frame came; the source has dropped `dropped` so far.
    pub fn frame(&mut self, now: Duration, dropped: u64) {
        self.counters.frames += 1;
        self.counters.frames_dropped = dropped;
        self.last_frame = now;
        self.stream = None;
    }

    /// The source lost frames.
    pub fn gap(&mut self, reason: &str) {
        self.counters.gaps += 1;
        self.stream = Some(reason.to_owned());
    }

    /// A segment was scored. A score that is not finite is an illness, never "normal".
    pub fn score(&mut self, score: f32) {
        self.counters.scores += 1;
        self.last_score = Some(score);
        if score.is_finite() {
            self.score = None;
        } else {
            self.counters.scores_not_finite += 1;
            self.score = Some(format!("the score is {score}"));
        }
    }

    /// The segment that was scored last was not looked at.
    pub fn held(&mut self, now: Duration) {
        self.counters.segments_held += 1;
        self.held_at = Some(now);
    }

    /// An alarm begins; its number, from 1.
    pub fn alarm(&mut self) -> u64 {
        self.counters.alarms += 1;
        self.counters.alarms
    }

    /// A stage failed, or could not be started: nothing is scored until the next score.
    pub fn failed(&mut self, error: &Error) {
        self.counters.errors.count(error.kind);
        self.score = Some(error.to_string());
    }

    /// What is wrong with the outputs now, if anything.
    pub fn outputs(&mut self, fault: Option<String>) {
        self.output = fault;
    }

    /// Why fewer clips are looked at now than usual, if they are.
    pub fn load(&mut self, reason: Option<&str>) {
        if self.load.as_deref() != reason {
            self.load = reason.map(str::to_owned);
            self.held_at = None;
        }
    }

    /// Look at the clock, and tell of a change since the last call. To be called after every event and, on a live
    /// camera, at least once a second.
    pub fn check(&mut self, now: Duration) -> Option<HealthEvent> {
        let silence = now.saturating_sub(self.last_frame);
        // A stage that has failed says why there is no frame.
        if self.live && self.stream.is_none() && self.score.is_none() && silence > FRAME_SILENCE_MAX {
            self.stream = Some(format!("no frame for more than {} s", FRAME_SILENCE_MAX.as_secs()));
        }
        self.late = self.load.is_none() && self.held_at.is_some_and(|at| now.saturating_sub(at) <= LATE_MEMORY);
        let reason = self.reason().map(str::to_owned);
        if reason == self.told {
            return None;
        }
        self.told = reason;
        Some(self.event())
    }

    /// Whether silence is an illness.
    pub fn live(&self) -> bool {
        self.live
    }

    /// The camera's name.
    pub fn camera(&self) -> &str {
        &self.camera
    }

    /// True when a segment was scored lately: the camera would be missed.
    pub fn scores(&self, now: Duration) -> bool {
        self.counters.scores > 0 && now.saturating_sub(self.last_frame) <= systemd::SCORE_MAX
    }

    /// What is not as it should be, the worst first; `None` when all is well.
    pub fn reason(&self) -> Option<&str> {
        let late = self.late.then_some("the processor is too slow to look at every clip");
        self.illness().or(self.load.as_deref()).or(late)
    }

    /// How it is.
    pub fn state(&self) -> HealthState {
        match (self.illness(), self.reason()) {
            (Some(_), _) => HealthState::Degraded,
            (None, Some(_)) => HealthState::Reduced,
            (None, None) => HealthState::Ok,
        }
    }

    fn illness(&self) -> Option<&str> {
        self.stream.as_deref().or(self.score.as_deref()).or(self.output.as_deref())
    }

    /// The present state as an event.
    pub fn event(&self) -> HealthEvent {
        HealthEvent {
            camera: self.camera.clone(),
            state: self.state(),
            reason: self.reason().unwrap_or_default().to_owned(),
        }
    }

    /// The score of the newest segment.
    pub fn last_score(&self) -> Option<f32> {
        self.last_score
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn state(event: Option<HealthEvent>) -> Option<(HealthState, String)> {
        event.map(|e| (e.state, e.reason))
    }

    #[test]
    fn a_live_camera_that_falls_silent_is_degraded_until_a_frame_comes() {
        let mut health = Health::new("a", true, s(0.0));
        health.frame(s(1.0), 0);
        assert_eq!(health.check(s(3.0)), None);
        let (now, reason) = state(health.check(s(3.1))).unwrap();
        assert_eq!(now, HealthState::Degraded);
        assert!(reason.contains("no frame"), "{reason}");
        assert_eq!(health.check(s(4.0)), None, "told once");
        health.frame(s(9.0), 3);
        assert_eq!(state(health.check(s(9.0))).unwrap().0, HealthState::Ok);
        assert_eq!((health.counters().frames, health.counters().frames_dropped), (2, 3));
    }

    #[test]
    fn a_recording_may_be_slow() {
        let mut health = Health::new("a", false, s(0.0));
        assert_eq!(health.check(s(100.0)), None);
    }

    #[test]
    fn a_score_that_is_not_finite_or_an_engine_that_fails_is_never_normal() {
        for break_it in [
            (|h: &mut Health| h.score(f32::NAN)) as fn(&mut Health),
            |h| h.score(f32::INFINITY),
            |h| h.failed(&Error::failed("head", "blew up", "restart")),
        ] {
            let mut health = Health::new("a", true, s(0.0));
            break_it(&mut health);
            assert_eq!(health.check(s(0.1)).unwrap().state, HealthState::Degraded);
            health.frame(s(0.2), 0);
            assert_eq!(health.check(s(0.2)), None, "frames alone do not heal an engine");
            health.score(0.1);
            assert_eq!(health.check(s(0.3)).unwrap().state, HealthState::Ok);
        }
    }

    #[test]
    fn a_gap_degrades_and_frames_heal_it() {
        let mut health = Health::new("a", true, s(0.0));
        health.gap("camera gone");
        assert_eq!(state(health.check(s(0.0))), Some((HealthState::Degraded, "camera gone".into())));
        health.frame(s(0.5), 0);
        assert_eq!(health.check(s(0.5)).unwrap().state, HealthState::Ok);
        assert_eq!(health.counters().gaps, 1);
    }

    #[test]
    fn a_fault_of_an_output_is_told_with_its_reason() {
        let mut health = Health::new("a", true, s(0.0));
        health.outputs(Some("journal: disk full".into()));
        assert_eq!(state(health.check(s(0.0))), Some((HealthState::Degraded, "journal: disk full".into())));
        health.outputs(None);
        assert_eq!(health.check(s(0.0)).unwrap().state, HealthState::Ok);
    }

    #[test]
    fn failures_are_counted_by_kind_and_alarms_numbered() {
        let mut health = Health::new("a", true, s(0.0));
        health.failed(&Error::unavailable("x", "y", "z"));
        health.failed(&Error::new(ErrorKind::Panicked, "x", "y", "z"));
        let errors = ErrorCounters { unavailable: 1, panicked: 1, ..ErrorCounters::default() };
        assert_eq!((health.counters().errors, health.alarm(), health.alarm()), (errors, 1, 2));
        assert_eq!(state(health.check(s(9.0))).unwrap().1, "x: y; z", "why there is no frame, not that there is none");
    }

    #[test]
    fn load_that_is_shed_is_told_and_is_no_illness() {
        let mut health = Health::new("a", true, s(0.0));
        health.load(Some("hot"));
        assert_eq!(state(health.check(s(0.0))), Some((HealthState::Reduced, "hot".into())));
        health.outputs(Some("journal: disk full".into()));
        assert_eq!(health.check(s(0.0)).unwrap().state, HealthState::Degraded, "the worst is told");
        health.outputs(None);
        assert_eq!(health.check(s(0.0)).unwrap().state, HealthState::Reduced);
        health.load(None);
        assert_eq!(health.check(s(0.0)).unwrap().state, HealthState::Ok);
    }

    #[test]
    fn a_processor_that_is_too_slow_is_told_until_it_was_not_for_a_while() {
        let mut health = Health::new("a", false, s(0.0));
        health.held(s(1.0));
        let (now, reason) = state(health.check(s(1.0))).unwrap();
        assert!(now == HealthState::Reduced && reason.contains("too slow"), "{reason}");
        health.held(s(8.0));
        assert_eq!(health.check(s(18.0)), None);
        assert_eq!(health.check(s(18.1)).unwrap().state, HealthState::Ok);
        health.load(Some("hot"));
        health.held(s(20.0));
        assert_eq!(state(health.check(s(20.0))).unwrap().1, "hot");
        health.load(None);
        assert_eq!(health.check(s(20.5)).unwrap().state, HealthState::Ok, "what was shed was shed on purpose");
    }

    #[test]
    fn a_camera_scores_from_its_first_score_until_it_is_silent() {
        let mut health = Health::new("a", true, s(0.0));
        assert!(!health.scores(s(0.0)));
        health.frame(s(1.0), 0);
        health.score(0.5);
        assert!(health.scores(s(2.0)) && !health.scores(s(1.0) + systemd::SCORE_MAX + s(0.1)));
    }
}
