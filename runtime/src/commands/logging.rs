//! What is logged, and how a line of it looks: `[log]` of a config comes in, the program's logger goes out. Where `RUST_LOG` is set, it says what is
//! logged; how a line looks is the config's alone.
//!
//! | level | what for |
//! |---|---|
//! | `error` | what failed, and somebody must see to |
//! | `warn` | alarms; what is not as it should be, and goes on |
//! | `info` | what an operator wants to know once |
//! | `debug`, `trace` | for developers |

use std::io::Write as _;
use std::time::Duration;

use env_logger::{Builder, Env};
use firmware_config::config::{Camera, Log, LogFormat, LogLevel};
use log::Record;
use runtime::health::clock::{Clock as _, SystemClock};
use runtime::health::date;
use serde::Serialize;

/// Begin to log; `cameras` are those that a line may be about. To be called once.
pub fn start(settings: &Log, cameras: &[Camera]) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(filter(settings)));
    match settings.format {
        LogFormat::Text => builder.format_timestamp(None).format_target(false),
        LogFormat::Json => {
            let names: Vec<String> = cameras.iter().map(|camera| camera.name.clone()).collect();
            let clock = SystemClock::start();
            builder.format(move |out, record| writeln!(out, "{}", json(record, &names, clock.now(), date::clock())))
        }
    }
    .init();
}

/// What is logged, as `RUST_LOG` would say it. `level` is that of the program's own modules; of libraries, warnings are enough unless `levels`
/// names them.
fn filter(settings: &Log) -> String {
    let own = settings.level.unwrap_or(LogLevel::Info);
    let others = if matches!(own, LogLevel::Off | LogLevel::Error) { own } else { LogLevel::Warn };
    let (own, others) = (own.name(), others.name());
    let mut filter = format!("{others},runtime={own},tadpole={own},tiny_skia=off");
    for (module, level) in &settings.levels {
        // A later entry takes the place of an earlier one of the same name.
        filter += &format!(",{module}={}", level.name());
    }
    filter
}

/// A line of the log.
#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since the start, by a clock that never jumps.
    ts: f64,
    /// The device's date, seconds since 1970, as wrong as it may be.
    unix_s: u64,
    level: String,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<&'a str>,
    message: &'a str,
}

/// An event as one JSON object, without a line break.
fn json(record: &Record<'_>, cameras: &[String], since: Duration, unix_s: u64) -> String {
    let message = record.args().to_string();
    let line = Line {
        ts: since.as_millis() as f64 / 1000.0,
        unix_s,
        level: record.level().as_str().to_lowercase(),
        target: record.target(),
        camera: camera(cameras, &message, std::thread::current().name()),
        message: &message,
    };
    // Numbers and texts alone: it cannot fail.
    serde_json::to_string(&line).unwrap_or_default()
}

/// The camera that a message names at its beginning, or whose thread it comes from.
fn camera<'c>(cameras: &'c [String], message: &str, thread: Option<&str>) -> Option<&'c str> {
    let named = |name: &&String| message.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(": "));
    let found = cameras.iter().find(named).or_else(|| cameras.iter().find(|name| Some(name.as_str()) == thread));
    found.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use log::Level;
    use serde_json::Value;

    use super::*;

    fn line(message: &str) -> String {
        let names = ["north".to_owned(), "north-2".to_owned()];
        let mut record = Record::builder();
        record.level(Level::Warn).target("runtime::source");
        json(&record.args(format_args!("{message}")).build(), &names, Duration::from_millis(12_345), 1_790_000_000)
    }

    #[test]
    fn a_line_is_one_object() {
        assert_eq!(
            line("north-2: frames lost: gone"),
            r#"{"ts":12.345,"unix_s":1790000000,"level":"warn","target":"runtime::source","camera":"north-2","message":"north-2: frames lost: gone"}"#
        );
    }

    #[test]
    fn whatever_is_said_stays_in_its_line_and_comes_back() {
        for message in
            ["a \"quoted\" \\ path", "two\nlines\r\n", "\u{0}\u{1b}[31mred\u{7f}", "Kreuzung Süd \u{2028}🚧", ""]
        {
            let line = line(message);
            assert!(!line.contains(|c: char| c.is_control() && c != '\u{7f}'), "{line:?}");
            let read: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["message"], message);
            assert!(read.get("camera").is_none(), "{line}");
        }
    }

    #[test]
    fn a_camera_is_named_by_its_message_or_its_thread() {
        let names = ["north".to_owned(), "south".to_owned()];
        assert_eq!(camera(&names, "south: ok", Some("north")), Some("south"));
        assert_eq!(camera(&names, "ffmpeg says: no", Some("north")), Some("north"));
        assert_eq!(camera(&names, "northern lights: on", Some("watcher")), None);
    }

    #[test]
    fn levels_are_those_of_the_config() {
        let enabled = |settings: &Log, level, target: &str| {
            let logger = Builder::new().parse_filters(&filter(settings)).build();
            let record = Record::builder().level(level).target(target).args(format_args!("x")).build();
            logger.matches(&record)
        };
        let plain = Log::default();
        assert!(enabled(&plain, Level::Info, "runtime::page") && enabled(&plain, Level::Info, "tadpole::commands"));
        assert!(!enabled(&plain, Level::Debug, "runtime::page") && !enabled(&plain, Level::Info, "rumqttc"));
        assert!(enabled(&plain, Level::Warn, "rumqttc") && !enabled(&plain, Level::Error, "tiny_skia"));
        let quiet = Log { level: Some(LogLevel::Error), ..Log::default() };
        assert!(!enabled(&quiet, Level::Warn, "runtime::page") && !enabled(&quiet, Level::Warn, "rumqttc"));
        let levels = [("runtime::source", LogLevel::Trace), ("tiny_skia", LogLevel::Debug)];
        let levels = levels.map(|(module, level)| (module.to_owned(), level)).into();
        let loud = Log { level: Some(LogLevel::Debug), levels, ..Log::default() };
        assert!(
            enabled(&loud, Level::Trace, "runtime::source::live") && !enabled(&loud, Level::Trace, "runtime::page")
        );
        assert!(enabled(&loud, Level::Debug, "runtime::page") && !enabled(&loud, Level::Debug, "rumqttc"));
        assert!(enabled(&loud, Level::Debug, "tiny_skia"));
    }
}
