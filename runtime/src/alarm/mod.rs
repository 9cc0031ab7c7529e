//! Scores in, decisions out: threshold with hysteresis, minimum length, cool-down. Pure; time comes in as a value.
//!
//! ```text
//!            score >= threshold             for min_length            score < release
//!   idle  ───────────────────────▶ pending ───────────────▶ alarm ───────────────────▶ cooling ──(cool_down)──▶ idle
//!     ▲         score < release       │
//!     └───────────────────────────────┘
//! ```
//!
//! [`duty`] says whether it is wanted now, by [`schedule`], mute and test mode.

pub mod duty;
pub mod schedule;

/// When an alarm is raised and when it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlarmRule {
    /// A score of at least this may raise an alarm, 0..=1.
    pub threshold: f32,
    /// An alarm ends when the score falls below this; at most `threshold`.
    pub release: f32,
    /// Segments in a row (none below `release`) that it takes to raise an alarm, at least 1.
    pub min_length: u32,
    /// Time after an alarm in which no new one is raised, nanoseconds.
    pub cool_down_ns: u64,
    /// Segments that the window must hold before a score may raise an alarm.
    pub min_segments: usize,
}

/// What changed with a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// The alarm is on from `at_ns`.
    Raised {
        /// End of the segment that raised it.
        at_ns: u64,
    },
    /// The alarm is off from `at_ns`.
    Cleared {
        /// End of the segment that cleared it.
        at_ns: u64,
        /// Highest score while pending or on.
        peak: f32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Idle,
    Pending { count: u32, peak: f32 },
    On { peak: f32 },
    Cooling { until_ns: u64 },
}

/// The alarm of one camera.
#[derive(Clone, Debug)]
pub struct Alarm {
    rule: AlarmRule,
    state: State,
}

impl Alarm {
    /// An alarm that is off.
    pub fn new(rule: AlarmRule) -> Self {
        Self { rule, state: State::Idle }
    }

    /// The rule it follows.
    pub fn rule(&self) -> &AlarmRule {
        &self.rule
    }

    /// Follow another rule from the next segment on, which is returned in exchange; an alarm that is on goes on.
    pub fn follow(&mut self, rule: AlarmRule) -> AlarmRule {
        std::mem::replace(&mut self.rule, rule)
    }

    /// True while the alarm is on.
    pub fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// Judge the score of the segment that ended at `end_ns`, when the window holds `segments` segments.
    pub fn judge(&mut self, score: f32, segments: usize, end_ns: u64) -> Option<Decision> {
        if let State::Cooling { until_ns } = self.state
            && end_ns >= until_ns
        {
            self.state = State::Idle;
        }
        match self.state {
            State::Cooling { .. } => None,
            State::Idle => {
                if score < self.rule.threshold || segments < self.rule.min_segments {
                    return None;
                }
                self.count(1, score, end_ns)
            }
            State::Pending { count, peak } => {
                if score < self.rule.release {
                    self.state = State::Idle;
                    return None;
                }
                self.count(count + 1, peak.max(score), end_ns)
            }
            State::On { peak } => {
                if score < self.rule.release {
                    return Some(self.clear(peak, end_ns));
                }
                self.state = State::On { peak: peak.max(score) };
                None
            }
        }
    }

    /// A segment passed that nobody looked at: it decides nothing, and counts for the minimum length if what is looked at
    /// next goes on.
    pub fn hold(&mut self) {
        if let State::Pending { count, .. } = &mut self.state {
            *count = count.saturating_add(1);
        }
    }

    /// The stream broke or ended at `at_ns`: an alarm that is on ends, a pending one is forgotten.
    pub fn interrupt(&mut self, at_ns: u64) -> Option<Decision> {
        match self.state {
            State::On { peak } => Some(self.clear(peak, at_ns)),
            State::Pending { .. } => {
                self.state = State::Idle;
                None
            }
            State::Idle | State::Cooling { .. } => None,
        }
    }

    /// No alarm is wanted from now on: one that is on ends at `at_ns`, and nothing that was before hinders the next.
    pub fn disarm(&mut self, at_ns: u64) -> Option<Decision> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::On { peak } => Some(Decision::Cleared { at_ns, peak }),
            _ => None,
        }
    }

    fn count(&mut self, count: u32, peak: f32, at_ns: u64) -> Option<Decision> {
        if count >= self.rule.min_length {
            self.state = State::On { peak };
            return Some(Decision::Raised { at_ns });
        }
        self.state = State::Pending { count, peak };
        None
    }

    fn clear(&mut self, peak: f32, at_ns: u64) -> Decision {
        self.state = State::Cooling { until_ns: at_ns.saturating_add(self.rule.cool_down_ns) };
        Decision::Cleared { at_ns, peak }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: AlarmRule = AlarmRule { threshold: 0.8, release: 0.5, min_length: 2, cool_down_ns: 3, min_segments: 4 };

    fn run(scores: &[f32]) -> Vec<(usize, Decision)> {
        let mut alarm = Alarm::new(RULE);
        scores.iter().enumerate().filter_map(|(t, &s)| Some((t, alarm.judge(s, t + 1, t as u64)?))).collect()
    }

    #[test]
    fn one_high_segment_is_not_an_alarm() {
        assert_eq!(run(&[0.0, 0.0, 0.0, 0.9, 0.4, 0.9, 0.1]), vec![]);
    }

    #[test]
    fn hysteresis_holds_the_alarm_and_the_peak_is_kept() {
        assert_eq!(
            run(&[0.0, 0.0, 0.0, 0.9, 0.6, 0.95, 0.5, 0.49]),
            vec![(4, Decision::Raised { at_ns: 4 }), (7, Decision::Cleared { at_ns: 7, peak: 0.95 })]
        );
    }

    #[test]
    fn a_window_that_fills_raises_nothing() {
        assert_eq!(run(&[1.0, 1.0, 1.0]), vec![]);
        assert_eq!(run(&[1.0, 1.0, 1.0, 1.0, 1.0]), vec![(4, Decision::Raised { at_ns: 4 })]);
    }

    #[test]
    fn after_an_alarm_it_cools_down() {
        let scores = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        let raised: Vec<_> = run(&scores).into_iter().map(|(t, _)| t).collect();
        assert_eq!(raised, vec![4, 5, 9], "cleared at 5, idle again at 8, two segments to raise");
    }

    #[test]
    fn an_interrupted_alarm_ends() {
        let mut alarm = Alarm::new(AlarmRule { min_length: 1, min_segments: 1, ..RULE });
        assert_eq!(alarm.judge(0.9, 9, 1), Some(Decision::Raised { at_ns: 1 }));
        assert_eq!(alarm.interrupt(2), Some(Decision::Cleared { at_ns: 2, peak: 0.9 }));
        assert_eq!(alarm.interrupt(3), None);
    }

    #[test]
    fn a_disarmed_alarm_ends_and_may_be_raised_at_once() {
        let mut alarm = Alarm::new(AlarmRule { min_length: 1, min_segments: 1, cool_down_ns: 1000, ..RULE });
        assert_eq!(alarm.judge(0.9, 9, 1), Some(Decision::Raised { at_ns: 1 }));
        assert_eq!(alarm.disarm(2), Some(Decision::Cleared { at_ns: 2, peak: 0.9 }));
        assert_eq!(alarm.disarm(3), None);
        assert_eq!(alarm.judge(0.9, 9, 4), Some(Decision::Raised { at_ns: 4 }), "no cool-down");
    }

    #[test]
    fn what_nobody_looked_at_decides_nothing_and_counts_as_time() {
        // `None`: nobody looked.
        let run = |scores: &[Option<f32>]| {
            let mut alarm = Alarm::new(AlarmRule { min_length: 4, min_segments: 1, ..RULE });
            let mut judge = |t: usize, score: &Option<f32>| {
                if let Some(score) = score {
                    alarm.judge(*score, t + 1, t as u64)
                } else {
                    alarm.hold();
                    None
                }
            };
            scores.iter().enumerate().filter_map(|(t, score)| Some((t, judge(t, score)?))).collect::<Vec<_>>()
        };
        let high = Some(0.9);
        assert_eq!(run(&[high, None, None, None, None, None, None, None]), [], "one look is no alarm");
        assert_eq!(run(&[high, None, high, None, high]), [(4, Decision::Raised { at_ns: 4 })]);
        assert_eq!(run(&[high, None, None, None, high, None, Some(0.1)]).len(), 2, "raised at 4, cleared at 6");
        assert_eq!(run(&[high, None, Some(0.1), None, high, None]), [], "it fell in between");
    }

    proptest! {
        #[test]
        fn raised_and_cleared_alternate(scores in prop::collection::vec(0f32..1.0, 0..200)) {
            let mut on = false;
            for (_, decision) in run(&scores) {
                let raised = matches!(decision, Decision::Raised { .. });
                prop_assert_ne!(raised, on);
                on = raised;
            }
        }
    }
}
