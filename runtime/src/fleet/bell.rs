//! A doorbell between threads: whoever waits is woken when it rings or when all is over. Rings that nobody has heard yet are one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clones are the same bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<Wire>, Condvar)>);

#[derive(Default)]
struct Wire {
    rung: bool,
    over: bool,
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// It rang.
    Rung,
    /// The time is up.
    Time,
    /// The run ends.
    Over,
}

impl Bell {
    /// Wake who waits, or let the next wait end at once.
    pub fn ring(&self) {
        self.lock().rung = true;
        self.0.1.notify_all();
    }

    /// The run ends: every wait is over, from now on.
    pub fn end(&self) {
        self.lock().over = true;
        self.0.1.notify_all();
    }

    /// True when the run ends.
    pub fn over(&self) -> bool {
        self.lock().over
    }

    /// Wait for a ring, for `time` at most.
    pub fn wait(&self, time: Duration) -> Woken {
        self.until(time, true)
    }

    /// Wait for `time`; a ring meanwhile is kept. True when the run ends.
    pub fn pause(&self, time: Duration) -> bool {
        self.until(time, false) == Woken::Over
    }

    fn until(&self, time: Duration, hears: bool) -> Woken {
        let until = Instant::now() + time;
        let mut wire = self.lock();
        loop {
            if wire.over {
                return Woken::Over;
            }
            if hears && std::mem::take(&mut wire.rung) {
                return Woken::Rung;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Woken::Time;
            }
            wire = self.0.1.wait_timeout(wire, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_once_and_kept_until_then() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        assert!(!bell.pause(Duration::ZERO));
        assert_eq!(bell.wait(Duration::from_mins(1)), Woken::Rung);
        assert_eq!(bell.wait(Duration::ZERO), Woken::Time);
    }

    #[test]
    fn who_waits_is_woken_by_the_end_and_nobody_waits_after_it() {
        let bell = Bell::default();
        let waiting = {
            let bell = bell.clone();
            std::thread::spawn(move || bell.pause(Duration::from_mins(1)))
        };
        bell.ring();
        bell.end();
        assert!(waiting.join().unwrap());
        assert_eq!(bell.wait(Duration::from_mins(1)), Woken::Over);
    }
}
