//! A line that changes its level at every beat while all is well, and rests low when it is not: a relay timer or an
//! alarm panel that misses the changes knows that nobody watches, whatever has happened here.

use embedded_hal::digital::{OutputPin, PinState};

use crate::output::{AlarmEvent, Output};
use crate::{Error, Result};

/// Changes its level while all is well.
pub struct Heartbeat<P: OutputPin> {
    pin: P,
    high: bool,
    fault: Option<String>,
}

impl<P: OutputPin> Heartbeat<P> {
    /// Take over `pin` and put it low.
    ///
    /// # Errors
    /// When the pin cannot be set.
    pub fn new(pin: P) -> Result<Self> {
        let mut heartbeat = Self { pin, high: false, fault: None };
        heartbeat.set(false)?;
        Ok(heartbeat)
    }

    fn set(&mut self, high: bool) -> Result<()> {
        self.high = high;
        let set = self.pin.set_state(PinState::from(high));
        // Told when it begins, not at every beat.
        let first = self.fault.is_none();
        self.fault = set.as_ref().err().map(|e| format!("the line cannot be set: {e:?}"));
        match set {
            Err(e) if first => Err(Error::failed(
                "heartbeat",
                format!("the line cannot be set: {e:?}"),
                "check the line's number, owner and wiring",
            )),
            _ => Ok(()),
        }
    }
}

impl<P: OutputPin + Send> Output for Heartbeat<P> {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn alarm(&mut self, _: &AlarmEvent) -> Result<()> {
        Ok(())
    }

    fn beat(&mut self, well: bool) -> Result<()> {
        self.set(well && !self.high)
    }

    fn fault(&self) -> Option<String> {
        self.fault.clone()
    }
}

impl<P: OutputPin> Drop for Heartbeat<P> {
    fn drop(&mut self) {
        if let Err(e) = self.set(false) {
            log::error!("{e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryPin;
    use super::*;

    #[test]
    fn the_line_changes_only_while_all_is_well() {
        let pin = MemoryPin::new();
        let mut heartbeat = Heartbeat::new(pin.clone()).unwrap();
        for _ in 0..7 {
            heartbeat.beat(true).unwrap();
        }
        assert_eq!((pin.edges(), pin.level_is_high()), (7, true));
        for _ in 0..7 {
            heartbeat.beat(false).unwrap();
        }
        assert_eq!((pin.edges(), pin.level_is_high()), (8, false), "it rests low");
        heartbeat.beat(true).unwrap();
        drop(heartbeat);
        assert!(!pin.level_is_high(), "and is left low");
    }
}
