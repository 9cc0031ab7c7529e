//! `cargo xtask board`, `cargo xtask soak --unplug` and `--power`: the firmware as it runs on a board, on emulated boards with a real
//! kernel, a camera that can be made to fail, and lines whose levels are read from outside.
//!
//! | file | what |
//! |---|---|
//! | [`apt`] | Debian's packages in folders, without touching this machine |
//! | [`base`] | emulator, kernel, user space: what every board is made of |
//! | [`gpio_sim`] | the simulated lines, a module that Debian does not build |
//! | [`small`] | a bundle for where the shipped one takes too long |
//! | [`archive`] | files → what a kernel boots into |
//! | [`machine`] | a board that is switched on and listened to |
//! | [`qmp`] | what only the emulator can see |
//! | [`scenarios`] | what is played, by scripts of `tests/board` |
//! | [`power`] | a board whose power is cut while models change |
//! | [`flashed`] | a card as `cargo xtask image` makes it, provisioned, booted, and its watchdog tried |
//!
//! Where this machine cannot (nobody to install a cross compiler, no network to fetch a kernel from), the exit code is 77
//! and what is missing is named.

pub mod apt;
mod archive;
mod base;
mod flashed;
mod gpio_sim;
mod machine;
pub mod power;
mod qmp;
mod scenarios;
mod small;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cross::{AARCH64, Build};
use crate::run::{root, target};
use crate::setup;
use base::Base;
use scenarios::{ALL, Cargo, Model, Scenario, UNPLUG};
use small::Trainer;

/// The exit code of what could not be tried here.
const CANNOT: u8 = 77;
/// Features of the boards' firmware beside the default ones.
const FEATURES: [&str; 1] = ["rppal"];

/// Arguments of `board`.
#[derive(Args)]
pub struct BoardArgs {
    /// Only the scenarios whose names hold one of these words: lists, loss, absent, alarm, raspi3b, raspi4b, shipped. Or
    /// `image`, which is played only by itself: the card of `cargo xtask image --board qemu` boots to a healthy service,
    /// which its watchdog restarts.
    only: Vec<String>,
    /// A firmware for arm64 that is built already, instead of building one.
    #[arg(long, value_name = "PROGRAM")]
    firmware: Option<PathBuf>,
    /// For `image`: the folder of an image that is made already, instead of making one.
    #[arg(long, value_name = "FOLDER", conflicts_with = "firmware")]
    made: Option<PathBuf>,
}

/// What this machine lacks.
#[derive(Debug)]
pub struct Lacking(String);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine lacks {}", self.0)
    }
}

impl std::error::Error for Lacking {}

/// Play the scenarios. Exit code 1 when one fails, 77 when none can be played.
pub fn run(args: &BoardArgs) -> Result<u8> {
    if args.only == [flashed::NAME] {
        return flashed::run(args.firmware.clone(), args.made.as_deref());
    }
    if args.made.is_some() {
        anyhow::bail!(
            "--made is for the scenario `{}`: cargo xtask board {} --made FOLDER",
            flashed::NAME,
            flashed::NAME
        );
    }
    let wanted = |s: &&Scenario| args.only.is_empty() || args.only.iter().any(|word| s.name.contains(word.as_str()));
    let chosen: Vec<_> = ALL.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        anyhow::bail!("no scenario has such a name; there are {}, and by itself {}", names.join(", "), flashed::NAME);
    }
    play(&chosen, args.firmware.clone(), Trainer::Build)
}

/// After the tests: every scenario but that of the shipped bundle, which takes as long as all others. 0 where they cannot be
/// played here.
pub fn after_tests() -> Result<u8> {
    let chosen: Vec<_> = ALL.iter().filter(|scenario| scenario.model != Model::Shipped).collect();
    let code = play(&chosen, None, Trainer::AsTested)?;
    if code != CANNOT {
        return Ok(code);
    }
    eprintln!("so `cargo xtask board` was left out; it is to be run where it can be");
    Ok(0)
}

/// Unplug a camera a hundred times; of a `firmware` that is built already, if one is named.
pub fn unplug(firmware: Option<PathBuf>) -> Result<u8> {
    play(&[&UNPLUG], firmware, Trainer::Build)
}

fn play(scenarios: &[&Scenario], firmware: Option<PathBuf>, trainer: Trainer) -> Result<u8> {
    let folder = target().join("board");
    let Some(base) = prepared(&folder)? else { return Ok(CANNOT) };
    let firmware = base::stripped(&AARCH64.tool("strip"), &built(firmware)?, &folder)?;
    let carried = scenarios.iter().any(|scenario| scenario.model == Model::Small);
    let small = if carried { small::make(&folder, trainer)? } else { PathBuf::new() };
    let shipped = root().join("models/roadside-lite0.tadpole");
    let cargo = Cargo { firmware: &firmware, shipped: &shipped, small: &small };
    let mut failed = 0;
    for scenario in scenarios {
        match scenario.play(&base, &cargo, &folder.join("logs")) {
            Ok((measured, took)) => {
                println!("ok      {} ({:.0} s)", scenario.name, took.as_secs_f64());
                measured.iter().for_each(|line| println!("        {line}"));
            }
            Err(error) => {
                failed += 1;
                println!("FAILED  {}: {error:#}", scenario.name);
            }
        }
    }
    println!("boards: {} passed, {failed} failed", scenarios.len() - failed);
    Ok(u8::from(failed > 0))
}

/// What every board is made of; `None`, and said why, where there can be none.
fn prepared(folder: &Path) -> Result<Option<Base>> {
    match tools().and_then(|()| Base::make(folder)) {
        Err(error) if error.is::<Lacking>() => {
            eprintln!("boards cannot be emulated: {error:#}");
            Ok(None)
        }
        prepared => prepared.map(Some),
    }
}

/// The firmware that is named, or one that is built now.
fn built(firmware: Option<PathBuf>) -> Result<PathBuf> {
    match firmware {
        Some(built) => Ok(built),
        None => AARCH64.build(Build { profile: "dev", features: &FEATURES.map(Into::into), glibc: None }),
    }
}

/// What must be installed, and by root.
fn tools() -> Result<()> {
    let make = [("make", "make"), ("xz", "xz-utils")];
    AARCH64
        .tools()
        .and_then(|()| setup::for_cross(&make, AARCH64.triple))
        .map_err(|error| {
            let said = format!("{error:#}");
            Lacking(said.strip_prefix("this machine lacks ").unwrap_or(&said).to_owned())
        })
        .context("the firmware cannot be built for arm64")
}
