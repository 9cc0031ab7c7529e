//! `cargo xtask test`: everything that must hold, within what a small machine does in 40 minutes from cold. `cargo xtask
//! lint` is apart: clippy checks every dependency anew.

use anyhow::Result;
use clap::Args;

use crate::board::{self, BoardArgs};
use crate::run::{command, run, there};
use crate::setup;

/// Arguments of `test`.
#[derive(Args)]
pub struct TestArgs {
    /// Then play the emulated boards too, as `cargo xtask board` does: from cold another ten minutes and more, most of them for
    /// building the firmware for arm64.
    #[arg(long)]
    boards: bool,
    /// Arguments for the test runner, such as a name to filter by.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pass: Vec<String>,
}

/// Set up, build, test.
pub fn test(args: &TestArgs) -> Result<u8> {
    setup::everything()?;
    // Binaries first: system tests start them.
    run(command("cargo").args(["build", "--workspace", "--all-targets"]))?;
    let mut tests = command("cargo");
    if there("cargo-nextest", "--version") {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--workspace", "--no-fail-fast"]);
    }
    if let Some(library) = setup::onnxruntime() {
        tests.env("ORT_DYLIB_PATH", library);
    }
    run(tests.args(&args.pass).env("TADPOLE_PYTHON", setup::python()))?;
    if args.boards { board::run(&BoardArgs::default()) } else { Ok(0) }
}

/// Clippy and rustfmt, with every warning an error.
pub fn lint() -> Result<u8> {
    run(command("cargo").args(["fmt", "--all", "--check"]))?;
    run(command("cargo").args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(0)
}
