//! The Debian package, by cargo-deb from the metadata in `runtime/Cargo.toml` and the files in `deploy/`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cross::Processor;
use crate::elf::{Glibc, Program};
use crate::run::{command, run};

/// What the package's dependencies bring: libc6 and libgcc-s1. The last three were apart from libc.so.6 before glibc 2.34.
const LIBRARIES: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux", "libpthread.so.0", "libdl.so.2", "librt.so.1"];

/// The oldest cargo-deb that makes the service's user from `deploy/systemd/tadpole.sysusers`.
const CARGO_DEB: (u32, u32) = (3, 8);

/// That cargo-deb is installed, and new enough.
pub fn there() -> Result<()> {
    let remedy = "install it with: cargo install cargo-deb --locked";
    let Ok(out) = command("cargo-deb").arg("--version").output() else {
        bail!("cargo-deb, which makes the package, is not installed; {remedy}");
    };
    let said = String::from_utf8_lossy(&out.stdout);
    if !is_new_enough(&said) {
        bail!("cargo-deb is {}, older than {}.{}; {remedy}", said.trim(), CARGO_DEB.0, CARGO_DEB.1);
    }
    Ok(())
}

/// `3.8.0`, with or without the program's name before it.
fn is_new_enough(said: &str) -> bool {
    let version = said.split_whitespace().next_back().unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= CARGO_DEB
}

/// Make the package of the program `built`, whose facts are `program`, into `folder`. cargo-deb strips it.
pub fn make(processor: &Processor, built: &Path, program: &Program, folder: &Path) -> Result<()> {
    if let Some(other) = program.libraries.iter().find(|name| !LIBRARIES.iter().any(|known| name.starts_with(known))) {
        bail!(
            "the firmware is linked to {other}; add its package to `depends` in runtime/Cargo.toml, and it to dist/deb.rs"
        );
    }
    // target folder / processor / profile / program
    let [_, profile, _, target_dir] = built.ancestors().take(4).collect::<Vec<_>>()[..] else {
        bail!("{} is no program of a target folder", built.display());
    };
    let profile_name = profile.file_name().unwrap_or_default();
    if profile_name == "debug" {
        bail!("cargo-deb makes no package of the profile dev; leave --profile out");
    }
    // Where cargo-deb looks for what it takes from `target/release`.
    fs::copy(folder.join(super::licences::FILE), profile.join(super::licences::FILE))
        .with_context(|| format!("cannot write into {}", profile.display()))?;
    let mut make = command("cargo");
    make.args(["deb", "--package", "runtime", "--no-build", "--target", processor.triple, "--profile"]);
    make.arg(profile_name).arg("--output").arg(folder);
    if let Some(variant) = variant(program)? {
        make.args(["--variant", variant]);
    }
    run(make.env("CARGO_TARGET_DIR", target_dir))
}

/// The variant in `runtime/Cargo.toml` whose dependency on the C library is what the program wants: the plain one for
/// Debian 12 and newer, `debian-11` for what was linked against an older one.
fn variant(program: &Program) -> Result<Option<&'static str>> {
    if program.starts_with(Glibc::DEBIAN_11).is_ok() {
        return Ok(Some("debian-11"));
    }
    program.starts_with(Glibc::DEBIAN_12).context("the package would not install; build with --max-glibc 2.35")?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn an_old_cargo_deb_is_refused() {
        assert!(is_new_enough("3.8.0\n") && is_new_enough("cargo-deb 4.0.1") && is_new_enough("3.10.2"));
        assert!(!is_new_enough("2.0.0") && !is_new_enough("3.7.9") && !is_new_enough(""));
    }
}
