//! What a camera is told, as people write it: TOML text comes in, a checked [`Config`] goes out.
//!
//! Refused, each with its line, its key and what to do: unknown keys, wrong types, and settings that cannot be (see
//! `check`). All problems of settings are told at once. Nothing is opened or looked up here.

mod calibration;
mod check;
mod gpio;
mod keep;
mod locate;
mod network;
mod operator;
mod picture;
mod schedule;

use std::fmt;

use serde::Deserialize;

use crate::sign::{PublicKey, TrustedKeys};
pub use calibration::Calibration;
pub use gpio::{BCM_NUMBER_MAX, Gpio, GpioKind, LINE_NUMBER_MAX, LineId};
pub use keep::{Outbox, Recorder};
use locate::Document;
pub use network::{CONTROL_LISTEN, Control, Hawkbit, Mqtt, TLS_FOLDER, Webhook};
pub use operator::{LOG_LEVELS_MAX, Log, LogFormat, LogLevel, PAGE_LISTEN, PASSWORD_BYTES_MIN, Page};
pub use picture::{CORNERS_MAX, CORNERS_MIN, POLYGONS_MAX, Polygon};
pub use schedule::{DAY_MINUTES, Days, Mode, PERIODS_MAX, Period, Schedule, TimeOfDay};

/// The longest config, in bytes.
pub const CONFIG_BYTES_MAX: usize = 256 << 10;
/// The most cameras of one config.
pub const CAMERAS_MAX: usize = 16;

/// What a camera is told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cameras, `[[camera]]`.
    #[serde(rename = "camera", default)]
    pub cameras: Vec<Camera>,
    /// The model, `[model]`.
    pub model: Model,
    /// When to raise an alarm, `[alarm]`.
    #[serde(default)]
    pub alarm: Alarm,
    /// When alarms are wanted, `[schedule]`; always when absent.
    pub schedule: Option<Schedule>,
    /// Where decisions go, `[output.*]`.
    #[serde(default)]
    pub output: Output,
    /// Where events wait until they are delivered, `[outbox]`; none is sent when absent.
    pub outbox: Option<Outbox>,
    /// What is kept of alarms, `[recorder]`; nothing when absent.
    pub recorder: Option<Recorder>,
    /// The live page, `[page]`; none when absent.
    pub page: Option<Page>,
    /// How it is reached over the network, `[control]`; not at all when absent.
    pub control: Option<Control>,
    /// Where it asks for models, `[hawkbit]`; nowhere when absent.
    pub hawkbit: Option<Hawkbit>,
    /// What a new model must keep to before it stays, `[trial]`.
    #[serde(default)]
    pub trial: Trial,
    /// What is logged, `[log]`.
    #[serde(default)]
    pub log: Log,
}

/// What a new model must keep to before it stays. What is absent is as docs/ref/config.md says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// How long it scores beside the present model and, again, decides unconfirmed, in seconds; 5 to 86400.
    pub stage_s: Option<f32>,
    /// The longest that a segment may take it from clip to score, in milliseconds; above 0, at most 640.
    pub segment_ms: Option<f32>,
    /// What it may add to the resident memory in its proof, in megabytes of 10^6 bytes; above 0.
    pub memory_mb: Option<f32>,
    /// Resident memory of the whole process while it is on trial, in megabytes; above 0.
    pub resident_mb: Option<f32>,
    /// How far its scores may lie from the present model's, as a share of segments; above 0, at most 1.
    pub drift: Option<f32>,
}

/// One camera.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// A plain name, unique, that alarms and logs carry.
    pub name: String,
    /// Where its frames come from, a URI.
    pub source: String,
    /// What nobody may see: blacked out in every picture before anything else is done with it.
    #[serde(default)]
    pub mask: Vec<Polygon>,
    /// What matters: outside of all of them is blacked out too; everything matters when there are none.
    #[serde(default)]
    pub region: Vec<Polygon>,
}

/// Which model to run and whose signature to believe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Path of the bundle.
    pub bundle: String,
    /// Public keys whose bundles are run, one or two; nothing else is ever trusted.
    pub trusted_keys: Vec<PublicKey>,
    /// What computes its graphs.
    #[serde(default)]
    pub engine: EngineChoice,
}

/// What computes the graphs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The fastest that this machine has: TensorRT, else CUDA, else tract; the log says why not the ones before.
    #[default]
    Auto,
    /// tract, on the CPU: always there.
    Tract,
    /// onnxruntime on the CPU.
    Onnxruntime,
    /// onnxruntime on an NVIDIA GPU by CUDA, or nothing.
    Cuda,
    /// onnxruntime on an NVIDIA GPU by TensorRT, or nothing.
    Tensorrt,
}

impl EngineChoice {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Tract, Self::Onnxruntime, Self::Cuda, Self::Tensorrt];
}

impl std::str::FromStr for EngineChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|engine| engine.to_string() == name);
        found.ok_or_else(|| {
            format!("`{name}` is no engine; use {}", Self::ALL.map(|engine| engine.to_string()).join(", "))
        })
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Tract => "tract",
            Self::Onnxruntime => "onnxruntime",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
        })
    }
}

/// When to raise an alarm. What is absent is as the model's manifest says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// A score above this raises an alarm; above 0, below 1.
    pub threshold: Option<f32>,
    /// An alarm ends when the score falls below this share of the threshold; above 0, below 1.
    pub release_ratio: Option<f32>,
    /// The score must stay up this long before an alarm is raised, in seconds.
    pub min_length_s: Option<f32>,
    /// After an alarm, no new one for this long, in seconds.
    pub cool_down_s: Option<f32>,
    /// Where `threshold` is from, `[alarm.calibration]`.
    pub calibration: Option<Calibration>,
}

/// Where decisions go. What is absent is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// A relay line.
    pub gpio: Option<Gpio>,
    /// A record of events.
    pub journal: Option<Journal>,
    /// A broker.
    pub mqtt: Option<Mqtt>,
    /// A web server that is told of events.
    pub webhook: Option<Webhook>,
}

/// A record of events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// Path of the file that events are appended to.
    pub path: String,
}

impl Config {
    /// Read and check a config.
    ///
    /// # Errors
    /// With every problem found.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(Problem::new(
                "",
                format!("the config has {} bytes, more than {CONFIG_BYTES_MAX}", text.len()),
                "is this the file that you meant?",
            )
            .into());
        }
        let document = Document::parse(text).map_err(|error| locate::syntax_problem(text, &error))?;
        let config: Self = toml::from_str(text).map_err(|error| document.content_problem(&error))?;
        let mut problems = config.problems();
        for problem in &mut problems {
            problem.place = document.place_of(&problem.key);
        }
        problems.sort_by_key(|problem| problem.place);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    /// The keys whose bundles are run.
    pub fn trusted(&self) -> TrustedKeys {
        // More keys than are allowed never pass the check; if they did, nothing would be trusted.
        TrustedKeys::new(self.model.trusted_keys.clone()).unwrap_or_default()
    }

    /// Check the settings, without lines.
    ///
    /// # Errors
    /// With every problem found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }
}

/// Everything that is wrong with a config, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The problems, at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1; absent when the config was no text.
    pub place: Option<(usize, usize)>,
    /// The key's path, such as `camera[0].source` (counted from 0); empty when it concerns no key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    fn new(key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: None, key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}` ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
