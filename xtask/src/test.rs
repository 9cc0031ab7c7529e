//! `cargo xtask test`: everything that must hold, within what a small machine does in 45 minutes from cold. `cargo xtask
//! lint` is apart: clippy checks every dependency anew.

use anyhow::Result;
use clap::Args;

use crate::board;
use crate::run::{command, run, there};
use crate::setup;

/// Arguments of `test`.
#[derive(Args)]
pub struct TestArgs {
    /// Leave out the emulated boards, which `cargo xtask board` plays: from cold a quarter of an hour, most of it for building the
    /// firmware for arm64.
    #[arg(long)]
    no_boards: bool,
    /// Arguments for the test runner, such as a name to filter by; with any, the emulated boards are left out.
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
    if args.no_boards || !args.pass.is_empty() { Ok(0) } else { board::after_tests() }
}

/// Clippy and rustfmt, with every warning an error.
pub fn lint() -> Result<u8> {
    run(command("cargo").args(["fmt", "--all", "--check"]))?;
    run(command("cargo").args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // No test is built with it, and it needs no GPU to be compiled.
    run(command("cargo").args(["check", "--package", "trainer", "--features", "cuda"]))?;
    Ok(0)
}
