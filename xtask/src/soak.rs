//! `cargo xtask soak --NAME`: long measurements.

mod aarch64;
mod cross;
mod day;
mod fuzz;
mod incidents;

use anyhow::{Result, bail};
use clap::Args;

use crate::run::{command, run as run_shown};

/// Arguments of `soak`.
// Each is a soak of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Args)]
pub struct SoakArgs {
    /// `tadpole demo --fast` over 10 unseen seeds of each kind of incident and 70 seeds of normal traffic.
    #[arg(long)]
    incidents: bool,
    /// The firmware on emulated arm64 processors: golden vectors within their tolerance, kernels present.
    #[arg(long)]
    aarch64: bool,
    /// 10,000 calls of the extractor: as many bytes allocated and given back in the last as in the first.
    #[arg(long)]
    engines: bool,
    /// What `cross build` does by Cross.toml, in a folder with the image's distribution instead of a container.
    #[arg(long)]
    cross: bool,
    /// A camera of an emulated board is unplugged 100 times: health in time, no growth of memory or descriptors.
    #[arg(long)]
    unplug: bool,
    /// A push is cut at every 64 KiB; then a firmware is killed 1,000 times while models are pushed to it: a valid model after each.
    #[arg(long)]
    kill: bool,
    /// The power of an emulated board is cut 20 times while models change: a valid model after each.
    #[arg(long)]
    power: bool,
    /// Each fuzz target, with the nightly compiler and cargo-fuzz, which is installed if need be.
    #[arg(long)]
    fuzz: bool,
    /// One fuzz target, or several.
    #[arg(long, requires = "fuzz")]
    target: Vec<String>,
    /// A day of a device: recorded features and pixels on four cameras each; memory flat, no segment missed, disk within bounds, counters consistent.
    #[arg(long)]
    day: bool,
    /// Thresholds for 24 false alarms a day, from 8 h of each of four simulated cameras, held against 15 h more of each; then, with fewer of them
    /// and fewer hours, by the shipped model on pictures of full size.
    #[arg(long)]
    calibrate: bool,
    /// Hours of recorded features; 0 leaves them out.
    #[arg(long, default_value_t = 24.0, requires = "day")]
    hours: f64,
    /// Minutes of pixels, at the speed of life; 0 leaves them out.
    #[arg(long, default_value_t = 30.0, requires = "day")]
    pixels_minutes: f64,
    /// How many times faster than life recorded features come, at most.
    #[arg(long, default_value_t = 240.0, requires = "day")]
    speed: f64,
    /// Minutes for each fuzz target.
    #[arg(long, default_value_t = 15.0, requires = "fuzz")]
    minutes: f64,
    /// A firmware for arm64 that is built already, for --unplug and --power.
    #[arg(long, value_name = "PROGRAM")]
    firmware: Option<std::path::PathBuf>,
    /// Seeds per kind of incident, for a quicker look.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// First seed; the table in the model card uses the default.
    #[arg(long, default_value_t = incidents::FIRST_SEED)]
    first_seed: u64,
    /// Bundle to measure instead of the shipped one; --aarch64 takes several.
    #[arg(long)]
    model: Vec<String>,
}

/// Run what was asked for; exit code 1 when the goal was missed.
pub fn run(args: &SoakArgs) -> Result<u8> {
    if args.incidents {
        return incidents::run(args.seeds, args.first_seed, args.model.first().map(String::as_str));
    }
    if args.aarch64 {
        return aarch64::run(&args.model);
    }
    if args.engines {
        run_shown(command("cargo").args(["test", "--workspace", "--test", "allocations", "--", "--ignored"]))?;
        return Ok(0);
    }
    if args.cross {
        return cross::run();
    }
    if args.unplug {
        return crate::board::unplug(args.firmware.clone());
    }
    if args.kill {
        run_shown(command("cargo").args(["build", "--workspace", "--all-targets"]))?;
        let cuts = ["test", "--workspace", "--test", "control", "--", "--nocapture", "cuts"];
        run_shown(command("cargo").args(cuts).env("TADPOLE_CUTS", "1000000"))?;
        let kills = ["test", "--workspace", "--test", "kill", "--", "--nocapture"];
        run_shown(command("cargo").args(kills).env("TADPOLE_KILLS", "1000"))?;
        return Ok(0);
    }
    if args.power {
        return crate::board::power::run(args.firmware.clone(), 20);
    }
    if args.day {
        return day::run(&day::Day { hours: args.hours, minutes: args.pixels_minutes, speed: args.speed });
    }
    if args.calibrate {
        run_shown(command("cargo").args(["build", "--workspace", "--all-targets"]))?;
        let test = ["test", "--workspace", "--test", "calibrate", "--", "--nocapture"];
        for (model, cameras, hours) in [("small", "4", "8,15"), ("shipped", "2", "3,5")] {
            let mut cargo = command("cargo");
            cargo.args(test).env("TADPOLE_CALIBRATE_MODEL", model);
            cargo.env("TADPOLE_CALIBRATE_CAMERAS", cameras).env("TADPOLE_CALIBRATE_HOURS", hours);
            run_shown(&mut cargo)?;
        }
        return Ok(0);
    }
    if args.fuzz {
        return fuzz::run(&args.target, args.minutes);
    }
    bail!(
        "name a soak: --incidents, --aarch64, --engines, --cross, --unplug, --kill, --power, --day, --calibrate or --fuzz"
    )
}
