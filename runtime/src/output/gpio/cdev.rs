//! Pins of the kernel's GPIO character device, and what chips and lines there are: a chip's name and a line come in, an
//! `embedded-hal` pin goes out.
//!
//! A line has one owner at a time, and the kernel takes it back when its owner ends, however that happens: most chips
//! then make it an input, and what the wire does is up to its resistor (docs/guide/wiring.md).
//!
//! Refused: a chip or line that is not there, held by another, or closed to this user; each with what to do.

use std::io;
use std::path::PathBuf;

use embedded_hal::digital::PinState;
use firmware_config::config::LineId;
use gpiocdev::line::{Bias, Direction, Offset, Value};
use gpiocdev::{Chip, Request, chip};
pub use gpiocdev_embedded_hal::{InputPin, OutputPin};
use serde::Serialize;

use crate::{Error, Result};

/// Who the kernel says holds a line.
const CONSUMER: &str = "tadpole";

/// Take `line` as an output that is at `level` from the first moment.
///
/// # Errors
/// When chip or line is not there, is held by another, or may not be opened.
pub fn output(chip: Option<&str>, line: &LineId, level: PinState) -> Result<OutputPin> {
    let (chip, offset) = find(chip, line)?;
    let value = if level == PinState::High { Value::Active } else { Value::Inactive };
    let request = Request::builder()
        .on_chip(chip.path())
        .with_consumer(CONSUMER)
        .with_line(offset)
        .as_output(value)
        .request()
        .map_err(|error| refused(&chip, offset, &error))?;
    OutputPin::try_from(request).map_err(|error| Error::failed(name(&chip, offset), error.to_string(), REPORT))
}

/// Take `line` as an input that a resistor in the chip, where it has one, pulls up.
///
/// # Errors
/// As [`output`].
pub fn input(chip: Option<&str>, line: &LineId) -> Result<InputPin> {
    let (chip, offset) = find(chip, line)?;
    let request = |bias: Option<Bias>| {
        let mut builder = Request::builder();
        builder.on_chip(chip.path()).with_consumer(CONSUMER).with_line(offset).as_input().with_bias(bias).request()
    };
    let request =
        request(Some(Bias::PullUp)).or_else(|_| request(None)).map_err(|error| refused(&chip, offset, &error))?;
    InputPin::try_from(request).map_err(|error| Error::failed(name(&chip, offset), error.to_string(), REPORT))
}

const REPORT: &str = "report this as a bug";
const LIST: &str = "`tadpole gpio` lists chips and lines";

fn name(chip: &Chip, offset: Offset) -> String {
    format!("{} line {offset}", chip.name())
}

/// Why the kernel does not give a line.
fn refused(chip: &Chip, offset: Offset, error: &gpiocdev::Error) -> Error {
    let info = chip.line_info(offset).ok().filter(|info| info.used);
    match info.map(|info| owner(info.consumer)) {
        Some(owner) => Error::unavailable(
            name(chip, offset),
            format!("is held by {owner}"),
            "end that program, or disable its device tree overlay, or choose another line",
        ),
        None => Error::unavailable(name(chip, offset), format!("cannot be taken: {error}"), LIST),
    }
}

/// Who holds a line, for people.
fn owner(consumer: String) -> String {
    if consumer.is_empty() { "the kernel".into() } else { consumer }
}

/// The chip and the offset of a line. Without a chip, the line must have a name that only one line bears.
fn find(chip: Option<&str>, line: &LineId) -> Result<(Chip, Offset)> {
    let chips = match chip {
        Some(wanted) => vec![find_chip(wanted)?],
        None => open_all()?,
    };
    match line {
        LineId::Number(number) => {
            // The config asks for a chip where lines have numbers.
            let Some(chip) = chips.into_iter().next() else {
                return Err(Error::unavailable(format!("line {number}"), "is on no chip", LIST));
            };
            let lines = chip.info().map_or(0, |info| info.num_lines);
            if *number >= lines {
                let problem = format!("has {lines} lines, and no line {number}");
                return Err(Error::unavailable(chip.name(), problem, LIST));
            }
            Ok((chip, *number))
        }
        LineId::Name(name) => {
            let found = chips.into_iter().flat_map(|chip| {
                let offsets: Vec<_> = named(&chip, name).collect();
                let path = chip.path().to_owned();
                offsets.into_iter().map(move |offset| (path.clone(), offset))
            });
            let found: Vec<_> = found.collect();
            match found.as_slice() {
                [(path, offset)] => Ok((open_chip(path)?, *offset)),
                [] => Err(Error::unavailable(format!("line {name}"), "is not there", LIST)),
                several => {
                    let problem = format!("is the name of {} lines", several.len());
                    Err(Error::unavailable(format!("line {name}"), problem, "name its chip, or write its number"))
                }
            }
        }
    }
}

/// Offsets of the lines that bear a name.
fn named<'c>(chip: &'c Chip, name: &'c str) -> impl Iterator<Item = Offset> + 'c {
    let lines = chip.line_info_iter().into_iter().flatten().flatten();
    lines.filter(move |info| info.name == name).map(|info| info.offset)
}

/// A chip by its path, name (`gpiochip0`) or label (`pinctrl-bcm2711`).
fn find_chip(wanted: &str) -> Result<Chip> {
    let path = if wanted.contains('/') { PathBuf::from(wanted) } else { PathBuf::from("/dev").join(wanted) };
    if path.exists() || wanted.contains('/') {
        return open_chip(&path);
    }
    let mut there = Vec::new();
    for chip in open_all()? {
        let label = chip.info().map(|info| info.label).unwrap_or_default();
        if label == wanted {
            return Ok(chip);
        }
        there.push(format!("{} ({label})", chip.name()));
    }
    let there = if there.is_empty() { "there is no chip".into() } else { format!("there are {}", there.join(", ")) };
    Err(Error::unavailable(wanted, format!("is no GPIO chip of this machine: {there}"), LIST))
}

fn open_chip(path: &std::path::Path) -> Result<Chip> {
    Chip::from_path(path).map_err(|error| {
        let subject = path.display().to_string();
        let denied = matches!(&error, gpiocdev::Error::Os(errno) if matches!(errno.0, libc::EACCES | libc::EPERM));
        if denied {
            return Error::unavailable(
                subject,
                "may not be opened by this user",
                "add the user to the group that owns it, on Raspberry Pi OS `sudo usermod -aG gpio $USER`, and log in anew",
            );
        }
        Error::unavailable(subject, format!("is no GPIO chip that can be opened: {error}"), LIST)
    })
}

/// All chips that this user may open.
fn open_all() -> Result<Vec<Chip>> {
    let paths = paths()?;
    let mut opened = Vec::with_capacity(paths.len());
    let mut denied = None;
    for path in paths {
        match open_chip(&path) {
            Ok(chip) => opened.push(chip),
            Err(error) => denied = Some(error),
        }
    }
    match denied {
        // Chips that were hidden may hold what is looked for.
        Some(error) if opened.is_empty() => Err(error),
        _ => Ok(opened),
    }
}

fn paths() -> Result<Vec<PathBuf>> {
    chip::chips().map_err(|error| {
        let error = io::Error::other(error.to_string());
        Error::unavailable("/dev", format!("cannot be searched for GPIO chips: {error}"), "check that it is mounted")
    })
}

/// A chip with its lines, for people who choose one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundChip {
    /// Its name, such as `gpiochip0`.
    pub name: String,
    /// What drives it.
    pub label: String,
    /// Its lines.
    pub lines: Vec<FoundLine>,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// A line of a chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundLine {
    /// Its offset.
    pub number: Offset,
    /// Its name; may be empty.
    pub name: String,
    /// Driven from here.
    pub output: bool,
    /// Who holds it; empty when it is free.
    pub held_by: String,
}

/// Look at every chip.
///
/// # Errors
/// When the device folder cannot be read.
pub fn survey() -> Result<Vec<FoundChip>> {
    Ok(paths()?.iter().map(|path| look_at(path)).collect())
}

fn look_at(path: &std::path::Path) -> FoundChip {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let empty = FoundChip { name, label: String::new(), lines: Vec::new(), problem: None };
    match open_chip(path) {
        Err(error) => FoundChip { problem: Some(format!("{}; {}", error.problem, error.remedy)), ..empty },
        Ok(chip) => {
            let lines = chip.line_info_iter().into_iter().flatten().flatten().map(|info| FoundLine {
                number: info.offset,
                name: info.name,
                output: info.direction == Direction::Output,
                held_by: if info.used { owner(info.consumer) } else { String::new() },
            });
            FoundChip { label: chip.info().map(|info| info.label).unwrap_or_default(), lines: lines.collect(), ..empty }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(chip: Option<&str>, line: &LineId) -> String {
        output(chip, line, PinState::Low).err().unwrap().to_string()
    }

    #[test]
    fn what_is_no_chip_says_so() {
        assert!(told(Some("/dev/null"), &LineId::Number(1)).starts_with("/dev/null: is no GPIO chip"));
        assert!(told(Some("/dev/no-such-chip"), &LineId::Number(1)).starts_with("/dev/no-such-chip: is no GPIO chip"));
        // A machine whose chips are closed to this user says that first.
        let denied = |told: &str| told.contains("may not be opened");
        let label = told(Some("no-such-chip"), &LineId::Number(1));
        assert!(label.starts_with("no-such-chip: is no GPIO chip") || denied(&label), "{label}");
        let line = told(None, &LineId::Name("NO SUCH LINE".into()));
        assert!(line.contains("NO SUCH LINE") || denied(&line), "{line}");
    }

    #[test]
    fn chips_can_be_listed_where_there_are_none() {
        survey().unwrap();
    }
}
