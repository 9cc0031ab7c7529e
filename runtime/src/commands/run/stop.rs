//! SIGTERM and SIGINT: a run that is told to stop ends its alarms, opens its relay and leaves, within
//! [`GRACE`] + [`FORCE`] and whatever hangs. One that gives itself up goes the same way.
//!
//! First every camera is told, also one that waits for frames or for its next attempt; when all have ended, the run
//! closes its outputs and returns. If something does not end in time, or at a second signal, a thread of its own puts
//! the outputs into their safe state and ends the process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runtime::output::Outputs;
use runtime::pipeline::watch::{Shared, lock};
use runtime::source::Stopper;
use runtime::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long the cameras may take to end.
const GRACE: Duration = Duration::from_millis(1300);
/// How long closing the outputs by force may take.
const FORCE: Duration = Duration::from_millis(400);
/// How often the waiting thread looks for a second signal.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Default)]
struct State {
    asked: bool,
    ended: bool,
    /// One for each camera, of its present source.
    stoppers: Vec<Stopper>,
}

/// Whether this run has been told to stop. Clones are the same.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<State>, Condvar)>);

impl Stop {
    /// From now on signals stop `cameras` cameras, and `outputs` are left in their safe state.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn on_signal(cameras: usize, outputs: &Shared<Outputs>) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::failed("signals", format!("cannot be caught: {e}"), "free some memory; report this as a bug")
        };
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
        let stop = Self::default();
        stop.lock().stoppers = vec![Stopper::default(); cameras];
        let (told, outputs) = (stop.clone(), Arc::clone(outputs));
        let spawned = std::thread::Builder::new().name("signals".into()).spawn(move || {
            if signals.forever().next().is_some() {
                log::info!("told to stop");
                told.end(outputs, || signals.pending().next().is_some());
            }
        });
        spawned.map_err(failed)?;
        Ok(stop)
    }

    /// End a run that cannot go on, as a signal would.
    pub fn give_up(&self, outputs: &Shared<Outputs>) {
        let (told, outputs) = (self.clone(), Arc::clone(outputs));
        let spawned = std::thread::Builder::new().name("end".into()).spawn(move || told.end(outputs, || false));
        if spawned.is_err() {
            // Without a thread nothing is forced; the watchdog will.
            self.ask();
        }
    }

    /// Tell it to stop, and see to it that it does; in a hurry at once.
    fn end(&self, outputs: Shared<Outputs>, mut hurry: impl FnMut() -> bool) {
        self.ask();
        let until = Instant::now() + GRACE;
        while !self.lock().ended && Instant::now() < until && !hurry() {
            std::thread::sleep(GLANCE);
        }
        if !self.lock().ended {
            leave(outputs);
        }
    }

    /// Tell it to stop.
    fn ask(&self) {
        let mut state = self.lock();
        state.asked = true;
        let stoppers = state.stoppers.clone();
        drop(state);
        self.0.1.notify_all();
        stoppers.iter().for_each(Stopper::stop);
    }

    /// True when it is to stop.
    pub fn asked(&self) -> bool {
        self.lock().asked
    }

    /// Camera number `camera` reads from another source now.
    pub fn reads(&self, camera: usize, stopper: &Stopper) {
        let mut state = self.lock();
        if state.asked {
            stopper.stop();
        } else if let Some(place) = state.stoppers.get_mut(camera) {
            place.clone_from(stopper);
        }
    }

    /// Wait for `time`, less when it is to stop; true when it is.
    pub fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.asked {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = match self.0.1.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(e) => e.into_inner().0,
            };
        }
        state.asked
    }

    /// Everything has ended and the outputs are closed: nothing needs to be forced.
    pub fn ended(&self) {
        self.lock().ended = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Close the outputs and end the process, in [`FORCE`] at most.
fn leave(outputs: Shared<Outputs>) {
    log::error!("something does not end: the outputs are put into their safe state and it is left behind");
    let closing = std::thread::spawn(move || lock(&outputs).close());
    let until = Instant::now() + FORCE;
    while !closing.is_finished() && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_run_that_gives_itself_up_wakes_whoever_waits() {
        let stop = Stop::default();
        let waiting = {
            let stop = stop.clone();
            std::thread::spawn(move || stop.sleep(Duration::from_mins(1)))
        };
        stop.give_up(&Shared::default());
        assert!(waiting.join().unwrap());
        // Before the grace is over: otherwise this test ends here, and fails.
        stop.ended();
    }

    #[test]
    fn whoever_waits_is_woken_and_every_source_is_told() {
        let stop = Stop::default();
        stop.lock().stoppers = vec![Stopper::default(); 2];
        let told = Arc::new(AtomicU64::new(0));
        let count = |by: u64| {
            let told = Arc::clone(&told);
            Stopper::new(move || _ = told.fetch_add(by, Ordering::SeqCst))
        };
        stop.reads(0, &count(1));
        stop.reads(1, &count(100));
        stop.reads(1, &count(10));
        assert!(!stop.sleep(Duration::from_millis(1)));
        let waiting = {
            let stop = stop.clone();
            std::thread::spawn(move || stop.sleep(Duration::from_mins(1)))
        };
        stop.ask();
        assert!(waiting.join().unwrap() && stop.asked());
        assert_eq!(told.load(Ordering::SeqCst), 11, "a source that was replaced is not told");
        stop.reads(0, &count(1000));
        assert_eq!(told.load(Ordering::SeqCst), 1011, "one that is opened too late is told at once");
    }
}
