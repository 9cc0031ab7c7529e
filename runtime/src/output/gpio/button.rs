//! A button that pulls its line low: it raises a test alarm, so that whoever stands at the pole sees relay, wiring and
//! control room at work. Pure but for the pin: the time comes in.
//!
//! The button must be held for [`HOLD`]; the alarm lasts as long as it is held, at least [`TEST_MIN`] and at most
//! [`TEST_MAX`]. A button that is stuck raises one alarm, not one after another.

use std::time::Duration;

use embedded_hal::digital::InputPin;

use crate::output::{AlarmEvent, Phase};
use crate::{Error, Result};

/// A touch shorter than this is taken for a disturbance on the wire.
pub const HOLD: Duration = Duration::from_millis(200);
/// A test alarm lasts at least this long.
pub const TEST_MIN: Duration = Duration::from_secs(5);
/// A test alarm lasts at most this long.
pub const TEST_MAX: Duration = Duration::from_mins(1);
/// The camera that a test alarm names; no real one can have a space in its name.
pub const TEST_CAMERA: &str = "test button";

/// Where the button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not pressed.
    Up,
    /// Pressed since then; not yet long enough.
    Touched(Duration),
    /// Its alarm is on since then.
    Alarm(Duration),
    /// Its alarm is over, and it must be let go first.
    Stuck,
}

/// Raises test alarms.
pub struct TestButton {
    pressed: Box<dyn FnMut() -> std::result::Result<bool, String> + Send>,
    state: State,
    count: u64,
    failed: bool,
}

impl TestButton {
    /// A button between `pin` and ground.
    pub fn new(mut pin: impl InputPin + Send + 'static) -> Self {
        let pressed = Box::new(move || pin.is_low().map_err(|e| format!("{e:?}")));
        Self { pressed, state: State::Up, count: 0, failed: false }
    }

    /// Look at the button at `now`; the event is that of a test alarm which begins or ends.
    ///
    /// # Errors
    /// When the line cannot be read, once until it can be again; it counts as not pressed.
    pub fn poll(&mut self, now: Duration) -> Result<Option<AlarmEvent>> {
        let read = (self.pressed)();
        let was_failing = std::mem::replace(&mut self.failed, read.is_err());
        let event = self.judge(*read.as_ref().unwrap_or(&false), now);
        match read {
            Err(why) if !was_failing && event.is_none() => Err(Error::failed(
                TEST_CAMERA,
                format!("its line cannot be read: {why}"),
                "check the line's number, owner and wiring",
            )),
            _ => Ok(event),
        }
    }

    fn judge(&mut self, pressed: bool, now: Duration) -> Option<AlarmEvent> {
        let since = |then: Duration| now.saturating_sub(then);
        match (self.state, pressed) {
            (State::Up, true) => self.state = State::Touched(now),
            (State::Touched(then), true) if since(then) >= HOLD => {
                self.state = State::Alarm(now);
                self.count += 1;
                return Some(self.event(Phase::Started, now, now));
            }
            (State::Alarm(then), _) if since(then) >= TEST_MAX || (!pressed && since(then) >= TEST_MIN) => {
                self.state = if pressed { State::Stuck } else { State::Up };
                return Some(self.event(Phase::Ended, then, now));
            }
            (State::Touched(_) | State::Stuck, false) => self.state = State::Up,
            _ => {}
        }
        None
    }

    fn event(&self, phase: Phase, start: Duration, end: Duration) -> AlarmEvent {
        AlarmEvent {
            phase,
            camera: TEST_CAMERA.into(),
            id: self.count,
            segment: 0,
            start_s: start.as_secs_f64(),
            end_s: end.as_secs_f64(),
            first_frame: 0,
            last_frame: 0,
            peak: 0.0,
            quiet: false,
            test: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal::digital::OutputPin as _;

    use super::super::MemoryPin;
    use super::*;

    /// Polls every 100 ms; `down` says when the button is pressed. What was told, with its time in ms.
    fn told(until_ms: u64, down: impl Fn(u64) -> bool) -> Vec<(u64, Phase, u64)> {
        let mut pin = MemoryPin::new();
        let mut button = TestButton::new(pin.clone());
        let mut told = Vec::new();
        for ms in (0..until_ms).step_by(100) {
            if down(ms) {
                pin.set_low().unwrap();
            } else {
                pin.set_high().unwrap();
            }
            if let Some(event) = button.poll(Duration::from_millis(ms)).unwrap() {
                told.push((ms, event.phase, event.id));
            }
        }
        told
    }

    #[test]
    fn a_press_raises_an_alarm_of_five_seconds() {
        let press = |ms| (1000..2000).contains(&ms);
        assert_eq!(told(10_000, press), [(1200, Phase::Started, 1), (6200, Phase::Ended, 1)]);
    }

    #[test]
    fn a_disturbance_raises_none_and_the_next_press_is_another_alarm() {
        assert_eq!(told(10_000, |ms| ms == 1000 || ms == 3000), []);
        let twice = told(30_000, |ms| (0..1000).contains(&ms) || (20_000..21_000).contains(&ms));
        assert_eq!(twice.iter().map(|&(_, _, id)| id).collect::<Vec<_>>(), [1, 1, 2, 2]);
    }

    #[test]
    fn a_button_that_is_stuck_raises_one_alarm() {
        assert_eq!(told(300_000, |_| true), [(200, Phase::Started, 1), (60_200, Phase::Ended, 1)]);
    }

    #[test]
    fn holding_it_holds_the_alarm() {
        assert_eq!(told(20_000, |ms| ms < 9000), [(200, Phase::Started, 1), (9000, Phase::Ended, 1)]);
    }
}
