//! The firmware as systemd sees it: what it says on the notification socket, and what it says no more when it hangs.

#![allow(clippy::unwrap_used)]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runtime::bundle::demo_key;
use system_tests::{program, root, shipped};

/// What systemd would give the unit, shortened for the test.
const WATCHDOG: Duration = Duration::from_secs(2);

/// The running firmware, killed at the end whatever happens.
struct Firmware(Child);

impl Firmware {
    fn start(config: &Path, socket: &Path) -> Self {
        let mut run = Command::new(program("tadpole"));
        run.current_dir(root()).arg("run").arg("--config").arg(config);
        run.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        Self(run.stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Firmware {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything that is said until `enough` or until nothing is said for `patience`.
fn hear(socket: &UnixDatagram, patience: Duration, mut enough: impl FnMut(&str) -> bool) -> Vec<(Instant, String)> {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    socket.set_read_timeout(Some(patience)).unwrap();
    while let Ok(length) = socket.recv(&mut bytes) {
        let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let is_enough = enough(&said);
        heard.push((Instant::now(), said));
        if is_enough {
            break;
        }
    }
    heard
}

#[test]
fn systemd_is_told_of_the_start_and_fed_while_one_camera_of_two_is_absent_but_not_while_the_firmware_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    let config = folder.path().join("config");
    let key = demo_key::DEMO_PUBLIC_KEY_HEX;
    let bundle = shipped();
    // Nobody listens on port 1. Without ffmpeg the second camera is a simulated one too.
    let ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok_and(|out| out.status.success());
    let absent = if ffmpeg { "rtsp://127.0.0.1:1/none" } else { "sim://?seed=2" };
    let text = format!(
        "[[camera]]\nname = \"there\"\nsource = \"sim://?seed=1\"\n[[camera]]\nname = \"absent\"\nsource = \"{absent}\"\n\
         [model]\nbundle = {bundle:?}\nengine = \"tract\"\ntrusted_keys = [\"{key}\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let firmware = Firmware::start(&config, &socket);

    let start = hear(&systemd, Duration::from_secs(60), |said| said.contains("READY=1"));
    assert!(start.last().is_some_and(|(_, said)| said.contains("READY=1")), "never ready: {start:?}");

    let begun = Instant::now();
    let meals = hear(&systemd, WATCHDOG, |_| begun.elapsed() > 3 * WATCHDOG);
    assert!(begun.elapsed() > 3 * WATCHDOG, "systemd would have restarted the firmware after {:?}", begun.elapsed());
    let times: Vec<_> = meals.iter().filter(|(_, said)| said.contains("WATCHDOG=1")).map(|(at, _)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] < WATCHDOG), "fed too late: {meals:?}");
    if ffmpeg {
        let all: String = start.iter().chain(&meals).map(|(_, said)| said.as_str()).collect();
        assert!(all.contains("STATUS=1 of 2 cameras degraded; absent: "), "{all}");
    }

    firmware.signal("-STOP");
    // What was said before the signal came is still to be read.
    hear(&systemd, Duration::from_millis(100), |_| false);
    assert!(hear(&systemd, 2 * WATCHDOG, |_| false).is_empty(), "a firmware that hangs feeds no watchdog");
}
