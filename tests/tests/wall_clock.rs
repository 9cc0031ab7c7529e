//! The date jumps by ten years, back and forth, while cameras are watched: nothing is decided otherwise.
//!
//! And a date that stands in 1970 keeps nobody from the device.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::unnecessary_debug_formatting)]

#[path = "common/clock.rs"]
mod clock;
#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;
#[path = "common/site.rs"]
mod site;

use std::path::Path;
use std::process::Command;

use clock::{IN_1970, JUMP_S, date, library};
use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use site::Site;
use system_tests::{program, shipped};

/// The alarms of a watched road, from its journal; `before`: the library to load first.
fn alarms(folder: &Path, before: Option<&Path>) -> Vec<String> {
    std::fs::create_dir(folder).unwrap();
    let (config, journal) = (folder.join("config"), folder.join("events.jsonl"));
    // A threshold that every score passes: when the alarm begins and ends is a matter of time.
    let text = format!(
        "[[camera]]\nname = \"road\"\nsource = \"sim://?seed=1&seconds=12\"\n[model]\nbundle = {:?}\nengine = \"tract\"\n\
         trusted_keys = [\"{DEMO_PUBLIC_KEY_HEX}\"]\n[alarm]\nthreshold = 1e-30\n\
         min_length_s = 1.28\n[output.journal]\npath = {journal:?}\n",
        shipped()
    );
    std::fs::write(&config, text).unwrap();
    let mut run = Command::new(program("tadpole"));
    run.arg("run").arg("--config").arg(&config);
    if let Some(library) = before {
        run.env("LD_PRELOAD", library);
    }
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = std::fs::read_to_string(journal).unwrap();
    events.lines().filter(|line| line.contains(r#""event":"alarm""#)).map(Into::into).collect()
}

#[test]
fn a_device_whose_clock_stands_in_1970_is_reached_by_those_with_a_certificate_of_today() {
    let site = Site::new(&["pole-1"], "stage_s = 5");
    let stands = library(site.folder.path(), IN_1970);
    assert_eq!(date(&[("LD_PRELOAD", &stands)]), 12);
    let mut run = Command::new(program("tadpole"));
    run.env("LD_PRELOAD", &stands);
    let mut firmware = Firmware::start_by(run, &site.poles[0].config);
    firmware.wait_for("control service: listening on ");
    assert_eq!(site.status(&site.poles[0]).model.release, 1);
    firmware.stop();
}

#[test]
fn a_date_that_jumps_by_ten_years_changes_no_decision() {
    let folder = tempfile::tempdir().unwrap();
    let jump = library(folder.path(), &[]);
    let away = (date(&[("LD_PRELOAD", &jump)]) - date(&[])).abs();
    assert!((away - JUMP_S).abs() < 10, "the library moves the date by {away} s");

    let (steady, jumping) = std::thread::scope(|scope| {
        let steady = scope.spawn(|| alarms(&folder.path().join("steady"), None));
        (alarms(&folder.path().join("jumping"), Some(&jump)), steady.join().unwrap())
    });
    assert_eq!(steady.len(), 2, "an alarm begins and ends: {steady:?}");
    assert_eq!(steady, jumping);
}
