//! `cargo xtask image`: what one writes to a card. A board's name comes in, and the firmware's Debian package (made here,
//! unless one is named); out comes, in `target/image/BOARD`, a card that boots by itself, without a model and without a name:
//! `tadpole-trainer provision` gives it both. For a Jetson, which boots what NVIDIA puts on it, a folder to be copied there.
//!
//! | file | what |
//! |---|---|
//! | [`boards`] | what differs from board to board |
//! | [`tools`] | what this machine needs for it |
//! | [`system`] | Debian and the package, as an archive of files |
//! | [`file_systems`] | that archive as the file systems of a card |
//! | [`layout`] | where on the card each lies |
//! | [`card`] | all of it in one file |
//! | [`jetson`] | the folder |
//!
//! Nothing is mounted and no loop device is used. Refused: a machine that cannot run arm64 programs, with what it lacks.

mod boards;
mod card;
mod file_systems;
mod jetson;
mod layout;
mod system;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::dist;
use crate::elf::Glibc;
use crate::run::{command, target};
use boards::Board;
pub use boards::COMMAND_LINE;

/// What the firmware's package is called beside an image.
const PACKAGE: &str = "tadpole.deb";

/// Arguments of `image`.
#[derive(Args)]
pub struct ImageArgs {
    /// What it is for.
    #[arg(long, value_enum)]
    board: Board,
    /// A Debian package of the firmware for arm64 that is made already, instead of making one.
    #[arg(long, value_name = "FILE")]
    deb: Option<PathBuf>,
    /// Fail when the firmware wants a newer glibc: 2.31 for JetPack 5.
    #[arg(long, conflicts_with = "deb")]
    max_glibc: Option<Glibc>,
}

/// What was made for a board.
pub struct Image {
    /// The whole card.
    pub card: PathBuf,
    /// Its kernel, which an emulator wants in a file of its own.
    pub kernel: PathBuf,
    /// What that kernel starts from.
    pub initrd: PathBuf,
    /// The firmware's package that is in it.
    pub package: PathBuf,
}

/// Make it and say what to do with it.
pub fn run(args: &ImageArgs) -> Result<u8> {
    if let Some(deb) = args.deb.as_deref().filter(|deb| !deb.is_file()) {
        bail!(
            "{} is no file; `cargo xtask dist --target aarch64-unknown-linux-gnu --deb` makes a package",
            deb.display()
        );
    }
    if args.board != Board::Jetson {
        tools::ready()?;
    }
    let deb = match &args.deb {
        Some(deb) => std::path::absolute(deb).with_context(|| format!("cannot find {}", deb.display()))?,
        None => dist::arm64_package(args.board.features(), args.max_glibc)?,
    };
    let folder = target().join("image").join(args.board.name());
    if args.board == Board::Jetson {
        jetson::lay_out(&deb, &folder)?;
        println!("{}: copy it to the Jetson and follow its README.md", folder.display());
        return Ok(0);
    }
    let image = make(args.board, &deb, &folder)?;
    let card = image.card.display();
    println!("{card}: {} MiB", fs::metadata(&image.card)?.len() >> 20);
    println!("next: tadpole-trainer provision --image {card} --config CONFIG.toml --bundle MODEL.tadpole");
    match args.board {
        Board::Qemu => println!(
            "then: qemu-system-aarch64 -M virt -cpu cortex-a72 -m 768 -nographic -nic none -kernel {} -initrd {} \
             -append \"console=ttyAMA0 {COMMAND_LINE}\" -drive if=none,id=card,format=raw,file={card} \
             -device virtio-blk-pci,drive=card",
            image.kernel.display(),
            image.initrd.display()
        ),
        _ => println!("then: sudo dd if={card} of=/dev/CARD bs=4M conv=fsync status=progress"),
    }
    Ok(0)
}

/// The image for the emulator, of the package `deb`, in `folder`.
///
/// # Errors
/// Where this machine lacks something, or a tool fails.
pub fn for_emulator(deb: &Path, folder: &Path) -> Result<Image> {
    tools::ready()?;
    make(Board::Qemu, deb, folder)
}

/// The emulator's image that is in `folder` already.
///
/// # Errors
/// Where one of its files is not there.
pub fn in_folder(folder: &Path) -> Result<Image> {
    let file = |name: &str| {
        let path = folder.join(name);
        let path = std::path::absolute(&path).with_context(|| format!("cannot find {}", path.display()))?;
        if !path.is_file() {
            bail!("{} is not there; make it with `cargo xtask image --board qemu`", path.display());
        }
        Ok(path)
    };
    Ok(Image {
        card: file("tadpole-qemu.img")?,
        kernel: file("vmlinuz")?,
        initrd: file("initrd.img")?,
        package: file(PACKAGE)?,
    })
}

fn make(board: Board, deb: &Path, folder: &Path) -> Result<Image> {
    emptied(folder)?;
    let archive = folder.join("system.tar");
    system::make(board, deb, &archive)?;
    let facts = boards::facts(board, &firmware_version(deb)?);
    let made = file_systems::make(board, &archive, &facts, folder)?;
    let card = folder.join(format!("tadpole-{}.img", board.name()));
    card::write(&made.parts, &card)?;
    for used_up in made.parts.iter().chain([&archive]) {
        fs::remove_file(used_up).with_context(|| format!("cannot remove {}", used_up.display()))?;
    }
    let package = folder.join(PACKAGE);
    fs::copy(deb, &package).with_context(|| format!("cannot copy {}", deb.display()))?;
    Ok(Image { card, kernel: made.kernel, initrd: made.initrd, package })
}

/// An empty folder, whatever was in it.
fn emptied(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The firmware's version, by its package: `0.1.0` of `0.1.0-1`.
fn firmware_version(deb: &Path) -> Result<String> {
    let out = command("dpkg-deb").arg("--field").arg(deb).args(["Package", "Version", "Architecture"]).output();
    let out = out.context("cannot start dpkg-deb")?;
    let told = String::from_utf8_lossy(&out.stdout);
    let field = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    match (field("Package"), field("Architecture"), field("Version")) {
        (Some("tadpole"), Some("arm64"), Some(version)) => {
            Ok(version.rsplit_once('-').map_or(version, |(upstream, _)| upstream).to_owned())
        }
        _ => bail!(
            "{} is no package of the firmware for arm64; `cargo xtask dist --target aarch64-unknown-linux-gnu --deb` makes one",
            deb.display()
        ),
    }
}
