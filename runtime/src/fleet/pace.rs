//! How long to wait before asking a server again. A pole that comes back with a thousand others after a power cut must not ask in
//! the same second as they do, and a server that is away is asked less and less often.

use std::time::Duration;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;
use sha2::{Digest as _, Sha256};

/// The first question comes within this time of the start.
const FIRST: Duration = Duration::from_secs(10);
/// The wait after a first failure; each further one doubles it.
const FAILED_FIRST: Duration = Duration::from_secs(5);
/// The longest wait after failures.
const FAILED_MAX: Duration = Duration::from_mins(10);
/// What a server may ask for.
const ASKED_MIN: Duration = Duration::from_secs(1);
const ASKED_MAX: Duration = Duration::from_hours(24);

/// Waits of one device.
pub struct Pace {
    random: Pcg64Mcg,
    failures: u32,
}

impl Pace {
    /// The waits of the device of this name: devices of other names wait other times.
    pub fn of(device: &str) -> Self {
        let hash = Sha256::digest(device.as_bytes());
        let mut seed = [0; 16];
        seed.copy_from_slice(&hash[..16]);
        Self { random: Pcg64Mcg::from_seed(seed), failures: 0 }
    }

    /// Before the first question.
    pub fn first(&mut self) -> Duration {
        FIRST.mul_f64(self.share())
    }

    /// After an answer that asks to be back in `asked`: up to a tenth more or less than that.
    pub fn well(&mut self, asked: Duration) -> Duration {
        self.failures = 0;
        asked.clamp(ASKED_MIN, ASKED_MAX).mul_f64(0.9 + 0.2 * self.share())
    }

    /// After a failure: half of the back-off at least, all of it at most.
    pub fn failed(&mut self) -> Duration {
        let longest = FAILED_FIRST.saturating_mul(1 << self.failures.min(16)).min(FAILED_MAX);
        self.failures += 1;
        longest.mul_f64(0.5 + 0.5 * self.share())
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_waited_out_longer_and_longer_up_to_a_limit_and_an_answer_ends_them() {
        let mut pace = Pace::of("pole-1");
        let waits: Vec<_> = (0..40).map(|_| pace.failed()).collect();
        for (n, wait) in waits.iter().enumerate() {
            let longest = FAILED_MAX.min(FAILED_FIRST * (1 << n.min(10)));
            assert!(*wait >= longest / 2 && *wait <= longest, "{n}: {wait:?}");
        }
        assert!(waits[39] >= FAILED_MAX / 2);
        let asked = Duration::from_mins(5);
        let well = pace.well(asked);
        assert!(well >= asked.mul_f64(0.9) && well <= asked.mul_f64(1.1));
        assert!(pace.failed() <= FAILED_FIRST);
    }

    #[test]
    fn devices_differ_and_a_server_cannot_ask_for_nonsense() {
        assert_ne!(Pace::of("pole-1").first(), Pace::of("pole-2").first());
        let mut pace = Pace::of("pole-1");
        assert!(pace.first() <= FIRST);
        assert!(pace.well(Duration::ZERO) > Duration::from_millis(800));
        assert!(pace.well(Duration::MAX) < Duration::from_hours(27));
    }
}
