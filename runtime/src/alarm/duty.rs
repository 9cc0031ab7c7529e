//! Whether an alarm is wanted now, and by whom: schedule, mute and test mode come in with the time, a [`Duty`] goes out. Pure.
//!
//! | | journal, page, recorder | relay, messages |
//! |---|---|---|
//! | armed | are told | are told |
//! | quiet, by schedule or muted | are told | are not |
//! | off | no alarm is raised | |
//! | test mode, whatever the rest says | are told, marked `test` | are told, marked `test` |
//!
//! Mute and test mode end by themselves, by monotonic time, and with the process.

use std::time::Duration;

use firmware_config::config::Mode;

use super::schedule::Schedule;
use crate::health::date::Seconds;

/// The longest mute.
pub const MUTE_MAX: Duration = Duration::from_hours(24);
/// The longest test.
pub const TEST_MAX: Duration = Duration::from_hours(1);

/// What an alarm that begins now is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Duty {
    /// Who is told.
    pub mode: Mode,
    /// It is marked as a test.
    pub test: bool,
}

/// Schedule, mute and test mode of a device.
#[derive(Clone, Debug, Default)]
pub struct Arming {
    schedule: Option<Schedule>,
    muted_until: Option<Duration>,
    test_until: Option<Duration>,
}

impl Arming {
    /// By this schedule; always armed without.
    pub fn new(schedule: Option<Schedule>) -> Self {
        Self { schedule, muted_until: None, test_until: None }
    }

    /// What holds at `now`, monotonic, which is `wall` if the clock was ever set.
    pub fn duty(&self, now: Duration, wall: Option<Seconds>) -> Duty {
        if self.testing(now).is_some() {
            return Duty { mode: Mode::Armed, test: true };
        }
        let mode = self.schedule.as_ref().map_or(Mode::Armed, |schedule| schedule.mode(wall));
        let mode = if mode == Mode::Armed && self.muted(now).is_some() { Mode::Quiet } else { mode };
        Duty { mode, test: false }
    }

    /// Close no relay and send no message for `time`, at most [`MUTE_MAX`]; none ends it.
    pub fn mute(&mut self, now: Duration, time: Duration) {
        self.muted_until = Some(now + time.min(MUTE_MAX));
    }

    /// Mark alarms as tests for `time`, at most [`TEST_MAX`]; none ends it.
    pub fn test(&mut self, now: Duration, time: Duration) {
        self.test_until = Some(now + time.min(TEST_MAX));
    }

    /// How much longer it is muted.
    pub fn muted(&self, now: Duration) -> Option<Duration> {
        left(self.muted_until, now)
    }

    /// How much longer alarms are tests.
    pub fn testing(&self, now: Duration) -> Option<Duration> {
        left(self.test_until, now)
    }
}

fn left(until: Option<Duration>, now: Duration) -> Option<Duration> {
    until?.checked_sub(now).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use firmware_config::config::{self, Days, Period, TimeOfDay};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn mute_and_test_end_by_themselves() {
        let mut arming = Arming::default();
        let mode = |arming: &Arming, minutes: u32| arming.duty(minutes * MINUTE, None);
        assert_eq!(mode(&arming, 0), Duty { mode: Mode::Armed, test: false });
        arming.mute(MINUTE, 10 * MINUTE);
        let modes = [1, 10, 11].map(|minutes| mode(&arming, minutes).mode);
        assert_eq!(modes, [Mode::Quiet, Mode::Quiet, Mode::Armed]);
        arming.test(2 * MINUTE, 2 * MINUTE);
        assert_eq!(mode(&arming, 3), Duty { mode: Mode::Armed, test: true });
        assert_eq!(mode(&arming, 4), Duty { mode: Mode::Quiet, test: false });
        assert_eq!(arming.muted(6 * MINUTE), Some(5 * MINUTE));
        arming.mute(6 * MINUTE, Duration::ZERO);
        assert_eq!(mode(&arming, 6).mode, Mode::Armed);
        arming.mute(MINUTE, 1_000_000 * MINUTE);
        assert_eq!(arming.muted(MINUTE), Some(MUTE_MAX));
    }

    #[test]
    fn off_stays_off_when_muted_and_a_test_is_a_test() {
        let always = Period { mode: Mode::Off, days: Days::ALL, from: TimeOfDay(0), to: TimeOfDay(1440) };
        let schedule = config::Schedule { time_zone: "UTC".into(), periods: vec![always] };
        let mut arming = Arming::new(Some(Schedule::new(&schedule).unwrap()));
        let wall = Some(1_795_000_000);
        arming.mute(Duration::ZERO, MINUTE);
        assert_eq!(arming.duty(Duration::ZERO, wall), Duty { mode: Mode::Off, test: false });
        assert_eq!(arming.duty(Duration::ZERO, None).mode, Mode::Quiet, "the clock was never set, and it is muted");
        arming.test(Duration::ZERO, MINUTE);
        assert_eq!(arming.duty(Duration::ZERO, wall), Duty { mode: Mode::Armed, test: true });
    }
}
