//! What is played on the boards: scripts of `tests/board`, each with its board, its bundle and its limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::base::Base;
use super::machine::{Boot, Kind, Machine, Said};
use super::qmp::Qmp;
use crate::run::root;

/// The pin that `tests/board/pi.sh` drives.
const PIN: u32 = 17;
/// How often the pin is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Which bundle the board carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// The one that ships. Emulated, each segment takes ten seconds.
    Shipped,
    /// A head of the same kind behind an extractor that hardly looks.
    Small,
}

/// A scenario.
pub struct Scenario {
    /// Its name; its log's.
    pub name: &'static str,
    /// Its script.
    script: &'static str,
    kind: Kind,
    /// Its bundle.
    pub model: Model,
    variables: &'static str,
    limit_s: u64,
}

const fn on_virt(name: &'static str, script: &'static str, variables: &'static str, limit_s: u64) -> Scenario {
    Scenario { name, script, kind: Kind::Virt, model: Model::Small, variables, limit_s }
}

/// What `cargo xtask board` plays, the quick ones first.
pub const ALL: [Scenario; 7] = [
    on_virt("lists", "lists.sh", "", 120),
    on_virt("loss", "loss.sh", "cycles=5", 400),
    on_virt("absent", "absent.sh", "", 300),
    on_virt("alarm", "alarm.sh", "", 400),
    Scenario { kind: Kind::Pi3, ..on_virt("raspi3b", "pi.sh", "", 400) },
    Scenario { kind: Kind::Pi4, ..on_virt("raspi4b", "pi.sh", "", 400) },
    Scenario { model: Model::Shipped, ..on_virt("shipped", "shipped.sh", "", 500) },
];

/// What `cargo xtask soak --unplug` plays. The allocator's pools settle within the first cycles; what is allowed after
/// them, 1 MiB in 90 cycles, is less than one frame's buffers lost in each.
pub const UNPLUG: Scenario = on_virt("unplug-100", "unplug.sh", "cycles=100 grown_max=1024", 3000);

/// What the boards carry.
pub struct Cargo<'a> {
    /// The firmware.
    pub firmware: &'a Path,
    /// The bundle that ships.
    pub shipped: &'a Path,
    /// The small one.
    pub small: &'a Path,
}

impl Scenario {
    /// Play it; what was measured, and how long the board was on.
    ///
    /// # Errors
    /// What was not as it must be, with the end of the console.
    pub fn play(&self, base: &Base, cargo: &Cargo<'_>, logs: &Path) -> Result<(Vec<String>, Duration)> {
        let model = if self.model == Model::Shipped { cargo.shipped } else { cargo.small };
        let scripts = [("init", "init"), ("board/lib.sh", "lib.sh"), ("board/unplug.sh", "unplug.sh")];
        let scripts: Vec<(&str, PathBuf)> = scripts.iter().map(|(to, from)| (*to, script(from))).collect();
        let own = script(self.script);
        let mut files: Vec<(&str, &Path)> = scripts.iter().map(|(to, from)| (*to, from.as_path())).collect();
        files.extend([
            ("board/scenario.sh", own.as_path()),
            ("board/tadpole", cargo.firmware),
            ("board/model.tadpole", model),
        ]);
        let limit = Duration::from_secs(self.limit_s);
        let boot = Boot {
            name: self.name,
            kind: self.kind,
            kernel: base.kernel_file("Image"),
            initrd: base.disk(&files)?,
            arguments: format!("quiet panic=-1 {}", self.variables),
            card: None,
            limit,
        };
        let machine = Machine::start(base, &boot, logs)?;
        let watched = self.kind.levels().map(|address| {
            let (socket, until) = (machine.socket.clone(), machine.until);
            std::thread::spawn(move || levels(&socket, address, until))
        });
        let Said { lines, took, .. } = machine.finish()?;
        let mut measured = measured(&lines);
        if let Some(watched) = watched {
            let levels = watched.join().map_err(|_| anyhow::anyhow!("the emulator's pins could not be watched"))??;
            // Before the firmware takes it the pin is as the emulator leaves it.
            if !levels.ends_with(&[false, true, false]) {
                bail!("pin {PIN} went through the levels {levels:?}, not low, high, low");
            }
            measured.push(format!("pin {PIN}, read from the emulator's registers: low, high, low"));
        }
        if measured.is_empty() {
            bail!("the scenario measured nothing");
        }
        Ok((measured, took))
    }
}

/// What a board's script reports.
pub fn measured(lines: &[String]) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix("MEASURED ")).map(str::to_owned).collect()
}

fn script(name: &str) -> PathBuf {
    root().join("tests/board").join(name)
}

/// The levels that the pin went through until the board was off, each once.
fn levels(socket: &Path, address: u64, until: std::time::Instant) -> Result<Vec<bool>> {
    let mut qmp = Qmp::connect(socket, until).context("cannot watch the board's pins")?;
    let mut seen = Vec::new();
    // An answer that fails is that of an emulator that has ended.
    while let Ok(word) = qmp.word(address) {
        let high = word >> PIN & 1 == 1;
        if seen.last() != Some(&high) {
            seen.push(high);
        }
        std::thread::sleep(GLANCE);
    }
    Ok(seen)
}
