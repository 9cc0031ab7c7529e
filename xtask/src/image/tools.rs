//! What making an image needs of this machine: Debian's tools, and a kernel that runs arm64 programs. As root what is missing is
//! installed and switched on; else it is named.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::run::{run, sbin};
use crate::setup;

/// Program, flag that makes it exit 0, Debian package.
const PROGRAMS: [(&str, &str, &str); 7] = [
    ("mmdebstrap", "--version", "mmdebstrap"),
    ("mke2fs", "-V", "e2fsprogs"),
    ("mkfs.vfat", "--help", "dosfstools"),
    ("mcopy", "--version", "mtools"),
    ("sfdisk", "--version", "fdisk"),
    ("fakeroot", "--version", "fakeroot"),
    ("dpkg-deb", "--version", "dpkg"),
];
/// They run arm64 programs on another processor.
const EMULATION: [(&str, &str, &str); 3] = [
    ("qemu-aarch64-static", "--version", "qemu-user-static"),
    ("update-binfmts", "--version", "binfmt-support"),
    ("arch-test", "--version", "arch-test"),
];
/// Where the kernel is told who runs whose programs.
const REGISTER: &str = "/proc/sys/fs/binfmt_misc";

/// Install what is missing, or name it.
pub fn ready() -> Result<()> {
    setup::programs(&PROGRAMS)?;
    if std::env::consts::ARCH == "aarch64" {
        return Ok(());
    }
    setup::programs(&EMULATION)?;
    let known = Path::new(REGISTER).join("qemu-aarch64");
    if known.exists() {
        return Ok(());
    }
    let remedy =
        "as root: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; update-binfmts --enable qemu-aarch64";
    if !setup::is_root() {
        bail!("this machine's kernel runs no arm64 programs; {remedy}");
    }
    if !Path::new(REGISTER).join("register").exists() {
        run(sbin("mount").args(["-t", "binfmt_misc", "binfmt_misc", REGISTER])).context(remedy)?;
    }
    run(sbin("update-binfmts").args(["--enable", "qemu-aarch64"])).context(remedy)?;
    if !known.exists() {
        bail!("this machine's kernel still runs no arm64 programs; {remedy}");
    }
    Ok(())
}
