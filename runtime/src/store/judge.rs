//! Whether a candidate stands its trial: what was seen of it comes in, with the time; a [`Verdict`] goes out. Pure: no disk, no
//! clock, nothing allocated but a failure's reason.
//!
//! One judge sees all cameras of a run, in one stage ([`Stage::Shadow`](super::Stage) or [`Stage::Unconfirmed`](super::Stage)).
//! Its time runs only while segments come: cameras that are away prove nothing. Once it has failed it stays so.

use std::time::Duration;

use firmware_config::config::Trial;

use super::drift::Drift;
use super::state::Evidence;

/// Between two segments more than this does not count as time on trial.
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// On a quiet road a good model may give one score for so long; a stuck one gives it for longer.
const STUCK_SEGMENTS_MIN: u32 = 64;
/// Length of a live segment.
const SEGMENT_S: f32 = 0.64;

/// What a candidate must keep to.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How long the shadow and, again, the time until confirmation last.
    pub stage_time: Duration,
    /// Segments that must be scored in each, whatever the time.
    pub segments_min: u32,
    /// The longest that a segment may take from clip to score, proof included.
    pub latency_max: Duration,
    /// How many of any 64 segments in a row may take longer.
    pub late_of_64_max: u32,
    /// What a candidate may add to the resident memory in its proof, in megabytes of 10^6 bytes.
    pub memory_mb_max: f32,
    /// Resident memory of the whole process, in megabytes, while on trial.
    pub resident_mb_max: f32,
    /// How far the scores' distribution may lie from the present model's: see [`Drift`].
    pub drift_max: f32,
}

impl Default for Limits {
    /// Ten minutes each; a segment of .64 s scored in time; what a board of 512 MB for the service can give.
    fn default() -> Self {
        Self {
            stage_time: Duration::from_mins(10),
            segments_min: 256,
            latency_max: Duration::from_millis(600),
            late_of_64_max: 6,
            memory_mb_max: 200.0,
            resident_mb_max: 450.0,
            drift_max: 0.15,
        }
    }
}

impl From<&Trial> for Limits {
    /// As a config has them.
    fn from(trial: &Trial) -> Self {
        let Self { stage_time, segments_min, latency_max, late_of_64_max, memory_mb_max, resident_mb_max, drift_max } =
            Self::default();
        let seconds = |seconds: f32| Duration::from_secs_f32(seconds.clamp(0.0, 1e6));
        let stage_time = trial.stage_s.map_or(stage_time, seconds);
        Self {
            stage_time,
            // A short trial wants most of what one camera gives in it.
            segments_min: segments_min.min((stage_time.as_secs_f32() / SEGMENT_S * 0.75) as u32),
            latency_max: trial.segment_ms.map_or(latency_max, |ms| seconds(ms / 1e3)),
            late_of_64_max,
            memory_mb_max: trial.memory_mb.unwrap_or(memory_mb_max),
            resident_mb_max: trial.resident_mb.unwrap_or(resident_mb_max),
            drift_max: trial.drift.unwrap_or(drift_max),
        }
    }
}

impl Limits {
    /// Whether a proof's figures keep to the budgets; why not, if they do not.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn allow(&self, evidence: &Evidence) -> Result<(), String> {
        let latency_max_ms = self.latency_max.as_secs_f32() * 1e3;
        let over = |figure: f32, most: f32| figure.is_nan() || figure > most;
        if over(evidence.segment_ms, latency_max_ms) {
            return Err(format!(
                "a segment takes it {:.0} ms here, of at most {latency_max_ms:.0}",
                evidence.segment_ms
            ));
        }
        if over(evidence.memory_mb, self.memory_mb_max) {
            let Self { memory_mb_max, .. } = self;
            return Err(format!("it takes {:.0} MB of memory here, of at most {memory_mb_max:.0}", evidence.memory_mb));
        }
        Ok(())
    }
}

/// A segment that was scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The candidate's score and its threshold.
    pub candidate: (f32, f32),
    /// The present model's, or, after the switch, the one's before, as long as it scores along; absent when it does not.
    pub present: Option<(f32, f32)>,
    /// How long the candidate took, from clip to score.
    pub took: Duration,
}

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Wait,
    /// The stage's time is over and all was well.
    Passed,
    /// It failed, and why.
    Failed(String),
}

/// Sees a candidate through one stage.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    last: Option<Duration>,
    watched: Duration,
    segments: u32,
    /// Of the last 64 segments, a bit for each that took too long.
    late: u64,
    drift: Drift,
    failed: Option<String>,
}

impl Judge {
    /// One that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        let drift = Drift::default();
        Self { limits, last: None, watched: Duration::ZERO, segments: 0, late: 0, drift, failed: None }
    }

    /// A segment was scored at `now`, on any clock that only rises.
    pub fn segment(&mut self, now: Duration, scored: &Scored) -> Verdict {
        let (score, threshold) = scored.candidate;
        if !(0.0..=1.0).contains(&score) {
            return self.fail(format!("it gave {score}, which is no score"));
        }
        let since = self.last.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
        self.watched += since.min(PAUSE_MAX);
        self.segments = self.segments.saturating_add(1);
        self.late = self.late << 1 | u64::from(scored.took > self.limits.latency_max);
        let late = self.late.count_ones();
        if late > self.limits.late_of_64_max {
            let allowed_ms = self.limits.latency_max.as_millis();
            return self.fail(format!("{late} of the last 64 segments took it longer than {allowed_ms} ms"));
        }
        // One camera's failure is not the candidate's: a present score that is none is left out.
        if let Some(present) = scored.present.filter(|(score, _)| (0.0..=1.0).contains(score)) {
            self.drift.count((score, threshold), present);
        }
        self.verdict()
    }

    /// This is the process's resident memory now, in megabytes of 10^6 bytes.
    pub fn memory(&mut self, resident_mb: f32) -> Verdict {
        let most = self.limits.resident_mb_max;
        if resident_mb > most {
            return self.fail(format!("the process takes {resident_mb:.0} MB of memory with it, of at most {most:.0}"));
        }
        self.verdict()
    }

    /// The candidate failed or panicked.
    pub fn fault(&mut self, reason: impl Into<String>) -> Verdict {
        self.fail(reason.into())
    }

    /// What it says now.
    pub fn verdict(&mut self) -> Verdict {
        if let Some(reason) = &self.failed {
            return Verdict::Failed(reason.clone());
        }
        let Limits { stage_time, segments_min, drift_max, .. } = self.limits;
        let enough = self.drift.segments() >= segments_min;
        if enough && self.drift.distance() > drift_max {
            let share = self.drift.distance() * 100.0;
            return self.fail(format!(
                "its scores drift from those of the model before: {share:.0} % of the segments lie elsewhere about the threshold"
            ));
        }
        if self.watched < stage_time || self.segments < segments_min {
            return Verdict::Wait;
        }
        if self.drift.segments() >= STUCK_SEGMENTS_MIN && self.drift.stuck() {
            return self.fail("it gives the same score whatever it sees".into());
        }
        Verdict::Passed
    }

    /// Time on trial so far, and segments seen.
    pub fn progress(&self) -> (Duration, u32) {
        (self.watched, self.segments)
    }

    fn fail(&mut self, reason: String) -> Verdict {
        Verdict::Failed(self.failed.get_or_insert(reason).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { stage_time: Duration::from_mins(1), segments_min: 64, ..Limits::default() }
    }

    fn good(n: u64) -> Scored {
        let wave = 0.01 + 0.001 * (n % 7) as f32;
        Scored { candidate: (wave, 0.5), present: Some((wave * 2.0, 0.4)), took: Duration::from_millis(100) }
    }

    /// The first verdict that is not to wait, and the segment that it came at.
    fn until(scored: impl Fn(u64) -> Scored) -> Option<(u64, Verdict)> {
        let mut judge = Judge::new(limits());
        (0..500).find_map(|n| match judge.segment(Duration::from_millis(640 * n), &scored(n)) {
            Verdict::Wait => None,
            other => Some((n, other)),
        })
    }

    fn fails(scored: impl Fn(u64) -> Scored) -> (u64, String) {
        match until(scored) {
            Some((n, Verdict::Failed(reason))) => (n, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_candidate_passes_when_its_time_is_over() {
        assert_eq!(until(good), Some((94, Verdict::Passed)));
    }

    #[test]
    fn what_is_no_score_fails_at_once() {
        for score in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            let (n, reason) = fails(|n| if n == 5 { Scored { candidate: (score, 0.5), ..good(n) } } else { good(n) });
            assert_eq!((n, reason), (5, format!("it gave {score}, which is no score")));
        }
    }

    #[test]
    fn one_late_segment_is_forgiven_and_many_are_not() {
        let late = |n| Scored { took: Duration::from_secs(1), ..good(n) };
        assert_eq!(until(|n| if n % 16 == 0 { late(n) } else { good(n) }), Some((94, Verdict::Passed)));
        let (n, reason) = fails(|n| if n % 2 == 0 { late(n) } else { good(n) });
        assert_eq!((n, reason.as_str()), (12, "7 of the last 64 segments took it longer than 600 ms"));
    }

    #[test]
    fn one_that_alarms_much_more_often_drifts() {
        let hot = |n| Scored { candidate: (if n % 3 == 0 { 0.9 } else { 0.01 }, 0.5), ..good(n) };
        let (n, reason) = fails(hot);
        assert_eq!(n, 63, "as soon as there is enough to judge by");
        assert!(reason.contains("34 %"), "{reason}");
    }

    #[test]
    fn one_that_is_stuck_fails_at_the_end() {
        let (n, reason) = fails(|n| Scored { candidate: (0.02, 0.5), ..good(n) });
        assert_eq!((n, reason.as_str()), (94, "it gives the same score whatever it sees"));
    }

    #[test]
    fn time_without_segments_does_not_count_and_clocks_that_jump_back_do_no_harm() {
        let mut judge = Judge::new(limits());
        for (n, at) in [0, 1_000, 5, 1_001].into_iter().enumerate() {
            assert_eq!(judge.segment(Duration::from_secs(at), &good(n as u64)), Verdict::Wait);
        }
        assert_eq!(judge.progress(), (Duration::from_secs(4), 4));
    }

    #[test]
    fn memory_and_faults_fail_and_a_failure_stays() {
        let mut judge = Judge::new(limits());
        assert_eq!(judge.memory(100.0), Verdict::Wait);
        let failed = judge.memory(1000.0);
        assert_eq!(failed, Verdict::Failed("the process takes 1000 MB of memory with it, of at most 450".into()));
        assert_eq!(judge.fault("and more"), failed);
        assert_eq!(judge.segment(Duration::from_secs(1), &good(1)), failed);
        assert_eq!(Judge::new(limits()).fault("it panicked"), Verdict::Failed("it panicked".into()));
    }

    #[test]
    fn without_a_model_to_compare_with_the_rest_is_still_judged() {
        assert_eq!(until(|n| Scored { present: None, ..good(n) }), Some((94, Verdict::Passed)));
    }

    #[test]
    fn budgets_of_the_proof() {
        let fine = Evidence { difference: 0.0, segment_ms: 600.0, memory_mb: 200.0 };
        assert_eq!(limits().allow(&fine), Ok(()));
        for worse in [
            Evidence { segment_ms: 601.0, ..fine },
            Evidence { segment_ms: f32::NAN, ..fine },
            Evidence { memory_mb: 201.0, ..fine },
            Evidence { memory_mb: f32::NAN, ..fine },
        ] {
            assert!(limits().allow(&worse).is_err(), "{worse:?}");
        }
    }
}
