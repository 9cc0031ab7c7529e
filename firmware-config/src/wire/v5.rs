//! Schema version 5 of the config, the newest: what people who trust a camera need. Masks and regions, a schedule, where events
//! wait and who is sent them, what is kept of alarms, the page, the log, and where a threshold is from.
//!
//! A [`Config`] comes in and its wire form goes out, and back. Refused: trusted keys that are none.

use serde::{Deserialize, Serialize};

use super::{AlarmV1, ConfigV4, ControlV4, EngineV2, GpioV3, HawkbitV4, JournalV1, ModelV1, MqttV4, TrialV4};
use crate::config::{self, Config, Days, LogFormat, LogLevel, Mode, TimeOfDay};
use crate::sign::{PublicKey, SignError};

/// Schema version 5 of the config. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigV5 {
    /// `[[camera]]`
    pub cameras: Vec<CameraV5>,
    /// `[model]`
    pub model: ModelV1,
    /// `[model] engine`
    pub engine: EngineV2,
    /// `[alarm]`
    pub alarm: AlarmV1,
    /// `[alarm.calibration]`
    pub calibration: Option<CalibrationV5>,
    /// `[schedule]`
    pub schedule: Option<ScheduleV5>,
    /// `[output.gpio]`
    pub gpio: Option<GpioV3>,
    /// `[output.journal]`
    pub journal: Option<JournalV1>,
    /// `[output.mqtt]`
    pub mqtt: Option<MqttV5>,
    /// `[output.webhook]`
    pub webhook: Option<WebhookV5>,
    /// `[outbox]`
    pub outbox: Option<OutboxV5>,
    /// `[recorder]`
    pub recorder: Option<RecorderV5>,
    /// `[page]`
    pub page: Option<PageV5>,
    /// `[control]`
    pub control: Option<ControlV4>,
    /// `[hawkbit]`
    pub hawkbit: Option<HawkbitV4>,
    /// `[trial]`
    pub trial: TrialV4,
    /// `[log]`
    pub log: LogV5,
}

/// Schema version 5 of a camera. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraV5 {
    /// `name`
    pub name: String,
    /// `source`
    pub source: String,
    /// `mask`
    pub mask: Vec<Vec<[f32; 2]>>,
    /// `region`
    pub region: Vec<Vec<[f32; 2]>>,
}

/// Schema version 5 of where a threshold is from. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationV5 {
    /// `false_alarms_per_day`
    pub false_alarms_per_day: f32,
    /// `low`
    pub low: f32,
    /// `high`
    pub high: f32,
    /// `segments`
    pub segments: u64,
    /// `model`
    pub model: String,
    /// `date`
    pub date: String,
}

/// Schema version 5 of the schedule. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleV5 {
    /// `time_zone`
    pub time_zone: String,
    /// `[[schedule.period]]`
    pub periods: Vec<PeriodV5>,
}

/// Schema version 5 of a period. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodV5 {
    /// `mode`
    pub mode: ModeV5,
    /// `days`, bit 0 is Monday
    pub days: u8,
    /// `from`, in minutes
    pub from: u16,
    /// `to`, in minutes
    pub to: u16,
}

/// Schema version 5 of what a score leads to. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModeV5 {
    /// `mode = "armed"`
    Armed,
    /// `mode = "quiet"`
    Quiet,
    /// `mode = "off"`
    Off,
}

/// Schema version 5 of the broker. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MqttV5 {
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
    /// `discovery`
    pub discovery: Option<String>,
}

/// Schema version 5 of the webhook. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookV5 {
    /// `url`
    pub url: String,
    /// `secret_file`
    pub secret_file: String,
    /// `ca`
    pub ca: Option<String>,
}

/// Schema version 5 of the outbox. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxV5 {
    /// `path`
    pub path: String,
    /// `events_max`
    pub events_max: u32,
}

/// Schema version 5 of the recorder. Frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecorderV5 {
    /// `path`
    pub path: String,
    /// `pre_roll_s`
    pub pre_roll_s: f32,
    /// `post_roll_s`
    pub post_roll_s: f32,
    /// `quota_mb`
    pub quota_mb: u32,
    /// `max_age_days`
    pub max_age_days: u32,
    /// `free_mb`
    pub free_mb: u32,
}

/// Schema version 5 of the page. Frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageV5 {
    /// `listen`
    pub listen: String,
    /// `password_file`
    pub password_file: Option<String>,
}

/// Schema version 5 of the log. Frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogV5 {
    /// `level`
    pub level: Option<LogLevelV5>,
    /// `format`
    pub format: LogFormatV5,
    /// `[log.levels]`
    pub levels: Vec<(String, LogLevelV5)>,
}

/// Schema version 5 of how much is logged. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevelV5 {
    /// `"off"`
    Off,
    /// `"error"`
    Error,
    /// `"warn"`
    Warn,
    /// `"info"`
    Info,
    /// `"debug"`
    Debug,
    /// `"trace"`
    Trace,
}

/// Schema version 5 of how a line of the log is written. Frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormatV5 {
    /// `format = "text"`
    #[default]
    Text,
    /// `format = "json"`
    Json,
}

same_fields!(Camera, CameraV5 { name, source, mask, region });
same_fields!(Calibration, CalibrationV5 { false_alarms_per_day, low, high, segments, model, date });
same_fields!(Mqtt, MqttV5 { broker, topic, user, password_file, ca, discovery });
same_fields!(Webhook, WebhookV5 { url, secret_file, ca });
same_fields!(Outbox, OutboxV5 { path, events_max });
same_fields!(Recorder, RecorderV5 { path, pre_roll_s, post_roll_s, quota_mb, max_age_days, free_mb });
same_fields!(Page, PageV5 { listen, password_file });

/// A choice whose wire form has the same names: conversions both ways.
macro_rules! same_names {
    ($choice:ident, $wire:ident { $($name:ident),+ }) => {
        impl From<$choice> for $wire {
            fn from(choice: $choice) -> Self {
                match choice { $($choice::$name => Self::$name),+ }
            }
        }

        impl From<$wire> for $choice {
            fn from(wire: $wire) -> Self {
                match wire { $($wire::$name => Self::$name),+ }
            }
        }
    };
}

same_names!(Mode, ModeV5 { Armed, Quiet, Off });
same_names!(LogLevel, LogLevelV5 { Off, Error, Warn, Info, Debug, Trace });
same_names!(LogFormat, LogFormatV5 { Text, Json });

impl From<config::Schedule> for ScheduleV5 {
    fn from(config::Schedule { time_zone, periods }: config::Schedule) -> Self {
        let period = |config::Period { mode, days, from, to }| PeriodV5 {
            mode: ModeV5::from(mode),
            days: days.0,
            from: from.0,
            to: to.0,
        };
        Self { time_zone, periods: periods.into_iter().map(period).collect() }
    }
}

impl From<ScheduleV5> for config::Schedule {
    fn from(ScheduleV5 { time_zone, periods }: ScheduleV5) -> Self {
        let period = |PeriodV5 { mode, days, from, to }| config::Period {
            mode: Mode::from(mode),
            days: Days(days),
            from: TimeOfDay(from),
            to: TimeOfDay(to),
        };
        Self { time_zone, periods: periods.into_iter().map(period).collect() }
    }
}

impl From<config::Log> for LogV5 {
    fn from(config::Log { level, format, levels }: config::Log) -> Self {
        let levels = levels.into_iter().map(|(module, level)| (module, level.into())).collect();
        Self { level: level.map(Into::into), format: format.into(), levels }
    }
}

impl From<LogV5> for config::Log {
    fn from(LogV5 { level, format, levels }: LogV5) -> Self {
        let levels = levels.into_iter().map(|(module, level)| (module, level.into())).collect();
        Self { level: level.map(Into::into), format: format.into(), levels }
    }
}

impl From<ConfigV4> for ConfigV5 {
    fn from(old: ConfigV4) -> Self {
        let ConfigV4 { cameras, model, engine, alarm, gpio, journal, mqtt, control, hawkbit, trial } = old;
        let camera = |camera: super::CameraV1| CameraV5 {
            name: camera.name,
            source: camera.source,
            mask: Vec::new(),
            region: Vec::new(),
        };
        let broker = |MqttV4 { broker, topic, user, password_file, ca }| MqttV5 {
            broker,
            topic,
            user,
            password_file,
            ca,
            discovery: None,
        };
        Self {
            cameras: cameras.into_iter().map(camera).collect(),
            model,
            engine,
            alarm,
            calibration: None,
            schedule: None,
            gpio,
            journal,
            mqtt: mqtt.map(broker),
            webhook: None,
            outbox: None,
            recorder: None,
            page: None,
            control,
            hawkbit,
            trial,
            log: LogV5::default(),
        }
    }
}

impl From<&Config> for ConfigV5 {
    fn from(config: &Config) -> Self {
        let config::Output { gpio, journal, mqtt, webhook } = config.output.clone();
        Self {
            cameras: config.cameras.iter().cloned().map(CameraV5::from).collect(),
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
            calibration: config.alarm.calibration.clone().map(Into::into),
            schedule: config.schedule.clone().map(Into::into),
            gpio: gpio.as_ref().map(GpioV3::from),
            journal: journal.map(|journal| JournalV1 { path: journal.path }),
            mqtt: mqtt.map(Into::into),
            webhook: webhook.map(Into::into),
            outbox: config.outbox.clone().map(Into::into),
            recorder: config.recorder.clone().map(Into::into),
            page: config.page.clone().map(Into::into),
            control: config.control.clone().map(Into::into),
            hawkbit: config.hawkbit.clone().map(Into::into),
            trial: config.trial.clone().into(),
            log: config.log.clone().into(),
        }
    }
}

impl TryFrom<ConfigV5> for Config {
    type Error = SignError;

    fn try_from(wire: ConfigV5) -> Result<Self, SignError> {
        let keys: Result<Vec<_>, _> = wire.model.trusted_keys.into_iter().map(PublicKey::from_bytes).collect();
        Ok(Self {
            cameras: wire.cameras.into_iter().map(config::Camera::from).collect(),
            model: config::Model { bundle: wire.model.bundle, trusted_keys: keys?, engine: wire.engine.into() },
            alarm: config::Alarm {
                threshold: wire.alarm.threshold,
                release_ratio: wire.alarm.release_ratio,
                min_length_s: wire.alarm.min_length_s,
                cool_down_s: wire.alarm.cool_down_s,
                calibration: wire.calibration.map(Into::into),
            },
            schedule: wire.schedule.map(Into::into),
            output: config::Output {
                gpio: wire.gpio.map(config::Gpio::from),
                journal: wire.journal.map(|journal| config::Journal { path: journal.path }),
                mqtt: wire.mqtt.map(Into::into),
                webhook: wire.webhook.map(Into::into),
            },
            outbox: wire.outbox.map(Into::into),
            recorder: wire.recorder.map(Into::into),
            page: wire.page.map(Into::into),
            control: wire.control.map(Into::into),
            hawkbit: wire.hawkbit.map(Into::into),
            trial: wire.trial.into(),
            log: wire.log.into(),
        })
    }
}
