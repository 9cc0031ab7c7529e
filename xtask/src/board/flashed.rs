//! A card as it is flashed: `cargo xtask image --board qemu` makes it of a firmware, `tadpole-trainer provision` gives it a
//! name, a config and a bundle, the emulator boots it. What looks at it inside (`tests/board/image`) comes in with what its
//! kernel starts from, so that the card is what a person would flash.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::archive::Archive;
use super::base::Base;
use super::machine::{Boot, Kind, Machine};
use super::scenarios::measured;
use super::small::Trainer;
use super::{CANNOT, FEATURES, built, prepared, small};
use crate::dist;
use crate::image::{self, COMMAND_LINE, Image};
use crate::run::{command, root, run as run_shown, target};

/// What the scenario is called.
pub const NAME: &str = "image";
/// By this machine's clock.
const LIMIT: Duration = Duration::from_mins(30);
/// Login prompts would be between the lines that are listened to.
const ARGUMENTS: &str = "systemd.mask=serial-getty@ttyAMA0.service";

/// Make a card (unless one is `made`, in that folder), provision, boot and look at it.
pub fn run(firmware: Option<PathBuf>, made: Option<&Path>) -> Result<u8> {
    let folder = target().join("board");
    let Some(base) = prepared(&folder)? else { return Ok(CANNOT) };
    let image = if let Some(made) = made {
        image::in_folder(made)?
    } else {
        let packed = folder.join("package");
        fs::create_dir_all(&packed).with_context(|| format!("cannot make {}", packed.display()))?;
        let deb = dist::package_of(&built(firmware)?, &FEATURES.map(Into::into), &packed)?;
        image::for_emulator(&deb, &folder.join(NAME))?
    };
    let card = provisioned(&image.card, &folder)?;
    let booted = boot(&base, &image, &card, &folder.join("logs"));
    fs::remove_file(&card).with_context(|| format!("cannot remove {}", card.display()))?;
    match booted {
        Ok((lines, took)) => {
            println!("ok      {NAME} ({:.0} s)", took.as_secs_f64());
            lines.iter().for_each(|line| println!("        {line}"));
            Ok(0)
        }
        Err(error) => {
            println!("FAILED  {NAME}: {error:#}");
            Ok(1)
        }
    }
}

/// A copy of the card with all that `provision` puts on it.
fn provisioned(card: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("provisioned.img");
    run_shown(command("cp").arg("--sparse=always").arg(card).arg(&copy))?;
    let bundle = small::make(folder, Trainer::Build)?;
    let mut provision = command(&small::trainer(Trainer::Build)?);
    provision.args(["provision", "--name", "pole-12", "--config"]).arg(root().join("tests/board/image/config.toml"));
    run_shown(provision.arg("--bundle").arg(bundle).arg("--image").arg(&copy))?;
    Ok(copy)
}

/// Boot it and listen to what it says of itself.
fn boot(base: &Base, image: &Image, card: &Path, logs: &Path) -> Result<(Vec<String>, Duration)> {
    let mut initrd = looker(&newer(&image.package, logs)?)?;
    initrd.extend(fs::read(&image.initrd).with_context(|| format!("cannot read {}", image.initrd.display()))?);
    let boot = Boot {
        name: NAME,
        kind: Kind::Virt,
        kernel: image.kernel.display().to_string(),
        initrd,
        arguments: format!("{COMMAND_LINE} {ARGUMENTS}"),
        card: Some((card, false)),
        limit: LIMIT,
    };
    let said = Machine::start(base, &boot, logs)?.finish()?;
    let seen = measured(&said.lines);
    if seen.is_empty() {
        bail!("the scenario measured nothing");
    }
    Ok((seen, said.took))
}

/// The package with a higher version, which the card's is upgraded to.
fn newer(package: &Path, folder: &Path) -> Result<Vec<u8>> {
    let (files, to) = (folder.join("package"), folder.join("newer.deb"));
    if files.exists() {
        fs::remove_dir_all(&files).with_context(|| format!("cannot empty {}", files.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    run_shown(command("dpkg-deb").arg("--raw-extract").arg(package).arg(&files))?;
    let control = files.join("DEBIAN/control");
    let said = fs::read_to_string(&control).with_context(|| format!("cannot read {}", control.display()))?;
    let higher = said
        .lines()
        .map(|line| if line.starts_with("Version: ") { format!("{line}+1\n") } else { format!("{line}\n") });
    fs::write(&control, higher.collect::<String>()).with_context(|| format!("cannot write {}", control.display()))?;
    run_shown(command("dpkg-deb").args(["--root-owner-group", "-Zgzip", "--build"]).arg(&files).arg(&to))?;
    fs::remove_dir_all(&files).with_context(|| format!("cannot remove {}", files.display()))?;
    let made = fs::read(&to).with_context(|| format!("cannot read {}", to.display()))?;
    fs::remove_file(&to).with_context(|| format!("cannot remove {}", to.display()))?;
    Ok(made)
}

/// Who looks at it: a unit, its scripts and the newer package, and what puts them into the system's `/run` before that starts.
/// A kernel takes several archives one behind the other.
fn looker(newer: &[u8]) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    for folder in ["scripts", "scripts/local-bottom", "looker"] {
        archive.folder(folder)?;
    }
    // initramfs-tools reads from it what is to be run once the root is mounted.
    archive.file("scripts/local-bottom/ORDER", b"/scripts/local-bottom/looker \"$@\"\n")?;
    for (to, from) in [
        ("scripts/local-bottom/looker", "hook.sh"),
        ("looker/looker.service", "looker.service"),
        ("looker/looker.sh", "looker.sh"),
        ("looker/package.sh", "package.sh"),
    ] {
        let from = root().join("tests/board/image").join(from);
        archive.file(to, &fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?)?;
    }
    archive.file("looker/newer.deb", newer)?;
    archive.finish()
}
