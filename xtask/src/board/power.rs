//! `cargo xtask soak --power`: a board whose power is cut while models are installed, activated, run and rolled back in its store: the
//! emulator's process is killed, as often as is asked for, each time later after the board was found sound. After every cut the next start
//! must find a model that every check is passed by. What the guest had not flushed to its card is gone then.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::base;
use super::machine::{Boot, Kind, Machine};
use super::small::{self, Trainer};
use super::{CANNOT, built, prepared};
use crate::cross::AARCH64;
use crate::run::{root, run as run_shown, sbin, target};

/// Every cut comes so much later than the one before, by this machine's clock.
const LATER: Duration = Duration::from_millis(350);
/// After so many cuts it begins anew.
const STEPS: u32 = 20;
/// How long a board may be on.
const LIMIT: Duration = Duration::from_mins(3);
/// The card: a store may hold four of the largest bundles, these are small.
const CARD_BYTES: u64 = 256 << 20;

/// Cut the power `cuts` times.
pub fn run(firmware: Option<std::path::PathBuf>, cuts: u32) -> Result<u8> {
    let folder = target().join("board");
    let Some(base) = prepared(&folder)? else { return Ok(CANNOT) };
    let firmware = base::stripped(&AARCH64.tool("strip"), &built(firmware)?, &folder)?;
    let releases = small::releases(&folder, Trainer::Build)?;
    let card = folder.join("power.card");
    format(&card)?;
    let carried = ["init", "lib.sh", "power.sh"].map(|name| (name, root().join("tests/board").join(name)));
    let mut files: Vec<(String, &Path)> = Vec::new();
    for (name, path) in &carried {
        let to =
            if *name == "init" { "init".into() } else { format!("board/{name}").replace("power.sh", "scenario.sh") };
        files.push((to, path));
    }
    files.push(("board/tadpole".into(), &firmware));
    for (n, release) in releases.iter().enumerate() {
        files.push((format!("board/release-{}.tadpole", n + 1), release));
    }
    let files: Vec<(&str, &Path)> = files.iter().map(|(to, from)| (to.as_str(), *from)).collect();
    let initrd = base.disk(&files)?;
    let logs = folder.join("logs");
    let start = |name: &str, variables: &str| {
        let boot = Boot {
            name,
            kind: Kind::Virt,
            kernel: base.kernel_file("Image"),
            initrd: initrd.clone(),
            arguments: format!("quiet panic=-1 {variables}"),
            card: Some((&card, true)),
            limit: LIMIT,
        };
        Machine::start(&base, &boot, &logs)
    };
    let mut found = Vec::new();
    for cut in 0..cuts {
        let mut board = start("power", "")?;
        let sound = board.wait_for("SOUND ").with_context(|| format!("after {cut} cuts"))?;
        std::thread::sleep(LATER * (cut % STEPS));
        // Dropped: the emulator is killed.
        drop(board);
        println!("cut {}: {sound}", cut + 1);
        found.push(sound);
    }
    let mut board = start("power", "last=1")?;
    let sound = board.wait_for("SOUND ").with_context(|| format!("after {cuts} cuts"))?;
    board.finish()?;
    fs::remove_file(&card).with_context(|| format!("cannot remove {}", card.display()))?;
    let kinds: std::collections::BTreeSet<_> = found.iter().chain([&sound]).collect();
    if kinds.len() < 2 {
        bail!("every cut found the store as it was at first: nothing was cut");
    }
    println!(
        "ok      power: {cuts} cuts, each followed by a start with a valid model; {} different states found",
        kinds.len()
    );
    Ok(0)
}

/// An empty file system in a file.
fn format(card: &Path) -> Result<()> {
    let file = fs::File::create(card).with_context(|| format!("cannot make {}", card.display()))?;
    file.set_len(CARD_BYTES).with_context(|| format!("cannot make {}", card.display()))?;
    run_shown(sbin("mke2fs").args(["-q", "-t", "ext4", "-F"]).arg(card))
}
