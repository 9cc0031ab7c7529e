//! When the board is too hot or its power too weak, fewer clips are looked at: readings and the time go in, out goes one
//! clip in how many is looked at, and why. The steps ([`Shedding`]) are pure; [`start`] reads the sensors for ever.
//!
//! ```text
//!              5 °C below the limit, or power weak,        at the limit
//!              or slowed down by the firmware
//!   every clip ────────────────────────────────▶ one in 2 ─────────────▶ one in 4
//!              ◀────────────────────────────────          ◀─────────────
//!              5 °C cooler than that, and power well       5 °C cooler
//! ```
//!
//! Up a step after [`UP_AFTER`], down after [`DOWN_AFTER`], one at a time: each has the time to show what it does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Clock;
use super::sensors::{Reading, Sensors};
use super::supervision::panics;
use crate::pipeline::watch::{Shared, lock};

/// How often the sensors are read.
pub const PERIOD: Duration = Duration::from_secs(5);
/// It must be this bad for so long before fewer clips are looked at.
pub const UP_AFTER: Duration = Duration::from_secs(10);
/// It must be better for so long before more clips are looked at.
pub const DOWN_AFTER: Duration = Duration::from_mins(1);
/// The first step is this far below the limit, °C.
const EARLY_C: f32 = 5.0;
/// A step is taken back when it is cooler than what led to it by this, °C.
const HYSTERESIS_C: f32 = 5.0;
/// One clip in so many is looked at, step by step.
const STEPS: [u32; 3] = [1, 2, 4];

/// What is shed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    /// One clip in so many is looked at: 1, 2 or 4.
    pub one_in: u32,
    /// Why, when it is not every clip: how it was when the last step was taken.
    pub reason: Option<String>,
}

impl Default for Shed {
    fn default() -> Self {
        Self { one_in: 1, reason: None }
    }
}

/// Decides how many clips are looked at. Pure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shedding {
    step: usize,
    /// Where it wants to go, and since when.
    wish: Option<(Way, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Shedding {
    /// Take in how the board is at `now`; what is shed from now on, if that has changed.
    pub fn judge(&mut self, now: Duration, reading: &Reading) -> Option<Shed> {
        let way = if wanted(reading, 0.0) > self.step {
            Way::Up
        } else if wanted(reading, HYSTERESIS_C) < self.step {
            Way::Down
        } else {
            self.wish = None;
            return None;
        };
        let since = match self.wish {
            Some((wish, since)) if wish == way => since,
            _ => now,
        };
        self.wish = Some((way, since));
        let patience = if way == Way::Up { UP_AFTER } else { DOWN_AFTER };
        if now.saturating_sub(since) < patience {
            return None;
        }
        self.step = if way == Way::Up { self.step + 1 } else { self.step - 1 };
        self.wish = Some((way, now));
        let one_in = STEPS[self.step];
        Some(Shed { one_in, reason: (one_in > 1).then(|| reason(reading, one_in)) })
    }
}

/// The step that is right for a reading, were it warmer by `margin`.
fn wanted(reading: &Reading, margin: f32) -> usize {
    let above = reading.hottest.as_ref().map_or(f32::NEG_INFINITY, |t| t.celsius + margin - t.limit_c);
    let hot = usize::from(above >= -EARLY_C) + usize::from(above >= 0.0);
    hot.max(usize::from(reading.undervoltage || reading.throttled))
}

fn reason(reading: &Reading, one_in: u32) -> String {
    let mut why = Vec::new();
    if let Some(t) = &reading.hottest {
        why.push(format!("{} at {:.0} °C, limit {:.0} °C", t.zone, t.celsius, t.limit_c));
    }
    if reading.undervoltage {
        why.push("its voltage is too low".into());
    }
    if reading.throttled {
        why.push("its firmware slows the processor down".into());
    }
    format!("one clip in {one_in} is looked at, to spare the board ({})", why.join("; "))
}

/// Read `sensors` every [`PERIOD`], by a thread of its own that lives as long as the process: a sensor that hangs holds nobody
/// up, and what was shed last stays.
pub fn start(sensors: Sensors, clock: impl Clock + 'static) -> Shared<Shed> {
    let shed = Shared::default();
    if sensors.is_empty() {
        log::info!("no sensors of heat or power: no load is shed");
        return shed;
    }
    log::info!("load is shed by: {}", sensors.describe());
    let told = Arc::clone(&shed);
    let run = move || {
        let mut shedding = Shedding::default();
        loop {
            match panics::catch(|| shedding.judge(clock.now(), &sensors.read())) {
                Ok(None) => {}
                Ok(Some(now)) => set(&told, now),
                Err(panic) => log::error!("{}", panic.error("the board's sensors")),
            }
            std::thread::sleep(PERIOD);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("sensors".into()).spawn(run) {
        log::error!("no thread can be started for the board's sensors: {error}; no load is shed");
    }
    shed
}

fn set(shed: &Mutex<Shed>, now: Shed) {
    match &now.reason {
        Some(reason) => log::warn!("{reason}"),
        None => log::info!("the board is well: every clip is looked at"),
    }
    *lock(shed) = now;
}

#[cfg(test)]
mod tests {
    use super::super::sensors::tests::Board;
    use super::*;

    /// What changed and when, for a board that is read every 5 s and is made so at each time.
    fn changes(seconds: u64, board: &Board, mut make: impl FnMut(u64)) -> Vec<(u64, u32)> {
        let (mut shedding, sensors) = (Shedding::default(), board.sensors());
        let mut found = Vec::new();
        for second in (0..seconds).step_by(PERIOD.as_secs() as usize) {
            make(second);
            let shed = shedding.judge(Duration::from_secs(second), &sensors.read());
            found.extend(shed.map(|shed| (second, shed.one_in)));
        }
        found
    }

    fn pi(temp: u32) -> Board {
        let board = Board::new();
        board.zone(0, "cpu-thermal", &format!("{temp}000"), &[("critical", "110000")]);
        board.put("devices/platform/soc/soc:firmware/get_throttled", "0");
        board
    }

    fn warm(board: &Board, temp: u64) {
        board.put("class/thermal/thermal_zone0/temp", &format!("{temp}000"));
    }

    #[test]
    fn heat_sheds_step_by_step_and_cooling_takes_it_back() {
        let board = pi(60);
        let found = changes(500, &board, |second| {
            warm(
                &board,
                match second {
                    0..100 => 74,
                    100..150 => 76,
                    150..200 => 83,
                    200..300 => 76,
                    300..400 => 71,
                    _ => 69,
                },
            );
        });
        assert_eq!(found, [(110, 2), (160, 4), (360, 2), (460, 1)], "76 °C is not yet 5 °C below 80; 71 not below 75");
    }

    #[test]
    fn a_board_that_boils_is_given_time_between_the_steps() {
        let board = pi(95);
        assert_eq!(changes(200, &board, |_| {}), [(10, 2), (20, 4)]);
    }

    #[test]
    fn one_reading_that_is_off_changes_nothing() {
        let board = pi(60);
        let found = changes(300, &board, |second| warm(&board, if second % 10 == 0 { 90 } else { 60 }));
        assert_eq!(found, []);
    }

    #[test]
    fn at_the_edge_nothing_flutters() {
        let board = pi(60);
        let found = changes(3000, &board, |second| warm(&board, 73 + second / 30 % 3));
        assert!(found == [(70, 2)], "{found:?}");
    }

    #[test]
    fn weak_power_and_a_slow_processor_take_the_first_step_and_no_more() {
        for bits in ["1", "50005", "8"] {
            let board = pi(50);
            let found = changes(400, &board, |second| {
                let now = if (100..200).contains(&second) { bits } else { "50000" };
                board.put("devices/platform/soc/soc:firmware/get_throttled", now);
            });
            assert_eq!(found, [(110, 2), (260, 1)], "{bits}");
        }
    }

    #[test]
    fn the_reason_says_what_was_read_and_goes_with_it() {
        let board = pi(81);
        board.put("devices/platform/soc/soc:firmware/get_throttled", "1");
        let (mut shedding, sensors) = (Shedding::default(), board.sensors());
        assert_eq!(shedding.judge(Duration::ZERO, &sensors.read()), None);
        let shed = shedding.judge(UP_AFTER, &sensors.read()).unwrap();
        assert_eq!(
            shed.reason.unwrap(),
            "one clip in 2 is looked at, to spare the board (cpu-thermal at 81 °C, limit 80 °C; its voltage is too low)"
        );
        warm(&board, 40);
        board.put("devices/platform/soc/soc:firmware/get_throttled", "0");
        assert_eq!(shedding.judge(2 * UP_AFTER, &sensors.read()), None);
        assert_eq!(shedding.judge(2 * UP_AFTER + DOWN_AFTER, &sensors.read()), Some(Shed::default()));
    }

    #[test]
    fn a_board_without_sensors_sheds_nothing() {
        let shed = start(Board::new().sensors(), super::super::SimClock::default());
        assert_eq!(*lock(&shed), Shed::default());
    }
}
