//! A running `tadpole run`, and what it says.

// Each test uses some of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use system_tests::program;

/// A firmware that is killed when this is dropped.
pub struct Firmware {
    child: Child,
    log: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Firmware {
    /// Run a config; its log is kept.
    pub fn start(config: &Path) -> Self {
        Self::start_by(Command::new(program("tadpole")), config)
    }

    /// Started by a command that becomes it.
    pub fn start_by(mut run: Command, config: &Path) -> Self {
        let mut child =
            run.args(["run", "--config"]).arg(config).env("RUST_LOG", "info").stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        let listener = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, log, listener: Some(listener) }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Wait until a line of its log holds `text`.
    pub fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before `{text}`: {}", self.log());
            assert!(begun.elapsed() < Duration::from_secs(120), "`{text}` never came: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The first line of its log that holds `text`, once there is one.
    pub fn line(&mut self, text: &str) -> String {
        self.wait_for(text);
        let log = self.log();
        log.lines().find(|line| line.contains(text)).unwrap().to_owned()
    }

    /// Wait until it ends by itself: its exit code, and all that it said.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.said())
    }

    /// Kill it as `kill -9` does; what it said until then.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said()
    }

    /// Tell it to stop, as systemd does: how long that takes, and all that it said. It must end with exit code 0.
    pub fn stop(mut self) -> (Duration, String) {
        let begun = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let took = begun.elapsed();
        let said = self.said();
        assert_eq!(status.code(), Some(0), "{said}");
        (took, said)
    }

    /// All that it said, once it has ended.
    fn said(&mut self) -> String {
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
        self.log()
    }
}

impl Drop for Firmware {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
