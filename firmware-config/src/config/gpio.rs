//! The relay line and its companions, `[output.gpio]`: a heartbeat and a test button. Which combinations can be.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::Problem;

/// The highest number that a line may have.
pub const LINE_NUMBER_MAX: u32 = 4095;
/// The highest BCM number of a Raspberry Pi.
pub const BCM_NUMBER_MAX: u32 = 53;

/// A relay line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpio {
    /// What drives the line.
    pub kind: GpioKind,
    /// The chip that the lines are on: `gpiochip0`, its label, or its path. May be left out when every line is named.
    pub chip: Option<String>,
    /// The line that closes the relay while an alarm is on.
    pub line: Option<LineId>,
    /// The relay closes at the low level, as on most relay boards.
    #[serde(default)]
    pub active_low: bool,
    /// A line that changes its level several times a second while all is well, and rests low when it is not.
    pub heartbeat: Option<LineId>,
    /// A line that a button pulls low to raise a test alarm.
    pub button: Option<LineId>,
}

/// What drives the relay line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpioKind {
    /// A line in memory: logged, and connected to nothing.
    Memory,
    /// The kernel's GPIO character device: any Linux board.
    Cdev,
    /// A Raspberry Pi's registers, past the kernel; lines have BCM numbers.
    Rppal,
}

/// Which line of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineId {
    /// By its offset on the chip, or its BCM number.
    Number(u32),
    /// By the name that the board's description gives it, such as `GPIO17`.
    Name(String),
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for LineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LineVisitor)
    }
}

/// A number or a name, and an error that says so.
struct LineVisitor;

impl Visitor<'_> for LineVisitor {
    type Value = LineId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line's number or its name")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<LineId, E> {
        u32::try_from(number).map(LineId::Number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<LineId, E> {
        u32::try_from(number).map(LineId::Number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<LineId, E> {
        Ok(LineId::Name(name.into()))
    }
}

impl Gpio {
    /// A relay of this kind, and nothing else set.
    pub fn new(kind: GpioKind) -> Self {
        Self { kind, chip: None, line: None, active_low: false, heartbeat: None, button: None }
    }

    /// The lines that are set, with their keys.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &LineId)> {
        let all = [("line", &self.line), ("heartbeat", &self.heartbeat), ("button", &self.button)];
        all.into_iter().filter_map(|(key, line)| Some((key, line.as_ref()?)))
    }

    /// Every problem of the settings. `kind = "memory"` opens nothing and keeps what stands beside it for later.
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, problem: String, remedy: &str| {
            problems.push(Problem::new(format!("output.gpio.{key}"), problem, remedy));
        };
        if self.kind != GpioKind::Memory && self.line.is_none() {
            problem("line", "is missing".into(), "write the line's number or name; `tadpole gpio` lists them");
        }
        if self.chip.as_ref().is_some_and(|chip| chip.is_empty() || chip.contains('\0')) {
            problem("chip", "is no chip's name".into(), "write `gpiochip0`; `tadpole gpio` lists them");
        }
        if self.kind == GpioKind::Rppal && self.chip.is_some() {
            problem("chip", "is not for `rppal`, which knows one chip".into(), "leave it out");
        }
        let mut taken: Vec<(&str, &LineId)> = Vec::new();
        for (key, line) in self.lines() {
            match (self.kind, line) {
                (GpioKind::Rppal, LineId::Number(number)) if *number > BCM_NUMBER_MAX => {
                    problem(key, format!("is {number}, above {BCM_NUMBER_MAX}"), "write the line's BCM number");
                }
                (GpioKind::Rppal, LineId::Name(name)) => {
                    problem(key, format!("is the name `{name}`"), "write the line's BCM number");
                }
                (_, LineId::Number(number)) if *number > LINE_NUMBER_MAX => {
                    problem(key, format!("is {number}, above {LINE_NUMBER_MAX}"), "`tadpole gpio` lists the lines");
                }
                (GpioKind::Cdev, LineId::Number(number)) if self.chip.is_none() => {
                    problem(key, format!("is the number {number}, on no chip"), "add `chip`, or write the line's name");
                }
                (_, LineId::Name(name)) if name.is_empty() || name.contains('\0') => {
                    problem(key, "is no line's name".into(), "write its number or its name; `tadpole gpio` lists them");
                }
                _ => {}
            }
            if let Some((other, _)) = taken.iter().find(|(_, before)| *before == line) {
                problem(key, format!("is the same line as `{other}`"), "give each a line of its own");
            }
            taken.push((key, line));
        }
    }
}
