//! The date jumps by ten years, back and forth, while cameras are watched: nothing is decided otherwise.
//!
//! A library that is loaded before all others stands between the firmware and the C library, and answers every question
//! for the date with one that lies ten years ahead or behind, by turns, every tenth of a second, or always with the same of 1970. The
//! monotonic clock is left alone. `date` proves that the library does what it says.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;
#[path = "common/site.rs"]
mod site;

use std::path::{Path, PathBuf};
use std::process::Command;

use firmware::Firmware;
use runtime::bundle::demo_key::DEMO_PUBLIC_KEY_HEX;
use site::Site;
use system_tests::{program, shipped};

/// Seconds in ten years.
const JUMP_S: i64 = 10 * 365 * 24 * 3600;

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

long jump(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_nsec / 100000000 % 2 ? JUMP_S : -JUMP_S;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
#ifdef STANDS_AT_S
        now->tv_sec = STANDS_AT_S;
#else
        now->tv_sec += jump();
#endif
    }
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

/// Build the library with the C compiler that Rust links with; `more` is defined in it.
fn library(folder: &Path, more: &[&str]) -> PathBuf {
    let (source, library) = (folder.join("jump.c"), folder.join("jump.so"));
    std::fs::write(&source, LIBRARY).unwrap();
    let define = format!("-DJUMP_S={JUMP_S}L");
    let mut cc = Command::new("cc");
    let built = cc.args(["-shared", "-fPIC", &define]).args(more).arg("-o").arg(&library).arg(&source).status();
    assert!(built.unwrap().success(), "cc cannot build it");
    library
}

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

/// What `date` says.
fn date(before: &[(&str, &Path)]) -> i64 {
    let output = Command::new("date").arg("+%s").envs(before.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_device_whose_clock_stands_in_1970_is_reached_by_those_with_a_certificate_of_today() {
    let site = Site::new(&["pole-1"], "stage_s = 5");
    let stands = library(site.folder.path(), &["-DSTANDS_AT_S=12"]);
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
