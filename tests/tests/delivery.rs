//! Alarms that arrive: the real program and a real mosquitto. The broker is away for the whole of several alarms, the firmware is killed
//! meanwhile, and when the broker is back every alarm arrives, in order and exactly once. A disk that takes nothing changes nothing at the relay.

#![allow(clippy::unwrap_used)]

#[path = "common/broker.rs"]
mod broker;
#[path = "common/firmware.rs"]
mod firmware;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use broker::{Broker, Ear, PATIENCE, free_port};
use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use serde_json::Value;
use system_tests::shipped;

const CAMERAS: [&str; 2] = ["north", "south"];

/// Two cameras that are alarmed by next to nothing.
fn config(folder: &Path, port: u16) -> PathBuf {
    let mut text = String::new();
    for (seed, name) in CAMERAS.iter().enumerate() {
        text += &format!("[[camera]]\nname = \"{name}\"\nsource = \"sim://?seed={seed}&seconds=3600\"\n");
    }
    text += &format!(
        "[model]\nbundle = \"{}\"\ntrusted_keys = [\"{DEMO_PUBLIC_KEY_HEX}\"]\nengine = \"tract\"\n[alarm]\nthreshold = 0.000001\n\
         min_length_s = 0\n[output.gpio]\nkind = \"memory\"\n[output.journal]\npath = \"events.jsonl\"\n[outbox]\npath = \"outbox\"\n\
         [output.mqtt]\nbroker = \"mqtt://127.0.0.1:{port}\"\ntopic = \"pole/12\"\ndiscovery = \"homeassistant\"\n",
        shipped().display()
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Wait until both cameras have an alarm and the outbox's file has it, which follows within moments.
fn until_alarms(firmware: &mut Firmware) {
    for camera in CAMERAS {
        firmware.wait_for(&format!("{camera}: ALARM 1"));
    }
    std::thread::sleep(Duration::from_millis(500));
}

/// The alarms of a camera that were said, without those that the broker had kept: phase, whether it was cut off, id.
fn alarms(ear: &Ear, camera: &str) -> Vec<(String, bool, String)> {
    let topic = format!("pole/12/camera/{camera}/alarm");
    let said = ear.all().into_iter().filter(|heard| heard.topic == topic && !heard.kept);
    let read = |text: String| {
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["camera"], camera);
        let text = |key: &str| json[key].as_str().unwrap().to_owned();
        (text("phase"), json["interrupted"] == true, text("event_id"))
    };
    said.map(|heard| read(heard.text)).collect()
}

/// How often the journal has a camera's alarms in this phase.
fn written(folder: &Path, camera: &str, phase: &str) -> usize {
    let journal = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let (camera, phase) = (format!("\"{camera}\""), format!("\"{phase}\""));
    journal.lines().filter(|line| line.contains(&camera) && line.contains(&phase)).count()
}

#[test]
fn a_broker_that_was_away_has_every_alarm_once_across_a_kill_of_the_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(first) = Broker::start(port, folder.path()) else { return };
    let config = config(folder.path(), port);
    let ear = Ear::at(port);

    let mut firmware = Firmware::start(&config);
    ear.hears("pole/12/presence", |told| told == "online");
    let health = ear.hears("pole/12/camera/north/health", |_| true);
    assert!(health.contains("\"state\""), "{health}");
    let shown = ear.hears("homeassistant/binary_sensor/pole_12/north_alarm/config", |_| true);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["state_topic"], "pole/12/camera/north/alarm");
    assert_eq!(shown["availability_topic"], "pole/12/presence");
    // No camera has seen enough for an alarm yet.
    drop(first);
    until_alarms(&mut firmware);
    firmware.kill();

    let mut firmware = Firmware::start(&config);
    until_alarms(&mut firmware);
    let (_, log) = firmware.stop();
    assert!(!log.contains("degraded: outbox"), "{log}");

    let mut firmware = Firmware::start(&config);
    until_alarms(&mut firmware);
    let _second = Broker::start(port, folder.path()).unwrap();
    ear.listens(2);
    let begun = Instant::now();
    let started = |camera: &str| alarms(&ear, camera).iter().filter(|(phase, ..)| phase == "started").count();
    while CAMERAS.iter().any(|camera| started(camera) < written(folder.path(), camera, "started").max(3)) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", ear.all());
        std::thread::sleep(Duration::from_millis(50));
    }
    ear.hears("pole/12/camera/south/score", |told| told.parse::<f32>().is_ok());
    // The third life's end, and whatever would come twice.
    firmware.stop();
    std::thread::sleep(Duration::from_secs(1));
    let mut ids = HashSet::new();
    for camera in CAMERAS {
        let told = alarms(&ear, camera);
        let phases: Vec<_> = told.iter().map(|(phase, cut, _)| (phase.as_str(), *cut)).collect();
        for (n, (phase, cut)) in phases.iter().enumerate() {
            assert_eq!(*phase, ["started", "ended"][n % 2], "{camera}: {phases:?}");
            assert!(n % 2 == 1 || !cut, "{camera}: {phases:?}");
        }
        // As the journal has it: each alarm once; the end of one that was cut off is told by the next start, and that of the last may be.
        let count = |wanted: &str| phases.iter().filter(|(phase, cut)| *phase == wanted && !cut).count();
        let [begun, over] = ["started", "ended"].map(|phase| written(folder.path(), camera, phase));
        assert!(begun >= 3 && count("started") == begun, "{camera}: {begun} in the journal, {phases:?}");
        assert!(over - count("ended") <= 1, "{camera}: {over} in the journal, {phases:?}");
        let cut = phases.iter().filter(|(_, cut)| *cut).count();
        assert_eq!(cut, begun - over, "{camera}: {phases:?}");
        assert!(told.into_iter().all(|(_, _, id)| ids.insert(id)), "{camera}: an id that was given twice");
    }
}

#[test]
fn an_outbox_that_cannot_be_written_is_said_and_alarms_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(_broker) = Broker::start(port, folder.path()) else { return };
    let config = config(folder.path(), port);
    // Where the folder should be there is a file, until somebody clears it away.
    let place = folder.path().join("outbox");
    std::fs::write(&place, "in the way").unwrap();
    let ear = Ear::at(port);
    let mut firmware = Firmware::start(&config);
    firmware.wait_for("north: degraded: outbox");
    until_alarms(&mut firmware);
    // From memory, all the same.
    ear.hears("pole/12/camera/north/alarm", |told| told.contains("started"));
    std::fs::remove_file(&place).unwrap();
    firmware.wait_for("outbox: is written again");
    let (took, log) = firmware.stop();
    assert!(took < Duration::from_secs(2), "{took:?}: {log}");
    let kept = std::fs::read_to_string(place.join("messages")).unwrap();
    assert!(kept.contains("{\"done\":[\"mqtt\","), "{kept}");
}
