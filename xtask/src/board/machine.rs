//! An emulated board that plays one scenario: its parts come in, what it said on its serial console goes out, and into a
//! log. It never runs longer than it may.
//!
//! The board named `virt` has a processor of one instruction per nanosecond, and its clock counts those and not this
//! machine's time (`-icount`): the firmware's deadlines are those of a board as fast as that, however slow the emulation,
//! and waiting costs nothing. A Raspberry Pi's four cores cannot be run so: its clock is this machine's.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::base::Base;

/// What is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A board that exists nowhere.
    Virt,
    /// Raspberry Pi 3B.
    Pi3,
    /// Raspberry Pi 4B.
    Pi4,
}

impl Kind {
    /// The emulator's arguments, and the kernel's.
    fn arguments(self, base: &Base) -> (Vec<String>, &'static str) {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let pi = |name: &str, described: &str| {
            let mut arguments = words(&format!("-M {name} -smp 4 -accel tcg,thread=multi -dtb"));
            arguments.push(base.kernel_file(described));
            arguments
        };
        match self {
            Self::Virt => (
                words("-M virt,gic-version=3 -cpu cortex-a72 -m 768 -smp 1 -icount shift=0,sleep=off"),
                "console=ttyAMA0",
            ),
            // rppal maps registers that Debian's kernel keeps to its drivers.
            Self::Pi3 => (pi("raspi3b", "bcm2837-rpi-3-b.dtb"), "console=ttyAMA0,115200 iomem=relaxed"),
            // The emulator lacks what these drivers and clocks belong to.
            Self::Pi4 => (
                pi("raspi4b", "bcm2711-rpi-4-b.dtb"),
                "console=ttyAMA0,115200 iomem=relaxed clk_ignore_unused \
                 initcall_blacklist=brcmstb_l2_driver_init,brcmstb_i2c_driver_init",
            ),
        }
    }

    /// Where the register lies that shows the levels of pins 0 to 31 (GPLEV0).
    pub fn levels(self) -> Option<u64> {
        match self {
            Self::Virt => None,
            Self::Pi3 => Some(0x3f20_0034),
            Self::Pi4 => Some(0xfe20_0034),
        }
    }
}

/// What to boot.
pub struct Boot<'a> {
    /// What the log is called.
    pub name: &'a str,
    /// The board.
    pub kind: Kind,
    /// Its kernel.
    pub kernel: String,
    /// What the kernel starts from.
    pub initrd: Vec<u8>,
    /// What the kernel is told beside where its console is.
    pub arguments: String,
    /// What is in its slot for a card, and whether what is written to it stays.
    pub card: Option<(&'a Path, bool)>,
    /// How long it may take in all, by this machine's clock.
    pub limit: Duration,
}

/// A board that is on.
pub struct Machine {
    emulator: Child,
    console: Receiver<String>,
    log: PathBuf,
    disk: PathBuf,
    /// Where the emulator listens.
    pub socket: PathBuf,
    started: Instant,
    /// When it is switched off whatever happens.
    pub until: Instant,
}

/// What a board said until it was off.
pub struct Said {
    /// Every line of its console.
    pub lines: Vec<String>,
    /// How the scenario ended; `None`: it did not.
    pub code: Option<i32>,
    /// How long it was on.
    pub took: Duration,
}

impl Machine {
    /// Switch it on; `folder` takes its log and its disk.
    pub fn start(base: &Base, boot: &Boot<'_>, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let disk = folder.join(format!("{}.disk", boot.name));
        fs::write(&disk, &boot.initrd).with_context(|| format!("cannot write {}", disk.display()))?;
        let log = folder.join(format!("{}.log", boot.name));
        let errors = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        // A socket's path may not be long.
        let socket = std::env::temp_dir().join(format!("tadpole-board-{}-{}", std::process::id(), boot.name));
        let (arguments, kernel) = boot.kind.arguments(base);
        let mut run = base.emulator()?;
        run.args(arguments).args([
            "-display",
            "none",
            "-nic",
            "none",
            "-monitor",
            "none",
            "-no-reboot",
            "-serial",
            "stdio",
        ]);
        run.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
        run.args(["-kernel", &boot.kernel]).arg("-initrd").arg(&disk);
        run.args(["-append", &format!("{kernel} {}", boot.arguments)]);
        if let Some((card, stays)) = boot.card {
            let snapshot = if stays { "off" } else { "on" };
            run.arg("-drive").arg(format!("if=none,id=card,format=raw,snapshot={snapshot},file={}", card.display()));
            run.args(["-device", "virtio-blk-pci,drive=card"]);
        }
        run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors.try_clone().context("cannot share a file")?);
        let mut emulator = run.spawn().context("cannot start the emulator")?;
        let started = Instant::now();
        let console = listen(&mut emulator, errors)?;
        Ok(Self { emulator, console, log, disk, socket, started, until: started + boot.limit })
    }

    /// Listen until a line begins with `text`; what follows it.
    ///
    /// # Errors
    /// When it says that something failed, ends, or its time is up; the end of the console is in the error.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.console.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
            if let Some(rest) = line.strip_prefix(text) {
                return Ok(rest.to_owned());
            }
            lines.push(line);
        }
        bail!("the board did not say `{text}`; {}", tail(&lines, &self.log))
    }

    /// Listen until it is off.
    ///
    /// # Errors
    /// When its time is up; the end of the console is in the error.
    pub fn finish(self) -> Result<Said> {
        let mut lines = Vec::new();
        loop {
            match self.console.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let limit = (self.until - self.started).as_secs();
                    bail!("the board did not end within {limit} s; {}", tail(&lines, &self.log));
                }
            }
        }
        let code = lines.iter().rev().find_map(|line| line.strip_prefix("BOARD_RC=")?.parse().ok());
        let said = Said { lines, code, took: self.started.elapsed() };
        match said.code {
            Some(0) => Ok(said),
            _ => bail!("{}", tail(&said.lines, &self.log)),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has ended, or its time is up.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
        let _ = fs::remove_file(&self.disk);
        let _ = fs::remove_file(&self.socket);
    }
}

/// Lines of the console as they come, each written to the log too.
fn listen(emulator: &mut Child, mut log: File) -> Result<Receiver<String>> {
    let from = emulator.stdout.take().context("the emulator has no console")?;
    let (to, console) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            // The log is for people; without it the scenario goes on.
            let _ = writeln!(log, "{line}");
            if to.send(line).is_err() {
                break;
            }
        }
    });
    Ok(console)
}

/// From the failure on, or the last lines.
fn tail(lines: &[String], log: &Path) -> String {
    let failed = lines.iter().position(|line| line.starts_with("FAILED "));
    let from = failed.unwrap_or(lines.len().saturating_sub(40));
    format!("its console, all of which is in {}:\n{}", log.display(), lines[from..].join("\n"))
}
