//! A small file system that a test may fill and make read-only, in a mount namespace that only one program and what this runs in it see. It is gone
//! when that program has ended. Mounting takes root; without it tests skip, loudly.

// Each test uses some of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Mebibytes of it.
pub const MEBIBYTES: u64 = 128;

/// The file system, by the program that sees it.
pub struct SmallDisk {
    program: u32,
    path: PathBuf,
}

impl SmallDisk {
    /// What becomes `program`, whose arguments may be added, and sees a small disk at `path`, with a copy of `file` on it. Nothing where mounting
    /// is not allowed.
    pub fn under(program: &Path, path: &Path, file: Option<&Path>) -> Option<Command> {
        std::fs::create_dir_all(path).unwrap();
        let mut allowed = Command::new("unshare");
        allowed.args(["--mount", "mount", "-t", "tmpfs", "tmpfs"]).arg(path);
        if !allowed.status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: nothing can be mounted here; run this as root");
            return None;
        }
        let copy = file.map_or(String::new(), |file| format!("cp '{}' \"$0\" && ", file.display()));
        let script = format!("mount -t tmpfs -o size={MEBIBYTES}m tmpfs \"$0\" && {copy}exec \"$@\"");
        let mut run = Command::new("unshare");
        run.args(["--mount", "sh", "-c", &script]).arg(path).arg(program);
        Some(run)
    }

    /// The one at `path` that the running `program`, by its process id, sees.
    pub fn of(program: u32, path: PathBuf) -> Self {
        Self { program, path }
    }

    /// Run a script there, whose `$1` is the disk's path; it must succeed.
    pub fn inside(&self, script: &str) -> Output {
        let mut run = Command::new("nsenter");
        run.args([&format!("--mount=/proc/{}/ns/mnt", self.program), "sh", "-e", "-c", script, "sh"]);
        let output = run.arg(&self.path).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// What a file on it holds.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(self.inside(&format!("cat \"$1/{name}\"")).stdout).unwrap()
    }

    /// Leave so many mebibytes free, or all that can be.
    pub fn leave(&self, mebibytes: u64) {
        self.inside("rm -f \"$1/filler\" \"$1/rest\"");
        if mebibytes < MEBIBYTES {
            let free = "$(df --output=avail -B1M \"$1\" | tail -n 1)";
            self.inside(&format!("fallocate -l $(({free} - {mebibytes}))M \"$1/filler\""));
        }
    }

    /// Leave not a byte. What is written behind the end of a file may find room in its last block.
    pub fn fill(&self) {
        self.leave(1);
        self.inside("cat /dev/zero >\"$1/rest\" 2>/dev/null || true");
    }

    /// Let nothing be written, or everything again.
    pub fn read_only(&self, is: bool) {
        self.inside(&format!("mount -o remount,{} \"$1\"", if is { "ro" } else { "rw" }));
    }
}
