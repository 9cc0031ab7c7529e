//! The Debian package, by cargo-deb from the metadata in `runtime/Cargo.toml` and the files in `deploy/`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cross::Processor;
use crate::elf::{Glibc, Program};
use crate::run::{command, run, there as is_there};

/// What the package's dependencies bring: libc6 and libgcc-s1.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];

/// That cargo-deb is installed.
pub fn there() -> Result<()> {
    if is_there("cargo-deb", "--version") {
        return Ok(());
    }
    bail!("cargo-deb, which makes the package, is not installed; install it with: cargo install cargo-deb --locked")
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
    program.starts_with(Glibc::DEBIAN_12).context("the package would not install; build with --max-glibc 2.34")?;
    Ok(None)
}
