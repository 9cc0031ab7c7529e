//! `cargo xtask test`: everything that must hold, within what a small machine does in 40 minutes from cold.

use anyhow::Result;
use clap::Args;

use crate::run::{command, there};
use crate::setup;

/// Arguments of `test`.
#[derive(Args)]
pub struct TestArgs {
    /// Leave out the lints.
    #[arg(long)]
    no_lint: bool,
    /// Arguments for the test runner, such as a name to filter by.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pass: Vec<String>,
}

/// Set up, build, test, lint.
pub fn run(args: &TestArgs) -> Result<u8> {
    setup::everything()?;
    // Binaries first: system tests start them.
    crate::run::run(command("cargo").args(["build", "--workspace", "--all-targets"]))?;
    let python = setup::python();
    let mut tests = command("cargo");
    if there("cargo-nextest", "--version") {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--workspace", "--no-fail-fast"]);
    }
    crate::run::run(tests.args(&args.pass).env("TADPOLE_PYTHON", python))?;
    if !args.no_lint {
        crate::run::run(command("cargo").args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
        crate::run::run(command("cargo").args(["fmt", "--all", "--check"]))?;
    }
    Ok(0)
}
