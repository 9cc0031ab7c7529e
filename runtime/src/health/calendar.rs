//! What day it is, for those who judge certificates and nobody else. A pole's clock starts in 1970 and may be set late, wrongly, or
//! never; the clock's time, the firmware's build time and the last date that was kept come in, and what to judge by goes out.
//!
//! - It is never earlier than the build or the date kept: what had expired then has expired.
//! - A clock behind the build was never set. It can say that nothing has begun yet, and is not believed: a certificate of our authority
//!   that begins later than all we know shows that it is later.
//! - A clock that is ahead is believed as long as it is. What is *kept* of it moves a month a day at most (and once a start, for who is
//!   started every day): a clock that was ten years ahead for a day does not shut everybody out for ten years.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firmware_config::envelope::{self, Envelope};

use super::date::{BUILT, Seconds, clock};
use crate::pipeline::watch::lock;
use crate::store::disk::RealDisk;
use crate::store::place;

const DAY: Seconds = 24 * 60 * 60;
/// The most by which the kept date moves at a time.
const STEP_MAX: Seconds = 30 * DAY;
/// Between two moves of it, while the firmware runs.
const STEP_EVERY: Duration = Duration::from_hours(24);
/// How often [`Calendar::keep`] is to be called.
pub const LOOK_EVERY: Duration = Duration::from_hours(1);
const ENVELOPE: Envelope = Envelope { magic: *b"TADPOLED", newest_version: 1, payload_bytes_max: 16 };

/// What certificates are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// The date.
    pub at: Seconds,
    /// Whether the clock was ever set.
    pub set: bool,
}

impl Today {
    /// The date to judge a certificate by that begins at `begins`.
    pub fn for_one_that_begins(self, begins: Seconds) -> Seconds {
        if self.set { self.at } else { self.at.max(begins) }
    }
}

/// What day it is: the latest of what is known.
pub fn today(clock: Seconds, built: Seconds, kept: Seconds) -> Today {
    Today { at: clock.max(built).max(kept), set: clock >= built }
}

/// What to keep of the clock's time, if it is a day later than what was kept.
pub fn to_keep(clock: Seconds, built: Seconds, kept: Seconds) -> Option<Seconds> {
    let known = built.max(kept);
    (clock >= known + DAY).then(|| clock.min(known + STEP_MAX))
}

/// The date, as this device knows it.
#[derive(Debug)]
pub struct Calendar {
    file: PathBuf,
    built: Seconds,
    kept: AtomicU64,
    /// When it was moved last, by whoever shares this calendar.
    moved: Mutex<Option<Instant>>,
    clock: fn() -> Seconds,
}

impl Calendar {
    /// By this machine's clock and what `file` kept.
    pub fn open(file: &Path) -> Self {
        Self::by(clock, BUILT, file)
    }

    /// By another clock.
    pub fn by(clock: fn() -> Seconds, built: Seconds, file: &Path) -> Self {
        let kept = read(file).unwrap_or_else(|problem| {
            log::warn!("{}: {problem}; certificates are judged without it", file.display());
            0
        });
        Self { file: file.into(), built, kept: kept.into(), moved: Mutex::new(None), clock }
    }

    /// What day it is.
    pub fn today(&self) -> Today {
        today((self.clock)(), self.built, self.kept.load(Ordering::Relaxed))
    }

    /// Keep the date, at most once a day, however often this is called. It may wait for a disk.
    pub fn keep(&self) {
        let mut moved = lock(&self.moved);
        if moved.is_some_and(|at| at.elapsed() < STEP_EVERY) {
            return;
        }
        let Some(date) = to_keep((self.clock)(), self.built, self.kept.load(Ordering::Relaxed)) else { return };
        match write(&self.file, date) {
            Ok(()) => {
                self.kept.store(date, Ordering::Relaxed);
                *moved = Some(Instant::now());
            }
            Err(problem) => log::warn!("{}: {problem}; the date is not kept", self.file.display()),
        }
    }
}

fn read(file: &Path) -> Result<Seconds, String> {
    let Some(bytes) = place::read(&RealDisk, file, 64).map_err(|error| format!("cannot be read: {error}"))? else {
        return Ok(0);
    };
    let opened = ENVELOPE.open(&bytes).and_then(|(version, payload)| envelope::decode_payload(version, payload));
    opened.map_err(|error| error.to_string())
}

fn write(file: &Path, date: Seconds) -> Result<(), String> {
    let payload = postcard::to_allocvec(&date).map_err(|error| error.to_string())?;
    let bytes = ENVELOPE.seal(1, &payload).map_err(|error| error.to_string())?;
    place::place(&RealDisk, file, &bytes).map_err(|error| format!("cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: Seconds = 1_790_000_000;
    const YEAR: Seconds = 365 * DAY;

    #[test]
    fn a_clock_in_1970_is_not_believed() {
        let never_set = today(12, BUILT, 0);
        assert_eq!(never_set, Today { at: BUILT, set: false });
        assert_eq!(never_set.for_one_that_begins(BUILT + YEAR), BUILT + YEAR, "it may begin later than all we know");
        assert_eq!(never_set.for_one_that_begins(BUILT - YEAR), BUILT);
        assert_eq!(today(12, BUILT, BUILT + YEAR).at, BUILT + YEAR, "what was kept is later");
    }

    #[test]
    fn a_clock_that_was_set_is_believed_but_never_goes_back() {
        let now = BUILT + YEAR;
        assert_eq!(today(now, BUILT, BUILT + DAY), Today { at: now, set: true });
        assert_eq!(today(now, BUILT, 0).for_one_that_begins(now + DAY), now, "what has not begun has not begun");
        assert_eq!(today(now, BUILT, now + YEAR).at, now + YEAR);
    }

    #[test]
    fn a_date_is_kept_once_a_day_and_only_rises() {
        assert_eq!(to_keep(12, BUILT, 0), None);
        assert_eq!(to_keep(BUILT + DAY - 1, BUILT, 0), None);
        assert_eq!(to_keep(BUILT + DAY, BUILT, 0), Some(BUILT + DAY));
        assert_eq!(to_keep(BUILT + DAY + 5, BUILT, BUILT + DAY), None);
        assert_eq!(to_keep(BUILT, BUILT, BUILT + YEAR), None);
    }

    #[test]
    fn a_clock_ten_years_ahead_for_a_week_costs_months_and_not_years() {
        let (ahead, mut kept) = (BUILT + 10 * YEAR, 0);
        for _ in 0..7 {
            kept = to_keep(ahead, BUILT, kept).unwrap();
        }
        assert_eq!(kept, BUILT + 7 * STEP_MAX);
        assert_eq!(today(BUILT + DAY, BUILT, kept), Today { at: kept, set: true });
    }

    #[test]
    fn a_clock_that_is_ahead_moves_the_date_once_a_day_however_often_it_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("date");
        let ahead = || Calendar::by(|| BUILT + 10 * YEAR, BUILT, &file);
        let calendar = ahead();
        (0..24).for_each(|_| calendar.keep());
        assert_eq!(read(&file), Ok(BUILT + STEP_MAX));
        ahead().keep();
        assert_eq!(read(&file), Ok(BUILT + 2 * STEP_MAX), "a start is a day");
    }

    #[test]
    fn the_date_survives_a_start_and_damage_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("date");
        let calendar = Calendar::by(|| BUILT + 2 * DAY, BUILT, &file);
        calendar.keep();
        let next = Calendar::by(|| 12, BUILT, &file);
        assert_eq!(next.today(), Today { at: BUILT + 2 * DAY, set: false });
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[15] ^= 0x40;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(Calendar::by(|| 12, BUILT, &file).today().at, BUILT);
    }
}
