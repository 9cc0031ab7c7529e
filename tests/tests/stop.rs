//! `tadpole run` is told to stop: it ends within two seconds, in order, whatever its cameras wait for.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use serde_json::Value;
use system_tests::shipped;

/// The longest that ending may take.
const END_MAX: Duration = Duration::from_secs(2);

fn config(folder: &Path, sources: &[&str]) -> String {
    let mut text = String::new();
    for (n, source) in sources.iter().enumerate() {
        text += &format!("[[camera]]\nname = \"camera-{n}\"\nsource = \"{source}\"\n");
    }
    // A threshold that every score passes: an alarm is on when the signal comes.
    text += &format!(
        "[model]\nbundle = \"{}\"\ntrusted_keys = [\"{DEMO_PUBLIC_KEY_HEX}\"]\nengine = \"tract\"\n[alarm]\nthreshold = 0.000001\n\
         min_length_s = 0\n[output.gpio]\nkind = \"memory\"\n[output.journal]\npath = \"{}\"\n",
        shipped().display(),
        folder.join("events.jsonl").display()
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Run until a line of the log holds `until`, send SIGTERM, and return how long the end took and what was logged.
fn stopped(config: &str, until: &str) -> (Duration, String) {
    let mut firmware = Firmware::start(Path::new(config));
    firmware.wait_for(until);
    firmware.stop()
}

#[test]
fn an_alarm_that_is_on_ends_and_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &["sim://?seed=1&seconds=600"]);
    let (took, told) = stopped(&config, "ALARM 1");
    assert!(took < END_MAX, "{took:?}: {told}");
    let journal = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
    let phases: Vec<_> = journal.lines().filter(|line| line.contains("\"alarm\"")).collect();
    assert!(phases.len() == 2 && phases[1].contains("\"ended\""), "{journal}");
}

#[test]
fn a_log_in_json_is_one_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &["sim://?seed=1&seconds=600"]);
    let text = std::fs::read_to_string(&config).unwrap() + "[log]\nformat = \"json\"\n";
    std::fs::write(&config, text).unwrap();
    let (_, told) = stopped(&config, "ALARM 1");
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let alarm = lines.iter().find(|line| line["message"].as_str().unwrap().contains("ALARM 1")).unwrap();
    assert_eq!((&alarm["level"], &alarm["camera"]), (&"warn".into(), &"camera-0".into()), "{told}");
    assert!(lines.iter().all(|line| line["ts"].is_f64() && line["target"].is_string()), "{told}");
}

#[test]
fn a_camera_that_is_away_does_not_hold_it_up() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody answers there: the documentation's address, whose connection hangs, or one that refuses at once.
    let config = config(folder.path(), &["tcp://127.0.0.1:9", "tcp://192.0.2.1:9"]);
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("SKIPPED: no ffmpeg; run `cargo xtask setup`");
        return;
    }
    let (took, told) = stopped(&config, "frames lost");
    assert!(took < END_MAX, "{took:?}: {told}");
}
