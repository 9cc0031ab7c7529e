//! The one place that watches over what may fail: a stage's work comes in, is done, and is done again when it failed, at a
//! bounded rate; when that does not help, the run ends, for the service manager to start a fresh one.
//!
//! ```text
//!   life ──error or panic──▶ recorded ──▶ wait 1, 2, 5, 10, then always 30 s ──▶ life
//!                               │
//!                               └─ the FAULTS_MAX-th in a row, and no other camera scores ──▶ the run ends, exit code 1
//! ```
//!
//! A camera's stage is its whole pipeline, from source to decision: a failure anywhere in it leaves nothing that could be
//! kept. It is recorded in the log, with the outputs ([`FaultEvent`]) and in the camera's health, which stays degraded
//! until the next score. Cameras share nothing that a panic could break, so the others go on; and while one of them scores,
//! a camera that always fails is tried for ever: a fresh process would cost the others their windows.
//!
//! A camera that is away is no failure. Its source waits for it, and reports gaps.

pub mod panics;

use std::time::Duration;

use super::{Clock, Health};
use crate::output::{FaultEvent, Outputs};
use crate::pipeline::watch::{Shared, lock};
use crate::{Error, ErrorKind, Result};

/// Waits before another life, in seconds; the last one for ever.
const WAITS_S: [u64; 5] = [1, 2, 5, 10, 30];
/// The longest wait before another life.
pub const WAIT_MAX: Duration = Duration::from_secs(WAITS_S[WAITS_S.len() - 1]);
/// So many faults in a row are not mended by another life.
pub const FAULTS_MAX: u32 = 5;
/// A life that has lasted this long ends a row of faults.
pub const STEADY: Duration = Duration::from_mins(1);
/// The name under which those that look after all cameras are recorded; no camera can have a space in its name.
pub const WATCHER: &str = "health watcher";

/// How often one stage has failed, and what follows. Pure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Restarts {
    /// Lives in a row that failed.
    row: usize,
    /// Those of them that were faults of ours.
    faults: u32,
}

impl Restarts {
    /// A life of `lived` has failed for a reason of `kind`. The wait before the next; none, when the run should end:
    /// `alone` says that no other camera would be harmed.
    pub fn failed(&mut self, kind: ErrorKind, lived: Duration, alone: bool) -> Option<Duration> {
        if lived >= STEADY {
            *self = Self::default();
        }
        let wait = Duration::from_secs(WAITS_S[self.row.min(WAITS_S.len() - 1)]);
        self.row += 1;
        // What is not there now will not be there sooner for a fresh process.
        self.faults += u32::from(kind != ErrorKind::Unavailable);
        (!alone || self.faults < FAULTS_MAX).then_some(wait)
    }
}

/// What is watched over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The camera of this number. A live one is started again; a recording that failed cannot be gone on with.
    Camera {
        /// From 0.
        number: usize,
        /// Whether it has a now.
        live: bool,
    },
    /// What looks after all cameras; without it nobody would know of anything.
    Watcher,
    /// What cameras do without, by the name under which it is recorded: it is started again for ever.
    Aside(&'static str),
}

/// What a supervisor works with, the same for all stages of a run.
pub struct Supervisor<'a> {
    /// The time.
    pub clock: &'a dyn Clock,
    /// The health of every camera.
    pub healths: &'a [Shared<Health>],
    /// Who is told of failures.
    pub outputs: &'a Shared<Outputs>,
    /// Waits, less when the run is to end; true when it is.
    pub pause: &'a (dyn Fn(Duration) -> bool + Sync),
    /// Ends the run: every stage is told.
    pub give_up: &'a (dyn Fn() + Sync),
}

impl Supervisor<'_> {
    /// Do a stage's work, again and again while it fails, until it is done or the run is to end.
    ///
    /// # Errors
    /// The last failure, of a recording or when the run was given up.
    pub fn attend(&self, stage: Stage, mut life: impl FnMut() -> Result<()>) -> Result<()> {
        let name = match stage {
            Stage::Camera { number, .. } => lock(&self.healths[number]).camera().to_owned(),
            Stage::Watcher => WATCHER.to_owned(),
            Stage::Aside(name) => name.to_owned(),
        };
        let mut restarts = Restarts::default();
        let mut told = String::new();
        loop {
            let begun = self.clock.now();
            let Err(error) = panics::caught(&name, &mut life) else { return Ok(()) };
            let now = self.clock.now();
            let recording = matches!(stage, Stage::Camera { live: false, .. });
            let wait = if recording {
                None
            } else {
                restarts.failed(error.kind, now.saturating_sub(begun), self.alone(stage, now))
            };
            // What is done without may fail in the same way for weeks: it is told once.
            if !matches!(stage, Stage::Aside(_)) || told != error.to_string() {
                self.record(stage, &name, &error, wait);
                told = error.to_string();
            }
            match wait {
                Some(wait) if (self.pause)(wait) => return Ok(()),
                Some(_) => {}
                None if recording => return Err(error),
                None => {
                    log::error!("{name}: starting it again does not help; the run ends");
                    (self.give_up)();
                    return Err(error);
                }
            }
        }
    }

    /// True when no other camera scores. Who looks after all of them has no other; what they do without harms none.
    fn alone(&self, stage: Stage, now: Duration) -> bool {
        let number = match stage {
            Stage::Camera { number, .. } => number,
            Stage::Watcher => return true,
            Stage::Aside(_) => return false,
        };
        !self.healths.iter().enumerate().any(|(n, health)| n != number && lock(health).scores(now))
    }

    fn record(&self, stage: Stage, name: &str, error: &Error, wait: Option<Duration>) {
        match wait {
            Some(wait) => log::error!("{name}: {error}; starting again in {} s", wait.as_secs()),
            None => log::error!("{name}: {error}"),
        }
        if let Stage::Camera { number, .. } = stage {
            lock(&self.healths[number]).failed(error);
        }
        let event = FaultEvent {
            camera: name.to_owned(),
            kind: error.kind,
            reason: error.to_string(),
            restart_s: wait.map(|wait| wait.as_secs()),
        };
        lock(self.outputs).failed(&event).iter().for_each(|error| log::error!("{name}: {error}"));
    }
}

#[cfg(test)]
mod tests;
