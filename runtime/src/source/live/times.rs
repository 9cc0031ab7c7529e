//! The times of a camera's frames: its own stamps and the moments of their arrival come in, nanoseconds since the first
//! frame go out, which never go back. A clock in the camera that is set, by a second or by ten years, moves no frame further
//! than stamps are believed.

use std::time::{Duration, Instant};

/// A driver's stamp that lies further than this from its frame's arrival is not believed, and neither is one that does
/// not come after the one before.
pub const STAMP_ERROR_MAX: Duration = Duration::from_millis(500);

/// Places frames in time.
#[derive(Clone, Debug)]
pub struct Times {
    /// How far a stamp may lie from its frame's arrival.
    error_max: Duration,
    /// Arrival of the first frame.
    started: Option<Instant>,
    /// A stamp of this connection: where it was placed, and what it said.
    origin: Option<(Duration, Duration)>,
    /// This connection's last stamp.
    stamp: Option<Duration>,
    last: Duration,
}

impl Default for Times {
    /// For stamps of a driver.
    fn default() -> Self {
        Self::new(STAMP_ERROR_MAX)
    }
}

impl Times {
    /// For stamps that may lie `error_max` from their frame's arrival.
    pub fn new(error_max: Duration) -> Self {
        Self { error_max, started: None, origin: None, stamp: None, last: Duration::ZERO }
    }

    /// The next stamp is the first of a new connection.
    pub fn reconnect(&mut self) {
        (self.origin, self.stamp) = (None, None);
    }

    /// Nanoseconds since the first frame, of a frame that arrived at `now` and bears the driver's `stamp`.
    pub fn place(&mut self, now: Instant, stamp: Option<Duration>) -> u64 {
        let arrival = now.saturating_duration_since(*self.started.get_or_insert(now));
        let placed = stamp.map_or(arrival, |stamp| {
            let after = self.stamp.replace(stamp).is_none_or(|before| stamp > before);
            let (here, there) = *self.origin.get_or_insert((arrival, stamp));
            let placed = here + stamp.saturating_sub(there);
            if after && placed.abs_diff(arrival) <= self.error_max {
                return placed;
            }
            self.origin = Some((arrival, stamp));
            arrival
        });
        self.last = self.last.max(placed);
        self.last.as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn stamps_are_kept_where_they_can_be_believed() {
        let mut times = Times::default();
        let start = Instant::now();
        let mut place = |at, stamp: Option<u64>| times.place(start + ms(at), stamp.map(ms)) / 1_000_000;
        assert_eq!(place(0, Some(9000)), 0);
        assert_eq!(place(45, Some(9040)), 40, "an arrival that is late does not shift the frame");
        assert_eq!(place(80, None), 80);
        assert_eq!(place(120, Some(77)), 120, "a stamp from nowhere gives way to the arrival");
        assert_eq!(place(165, Some(117)), 160, "and later ones go on from there");
        assert_eq!(place(200, Some(117)), 200, "a stamp that stands still is none");
        assert_eq!(place(230, Some(157)), 240);
        assert_eq!(place(235, None), 240, "times never go back");
        assert_eq!(place(900, Some(217)), 900, "a stamp that lags far behind is not believed");
    }

    #[test]
    fn a_clock_that_is_set_by_ten_years_moves_no_frame() {
        const YEARS: u64 = 10 * 365 * 24 * 3600 * 1000;
        for error_max in [ms(500), ms(5000)] {
            let mut times = Times::new(error_max);
            let start = Instant::now();
            for n in 0..400 {
                // Ahead, back to where it was, and back again; all in one connection.
                let stamp = [2 * YEARS, 3 * YEARS, 2 * YEARS, YEARS][n as usize / 100] + 40 * n;
                let placed = times.place(start + ms(40 * n + n % 7), Some(ms(stamp))) / 1_000_000;
                assert!(placed.abs_diff(40 * n) < 10, "frame {n} is at {placed} ms");
            }
        }
    }

    #[test]
    fn a_reconnect_goes_on_from_the_clock() {
        let mut times = Times::default();
        let start = Instant::now();
        times.place(start, Some(ms(500)));
        times.reconnect();
        assert_eq!(times.place(start + ms(3000), Some(ms(5))), 3_000_000_000);
        assert_eq!(times.place(start + ms(3050), Some(ms(45))), 3_040_000_000);
    }
}
