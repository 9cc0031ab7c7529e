//! Pins of a Raspberry Pi's registers: a BCM number comes in, an `embedded-hal` pin goes out.
//!
//! The kernel does not know of it and keeps nobody else from the line. A line stays as it was left, also after a
//! crash (docs/guide/wiring.md). Refused: other boards, numbers that are no pins, no permission.

use ::rppal::gpio::{self, Gpio, InputPin, OutputPin, Pin};
use embedded_hal::digital::PinState;
use firmware_config::config::LineId;

use crate::{Error, Result};

/// Take `line` as an output that is at `level` from the first moment. It keeps its level when it is dropped.
///
/// # Errors
/// On another board, for a number that is no pin, or without permission.
pub fn output(line: &LineId, level: PinState) -> Result<OutputPin> {
    let pin = pin(line)?;
    let mut output = match level {
        PinState::High => pin.into_output_high(),
        PinState::Low => pin.into_output_low(),
    };
    output.set_reset_on_drop(false);
    Ok(output)
}

/// Take `line` as an input that is pulled up.
///
/// # Errors
/// As [`output`].
pub fn input(line: &LineId) -> Result<InputPin> {
    Ok(pin(line)?.into_input_pullup())
}

fn pin(line: &LineId) -> Result<Pin> {
    let subject = format!("BCM line {line}");
    let LineId::Number(number) = line else {
        return Err(Error::invalid(subject, "is no number", "write the line's BCM number"));
    };
    let number = u8::try_from(*number).map_err(|_| Error::invalid(&subject, "is no pin", "write 0 to 27"))?;
    Gpio::new().and_then(|gpio| gpio.get(number)).map_err(|error| {
        let remedy = match &error {
            gpio::Error::UnknownModel => "this is no Raspberry Pi that rppal knows: use `kind = \"cdev\"`",
            gpio::Error::PermissionDenied(_) => {
                "add the user to the group gpio, `sudo usermod -aG gpio $USER`, and log in anew"
            }
            gpio::Error::PinUsed(_) => "give each line a number of its own",
            gpio::Error::PinNotAvailable(_) => "write the line's BCM number, 0 to 27",
            _ => "use `kind = \"cdev\"`",
        };
        Error::unavailable(subject, format!("cannot be taken: {error}"), remedy)
    })
}
