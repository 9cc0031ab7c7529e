//! What an alarm looked like: the real program on a simulated road. The clip plays, a mask is black in it, the features are those that a model
//! takes; and with too little room nothing is recorded, which is said, and alarms go on.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use runtime::source::v4l::jpeg;
use runtime::source::{Frame, PixelFormat};
use serde_json::Value;
use system_tests::{shipped, succeed};

/// A camera whose left half is masked, and whose every score is an alarm, which lasts until the run ends.
fn config(folder: &Path, recorder: &str) -> PathBuf {
    let text = format!(
        "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1&seconds=600\"\nmask = [[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]]\n\
         [model]\nbundle = \"{}\"\ntrusted_keys = [\"{DEMO_PUBLIC_KEY_HEX}\"]\nengine = \"tract\"\n[alarm]\nthreshold = 0.000001\nmin_length_s = 0\n\
         [output.gpio]\nkind = \"memory\"\n[recorder]\npath = \"alarms\"\n{recorder}\n",
        shipped().display()
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn an_alarm_is_kept_and_shows_nothing_that_is_masked() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "pre_roll_s = 3\nfree_mb = 0");
    let mut firmware = Firmware::start(&config);
    firmware.wait_for("north: ALARM 1");
    std::thread::sleep(Duration::from_secs(3));
    let (took, log) = firmware.stop();
    assert!(took < Duration::from_secs(2), "{took:?}: {log}");
    let alarm = folder.path().join("alarms/00000001-0-north");
    let event: Value = serde_json::from_slice(&std::fs::read(alarm.join("event.json")).unwrap()).unwrap();
    assert_eq!((&event["alarm"]["camera"], &event["cut"]), (&"north".into(), &Value::Bool(true)));
    let (clip, segments) = (&event["clip"], event["segments"].as_array().unwrap());
    let (start_s, frames) = (clip["start_s"].as_f64().unwrap(), clip["frames"].as_u64().unwrap());
    let alarm_s = event["alarm"]["start_s"].as_f64().unwrap();
    assert!((2.6..=3.2).contains(&(alarm_s - start_s)) && frames > 20, "{event}");
    assert!(segments.len() >= 8 && segments.iter().all(|segment| segment["score"].as_f64().unwrap() > 0.0), "{event}");

    let thumbnail = std::fs::read(alarm.join("thumbnail.jpg")).unwrap();
    let size = (clip["width"].as_u64().unwrap() as u32, clip["height"].as_u64().unwrap() as u32);
    let mut frame = Frame::default();
    jpeg::decode(&thumbnail, size, &mut frame).unwrap();
    assert_eq!(frame.format, PixelFormat::Rgb24);
    // But for the blocks on the mask's edge.
    let half = 3 * (frame.width as usize / 2 - 16);
    let rows: Vec<_> = frame.data.chunks(frame.stride as usize).collect();
    assert!(rows.iter().all(|row| row[..half].iter().all(|v| *v < 24)), "the left half is black");
    assert!(rows.iter().any(|row| row[half + 96..].iter().any(|v| *v > 64)), "the right half is not");

    // The model takes the features as its own.
    let features = format!("features://{}", alarm.join("features.npy").display());
    let told = succeed("tadpole", ["replay", &features, "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["segments"].as_u64().unwrap() as usize, segments.len());

    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(alarm.join("clip.avi"))
        .output();
    match probe {
        Ok(told) => {
            let read: u64 = String::from_utf8(told.stdout).unwrap().trim().parse().unwrap();
            // Ticks without a picture of their own are not counted.
            assert!(read <= frames && read > frames / 2, "{read} of {frames}");
        }
        Err(_) => eprintln!("SKIPPED: no ffprobe; run `cargo xtask setup`"),
    }
}

#[test]
fn with_too_little_room_nothing_is_recorded_and_alarms_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut firmware = Firmware::start(&config(folder.path(), "free_mb = 100000000"));
    firmware.wait_for("north: degraded: recorder");
    firmware.wait_for("north: ALARM 1");
    let (took, log) = firmware.stop();
    assert!(took < Duration::from_secs(2) && log.contains("nothing is recorded"), "{took:?}: {log}");
    let left = std::fs::read_dir(folder.path().join("alarms")).unwrap().count();
    assert_eq!(left, 0);
}
