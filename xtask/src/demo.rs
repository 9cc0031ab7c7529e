//! `cargo xtask demo`: the firmware alone, built without burn, v4l and ffmpeg, on a simulated road.

use anyhow::Result;
use clap::Args;

use crate::run::{command, target};
use crate::setup;

/// Arguments of `demo`, handed to `tadpole demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Arguments for `tadpole demo`, such as --incident fire --fast (see `tadpole demo --help`).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pass: Vec<String>,
}

/// Build and run; the exit code is `tadpole demo`'s.
pub fn run(args: &DemoArgs) -> Result<u8> {
    setup::for_demo()?;
    build()?;
    let status =
        command(&target().join("debug/tadpole").display().to_string()).arg("demo").args(&args.pass).status()?;
    Ok(status.code().map_or(1, |code| code as u8))
}

/// Without local cameras, whose bindings want libclang.
fn build() -> Result<()> {
    crate::run::run(command("cargo").args([
        "build",
        "--package",
        "runtime",
        "--bin",
        "tadpole",
        "--no-default-features",
    ]))
}
