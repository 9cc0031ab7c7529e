//! Running other programs from the workspace's root.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| ".".into(), Path::to_path_buf)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A command in the root, with cargo's own for `cargo`.
pub fn command(program: &str) -> Command {
    let program = if program == "cargo" { env!("CARGO") } else { program };
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// A command that may lie where only root looks for programs.
pub fn sbin(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = command(program);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Show a command, run it, and fail when it does.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {command:?}");
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// True when `program --version` runs.
pub fn there(program: &str, flag: &str) -> bool {
    Command::new(program).arg(flag).output().is_ok_and(|out| out.status.success())
}
