//! A config as a board reads it: a [`Config`] comes in, a sealed blob goes out, and back.
//!
//! postcard names no fields, so what is on a board can only be read by the very struct that wrote it. Hence one frozen
//! set of structs for each schema version ([`ConfigV2`] and what it holds), apart from the types that people's TOML
//! is read into, and a chain that brings every older version up to the present. To add a version: write `ConfigV3`,
//! `From<ConfigV2> for ConfigV3`, a decoding arm, and golden bytes; touch nothing that is here.
//!
//! Refused: damage (see [`crate::envelope`]) and settings that cannot be (see [`Config::validate`]).

use serde::{Deserialize, Serialize};

use crate::config::{self, Config, ConfigError, EngineChoice};
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::sign::{PublicKey, SignError};

/// The newest schema version.
pub const SCHEMA_VERSION: u16 = 2;

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
type Newest = ConfigV2;

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
        1 => envelope::decode_payload::<ConfigV1>(version, payload)?.into(),
        2 => envelope::decode_payload::<ConfigV2>(version, payload)?,
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

impl From<ConfigV1> for ConfigV2 {
    fn from(old: ConfigV1) -> Self {
        let ConfigV1 { cameras, model, alarm, gpio, journal } = old;
        // tract was all there was.
        Self { cameras, model, engine: EngineV2::Tract, alarm, gpio, journal }
    }
}

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

impl From<&Config> for ConfigV2 {
    fn from(config: &Config) -> Self {
        let camera = |camera: &config::Camera| CameraV1 { name: camera.name.clone(), source: camera.source.clone() };
        let gpio = |gpio: &config::Gpio| match gpio.kind {
            config::GpioKind::Memory => GpioV1::Memory,
        };
        Self {
            cameras: config.cameras.iter().map(camera).collect(),
            model: ModelV1 {
                bundle: config.model.bundle.clone(),
                trusted_keys: config.model.trusted_keys.iter().map(|key| key.to_bytes()).collect(),
            },
            engine: config.model.engine.into(),
            alarm: AlarmV1 {
                threshold: config.alarm.threshold,
                release_ratio: config.alarm.release_ratio,
                min_length_s: config.alarm.min_length_s,
                cool_down_s: config.alarm.cool_down_s,
            },
            gpio: config.output.gpio.as_ref().map(gpio),
            journal: config.output.journal.as_ref().map(|journal| JournalV1 { path: journal.path.clone() }),
        }
    }
}

impl TryFrom<ConfigV2> for Config {
    type Error = SignError;

    fn try_from(wire: ConfigV2) -> Result<Self, SignError> {
        let camera = |camera: CameraV1| config::Camera { name: camera.name, source: camera.source };
        let gpio = |gpio: GpioV1| match gpio {
            GpioV1::Memory => config::Gpio { kind: config::GpioKind::Memory },
        };
        let keys: Result<Vec<_>, _> = wire.model.trusted_keys.into_iter().map(PublicKey::from_bytes).collect();
        Ok(Self {
            cameras: wire.cameras.into_iter().map(camera).collect(),
            model: config::Model { bundle: wire.model.bundle, trusted_keys: keys?, engine: wire.engine.into() },
            alarm: config::Alarm {
                threshold: wire.alarm.threshold,
                release_ratio: wire.alarm.release_ratio,
                min_length_s: wire.alarm.min_length_s,
                cool_down_s: wire.alarm.cool_down_s,
            },
            output: config::Output {
                gpio: wire.gpio.map(gpio),
                journal: wire.journal.map(|journal| config::Journal { path: journal.path }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sign::SigningKey;

    fn config(name: &str, threshold: Option<f32>, both: bool) -> Config {
        Config {
            cameras: vec![config::Camera { name: name.into(), source: "rtsp://10.0.0.7/1".into() }],
            model: config::Model {
                bundle: "/var/lib/tadpole/model.tadpole".into(),
                trusted_keys: vec![(&SigningKey::from_bytes(&[1; 32])).into()],
                engine: EngineChoice::Auto,
            },
            alarm: config::Alarm { threshold, release_ratio: Some(0.8), min_length_s: None, cool_down_s: Some(30.0) },
            output: config::Output {
                gpio: both.then_some(config::Gpio { kind: config::GpioKind::Memory }),
                journal: both.then(|| config::Journal { path: "/j".into() }),
            },
        }
    }

    /// What version 1 looks like on every board that has it, for ever.
    #[test]
    fn golden_bytes_v1() {
        let blob = hex::decode("544144504f4c454301006f00000001056e6f72746811727473703a2f2f31302e302e302e372f311e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c010000003f01cdcc4c3f00010000f041010001022f6a4a7fd51f").unwrap();
        let mut expected = config("north", Some(0.5), true);
        expected.model.engine = EngineChoice::Tract;
        assert_eq!(decode(&blob).unwrap(), expected);
    }

    /// What version 2 looks like on every board that has it, for ever.
    #[test]
    fn golden_bytes_v2() {
        let mut config = config("north", Some(0.5), true);
        config.model.engine = EngineChoice::Tensorrt;
        let blob = encode(&config).unwrap();
        insta::assert_snapshot!(hex::encode(&blob), @"544144504f4c454302007000000001056e6f72746811727473703a2f2f31302e302e302e372f311e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c04010000003f01cdcc4c3f00010000f041010001022f6a397450d1");
        assert_eq!(decode(&blob).unwrap(), config);
    }

    #[test]
    fn every_engine_survives_the_wire() {
        for engine in EngineChoice::ALL {
            assert_eq!(EngineChoice::from(EngineV2::from(engine)), engine);
        }
    }

    #[test]
    fn settings_that_cannot_be_are_refused_on_both_ways() {
        let wrong = config("no name", Some(0.5), false);
        assert!(matches!(encode(&wrong), Err(WireError::Config(_))));
        let seal = |wire: &Newest| ENVELOPE.seal(2, &postcard::to_allocvec(wire).unwrap()).unwrap();
        insta::assert_snapshot!(decode(&seal(&Newest::from(&wrong))).unwrap_err(), @"its settings are not valid: `camera[0].name` is not a plain name; use 1 to 32 letters, digits, `-` or `_`");
        let mut wire = Newest::from(&config("north", None, false));
        wire.model.trusted_keys = vec![[0; 32]];
        insta::assert_snapshot!(decode(&seal(&wire)).unwrap_err(), @"a trusted key in it is refused: these 64 digits are not a usable ed25519 public key");
        insta::assert_snapshot!(decode(b"[model]").unwrap_err(), @"it is no config blob: it does not begin with `TADPOLEC`");
        insta::assert_snapshot!(decode(&ENVELOPE.seal(1, &[200; 40]).unwrap()).unwrap_err(), @"it is no config blob: its content does not decode as schema version 1");
    }

    #[test]
    fn leftover_payload_is_refused() {
        let mut payload = postcard::to_allocvec(&Newest::from(&config("north", None, false))).unwrap();
        payload.push(0);
        let blob = ENVELOPE.seal(2, &payload).unwrap();
        assert_eq!(decode(&blob), Err(EnvelopeError::Payload { version: 2 }.into()));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_and_damage_does_not(
            name in "[a-zA-Z0-9_-]{1,32}", threshold in prop::option::of(0.001f32..0.999), both: bool,
            at in any::<prop::sample::Index>(), to in 1u8..,
        ) {
            let config = config(&name, threshold, both);
            let blob = encode(&config).unwrap();
            prop_assert_eq!(decode(&blob).unwrap(), config);
            let at = at.index(blob.len());
            prop_assert!(decode(&blob[..at]).is_err());
            let mut damaged = blob;
            damaged[at] ^= to;
            prop_assert!(decode(&damaged).is_err());
        }
    }
}
