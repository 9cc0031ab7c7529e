//! A config as a board reads it: a [`Config`] comes in, a sealed blob goes out, and back.
//!
//! postcard names no fields, so what is on a board can only be read by the very struct that wrote it. Hence one frozen
//! set of structs for each schema version ([`ConfigV5`] and what it holds), apart from the types that people's TOML
//! is read into, and a chain that brings every older version up to the present. To add a version: write `ConfigV6`,
//! `From<ConfigV5> for ConfigV6`, a decoding arm, and golden bytes; touch nothing that is here.
//!
//! Refused: damage (see [`crate::envelope`]) and settings that cannot be (see [`Config::validate`]).

use serde::{Deserialize, Serialize};

use crate::config::{self, Config, ConfigError, EngineChoice, GpioKind, LineId};
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::sign::SignError;
pub use v5::{
    CalibrationV5, CameraV5, ConfigV5, LogFormatV5, LogLevelV5, LogV5, ModeV5, MqttV5, OutboxV5, PageV5, PeriodV5,
    RecorderV5, ScheduleV5, WebhookV5,
};

/// The newest schema version.
pub const SCHEMA_VERSION: u16 = 5;

const ENVELOPE: Envelope =
    Envelope { magic: *b"TADPOLEC", newest_version: SCHEMA_VERSION, payload_bytes_max: config::CONFIG_BYTES_MAX };

/// Why a config blob was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes are damaged or of another kind.
    #[error("it is no config blob: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A trusted key is none.
    #[error("a trusted key in it is refused: {0}")]
    Key(#[from] SignError),
    /// The settings cannot be.
    #[error("its settings are not valid: {0}")]
    Config(#[from] ConfigError),
}

/// The newest wire form.
type Newest = ConfigV5;

/// Seal a config for a board.
///
/// # Errors
/// When the config is not valid, or too large.
pub fn encode(config: &Config) -> Result<Vec<u8>, WireError> {
    config.validate()?;
    let payload =
        postcard::to_allocvec(&Newest::from(config)).map_err(|_| EnvelopeError::Payload { version: SCHEMA_VERSION })?;
    Ok(ENVELOPE.seal(SCHEMA_VERSION, &payload)?)
}

/// Read a sealed config of any known version.
///
/// # Errors
/// When the bytes are damaged, or the config is not valid.
pub fn decode(bytes: &[u8]) -> Result<Config, WireError> {
    let (version, payload) = ENVELOPE.open(bytes)?;
    // The chain: each arm decodes its own version and brings it up to the newest.
    let newest: Newest = match version {
        1 => envelope::decode_payload::<ConfigV1>(version, payload).map(|v1| newer(ConfigV2::from(v1)))?,
        2 => newer(envelope::decode_payload::<ConfigV2>(version, payload)?),
        3 => ConfigV4::from(envelope::decode_payload::<ConfigV3>(version, payload)?).into(),
        4 => envelope::decode_payload::<ConfigV4>(version, payload)?.into(),
        5 => envelope::decode_payload::<ConfigV5>(version, payload)?,
        found => {
            return Err(EnvelopeError::Version { found, newest: SCHEMA_VERSION }.into());
        }
    };
    let config = Config::try_from(newest)?;
    config.validate()?;
    Ok(config)
}

/// True when the bytes begin like a config blob.
pub fn is_config_blob(bytes: &[u8]) -> bool {
    ENVELOPE.matches(bytes)
}

/// Schema version 1 of the config. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigV1 {
    /// `[[camera]]`
    pub cameras: Vec<CameraV1>,
    /// `[model]`
    pub model: ModelV1,
    /// `[alarm]`
    pub alarm: AlarmV1,
    /// `[output.gpio]`
    pub gpio: Option<GpioV1>,
    /// `[output.journal]`
    pub journal: Option<JournalV1>,
}

/// Schema version 1 of a camera. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraV1 {
    /// `name`
    pub name: String,
    /// `source`
    pub source: String,
}

/// Schema version 1 of the model. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelV1 {
    /// `bundle`
    pub bundle: String,
    /// `trusted_keys`
    pub trusted_keys: Vec<[u8; 32]>,
}

/// Schema version 1 of the alarm settings. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmV1 {
    /// `threshold`
    pub threshold: Option<f32>,
    /// `release_ratio`
    pub release_ratio: Option<f32>,
    /// `min_length_s`
    pub min_length_s: Option<f32>,
    /// `cool_down_s`
    pub cool_down_s: Option<f32>,
}

/// Schema version 1 of the relay line. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GpioV1 {
    /// `kind = "memory"`
    Memory,
}

/// Schema version 1 of the journal. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalV1 {
    /// `path`
    pub path: String,
}

/// Schema version 2 of the config: the model names its engine. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigV2 {
    /// `[[camera]]`
    pub cameras: Vec<CameraV1>,
    /// `[model]`
    pub model: ModelV1,
    /// `[model] engine`
    pub engine: EngineV2,
    /// `[alarm]`
    pub alarm: AlarmV1,
    /// `[output.gpio]`
    pub gpio: Option<GpioV1>,
    /// `[output.journal]`
    pub journal: Option<JournalV1>,
}

/// Schema version 2 of the engine. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineV2 {
    /// `engine = "auto"`
    Auto,
    /// `engine = "tract"`
    Tract,
    /// `engine = "onnxruntime"`
    Onnxruntime,
    /// `engine = "cuda"`
    Cuda,
    /// `engine = "tensorrt"`
    Tensorrt,
}

/// Schema version 3 of the config: the relay is a line of a chip. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigV3 {
    /// `[[camera]]`
    pub cameras: Vec<CameraV1>,
    /// `[model]`
    pub model: ModelV1,
    /// `[model] engine`
    pub engine: EngineV2,
    /// `[alarm]`
    pub alarm: AlarmV1,
    /// `[output.gpio]`
    pub gpio: Option<GpioV3>,
    /// `[output.journal]`
    pub journal: Option<JournalV1>,
}

/// Schema version 3 of the relay line. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpioV3 {
    /// `kind`
    pub kind: GpioKindV3,
    /// `chip`
    pub chip: Option<String>,
    /// `line`
    pub line: Option<LineV3>,
    /// `active_low`
    pub active_low: bool,
    /// `heartbeat`
    pub heartbeat: Option<LineV3>,
    /// `button`
    pub button: Option<LineV3>,
}

/// Schema version 3 of what drives the relay line. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpioKindV3 {
    /// `kind = "memory"`
    Memory,
    /// `kind = "cdev"`
    Cdev,
    /// `kind = "rppal"`
    Rppal,
}

/// Schema version 3 of a line. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineV3 {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Schema version 4 of the config: the network is reached. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigV4 {
    /// `[[camera]]`
    pub cameras: Vec<CameraV1>,
    /// `[model]`
    pub model: ModelV1,
    /// `[model] engine`
    pub engine: EngineV2,
    /// `[alarm]`
    pub alarm: AlarmV1,
    /// `[output.gpio]`
    pub gpio: Option<GpioV3>,
    /// `[output.journal]`
    pub journal: Option<JournalV1>,
    /// `[output.mqtt]`
    pub mqtt: Option<MqttV4>,
    /// `[control]`
    pub control: Option<ControlV4>,
    /// `[hawkbit]`
    pub hawkbit: Option<HawkbitV4>,
    /// `[trial]`
    pub trial: TrialV4,
}

/// Schema version 4 of what a new model must keep to. Frozen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialV4 {
    /// `stage_s`
    pub stage_s: Option<f32>,
    /// `segment_ms`
    pub segment_ms: Option<f32>,
    /// `memory_mb`
    pub memory_mb: Option<f32>,
    /// `resident_mb`
    pub resident_mb: Option<f32>,
    /// `drift`
    pub drift: Option<f32>,
}

/// Schema version 4 of the broker. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MqttV4 {
    /// `broker`
    pub broker: String,
    /// `topic`
    pub topic: String,
    /// `user`
    pub user: Option<String>,
    /// `password_file`
    pub password_file: Option<String>,
    /// `ca`
    pub ca: Option<String>,
}

/// Schema version 4 of the control service. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlV4 {
    /// `listen`
    pub listen: String,
    /// `tls`
    pub tls: String,
}

/// Schema version 4 of the hawkBit server. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HawkbitV4 {
    /// `server`
    pub server: String,
    /// `tenant`
    pub tenant: String,
    /// `device`
    pub device: String,
    /// `token_file`
    pub token_file: String,
    /// `ca`
    pub ca: Option<String>,
}

impl From<ConfigV1> for ConfigV2 {
    fn from(old: ConfigV1) -> Self {
        let ConfigV1 { cameras, model, alarm, gpio, journal } = old;
        // tract was all there was.
        Self { cameras, model, engine: EngineV2::Tract, alarm, gpio, journal }
    }
}

impl From<ConfigV2> for ConfigV3 {
    fn from(old: ConfigV2) -> Self {
        let ConfigV2 { cameras, model, engine, alarm, gpio, journal } = old;
        let gpio = gpio.map(|GpioV1::Memory| (&config::Gpio::new(GpioKind::Memory)).into());
        Self { cameras, model, engine, alarm, gpio, journal }
    }
}

impl From<ConfigV3> for ConfigV4 {
    fn from(old: ConfigV3) -> Self {
        let ConfigV3 { cameras, model, engine, alarm, gpio, journal } = old;
        let trial = TrialV4::default();
        Self { cameras, model, engine, alarm, gpio, journal, mqtt: None, control: None, hawkbit: None, trial }
    }
}

impl From<&config::Gpio> for GpioV3 {
    fn from(gpio: &config::Gpio) -> Self {
        let line = |line: &LineId| match line {
            LineId::Number(number) => LineV3::Number(*number),
            LineId::Name(name) => LineV3::Name(name.clone()),
        };
        Self {
            kind: match gpio.kind {
                GpioKind::Memory => GpioKindV3::Memory,
                GpioKind::Cdev => GpioKindV3::Cdev,
                GpioKind::Rppal => GpioKindV3::Rppal,
            },
            chip: gpio.chip.clone(),
            line: gpio.line.as_ref().map(line),
            active_low: gpio.active_low,
            heartbeat: gpio.heartbeat.as_ref().map(line),
            button: gpio.button.as_ref().map(line),
        }
    }
}

impl From<GpioV3> for config::Gpio {
    fn from(wire: GpioV3) -> Self {
        let line = |line: LineV3| match line {
            LineV3::Number(number) => LineId::Number(number),
            LineV3::Name(name) => LineId::Name(name),
        };
        Self {
            kind: match wire.kind {
                GpioKindV3::Memory => GpioKind::Memory,
                GpioKindV3::Cdev => GpioKind::Cdev,
                GpioKindV3::Rppal => GpioKind::Rppal,
            },
            chip: wire.chip,
            line: wire.line.map(line),
            active_low: wire.active_low,
            heartbeat: wire.heartbeat.map(line),
            button: wire.button.map(line),
        }
    }
}

/// A section whose wire form has the same fields: conversions both ways.
macro_rules! same_fields {
    ($section:ident, $wire:ident { $($field:ident),+ }) => {
        impl From<config::$section> for $wire {
            fn from(config::$section { $($field),+ }: config::$section) -> Self {
                Self { $($field),+ }
            }
        }

        impl From<$wire> for config::$section {
            fn from($wire { $($field),+ }: $wire) -> Self {
                Self { $($field),+ }
            }
        }
    };
}

mod v5;

same_fields!(Control, ControlV4 { listen, tls });
same_fields!(Hawkbit, HawkbitV4 { server, tenant, device, token_file, ca });
same_fields!(Trial, TrialV4 { stage_s, segment_ms, memory_mb, resident_mb, drift });

impl From<EngineChoice> for EngineV2 {
    fn from(engine: EngineChoice) -> Self {
        match engine {
            EngineChoice::Auto => Self::Auto,
            EngineChoice::Tract => Self::Tract,
            EngineChoice::Onnxruntime => Self::Onnxruntime,
            EngineChoice::Cuda => Self::Cuda,
            EngineChoice::Tensorrt => Self::Tensorrt,
        }
    }
}

impl From<EngineV2> for EngineChoice {
    fn from(engine: EngineV2) -> Self {
        match engine {
            EngineV2::Auto => Self::Auto,
            EngineV2::Tract => Self::Tract,
            EngineV2::Onnxruntime => Self::Onnxruntime,
            EngineV2::Cuda => Self::Cuda,
            EngineV2::Tensorrt => Self::Tensorrt,
        }
    }
}

/// Version 2, brought up to the newest.
fn newer(old: ConfigV2) -> Newest {
    ConfigV4::from(ConfigV3::from(old)).into()
}

#[cfg(test)]
mod tests;
