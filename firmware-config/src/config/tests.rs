use insta::assert_snapshot;

use super::*;

const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

fn minimal() -> String {
    format!(
        "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1\"\n\n[model]\nbundle = \"/m.tadpole\"\ntrusted_keys = [\"{KEY}\"]\n"
    )
}

fn refused(text: &str) -> String {
    Config::from_toml(text).expect_err("should be refused").to_string()
}

#[test]
fn the_smallest_config_is_read() {
    let config = Config::from_toml(&minimal()).unwrap();
    let north = Camera { name: "north".into(), source: "sim://?seed=1".into(), mask: Vec::new(), region: Vec::new() };
    assert_eq!(config.cameras, [north]);
    assert_eq!((&config.schedule, &config.outbox, &config.recorder, &config.page), (&None, &None, &None, &None));
    assert_eq!(config.log, Log::default());
    assert_eq!(config.model.trusted_keys[0].to_string(), KEY);
    assert_eq!(config.alarm, Alarm::default());
    assert_eq!(config.output, Output::default());
}

#[test]
fn the_example_is_read() {
    let text = include_str!("../../../deploy/tadpole.example.toml");
    let config = Config::from_toml(text).unwrap();
    assert_eq!(config.output.gpio, Some(Gpio::new(GpioKind::Memory)));
    assert!(config.alarm.min_length_s.is_some());
}

#[test]
fn unknown_keys_say_which_are_allowed() {
    assert_snapshot!(refused(&minimal().replace("name =", "nam =")), @"line 2, column 1: `camera[0].nam` is not a key that is known here; allowed here: `name`, `source`, `mask`, `region`");
    assert_snapshot!(refused(&(minimal() + "[alarms]\nthreshold = 0.5\n")), @"line 8, column 2: `alarms` is not a key that is known here; allowed here: `camera`, `model`, `alarm`, `schedule`, `output`, `outbox`, `recorder`, `page`, `control`, `hawkbit`, `trial`, `log`");
    assert_snapshot!(refused(&(minimal() + "[alarm]\ntreshold = 0.5\n")), @"line 9, column 1: `alarm.treshold` is not a key that is known here; allowed here: `threshold`, `release_ratio`, `min_length_s`, `cool_down_s`, `calibration`");
    assert_snapshot!(refused(&(minimal() + "[output.gpio]\nkind = \"memory\"\npin = 4\n")), @"line 10, column 1: `output.gpio.pin` is not a key that is known here; allowed here: `kind`, `chip`, `line`, `active_low`, `heartbeat`, `button`");
    assert_snapshot!(refused(&(minimal() + "[output.gpio]\nkind = \"sysfs\"\n")), @"line 9, column 8: `output.gpio.kind` cannot be read: unknown variant `sysfs`, expected one of `memory`, `cdev`, `rppal`; docs/ref/config.md tells what every key takes");
}

#[test]
fn missing_and_mistyped_keys_are_named() {
    assert_snapshot!(refused(""), @"line 1, column 1: `model` is missing; add it; docs/ref/config.md lists every key");
    assert_snapshot!(refused(&minimal().replace("source = \"sim://?seed=1\"\n", "")), @"line 1, column 1: `camera.source` is missing; add it; docs/ref/config.md lists every key");
    assert_snapshot!(refused(&(minimal() + "[alarm]\nthreshold = \"high\"\n")), @r#"line 9, column 13: `alarm.threshold` cannot be read: invalid type: string "high", expected f32; docs/ref/config.md tells what every key takes"#);
    assert_snapshot!(refused(&minimal().replace(KEY, &KEY[1..])), @"line 7, column 16: `model.trusted_keys` cannot be read: a public key is 64 hexadecimal digits; this has 63 characters or other signs in it; docs/ref/config.md tells what every key takes");
    assert_snapshot!(refused(&minimal().replace("[model]", "[model")), @"line 5, column 7: this is not TOML: unclosed table, expected `]`; correct the line; deploy/tadpole.example.toml shows the form");
    assert_snapshot!(refused(&minimal().replace("[[camera]]", "[camera]")), @"line 1, column 1: `camera` cannot be read: invalid type: map, expected a sequence; write `[[camera]]` with two brackets, once for each camera");
}

#[test]
fn settings_that_cannot_be_are_all_told_at_once() {
    let text = format!(
        r#"
[[camera]]
name = "north"
source = "v4l:///dev/video0?fps=25"

[[camera]]
name = "north"
source = "/videos/a.mp4"

[[camera]]
name = "south side"
source = "http://host/stream"

[[camera]]
name = "rel"
source = "file://videos/a.mp4"

[[camera]]
name = "rows"
source = "features:///rows.npy?speed=0"

[model]
bundle = ""
trusted_keys = ["{KEY}", "{KEY}"]

[alarm]
threshold = 1.5
release_ratio = 1
min_length_s = -1
cool_down_s = nan
"#
    );
    assert_snapshot!(refused(&text), @r"
        line 4, column 10: `camera[0].source` has the unknown setting `fps`; `size`, `rate` and `format` are known
        line 7, column 8: `camera[1].name` is `north`, which is the name of camera[0] too; give every camera a name of its own
        line 8, column 10: `camera[1].source` is `/videos/a.mp4`, which is no URI; write `file:///videos/a.mp4` for a recording
        line 11, column 8: `camera[2].name` is not a plain name; use 1 to 32 letters, digits, `-` or `_`
        line 12, column 10: `camera[2].source` has the unknown scheme `http`; write one of `file:///path/video.mp4`, `v4l:///dev/video0`, `rtsp://host/stream`, `tcp://host:port`, `sim://?seed=1`, `features:///path/rows.npy`
        line 16, column 10: `camera[3].source` does not name an absolute path after `file://`; write three slashes: `file:///path`
        line 20, column 10: `camera[4].source` has the speed `0`; write 1 for that of life, 1000000 at most, or leave it out
        line 23, column 10: `model.bundle` is not a path; write the path of a file
        line 24, column 16: `model.trusted_keys` lists the same key twice; list it once
        line 27, column 13: `alarm.threshold` is 1.5, not above 0 and below 1; scores lie between 0 and 1; leave it out for the model's own threshold
        line 28, column 17: `alarm.release_ratio` is 1, not above 0 and below 1; an alarm ends below `threshold` times this, so it must be below 1
        line 29, column 16: `alarm.min_length_s` is -1, not 0 to 600 seconds; 0 alarms at once; a few seconds forgive a flicker
        line 30, column 15: `alarm.cool_down_s` is NaN, not 0 to 86400 seconds; 0 allows the next alarm at once
        ");
}

#[test]
fn a_relay_line_by_number_or_by_name() {
    let text =
        "[output.gpio]\nkind = \"cdev\"\nchip = \"gpiochip0\"\nline = 17\nactive_low = true\nheartbeat = \"GPIO27\"\n";
    let gpio = Config::from_toml(&(minimal() + text)).unwrap().output.gpio.unwrap();
    assert_eq!((gpio.kind, gpio.active_low, gpio.button), (GpioKind::Cdev, true, None));
    assert_eq!((gpio.chip.as_deref(), gpio.line), (Some("gpiochip0"), Some(LineId::Number(17))));
    assert_eq!(gpio.heartbeat, Some(LineId::Name("GPIO27".into())));
    let named = "[output.gpio]\nkind = \"cdev\"\nline = \"ALARM\"\n";
    assert_eq!(Config::from_toml(&(minimal() + named)).unwrap().output.gpio.unwrap().chip, None);
}

#[test]
fn lines_that_cannot_be() {
    let gpio = |text: &str| refused(&(minimal() + "[output.gpio]\n" + text));
    assert_snapshot!(gpio("kind = \"cdev\"\n"), @"line 8, column 1: `output.gpio.line` is missing; write the line's number or name; `tadpole gpio` lists them");
    assert_snapshot!(gpio("kind = \"cdev\"\nline = 17\nbutton = 17\n"), @r"
    line 10, column 8: `output.gpio.line` is the number 17, on no chip; add `chip`, or write the line's name
    line 11, column 10: `output.gpio.button` is the number 17, on no chip; add `chip`, or write the line's name
    line 11, column 10: `output.gpio.button` is the same line as `line`; give each a line of its own
    ");
    assert_snapshot!(gpio("kind = \"rppal\"\nline = \"GPIO17\"\nheartbeat = 54\nchip = \"gpiochip0\"\n"), @r"
    line 10, column 8: `output.gpio.line` is the name `GPIO17`; write the line's BCM number
    line 11, column 13: `output.gpio.heartbeat` is 54, above 53; write the line's BCM number
    line 12, column 8: `output.gpio.chip` is not for `rppal`, which knows one chip; leave it out
    ");
    assert_snapshot!(gpio("kind = \"cdev\"\nline = -1\n"), @"line 10, column 8: `output.gpio.line` cannot be read: invalid value: integer `-1`, expected a line's number or its name; docs/ref/config.md tells what every key takes");
}

#[test]
fn trials() {
    let config = Config::from_toml(&(minimal() + "[trial]\nstage_s = 60\ndrift = 0.2\n")).unwrap();
    assert_eq!((config.trial.stage_s, config.trial.drift, config.trial.segment_ms), (Some(60.0), Some(0.2), None));
    let text = "[trial]\nstage_s = 1\nsegment_ms = 700\nmemory_mb = 0\nresident_mb = nan\ndrift = 1.5\n";
    assert_snapshot!(refused(&(minimal() + text)), @r#"
    line 9, column 11: `trial.stage_s` is 1, not 5 to 86400 seconds; 600 is what it is when absent
    line 10, column 14: `trial.segment_ms` is 700, not above 0 and at most 640 ms; a segment comes every 640 ms
    line 11, column 13: `trial.memory_mb` is 0, not above 0 MB; leave it out if in doubt
    line 12, column 15: `trial.resident_mb` is NaN, not above 0 MB; leave it out if in doubt
    line 13, column 9: `trial.drift` is 1.5, not above 0 and at most 1; it is a share of segments; 1 lets every model pass
    "#);
}

#[test]
fn networks() {
    let text = "[control]\n[hawkbit]\nserver = \"https://updates.example.org:8443\"\ndevice = \"pole-12\"\n\
                token_file = \"/etc/tadpole/token\"\n[output.mqtt]\nbroker = \"mqtts://broker.example.org:8883\"\n\
                topic = \"tadpole/pole-12\"\n";
    let config = Config::from_toml(&(minimal() + text)).unwrap();
    let control = config.control.unwrap();
    assert_eq!((control.listen.as_str(), control.tls.as_str()), (CONTROL_LISTEN, TLS_FOLDER));
    assert_eq!(config.hawkbit.unwrap().tenant, "DEFAULT");
    assert_eq!(config.output.mqtt.unwrap().address(), Some((true, "broker.example.org:8883")));
}

#[test]
fn networks_that_cannot_be() {
    let text = "[control]\nlisten = \"8443\"\n[hawkbit]\nserver = \"ftp://there\"\ndevice = \"a/b\"\ntoken_file = \"\"\n\
                [output.mqtt]\nbroker = \"broker:1883\"\ntopic = \"tadpole/#\"\npassword_file = \"/p\"\n";
    assert_snapshot!(refused(&(minimal() + text)), @r#"
    line 9, column 10: `control.listen` is no address with a port; write `0.0.0.0:8443`, or the address of one network card
    line 11, column 10: `hawkbit.server` is no server's address; write `https://hawkbit.example.org:8443`, without a path
    line 12, column 10: `hawkbit.device` is not a plain name; use 1 to 64 letters, digits, `-`, `_` or `.`
    line 13, column 14: `hawkbit.token_file` is not a path; write the path of a file
    line 14, column 1: `output.mqtt.user` is missing beside a password; say who logs in
    line 15, column 10: `output.mqtt.broker` is no broker's address; write `mqtts://broker.example.org:8883`, or `mqtt://host:1883` without encryption
    line 16, column 9: `output.mqtt.topic` cannot begin a topic; write 1 to 128 bytes such as `tadpole/pole-12`, without `+`, `#` or empty levels
    "#);
    for broker in ["mqtt://host", "mqtt://host:0", "mqtt://host:70000", "mqtts://:1", "mqtt://a b:1"] {
        let text = format!("[output.mqtt]\nbroker = \"{broker}\"\ntopic = \"t\"\n");
        assert!(refused(&(minimal() + &text)).contains("no broker's address"), "{broker}");
    }
}

#[test]
fn the_probe_needs_a_port_above() {
    assert_snapshot!(refused(&(minimal() + "[control]\nlisten = \"0.0.0.0:65535\"\n")), @"line 9, column 10: `control.listen` is port 65535, and the health probe listens one port higher; write a lower port");
}

#[test]
fn pictures_are_masked() {
    let text = minimal().replace(
        "\n\n[model]",
        "\nmask = [[[0, 0], [0.25, 0], [0, 0.5]]]\nregion = [[[0,0],[1,0],[1,1]], [[0,1],[1,1],[0.5,0.5]]]\n\n[model]",
    );
    let camera = &Config::from_toml(&text).unwrap().cameras[0];
    assert_eq!(camera.mask, [[[0.0, 0.0], [0.25, 0.0], [0.0, 0.5]]]);
    assert_eq!(camera.region.len(), 2);
    let wrong = "[[0.1, 0.1], [0.9, 0.9]], [[0, 0], [640, 0], [0, 480]], [[0, 0], [0.5, 0.5], [1, 1]], [[0, 0], [0, 0], [1, 0], [1, 0], [0, 1]]";
    let text = minimal().replace("sim://?seed=1\"", &format!("features:///r.npy\"\nmask = [{wrong}]"));
    assert_snapshot!(refused(&text), @r"
    line 4, column 8: `camera[0].mask` is for pictures, and recorded rows have none; leave it out: what was masked when the rows were made stays so
    line 4, column 9: `camera[0].mask[0]` has 2 corners, not 3 to 64; write `[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]`, one `[x, y]` for each corner
    line 4, column 35: `camera[0].mask[1]` has the corner [640, 0], which is not in the picture; write shares of width and height, 0 to 1, and no pixels
    line 4, column 65: `camera[0].mask[2]` encloses nothing: its corners are on one line; write corners around what is meant
    ");
    let many = vec!["[[0,0],[1,0],[1,1]]"; 17].join(", ");
    let text = minimal().replace("\n\n[model]", &format!("\nregion = [{many}]\n\n[model]"));
    assert_snapshot!(refused(&text), @"line 4, column 10: `camera[0].region` has 17 polygons, more than 16; join some of them");
}

#[test]
fn schedules() {
    let text = "[schedule]\ntime_zone = \"Europe/Berlin\"\n[[schedule.period]]\nmode = \"quiet\"\ndays = \"mon-fri\"\nfrom = \"22:00\"\nto = \"06:00\"\n\
                [[schedule.period]]\nmode = \"off\"\ndays = [\"sun\", \"Fri-Sat\"]\n[[schedule.period]]\nmode = \"armed\"\ndays = \"sat-mon,wed\"\n";
    let schedule = Config::from_toml(&(minimal() + text)).unwrap().schedule.unwrap();
    assert_eq!(schedule.time_zone, "Europe/Berlin");
    let [night, weekend, third] = schedule.periods[..] else { panic!("three") };
    assert_eq!((night.mode, night.from, night.to), (Mode::Quiet, TimeOfDay(22 * 60), TimeOfDay(6 * 60)));
    assert_eq!(night.days.to_string(), "mon, tue, wed, thu, fri");
    assert_eq!((weekend.mode, weekend.from, weekend.to), (Mode::Off, TimeOfDay(0), TimeOfDay(DAY_MINUTES)));
    assert_eq!((weekend.days, third.days), (Days(0b111_0000), Days(0b110_0101)));
    assert_eq!(TimeOfDay(61).to_string(), "01:01");
}

#[test]
fn schedules_that_cannot_be() {
    let period = |text: &str| refused(&(minimal() + "[schedule]\ntime_zone = \"UTC\"\n[[schedule.period]]\n" + text));
    assert_snapshot!(period("mode = \"loud\"\n"), @"line 11, column 8: `schedule.period[0].mode` cannot be read: unknown variant `loud`, expected one of `armed`, `quiet`, `off`; docs/ref/config.md tells what every key takes");
    assert_snapshot!(period("mode = \"off\"\ndays = \"mon-fry\"\n"), @r#"line 12, column 8: `schedule.period[0].days` cannot be read: invalid value: string "mon-fry", expected days such as "mon-fri" or ["sat", "sun"]; docs/ref/config.md tells what every key takes"#);
    assert_snapshot!(period("mode = \"off\"\nfrom = \"24:30\"\n"), @"line 12, column 8: `schedule.period[0].from` cannot be read: `24:30` is no time of day; write it as `22:00`, 00:00 to 24:00; docs/ref/config.md tells what every key takes");
    assert_snapshot!(period("mode = \"off\"\ndays = []\nfrom = \"24:00\"\n"), @r"
    line 10, column 1: `schedule.period[0].to` is when the period begins; for a whole day leave out both; over midnight, `to` is before `from`
    line 12, column 8: `schedule.period[0].days` names no day; write `mon-fri`, or leave it out for all days
    line 13, column 8: `schedule.period[0].from` is after the day's end; write 00:00 to 23:59
    ");
    assert_snapshot!(refused(&(minimal() + "[schedule]\ntime_zone = \"here & now\"\n")), @"line 9, column 13: `schedule.time_zone` is no time zone's name; write one such as `Europe/Berlin`, or `UTC`");
    for time in ["7:00", "07:60", "+7:00", "0700", "07:0", "-1:00"] {
        assert!(time.parse::<TimeOfDay>().is_err(), "{time}");
    }
}

#[test]
fn alarms_are_sent_and_kept() {
    let text = "[output.mqtt]\nbroker = \"mqtt://b:1883\"\ntopic = \"t\"\ndiscovery = \"homeassistant\"\n[output.webhook]\nurl = \"https://h:8443/in?from=n\"\nsecret_file = \"/s\"\n\
                [outbox]\npath = \"/o\"\n[recorder]\npath = \"/r\"\nquota_mb = 100\n";
    let config = Config::from_toml(&(minimal() + text)).unwrap();
    assert_eq!(config.output.mqtt.unwrap().discovery.as_deref(), Some("homeassistant"));
    assert_eq!(config.output.webhook.unwrap().ca, None);
    assert_eq!(config.outbox, Some(Outbox { path: "/o".into(), events_max: 10_000 }));
    let recorder = config.recorder.unwrap();
    assert_eq!((recorder.pre_roll_s, recorder.quota_mb, recorder.free_mb), (10.0, 100, 500));
}

#[test]
fn alarms_that_cannot_be_sent_or_kept() {
    let text = "[output.mqtt]\nbroker = \"mqtt://b:1883\"\ntopic = \"t\"\ndiscovery = \"a//b\"\n[output.webhook]\nurl = \"h/in\"\nsecret_file = \"\"\n\
                [recorder]\npath = \"\"\npre_roll_s = 61\nquota_mb = 1\nmax_age_days = 0\n";
    assert_snapshot!(refused(&(minimal() + text)), @r"
    line 11, column 13: `output.mqtt.discovery` cannot begin a topic; write `homeassistant`, or what Home Assistant is set to
    line 12, column 1: `output.webhook` sends events, and there is no outbox; add `[outbox]` with a `path`: events wait there until they are delivered
    line 13, column 7: `output.webhook.url` is no web address; write `https://alarms.example.org/tadpole`, without name and password
    line 14, column 15: `output.webhook.secret_file` is not a path; write the path of a file
    line 16, column 8: `recorder.path` is not a path; write the path of a file
    line 17, column 14: `recorder.pre_roll_s` is 61, not 0 to 60 seconds; leave it out for 10
    line 18, column 12: `recorder.quota_mb` is 1, not 10 to 100000000; leave it out for 2000
    line 19, column 16: `recorder.max_age_days` is 0, not 1 to 36500; leave it out for 30
    ");
    for url in ["https://", "ftp://h/x", "https://u:p@h/x", "https://h/a b", "https://h:0/x"] {
        let text = format!(
            "[output.webhook]\nurl = \"{url}\"\nsecret_file = \"/s\"\n[outbox]\npath = \"/o\"\nevents_max = 16\n"
        );
        assert!(refused(&(minimal() + &text)).contains("no web address"), "{url}");
    }
}

#[test]
fn what_people_see() {
    let text = "[page]\n[log]\nlevel = \"warn\"\nformat = \"json\"\n[log.levels]\n\"runtime::source\" = \"debug\"\n";
    let config = Config::from_toml(&(minimal() + text)).unwrap();
    assert_eq!(config.page, Some(Page { listen: PAGE_LISTEN.into(), password_file: None }));
    assert_eq!((config.log.level, config.log.format), (Some(LogLevel::Warn), LogFormat::Json));
    assert_eq!(config.log.levels["runtime::source"], LogLevel::Debug);
    let text = "[page]\nlisten = \"0.0.0.0:8480\"\n[log.levels]\n\"a b\" = \"off\"\n";
    assert_snapshot!(refused(&(minimal() + text)), @r#"
    line 8, column 1: `page.password_file` is missing: 0.0.0.0:8480 is not loopback alone; name a file with a password, or listen on `127.0.0.1:8480`
    line 10, column 1: `log.levels` has `a b`, which is no module; write its path in quotes, such as `"runtime::source" = "debug"`
    "#);
    assert_snapshot!(refused(&(minimal() + "[page]\nlisten = \"8480\"\n")), @"line 9, column 10: `page.listen` is no address with a port; write `127.0.0.1:8480`, or the address of one network card");
}

#[test]
fn calibrations() {
    let text = "[alarm]\nthreshold = 0.7\n[alarm.calibration]\nfalse_alarms_per_day = 1\nlow = 0.5\nhigh = 2\nsegments = 100\nmodel = \"m 1\"\ndate = \"2026-11-22\"\n";
    let calibration = Config::from_toml(&(minimal() + text)).unwrap().alarm.calibration.unwrap();
    assert_eq!((calibration.high, calibration.segments), (2.0, 100));
    let wrong = text.replace("threshold = 0.7\n", "").replace("low = 0.5", "low = 3").replace("-22", "");
    assert_snapshot!(refused(&(minimal() + &wrong)), @r"
    line 9, column 1: `alarm.calibration` tells of a threshold that is not there; remove it, or run `tadpole calibrate` again
    line 11, column 7: `alarm.calibration.low` is no range together with `high`; `tadpole calibrate` writes it
    line 15, column 8: `alarm.calibration.date` is no date such as `2026-11-22`; `tadpole calibrate` writes it
    ");
}

#[test]
fn a_device_node_is_no_uri_yet() {
    let text = minimal().replace("sim://?seed=1", "/dev/video0");
    assert_snapshot!(refused(&text), @"line 3, column 10: `camera[0].source` is `/dev/video0`, which is no URI; write `v4l:///dev/video0` for a local camera");
}

#[test]
fn a_local_camera_is_listed_once() {
    let text = minimal().replace("sim://?seed=1", "v4l:///dev/video0?rate=30");
    let twice = format!("[[camera]]\nname = \"south\"\nsource = \"v4l:///dev/video0\"\n{text}");
    assert_snapshot!(refused(&twice), @"line 6, column 10: `camera[1].source` is the same camera as that of camera[0]; a local camera can be read once only: remove one of them");
}

#[test]
fn no_camera_and_no_key() {
    assert_snapshot!(refused("[model]\nbundle = \"m\"\ntrusted_keys = []\n"), @r"
        `camera` is missing: there is no camera to watch; add a `[[camera]]` with a `name` and a `source`
        line 3, column 16: `model.trusted_keys` is empty: no bundle could ever be run; paste the line that `tadpole-trainer keygen` printed
        ");
}

#[test]
fn integers_are_numbers_too() {
    let config = Config::from_toml(&(minimal() + "[alarm]\ncool_down_s = 30\n")).unwrap();
    assert_eq!(config.alarm.cool_down_s, Some(30.0));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", cut in 0usize..300, junk in "[\\[\\]=\".a-z0-9\n]{0,20}") {
        let _ = Config::from_toml(&text);
        let full = minimal() + "[alarm]\nthreshold = 0.5\n[output.journal]\npath = \"/j\"\n";
        let at = cut.min(full.len());
        let _ = Config::from_toml(&format!("{}{junk}{}", &full[..at], &full[at..]));
    }
}
