//! Debian with the firmware's package in it: a board and the package come in, an archive of all files with their owners goes
//! out. mmdebstrap makes it, as root or, where a user may have a name space of its own, as that user.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::boards::Board;
use crate::board::apt::{KEYRING, SUITE, archive};
use crate::run::{root, run, sbin};

/// Nobody reads these on a pole; licences stay.
const DPKG: [&str; 5] = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-include=/usr/share/doc/tadpole/*",
];
const ENABLED: &str = "systemd-networkd systemd-resolved systemd-timesyncd";
/// They write to the root, or look for what is not there.
const MASKED: &str = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
                      fstrim.timer";

/// Make `to`, an archive (tar).
pub fn make(board: Board, deb: &Path, to: &Path) -> Result<()> {
    if !Path::new(KEYRING).is_file() {
        bail!("this machine lacks {KEYRING} (package debian-archive-keyring), by which Debian's archive is verified");
    }
    let deb = deb.display().to_string();
    if deb.contains('\'') {
        bail!("{deb} has a quotation mark in its name, which the hooks of mmdebstrap cannot take; copy it elsewhere");
    }
    let name = Path::new(&deb).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut make = sbin("mmdebstrap");
    make.args(["--architectures=arm64", "--variant=minbase", "--format=tar"]);
    make.arg(format!("--include={}", board.packages().join(",")));
    make.args(DPKG.map(|option| format!("--dpkgopt={option}")));
    // Before the kernel comes, whose installation makes what it starts from.
    make.arg(format!("--setup-hook=cp -R '{}/.' \"$1\"", root().join("deploy/image/early").display()));
    for hook in [
        format!("copy-in '{deb}' /"),
        format!("chroot \"$1\" dpkg --install '/{name}' && rm \"$1/{name}\""),
        format!("chroot \"$1\" systemctl enable {ENABLED}"),
        format!("chroot \"$1\" systemctl mask {MASKED}"),
    ] {
        make.arg(format!("--customize-hook={hook}"));
    }
    make.arg(SUITE).arg(to).args(sources(&archive(), board.components()));
    run(&mut make).context("Debian could not be put together for this board; is there a network?")
}

/// Debian, its corrections and, where its archive has them, its security corrections.
fn sources(archive: &str, components: &str) -> Vec<String> {
    let line = |archive: &str, suite: &str| format!("deb [signed-by={KEYRING}] {archive} {suite} {components}");
    let mut lines = vec![line(archive, SUITE), line(archive, &format!("{SUITE}-updates"))];
    let plain = archive.trim_end_matches('/');
    lines.extend(
        plain
            .strip_suffix("/debian")
            .map(|host| line(&format!("{host}/debian-security"), &format!("{SUITE}-security"))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_corrections_come_from_beside_the_archive() {
        let lines = sources("http://example.org/debian/", "main");
        assert_eq!(lines.len(), 3);
        assert!(lines[2].ends_with("] http://example.org/debian-security bookworm-security main"), "{lines:?}");
        assert_eq!(sources("http://example.org/mirror", "main").len(), 2);
    }
}
