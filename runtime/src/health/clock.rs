//! Time as a value. Nothing that decides reads a clock: it is given the time since some beginning.
//!
//! The wall clock is no part of this. A pole's clock starts in 1970, jumps when the network comes, and is set by people: the
//! lints (`clippy.toml`) refuse `SystemTime` everywhere, what cameras say of theirs is held against this machine's monotonic
//! clock ([`Times`](crate::source::live::times::Times)), and a test of the whole program has the date jump by ten years.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that never goes back and knows nothing of the date.
pub trait Clock: Send + Sync {
    /// Time since a fixed beginning.
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock, from the moment that this was made. (It stands still while a machine is
/// suspended, which cameras are not.)
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that is told the time. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimClock(Arc<AtomicU64>);

impl SimClock {
    /// Let `time` pass.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time_passes_when_told() {
        let clock = SimClock::default();
        let same = clock.clone();
        clock.advance(Duration::from_millis(640));
        assert_eq!(same.now(), Duration::from_millis(640));
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let clock = SystemClock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
