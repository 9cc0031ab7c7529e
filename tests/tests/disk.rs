//! A disk that is full or read-only while something happens on the road: the relay closes and opens as with a good one, health names the disk, and when the
//! disk is well again so is the firmware, by itself, with what it could not write. The real program, with everything that writes: journal, outbox,
//! recorder, marks. Slow disks are tried beside the journal and the outbox, whose tests have one that waits.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/disk.rs"]
mod small;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use serde_json::Value;
use small::SmallDisk;
use system_tests::{program, shipped};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);
/// A road on which a vehicle burns, as the demo shows it. A file is played as fast as it goes and loses nothing, so it is the same every time.
const ROAD: &str = "sim://?seed=800001&seconds=75&incident=fire&at=55\n";

/// That road, and a quiet one that goes on for as long as anybody looks. All that is written lies in `disk`; nobody takes messages.
fn config(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("road.sim"), ROAD).unwrap();
    std::fs::write(folder.join("secret"), "a secret of no value").unwrap();
    let text = format!(
        "[[camera]]\nname = \"road\"\nsource = \"file://{}\"\n[[camera]]\nname = \"quiet\"\nsource = \"sim://?seed=1&seconds=3600&incident=none\"\n\
         [model]\nbundle = \"disk/roadside-lite0.tadpole\"\ntrusted_keys = [\"{DEMO_PUBLIC_KEY_HEX}\"]\nengine = \"tract\"\n[output.gpio]\nkind = \"memory\"\n\
         [output.journal]\npath = \"disk/events.jsonl\"\n[outbox]\npath = \"disk/outbox\"\n[output.webhook]\nurl = \"http://127.0.0.1:9/alarms\"\n\
         secret_file = \"secret\"\n[recorder]\npath = \"disk/alarms\"\nfree_mb = 0\npre_roll_s = 2\npost_roll_s = 2\n[page]\nlisten = \"127.0.0.1:0\"\n",
        folder.join("road.sim").display()
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What relay and log tell of the road, without the time of day.
fn told(log: &str) -> Vec<String> {
    let parts = ["gpio: the relay", "road: ALARM", "road: alarm", "quiet: ALARM"];
    let of = |line: &str| parts.iter().find_map(|part| Some(line[line.find(part)?..].to_owned()));
    log.lines().filter_map(of).collect()
}

/// The alarms in a journal, every line of which must be whole.
fn alarms(journal: &str) -> Vec<Value> {
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == "alarm").collect()
}

/// With a good disk: what is told, and the alarms of the journal.
fn good() -> (Vec<String>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    std::fs::copy(shipped(), folder.path().join("disk/roadside-lite0.tadpole")).unwrap();
    let firmware = Firmware::start(&config);
    line_after(&firmware, 0, "road: the recording is over");
    let (_, log) = firmware.stop();
    assert!(!log.contains("road: degraded"), "{log}");
    (told(&log), alarms(&std::fs::read_to_string(folder.path().join("disk/events.jsonl")).unwrap()))
}

/// Wait until a line of the log behind `from` holds `part`; that line.
fn line_after(firmware: &Firmware, from: usize, part: &str) -> String {
    let begun = Instant::now();
    loop {
        let log = firmware.log();
        if let Some(line) = log[from..].lines().find(|line| line.contains(part)) {
            return line.to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "`{part}` never came: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the page answers: its status and its body.
fn ask(firmware: &Firmware, method: &str, path: &str, body: &str) -> (u16, String) {
    let line = line_after(firmware, 0, "page: http://");
    let address = line.split_once("http://").unwrap().1.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Tadpole: 1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[derive(Clone, Copy, Debug)]
enum Accident {
    Full,
    ReadOnly,
}

#[test]
fn a_full_or_read_only_disk_changes_nothing_at_the_relay_and_is_named_and_heals() {
    let (expected, alarms_expected) = good();
    assert!(expected.len() >= 4 && expected[0].ends_with("closed") && expected[1].contains("ALARM 1"), "{expected:?}");
    for accident in [Accident::Full, Accident::ReadOnly] {
        let folder = tempfile::tempdir().unwrap();
        let (config, path) = (config(folder.path()), folder.path().join("disk"));
        let Some(run) = SmallDisk::under(&program("tadpole"), &path, Some(&shipped())) else { return };
        let mut firmware = Firmware::start_by(run, &config);
        let disk = SmallDisk::of(firmware.id(), path);
        // 55 seconds of the road before anything happens on it.
        firmware.wait_for("extractor runs on");
        match accident {
            Accident::Full => disk.fill(),
            Accident::ReadOnly => disk.read_only(true),
        }
        assert!(!firmware.log().contains("ALARM"), "{accident:?} came too late: {}", firmware.log());

        line_after(&firmware, 0, "road: the recording is over");
        assert_eq!(told(&firmware.log()), expected, "{accident:?}");
        let ill = line_after(&firmware, 0, "road: degraded: ");
        assert!(ill.contains("/disk"), "{accident:?}: health names the disk: {ill}");
        let (_, book) = ask(&firmware, "GET", "/api/alarms", "");
        let book: Value = serde_json::from_str(&book).unwrap();
        let mark = format!("/api/alarms/{}/mark", book["alarms"][0]["key"].as_str().unwrap());
        let (status, why) = ask(&firmware, "POST", &mark, "{\"mark\":\"false\"}");
        assert!(status >= 500 && why.contains("the mark cannot be kept"), "{accident:?}: {status}: {why}");

        let healed = firmware.log().len();
        match accident {
            Accident::Full => disk.leave(small::MEBIBYTES),
            Accident::ReadOnly => disk.read_only(false),
        }
        line_after(&firmware, healed, "road: ok");
        let (status, why) = ask(&firmware, "POST", &mark, "{\"mark\":\"false\"}");
        assert_eq!(status, 200, "{accident:?}: {why}");
        // What could not be written is there.
        assert_eq!(alarms(&disk.read("events.jsonl")), alarms_expected, "{accident:?}");
        let messages = disk.read("outbox/messages");
        let told =
            |phase: &str| messages.lines().filter(|line| line.contains("\"sent\"") && line.contains(phase)).count();
        assert_eq!(told("\"started\"") + told("\"ended\""), alarms_expected.len(), "{accident:?}: {messages}");
        let (took, log) = firmware.stop();
        assert!(took < Duration::from_secs(2), "{accident:?}: {took:?}: {log}");
    }
}
