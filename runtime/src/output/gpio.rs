//! A relay on an output line: closed while any alarm of any camera is on.
//!
//! The line is any `embedded-hal` pin; [`MemoryPin`] is one without a board. The line is opened when the relay is made
//! and when it is dropped. A killed process drops nothing: wire the relay so that the level a board falls back to
//! is the safe one.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use embedded_hal::digital::{ErrorType, OutputPin, PinState, StatefulOutputPin};

use super::{AlarmEvent, Output, Phase};
use crate::{Error, Result};

/// A pin in memory. Clones share one line.
#[derive(Clone, Debug, Default)]
pub struct MemoryPin(Arc<Line>);

#[derive(Debug, Default)]
struct Line {
    high: AtomicBool,
    edges: AtomicU64,
}

impl MemoryPin {
    /// A low line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line's level now.
    pub fn level_is_high(&self) -> bool {
        self.0.high.load(Ordering::SeqCst)
    }

    /// How often the level has changed.
    pub fn edges(&self) -> u64 {
        self.0.edges.load(Ordering::SeqCst)
    }

    fn put(&self, high: bool) {
        if self.0.high.swap(high, Ordering::SeqCst) != high {
            self.0.edges.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl ErrorType for MemoryPin {
    type Error = Infallible;
}

impl OutputPin for MemoryPin {
    fn set_low(&mut self) -> std::result::Result<(), Infallible> {
        self.put(false);
        Ok(())
    }

    fn set_high(&mut self) -> std::result::Result<(), Infallible> {
        self.put(true);
        Ok(())
    }
}

impl StatefulOutputPin for MemoryPin {
    fn is_set_high(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(self.level_is_high())
    }

    fn is_set_low(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(!self.level_is_high())
    }
}

/// Which level closes the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polarity {
    /// High closes.
    #[default]
    ActiveHigh,
    /// Low closes, as on most relay boards.
    ActiveLow,
}

/// Closes a relay while an alarm is on.
pub struct GpioRelay<P: OutputPin> {
    pin: P,
    polarity: Polarity,
    /// The alarms that are on: camera and number.
    on: BTreeSet<(String, u64)>,
    fault: Option<String>,
}

impl<P: OutputPin> GpioRelay<P> {
    /// Take over `pin` and open the relay.
    ///
    /// # Errors
    /// When the pin cannot be set.
    pub fn new(pin: P, polarity: Polarity) -> Result<Self> {
        let mut relay = Self { pin, polarity, on: BTreeSet::new(), fault: None };
        relay.set(false)?;
        Ok(relay)
    }

    fn set(&mut self, closed: bool) -> Result<()> {
        let level = PinState::from(closed == (self.polarity == Polarity::ActiveHigh));
        let set = self.pin.set_state(level);
        self.fault = set.as_ref().err().map(|e| format!("the line cannot be set: {e:?}"));
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

    #[test]
    fn the_pin_knows_its_state() {
        let mut pin = MemoryPin::new();
        pin.set_high().unwrap();
        pin.toggle().unwrap();
        assert!(pin.is_set_low().unwrap());
        assert_eq!(pin.edges(), 2);
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
