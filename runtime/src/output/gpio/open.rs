//! `[output.gpio]` of a config in, relay, heartbeat and test button on the pins that it names out.
//!
//! Refused: a chip or line that is not there or not free, and a kind that this build lacks.

use firmware_config::config::{Gpio, GpioKind};

use super::button::TestButton;
use super::heartbeat::Heartbeat;
use super::{GpioRelay, MemoryPin, Polarity};
use crate::Result;
use crate::output::Outputs;

/// Open what `config` names: the relay and the heartbeat are added to `outputs`, the button is handed over.
///
/// # Errors
/// When a chip or line is not there, is taken, may not be opened, or this build cannot drive it.
pub fn open(config: &Gpio, outputs: &mut Outputs) -> Result<Option<TestButton>> {
    let polarity = if config.active_low { Polarity::ActiveLow } else { Polarity::ActiveHigh };
    match config.kind {
        GpioKind::Memory => {
            outputs.push(GpioRelay::new(MemoryPin::new(), polarity)?);
            Ok(None)
        }
        GpioKind::Cdev => by_cdev(config, polarity, outputs),
        GpioKind::Rppal => by_rppal(config, polarity, outputs),
    }
}

#[cfg(target_os = "linux")]
fn by_cdev(config: &Gpio, polarity: Polarity, outputs: &mut Outputs) -> Result<Option<TestButton>> {
    use embedded_hal::digital::PinState;

    use super::cdev;
    let chip = config.chip.as_deref();
    if let Some(line) = &config.line {
        outputs.push(GpioRelay::new(cdev::output(chip, line, polarity.level(false))?, polarity)?);
    }
    if let Some(line) = &config.heartbeat {
        outputs.push(Heartbeat::new(cdev::output(chip, line, PinState::Low)?)?);
    }
    config.button.as_ref().map(|line| Ok(TestButton::new(cdev::input(chip, line)?))).transpose()
}

#[cfg(not(target_os = "linux"))]
fn by_cdev(_: &Gpio, _: Polarity, _: &mut Outputs) -> Result<Option<TestButton>> {
    Err(crate::Error::invalid("output.gpio.kind", "is `cdev`, which only Linux has", "use `memory`"))
}

#[cfg(feature = "rppal")]
fn by_rppal(config: &Gpio, polarity: Polarity, outputs: &mut Outputs) -> Result<Option<TestButton>> {
    use embedded_hal::digital::PinState;

    use super::rppal;
    if let Some(line) = &config.line {
        outputs.push(GpioRelay::new(rppal::output(line, polarity.level(false))?, polarity)?);
    }
    if let Some(line) = &config.heartbeat {
        outputs.push(Heartbeat::new(rppal::output(line, PinState::Low)?)?);
    }
    config.button.as_ref().map(|line| Ok(TestButton::new(rppal::input(line)?))).transpose()
}

#[cfg(not(feature = "rppal"))]
fn by_rppal(_: &Gpio, _: Polarity, _: &mut Outputs) -> Result<Option<TestButton>> {
    Err(crate::Error::invalid(
        "output.gpio.kind",
        "is `rppal`, and this build lacks the cargo feature `rppal`",
        "use `cdev`, which drives a Raspberry Pi too, or build with `--features rppal`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::output::event::tests::started;

    #[test]
    fn a_relay_in_memory_needs_no_line() {
        let mut outputs = Outputs::default();
        assert!(open(&Gpio::new(GpioKind::Memory), &mut outputs).unwrap().is_none());
        assert!(outputs.alarm(&started("a", 1)).is_empty());
    }

    #[cfg(not(feature = "rppal"))]
    #[test]
    fn a_kind_that_this_build_lacks_is_named() {
        let error = open(&Gpio::new(GpioKind::Rppal), &mut Outputs::default()).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert!(error.to_string().contains("--features rppal"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_chip_that_is_not_there_is_named_with_its_remedy() {
        use firmware_config::config::LineId;
        let line = Some(LineId::Number(17));
        let config = Gpio { chip: Some("/dev/no-such-chip".into()), line, ..Gpio::new(GpioKind::Cdev) };
        let error = open(&config, &mut Outputs::default()).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.to_string().contains("no-such-chip") && error.to_string().contains("tadpole gpio"), "{error}");
    }
}
