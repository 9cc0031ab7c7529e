//! A card's file systems: the system's archive comes in, and what a data partition says of itself; out go three files, each a
//! file system, and the kernel. A shell does it that is root, or believes so (fakeroot): the files keep their owners and
//! nothing is mounted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::boards::{Board, pi_command_line, pi_config};
use crate::run::{root, run, sbin};
use crate::setup;

/// Kernel, what it starts from, and a Pi's firmware: 120 MB today.
const BOOT_MIB: u32 = 256;
/// Model, events, and what is yet to come.
const DATA_MIB: u32 = 512;

/// What was made.
pub struct Made {
    /// Boot, root and data.
    pub parts: [PathBuf; 3],
    /// The kernel.
    pub kernel: PathBuf,
    /// What it starts from.
    pub initrd: PathBuf,
}

/// Make them in `folder`.
pub fn make(board: Board, archive: &Path, facts: &str, folder: &Path) -> Result<Made> {
    let [boot, system, data] = ["boot.fat", "root.ext4", "data.ext4"].map(|name| folder.join(name));
    let at = folder.join("facts.json");
    fs::write(&at, facts).with_context(|| format!("cannot write {}", at.display()))?;
    let mut make = if setup::is_root() { sbin("sh") } else { sbin("fakeroot") };
    if !setup::is_root() {
        make.args(["--", "sh"]);
    }
    make.args(["-euc", include_str!("file_systems.sh"), "file_systems.sh"]);
    make.arg(archive).arg(folder).arg(root().join("deploy")).arg(format!("{DATA_MIB}M"));
    run(&mut make).context("the system's files could not be made file systems")?;

    let starts = folder.join("boot");
    if board.is_pi() {
        for (name, text) in [("config.txt", pi_config()), ("cmdline.txt", &pi_command_line())] {
            fs::write(starts.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
    }
    // Its length is in KiB.
    run(sbin("mkfs.vfat").args(["-F", "32", "-n", "TADPOLEBOOT", "-C"]).arg(&boot).arg((BOOT_MIB << 10).to_string()))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&starts).with_context(|| format!("cannot list {}", starts.display()))? {
        files.push(entry?.path());
    }
    files.sort();
    run(sbin("mcopy").arg("-i").arg(&boot).args(files).arg("::"))?;
    let [kernel, initrd] = ["vmlinuz", "initrd.img"].map(|name| (starts.join(name), folder.join(name)));
    for (from, to) in [&kernel, &initrd] {
        fs::rename(from, to).with_context(|| format!("cannot keep {}", from.display()))?;
    }
    fs::remove_dir_all(starts).context("cannot remove what is in the boot partition")?;
    Ok(Made { parts: [boot, system, data], kernel: kernel.1, initrd: initrd.1 })
}
