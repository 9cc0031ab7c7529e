//! What systemd is told. In flow the health of every camera and the time, a few times a second; out flow
//! - `READY=1`, once every live camera has scored a segment or said why it cannot;
//! - `STATUS=`, one line for `systemctl status`, whenever a camera's health changes, or the load that is shed;
//! - `WATCHDOG=1`, while every live camera gets on;
//! - `STOPPING=1`, when the cameras are no longer looked after.
//!
//! A live camera gets on when it has scored a segment within [`SCORE_MAX`], or, while it is lost, has counted an error or a
//! gap (a try that failed) within the longest wait between two tries and [`TRY_MAX`]. So a camera that is absent is
//! retried for ever and restarts nothing, and a stage that hangs, on whichever camera, leaves the watchdog to bark.
//! Recordings are not watched over: they are as slow as they like, and end.
//!
//! Where no service manager listens (no `NOTIFY_SOCKET`), nothing is sent.

use std::fmt::Write as _;
use std::time::Duration;

use sd_notify::NotifyState;

use super::{Counters, Health};
use crate::output::HealthState;
use crate::pipeline::watch::{Shared, lock};

/// A live camera whose frames flow scores a segment every 0.64 s; one that has not for this long hangs, or its source
/// would have said that frames are late.
pub const SCORE_MAX: Duration = Duration::from_secs(15);
/// The longest that one try to start a lost camera may take: to open its source, load the model and score a segment.
pub const TRY_MAX: Duration = Duration::from_secs(30);

/// Tells systemd how the cameras of this process are.
pub struct Systemd {
    /// The longest wait between two tries to start a lost camera.
    wait_max: Duration,
    cameras: Vec<Progress>,
    /// How often the watchdog is fed, if there is one.
    feed_every: Option<Duration>,
    fed: Option<Duration>,
    ready: bool,
    /// Sending has failed; said once.
    deaf: bool,
}

/// How one camera has got on.
#[derive(Clone, Default)]
struct Progress {
    counters: Counters,
    /// When the counters last changed.
    at: Option<Duration>,
    /// The last change was a segment, and nothing else.
    flows: bool,
    hangs: bool,
    /// It hangs, or is degraded.
    ill: bool,
    /// Why the camera is not as it should be, as it was told.
    told: Option<String>,
}

impl Systemd {
    /// For the cameras of a process that waits at most `wait_max` between two tries to start one. The watchdog's period is
    /// what systemd says in the environment.
    pub fn from_env(wait_max: Duration) -> Self {
        Self::new(wait_max, sd_notify::watchdog_enabled())
    }

    fn new(wait_max: Duration, watchdog: Option<Duration>) -> Self {
        // Twice as often as it is asked for, so that one late look does no harm.
        let feed_every = watchdog.map(|period| period / 2);
        Self { wait_max, cameras: Vec::new(), feed_every, fed: None, ready: false, deaf: false }
    }

    /// Look at all cameras at `now` and tell systemd what there is to tell. To be called at least once a second, with the
    /// same cameras each time.
    pub fn look(&mut self, now: Duration, healths: &[Shared<Health>]) {
        let (say, status) = self.judge(now, healths);
        if say.is_empty() && status.is_none() {
            return;
        }
        let status = status.as_deref().map(NotifyState::Status);
        self.send(&say.into_iter().chain(status).collect::<Vec<_>>());
    }

    /// What there is to tell, and the new status if it has changed. Allocates only when there is.
    fn judge(&mut self, now: Duration, healths: &[Shared<Health>]) -> (Vec<NotifyState<'static>>, Option<String>) {
        let first = self.cameras.is_empty();
        self.cameras.resize(healths.len(), Progress::default());
        let mut changed = first;
        for (camera, health) in self.cameras.iter_mut().zip(healths) {
            changed |= camera.look(now, &lock(health), self.wait_max);
        }
        let mut say = Vec::new();
        if !self.ready && self.cameras.iter().zip(healths).all(|(camera, health)| camera.answered(&lock(health))) {
            self.ready = true;
            say.push(NotifyState::Ready);
        }
        let hungry = self.feed_every.is_some_and(|every| self.fed.is_none_or(|fed| now.saturating_sub(fed) >= every));
        if hungry && !self.cameras.iter().any(|camera| camera.hangs) {
            self.fed = Some(now);
            say.push(NotifyState::Watchdog);
        }
        (say, changed.then(|| self.status(healths)))
    }

    fn status(&self, healths: &[Shared<Health>]) -> String {
        let ill = self.cameras.iter().filter(|camera| camera.ill).count();
        let mut line = match (healths.len(), ill) {
            (1, 0) => "1 camera, ok".into(),
            (all, 0) => format!("{all} cameras, all ok"),
            (all, ill) => format!("{ill} of {all} cameras degraded"),
        };
        for (camera, health) in self.cameras.iter().zip(healths) {
            if let Some(reason) = &camera.told {
                let _ = write!(line, "; {}: {reason}", lock(health).camera);
            }
        }
        // A line for systemd: what a network camera had to say must not become another one.
        line.replace(char::is_control, " ")
    }

    fn send(&mut self, say: &[NotifyState]) {
        if let Err(error) = sd_notify::notify(say)
            && !self.deaf
        {
            self.deaf = true;
            log::warn!("systemd cannot be told how the cameras are: {error}; the watchdog may restart this service");
        }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.send(&[NotifyState::Stopping]);
    }
}

impl Progress {
    /// Take in the camera's health; true when its status has changed.
    fn look(&mut self, now: Duration, health: &Health, wait_max: Duration) -> bool {
        let counters = *health.counters();
        if self.at.is_none() || counters != self.counters {
            let lost = |counters: &Counters| (counters.gaps, counters.scores_not_finite, counters.errors);
            self.flows = lost(&counters) == lost(&self.counters) && counters.scores != self.counters.scores;
            self.counters = counters;
            self.at = Some(now);
        }
        let allowed = if self.flows { SCORE_MAX } else { wait_max + TRY_MAX };
        let silent = now.saturating_sub(self.at.unwrap_or(now));
        let hangs = health.live && silent > allowed;
        if hangs && !self.hangs {
            log::error!("{}: hangs: nothing for {} s; the watchdog is fed no more", health.camera, silent.as_secs());
        }
        let reason = if hangs { Some("hangs") } else { health.reason() };
        let changed = reason != self.told.as_deref();
        if changed {
            self.told = reason.map(str::to_owned);
        }
        self.hangs = hangs;
        self.ill = hangs || health.state() == HealthState::Degraded;
        changed
    }

    /// It has scored a segment or said why not; of a recording nothing is expected.
    fn answered(&self, health: &Health) -> bool {
        !health.live || self.counters != Counters::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::{Arc, Mutex};

    const WAIT_MAX: Duration = Duration::from_secs(30);
    const WATCHDOG: Duration = Duration::from_secs(20);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn camera(name: &str) -> Shared<Health> {
        Arc::new(Mutex::new(Health::new(name, true, s(0))))
    }

    fn score(health: &Shared<Health>, now: Duration) {
        lock(health).frame(now, 0);
        lock(health).score(0.1);
    }

    /// What is told at each second of `seconds`, while `happens` happens.
    fn told(
        systemd: &mut Systemd,
        healths: &[Shared<Health>],
        seconds: std::ops::Range<u64>,
        happens: impl Fn(u64),
    ) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for second in seconds {
            happens(second);
            let (say, status) = systemd.judge(s(second), healths);
            all.extend(say.iter().map(|state| (second, state.to_string())));
            all.extend(status.map(|status| (second, status)));
        }
        all
    }

    fn fed(told: &[(u64, String)]) -> Vec<u64> {
        told.iter().filter(|(_, what)| what == "WATCHDOG=1").map(|(second, _)| *second).collect()
    }

    #[test]
    fn ready_is_said_once_and_only_when_every_camera_has_answered() {
        let healths = [camera("a"), camera("b")];
        let mut systemd = Systemd::new(WAIT_MAX, None);
        let said = told(&mut systemd, &healths, 0..9, |second| match second {
            2 => score(&healths[0], s(2)),
            5 => lock(&healths[1]).gap("not there"),
            6 => score(&healths[0], s(6)),
            _ => {}
        });
        let said: Vec<_> = said.iter().map(|(second, what)| format!("{second} {what}")).collect();
        assert_eq!(
            said,
            ["0 2 cameras, all ok", "5 READY=1", "5 1 of 2 cameras degraded; b: not there"],
            "b has answered, if only that it is not there"
        );
    }

    #[test]
    fn the_watchdog_is_fed_twice_a_period_while_all_cameras_score() {
        let healths = [camera("a"), camera("b")];
        let mut systemd = Systemd::new(WAIT_MAX, Some(WATCHDOG));
        let said = told(&mut systemd, &healths, 0..31, |second| {
            healths.iter().for_each(|health| score(health, s(second)));
        });
        assert_eq!(fed(&said), [0, 10, 20, 30]);
    }

    #[test]
    fn one_camera_that_hangs_starves_the_watchdog_and_its_return_feeds_it() {
        let healths = [camera("a"), camera("b")];
        let mut systemd = Systemd::new(WAIT_MAX, Some(WATCHDOG));
        let said = told(&mut systemd, &healths, 0..100, |second| {
            score(&healths[0], s(second));
            if !(20..70).contains(&second) {
                score(&healths[1], s(second));
            }
        });
        assert_eq!(
            fed(&said),
            [0, 10, 20, 30, 70, 80, 90],
            "b's last segment was at 19, and {SCORE_MAX:?} are allowed"
        );
        assert!(said.contains(&(35, "1 of 2 cameras degraded; b: hangs".into())), "{said:?}");
    }

    #[test]
    fn a_camera_that_is_absent_and_retried_restarts_nothing() {
        let healths = [camera("a"), camera("b")];
        let mut systemd = Systemd::new(WAIT_MAX, Some(WATCHDOG));
        // b tries every 30 s and fails after another 10, for 300 s: fifteen times the watchdog's period.
        let said = told(&mut systemd, &healths, 0..300, |second| {
            score(&healths[0], s(second));
            if second % 40 == 0 {
                lock(&healths[1]).failed(&Error::unavailable("b", "is not there", "plug it in"));
            }
        });
        assert_eq!(fed(&said).len(), 30, "{said:?}");
    }

    #[test]
    fn a_retry_that_never_ends_is_a_hang() {
        let healths = [camera("a")];
        let mut systemd = Systemd::new(WAIT_MAX, Some(WATCHDOG));
        let said = told(&mut systemd, &healths, 0..200, |second| {
            if second == 5 {
                lock(&healths[0]).gap("lost");
            }
        });
        assert_eq!(fed(&said), [0, 10, 20, 30, 40, 50, 60], "from 5 s on, {WAIT_MAX:?} and {TRY_MAX:?} are allowed");
    }

    #[test]
    fn recordings_may_be_slow_and_end() {
        let healths = [Arc::new(Mutex::new(Health::new("file", false, s(0))))];
        let mut systemd = Systemd::new(WAIT_MAX, Some(WATCHDOG));
        let said = told(&mut systemd, &healths, 0..500, |_| {});
        assert_eq!(said[0], (0, "READY=1".into()));
        assert_eq!(fed(&said).len(), 50);
    }

    #[test]
    fn load_that_is_shed_is_told_and_nobody_counts_as_degraded() {
        let healths = [camera("a"), camera("b")];
        let mut systemd = Systemd::new(WAIT_MAX, None);
        healths.iter().for_each(|health| lock(health).load(Some("hot")));
        lock(&healths[1]).gap("gone");
        let (_, status) = systemd.judge(s(0), &healths);
        assert_eq!(status.unwrap(), "1 of 2 cameras degraded; a: hot; b: gone");
    }

    #[test]
    fn a_status_is_one_line_whatever_a_camera_says() {
        let healths = [camera("a")];
        let mut systemd = Systemd::new(WAIT_MAX, None);
        lock(&healths[0]).gap("no\nWATCHDOG=trigger");
        let (_, status) = systemd.judge(s(0), &healths);
        assert_eq!(status.unwrap(), "1 of 1 cameras degraded; a: no WATCHDOG=trigger");
    }
}
