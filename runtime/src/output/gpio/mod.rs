//! Lines that people wire: a relay that is closed while any alarm of any camera is on, and its companions.
//!
//! | file | what |
//! |---|---|
//! | [`GpioRelay`], here | closed while an alarm is on, on any `embedded-hal` pin |
//! | [`heartbeat`] | a line that changes its level while all is well |
//! | [`button`] | an input that raises a test alarm |
//! | [`open`] | `[output.gpio]` of a config → the above on the pins that it names |
//! | [`memory`] | a pin without a board, for the demo, tests and dry runs |
//! | `cdev` | pins of the kernel's GPIO character device: any Linux board |
//! | `rppal` | pins of a Raspberry Pi's registers (cargo feature `rppal`) |
//!
//! The line is at the relay's resting level from the moment that it is taken, and put back there when the relay is
//! dropped. A killed process drops nothing: wire the relay so that the level a board falls back to is the safe one
//! (docs/guide/wiring.md).

pub mod button;
#[cfg(target_os = "linux")]
pub mod cdev;
pub mod heartbeat;
pub mod memory;
pub mod open;
#[cfg(feature = "rppal")]
pub mod rppal;

use std::collections::BTreeSet;

use embedded_hal::digital::{OutputPin, PinState};

pub use memory::MemoryPin;

use super::{AlarmEvent, Output, Phase};
use crate::{Error, Result};

/// Which level closes the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polarity {
    /// High closes.
    #[default]
    ActiveHigh,
    /// Low closes, as on most relay boards.
    ActiveLow,
}

impl Polarity {
    /// The level of a relay that is closed or open.
    pub fn level(self, closed: bool) -> PinState {
        PinState::from(closed == (self == Self::ActiveHigh))
    }
}

/// Closes a relay while an alarm is on.
pub struct GpioRelay<P: OutputPin> {
    pin: P,
    polarity: Polarity,
    /// The alarms that are on: camera and number.
    on: BTreeSet<(String, u64)>,
    /// Whether it is closed, as far as is known.
    closed: bool,
    fault: Option<String>,
}

impl<P: OutputPin> GpioRelay<P> {
    /// Take over `pin` and open the relay.
    ///
    /// # Errors
    /// When the pin cannot be set.
    pub fn new(pin: P, polarity: Polarity) -> Result<Self> {
        let mut relay = Self { pin, polarity, on: BTreeSet::new(), closed: false, fault: None };
        relay.set(false)?;
        Ok(relay)
    }

    fn set(&mut self, closed: bool) -> Result<()> {
        let set = self.pin.set_state(self.polarity.level(closed));
        self.fault = set.as_ref().err().map(|e| format!("the line cannot be set: {e:?}"));
        if set.is_ok() && std::mem::replace(&mut self.closed, closed) != closed {
            log::info!("gpio: the relay is {}", if closed { "closed" } else { "open" });
        }
        set.map_err(|e| {
            let wish = if closed { "close" } else { "open" };
            Error::failed(
                "gpio",
                format!("cannot {wish} the relay: {e:?}"),
                "check the line's number, owner and wiring",
            )
        })
    }
}

impl<P: OutputPin + Send> Output for GpioRelay<P> {
    fn name(&self) -> &'static str {
        "gpio"
    }

    fn hears_quiet(&self) -> bool {
        false
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        let key = (event.camera.clone(), event.id);
        match event.phase {
            Phase::Started => _ = self.on.insert(key),
            Phase::Ended => _ = self.on.remove(&key),
        }
        // Set even if it is so already: a line that was disturbed is put right.
        self.set(!self.on.is_empty())
    }

    fn fault(&self) -> Option<String> {
        self.fault.clone()
    }
}

impl<P: OutputPin> Drop for GpioRelay<P> {
    fn drop(&mut self) {
        if let Err(e) = self.set(false) {
            log::error!("{e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal::digital::ErrorType;

    use super::super::event::tests::{ended, started};
    use super::*;

    #[test]
    fn the_relay_is_closed_while_any_alarm_is_on() {
        let pin = MemoryPin::new();
        let mut relay = GpioRelay::new(pin.clone(), Polarity::ActiveHigh).unwrap();
        assert!(!pin.level_is_high());
        relay.alarm(&started("a", 1)).unwrap();
        assert!(pin.level_is_high());
        relay.alarm(&started("b", 1)).unwrap();
        relay.alarm(&ended("a", 1)).unwrap();
        assert!(pin.level_is_high(), "b's alarm is still on");
        relay.alarm(&ended("b", 1)).unwrap();
        assert!(!pin.level_is_high());
        assert_eq!(pin.edges(), 2);
    }

    #[test]
    fn an_active_low_relay_starts_and_ends_high() {
        let pin = MemoryPin::new();
        let mut relay = GpioRelay::new(pin.clone(), Polarity::ActiveLow).unwrap();
        assert!(pin.level_is_high());
        relay.alarm(&started("a", 1)).unwrap();
        assert!(!pin.level_is_high());
        drop(relay);
        assert!(pin.level_is_high(), "opened on drop");
    }

    /// A pin whose line is taken away.
    struct Broken;

    impl ErrorType for Broken {
        type Error = embedded_hal::digital::ErrorKind;
    }

    impl OutputPin for Broken {
        fn set_low(&mut self) -> std::result::Result<(), Self::Error> {
            Ok(())
        }

        fn set_high(&mut self) -> std::result::Result<(), Self::Error> {
            Err(embedded_hal::digital::ErrorKind::Other)
        }
    }

    #[test]
    fn a_line_that_cannot_be_set_is_a_fault_until_it_can() {
        let mut relay = GpioRelay::new(Broken, Polarity::ActiveHigh).unwrap();
        let e = relay.alarm(&started("a", 1)).unwrap_err();
        assert!(e.to_string().contains("cannot close the relay"), "{e}");
        assert!(relay.fault().is_some());
        relay.alarm(&ended("a", 1)).unwrap();
        assert!(relay.fault().is_none());
    }
}
