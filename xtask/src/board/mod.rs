//! `cargo xtask board` and `cargo xtask soak --unplug`: the firmware as it runs on a board, on emulated boards with a real
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
//!
//! Where this machine cannot (nobody to install a cross compiler, no network to fetch a kernel from), the exit code is 77
//! and what is missing is named.

pub mod apt;
mod archive;
mod base;
mod gpio_sim;
mod machine;
mod qmp;
mod scenarios;
mod small;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cross::{AARCH64, Build};
use crate::run::{root, target};
use crate::setup;
use base::Base;
use scenarios::{ALL, Cargo, Model, Scenario, UNPLUG};

/// The exit code of what could not be tried here.
const CANNOT: u8 = 77;

/// Arguments of `board`.
#[derive(Args, Default)]
pub struct BoardArgs {
    /// Only the scenarios whose names hold one of these words: lists, loss, absent, alarm, raspi3b, raspi4b, shipped.
    only: Vec<String>,
    /// A firmware for arm64 that is built already, instead of building one.
    #[arg(long, value_name = "PROGRAM")]
    firmware: Option<PathBuf>,
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
    let wanted = |s: &&Scenario| args.only.is_empty() || args.only.iter().any(|word| s.name.contains(word.as_str()));
    let chosen: Vec<_> = ALL.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        anyhow::bail!("no scenario has such a name; there are {}", names.join(", "));
    }
    play(&chosen, args.firmware.clone())
}

/// Unplug a camera a hundred times; of a `firmware` that is built already, if one is named.
pub fn unplug(firmware: Option<PathBuf>) -> Result<u8> {
    play(&[&UNPLUG], firmware)
}

fn play(scenarios: &[&Scenario], firmware: Option<PathBuf>) -> Result<u8> {
    let folder = target().join("board");
    let prepared = tools().and_then(|()| Base::make(&folder));
    let base = match prepared {
        Err(error) if error.is::<Lacking>() => {
            eprintln!("boards cannot be emulated: {error:#}");
            return Ok(CANNOT);
        }
        prepared => prepared?,
    };
    let firmware = match firmware {
        Some(built) => built,
        None => AARCH64.build(Build { profile: "dev", features: &["rppal".into()], glibc: None })?,
    };
    let firmware = base::stripped(&AARCH64.tool("strip"), &firmware, &folder)?;
    let carried = scenarios.iter().any(|scenario| scenario.model == Model::Small);
    let small = if carried { small::make(&folder)? } else { PathBuf::new() };
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

/// What must be installed, and by root.
fn tools() -> Result<()> {
    let make = [("make", "make"), ("xz", "xz-utils")];
    AARCH64
        .tools()
        .and_then(|()| setup::for_cross(&make, AARCH64.triple))
        .map_err(|error| Lacking(format!("{error:#}")))
        .context("the firmware cannot be built for arm64")
}
