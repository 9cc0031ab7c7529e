//! The store by hand, with the real program: install, activate, list, roll back; what is refused; and a `run` that is killed
//! again and again while a model is on trial.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use firmware::Firmware;
use firmware_config::PublicKey;
use models::{Kind, key};
use serde_json::Value;
use system_tests::{program, refuse, succeed};

/// A config whose bundle is a store beside it, and which trusts key 1.
fn config(folder: &Path) -> String {
    let key = PublicKey::from(&key(1));
    let text = format!(
        "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1&seconds=60\"\n[model]\nbundle = \"store\"\n\
         trusted_keys = [\"{key}\"]\nengine = \"tract\"\n[output.gpio]\nkind = \"memory\"\n[output.journal]\npath = \"events.jsonl\"\n"
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The shipped model as another release, signed with key `by`.
fn release(folder: &Path, number: u64, by: u8) -> String {
    models::release(folder, number, Kind::Good, by)
}

fn model(config: &str, args: &[&str]) -> String {
    succeed("tadpole", ["model"].iter().chain(args).chain(&["--config", config]))
}

fn list(config: &str) -> Value {
    serde_json::from_str(&model(config, &["list", "--json"])).unwrap()
}

/// A `run` that is killed as soon as its log has a line with `until`; what it said so far.
fn killed(config: &str, until: &str) -> String {
    let mut firmware = Firmware::start(Path::new(config));
    firmware.wait_for(until);
    firmware.kill()
}

#[test]
fn by_hand_from_an_empty_store_to_the_model_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    refuse("tadpole", ["run", "--config", &config], 2, &["holds no model to run", "tadpole model install FILE"]);
    refuse("tadpole", ["model", "activate", "--config", &config], 2, &["install a bundle first"]);
    let stranger = release(folder.path(), 1, 9);
    refuse("tadpole", ["model", "install", &stranger, "--config", &config], 2, &["not among the trusted keys"]);

    model(&config, &["install", &release(folder.path(), 2, 1)]);
    assert!(model(&config, &["activate"]).contains("confirmed"));
    model(&config, &["install", &release(folder.path(), 1, 1)]);
    refuse("tadpole", ["model", "activate", "--config", &config], 2, &["older than release 2", "--allow-downgrade"]);
    // But for an operator on the device, who says so.
    model(&config, &["activate", "--allow-downgrade", "--at-start"]);
    assert_eq!(list(&config)["current"]["release"], 1);
    model(&config, &["rollback"]);
    assert_eq!(list(&config)["current"]["release"], 2);
    model(&config, &["install", &release(folder.path(), 3, 1)]);
    assert!(model(&config, &["activate", "--at-start"]).contains("unconfirmed"));
    let held = list(&config);
    assert_eq!((&held["current"]["release"], &held["previous"]["release"]), (&3.into(), &2.into()));
    assert_eq!(held["trial"]["stage"], "unconfirmed");
    assert!(held["trial"]["segment_ms"].as_f64().unwrap() > 0.0);
    model(&config, &["rollback", "--reason", "a test"]);
    let held = list(&config);
    assert_eq!((&held["current"]["release"], &held["trial"]), (&2.into(), &Value::Null));
    assert_eq!(held["past"].as_array().unwrap().last().unwrap()["reason"], "a test");
    assert!(succeed("tadpole", ["check", &config]).contains("release 2 of the store"));
}

#[test]
fn what_is_verified_is_whole_and_signed_by_whom_a_config_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (ours, theirs) = (release(folder.path(), 1, 1), release(folder.path(), 1, 9));
    assert_eq!(model(&config, &["show", &ours, "--verify"]), "OK\n");
    refuse(
        "tadpole",
        ["model", "show", &theirs, "--verify", "--config", &config],
        2,
        &["which the config does not trust"],
    );
    // Without a config nobody is trusted or mistrusted: it is whole, and signed by somebody.
    assert_eq!(succeed("tadpole", ["model", "show", &theirs, "--verify"]), "OK\n");
    let mut bytes = std::fs::read(&ours).unwrap();
    let last = bytes.len() - 4096;
    for (at, word) in [(last, "differs from its SHA-256"), (600, "")] {
        bytes[at] ^= 1;
        let damaged = folder.path().join("damaged.tadpole").display().to_string();
        std::fs::write(&damaged, &bytes).unwrap();
        refuse("tadpole", ["model", "show", &damaged, "--verify"], 2, &[word]);
        bytes[at] ^= 1;
    }
}

#[test]
fn a_run_that_is_killed_on_trial_goes_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    model(&config, &["install", &release(folder.path(), 1, 1)]);
    model(&config, &["activate"]);
    // Beside the present model, by the run itself.
    model(&config, &["install", &release(folder.path(), 2, 1)]);
    model(&config, &["activate"]);
    killed(&config, "release 2 scores in shadow");
    assert_eq!(list(&config)["trial"]["stage"], "in shadow");
    killed(&config, "release 2 was dropped: the firmware started 2 times");
    // In its place, from the next start on.
    model(&config, &["install", &release(folder.path(), 3, 1)]);
    model(&config, &["activate", "--at-start"]);
    killed(&config, "extractor runs on");
    assert_eq!(list(&config)["current"]["release"], 3);
    // Later than what the start found, which the journal writes meanwhile.
    let told = killed(&config, "extractor runs on");
    assert!(told.contains("release 3 was reverted: the firmware started 2 times"), "{told}");
    let held = list(&config);
    assert_eq!((&held["current"]["release"], &held["trial"]), (&1.into(), &Value::Null));
    let journal = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
    assert!(journal.contains("release 3 was reverted"), "{journal}");
}

#[test]
fn a_model_that_panics_in_its_place_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    model(&config, &["install", &release(folder.path(), 1, 1)]);
    model(&config, &["activate"]);
    // What it makes of its golden clip is well: the proof finds nothing.
    model(&config, &["install", &models::release(folder.path(), 2, Kind::PanicsOnTheRoad, 1)]);
    model(&config, &["activate", "--at-start"]);
    assert_eq!(list(&config)["current"]["release"], 2);
    // There is no model beside it to change places with: the run ends, for a new start.
    let (code, told) = Firmware::start(Path::new(&config)).end();
    assert_ne!(code, Some(0), "{told}");
    let held = list(&config);
    assert_eq!((&held["current"]["release"], &held["trial"]), (&1.into(), &Value::Null), "{told}");
    let reason = held["past"].as_array().unwrap().last().unwrap()["reason"].to_string();
    assert!(reason.contains("panicked"), "{reason}");
    let journal = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
    let why = |line: &str| line.contains("release 2 was reverted") && line.contains("panicked");
    assert!(journal.lines().any(why), "{journal}");
    // The camera goes on, for longer than the other one took to panic.
    let mut firmware = Firmware::start(Path::new(&config));
    firmware.wait_for("extractor runs on");
    std::thread::sleep(Duration::from_secs(3));
    let (_, told) = firmware.stop();
    assert!(!told.contains("panicked"), "{told}");
}

/// Whatever is killed whenever, a model is there afterwards.
#[test]
fn commands_that_are_killed_at_any_time_leave_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let releases: Vec<_> = (1..4).map(|number| release(folder.path(), number, 1)).collect();
    model(&config, &["install", &releases[0]]);
    model(&config, &["activate"]);
    for n in 0..20u64 {
        let wait_ms = 7 * n;
        let args: &[&str] = match n % 3 {
            0 => &["install", &releases[1 + n as usize % 2]],
            1 => &["activate", "--at-start", "--allow-downgrade"],
            _ => &["rollback"],
        };
        let quiet = || Stdio::null();
        let mut command = Command::new(program("tadpole"));
        command.arg("model").args(args).args(["--config", &config]).stdout(quiet()).stderr(quiet());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(succeed("tadpole", ["check", &config]).contains("trusted"), "{n}");
    }
}
