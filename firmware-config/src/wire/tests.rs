use proptest::prelude::*;

use super::*;
use crate::config::{Days, LogFormat, LogLevel, Mode, TimeOfDay};
use crate::sign::SigningKey;

fn config(name: &str, threshold: Option<f32>, both: bool) -> Config {
    Config {
        cameras: vec![config::Camera {
            name: name.into(),
            source: "rtsp://10.0.0.7/1".into(),
            mask: Vec::new(),
            region: Vec::new(),
        }],
        model: config::Model {
            bundle: "/var/lib/tadpole/model.tadpole".into(),
            trusted_keys: vec![(&SigningKey::from_bytes(&[1; 32])).into()],
            engine: EngineChoice::Auto,
        },
        alarm: config::Alarm {
            threshold,
            release_ratio: Some(0.8),
            cool_down_s: Some(30.0),
            ..config::Alarm::default()
        },
        schedule: None,
        output: config::Output {
            gpio: both.then(|| config::Gpio::new(GpioKind::Memory)),
            journal: both.then(|| config::Journal { path: "/j".into() }),
            mqtt: None,
            webhook: None,
        },
        outbox: None,
        recorder: None,
        page: None,
        control: None,
        hawkbit: None,
        trial: config::Trial::default(),
        log: config::Log::default(),
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
    let blob = hex::decode("544144504f4c454302007000000001056e6f72746811727473703a2f2f31302e302e302e372f311e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c04010000003f01cdcc4c3f00010000f041010001022f6a397450d1").unwrap();
    assert_eq!(decode(&blob).unwrap(), config);
}

fn relay() -> config::Gpio {
    config::Gpio {
        kind: GpioKind::Cdev,
        chip: Some("gpiochip0".into()),
        line: Some(LineId::Number(17)),
        active_low: true,
        heartbeat: Some(LineId::Name("GPIO27".into())),
        button: None,
    }
}

/// What version 3 looks like on every board that has it, for ever.
#[test]
fn golden_bytes_v3() {
    let mut config = config("north", Some(0.5), true);
    config.output.gpio = Some(relay());
    let blob = hex::decode("544144504f4c454303008900000001056e6f72746811727473703a2f2f31302e302e302e372f311e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c00010000003f01cdcc4c3f00010000f041010101096770696f6368697030010011010101064750494f32370001022f6a8150cd00").unwrap();
    assert_eq!(decode(&blob).unwrap(), config);
}

/// What version 4 could say.
fn networked() -> Config {
    let mut config = config("north", Some(0.5), true);
    config.output.mqtt = Some(config::Mqtt {
        broker: "mqtts://b:8883".into(),
        topic: "t/n".into(),
        user: Some("u".into()),
        password_file: None,
        ca: Some("/ca".into()),
        discovery: None,
    });
    config.control = Some(config::Control { listen: "0.0.0.0:8443".into(), tls: "/t".into() });
    config.hawkbit = Some(config::Hawkbit {
        server: "https://h".into(),
        tenant: "DEFAULT".into(),
        device: "n".into(),
        token_file: "/k".into(),
        ca: None,
    });
    config.trial = config::Trial { stage_s: Some(60.0), drift: Some(0.25), ..config::Trial::default() };
    config
}

/// What version 4 looks like on every board that has it, for ever.
#[test]
fn golden_bytes_v4() {
    let blob = hex::decode("544144504f4c45430400c900000001056e6f72746811727473703a2f2f31302e302e302e372f311e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c00010000003f01cdcc4c3f00010000f0410100000000000001022f6a010e6d717474733a2f2f623a3838383303742f6e0101750001032f6361010c302e302e302e303a38343433022f74010968747470733a2f2f680744454641554c54016e022f6b000100007042000000010000803eb87e9299").unwrap();
    assert_eq!(decode(&blob).unwrap(), networked());
}

/// What version 5 looks like on every board that has it, for ever.
#[test]
fn golden_bytes_v5() {
    let mut config = networked();
    config.cameras[0].mask = vec![vec![[0.0, 0.0], [0.25, 0.0], [0.0, 0.5]]];
    config.cameras[0].region = vec![vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]];
    config.alarm.calibration = Some(config::Calibration {
        false_alarms_per_day: 1.0,
        low: 0.5,
        high: 2.0,
        segments: 100_000,
        model: "roadside 3".into(),
        date: "2026-11-22".into(),
    });
    let period =
        |mode, days, from, to| config::Period { mode, days: Days(days), from: TimeOfDay(from), to: TimeOfDay(to) };
    let periods = vec![period(Mode::Quiet, 0x1f, 22 * 60, 6 * 60), period(Mode::Off, 0x60, 0, 24 * 60)];
    config.schedule = Some(config::Schedule { time_zone: "Europe/Berlin".into(), periods });
    config.output.mqtt.as_mut().unwrap().discovery = Some("homeassistant".into());
    config.output.webhook = Some(config::Webhook { url: "https://w/in".into(), secret_file: "/s".into(), ca: None });
    config.outbox = Some(config::Outbox { path: "/o".into(), events_max: 500 });
    config.recorder = Some(config::Recorder {
        path: "/r".into(),
        pre_roll_s: 5.0,
        post_roll_s: 7.5,
        quota_mb: 2_000,
        max_age_days: 30,
        free_mb: 500,
    });
    config.page = Some(config::Page { listen: "0.0.0.0:8480".into(), password_file: Some("/p".into()) });
    config.log = config::Log {
        level: Some(LogLevel::Warn),
        format: LogFormat::Json,
        levels: [("runtime::source".into(), LogLevel::Debug)].into(),
    };
    let blob = encode(&config).unwrap();
    insta::assert_snapshot!(hex::encode(&blob), @"544144504f4c45430500a501000001056e6f72746811727473703a2f2f31302e302e302e372f31010300000000000000000000803e00000000000000000000003f010400000000000000000000803f000000000000803f0000803f000000000000803f1e2f7661722f6c69622f746164706f6c652f6d6f64656c2e746164706f6c65018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c00010000003f01cdcc4c3f00010000f041010000803f0000003f00000040a08d060a726f61647369646520330a323032362d31312d3232010d4575726f70652f4265726c696e02011fa80ae802026000a00b0100000000000001022f6a010e6d717474733a2f2f623a3838383303742f6e0101750001032f6361010d686f6d65617373697374616e74010c68747470733a2f2f772f696e022f730001022f6ff40301022f720000a0400000f040d00f1ef403010c302e302e302e303a3834383001022f70010c302e302e302e303a38343433022f74010968747470733a2f2f680744454641554c54016e022f6b000100007042000000010000803e010201010f72756e74696d653a3a736f7572636504f318b7c2");
    assert_eq!(decode(&blob).unwrap(), config);
}

#[test]
fn every_choice_survives_the_wire() {
    for mode in [Mode::Armed, Mode::Quiet, Mode::Off] {
        assert_eq!(Mode::from(ModeV5::from(mode)), mode);
    }
    let levels = [LogLevel::Off, LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    for level in levels {
        assert_eq!(LogLevel::from(LogLevelV5::from(level)), level);
    }
    let plain = config("north", None, false);
    assert_eq!(decode(&encode(&plain).unwrap()).unwrap(), plain);
}

#[test]
fn every_relay_survives_the_wire() {
    for kind in [GpioKind::Memory, GpioKind::Cdev, GpioKind::Rppal] {
        let gpio = config::Gpio { kind, button: Some(LineId::Number(22)), ..relay() };
        assert_eq!(config::Gpio::from(GpioV3::from(&gpio)), gpio);
    }
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
    let seal = |wire: &Newest| ENVELOPE.seal(SCHEMA_VERSION, &postcard::to_allocvec(wire).unwrap()).unwrap();
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
    let blob = ENVELOPE.seal(SCHEMA_VERSION, &payload).unwrap();
    assert_eq!(decode(&blob), Err(EnvelopeError::Payload { version: SCHEMA_VERSION }.into()));
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
