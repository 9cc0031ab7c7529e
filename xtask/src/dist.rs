//! `cargo xtask dist`: what goes onto a board. The firmware is built, read (which glibc it wants, whether its int8 kernels
//! are there), stripped, and laid into `target/dist/PROCESSOR` with its licences and a list of checksums; with `--deb` its
//! Debian package beside them.

mod deb;
mod licences;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cross::{AARCH64, Build, Processor};
use crate::elf::{Glibc, Program};
use crate::run::{command, root, run as run_shown, target};

/// File that `sha256sum --check` reads.
const CHECKSUMS: &str = "SHA256SUMS";

/// Arguments of `dist`.
#[derive(Args)]
pub struct DistArgs {
    /// Processor to build for: aarch64-unknown-linux-gnu (64-bit Raspberry Pi, Jetson), x86_64-unknown-linux-gnu; this
    /// machine's own when absent.
    #[arg(long)]
    target: Option<String>,
    /// Cargo profile to build with.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Features of the firmware beside the default ones: rppal, onnxruntime.
    #[arg(long, value_delimiter = ',', default_value = "rppal")]
    features: Vec<String>,
    /// Fail when the binary wants a newer glibc: 2.31 for Raspberry Pi OS 11 and JetPack 5. Linked by cargo-zigbuild where
    /// that is installed.
    #[arg(long)]
    max_glibc: Option<Glibc>,
    /// Make the Debian package too, by cargo-deb.
    #[arg(long)]
    deb: bool,
    /// Build nothing: read this program (built here, or by `cross build`) and say what it wants and holds.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["profile", "features", "deb"])]
    check: Option<PathBuf>,
}

/// Build, check and lay out.
pub fn run(args: &DistArgs) -> Result<u8> {
    let processor = Processor::named(args.target.as_deref())?;
    if let Some(program) = &args.check {
        check(&processor, program, args.max_glibc)?;
        return Ok(0);
    }
    if args.deb {
        deb::there()?;
    }
    let how = Build { profile: &args.profile, features: &args.features, glibc: args.max_glibc };
    let built = processor.build(how)?;
    let program = check(&processor, &built, args.max_glibc)?;

    let folder = target().join("dist").join(processor.triple);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let stripped = folder.join("tadpole");
    run_shown(command(&processor.tool("strip")).arg("--strip-unneeded").arg("-o").arg(&stripped).arg(&built))?;
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"] {
        fs::copy(root().join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    let others = licences::of_dependencies(processor.triple, &args.features)?;
    fs::write(folder.join(licences::FILE), others).with_context(|| format!("cannot write {}", licences::FILE))?;
    if args.deb {
        deb::make(&processor, &built, &program, &folder)?;
    }
    sum_up(&folder)?;
    Ok(0)
}

/// The Debian package of the firmware for arm64, with `features` beside the default ones.
pub fn arm64_package(features: &[&str], max_glibc: Option<Glibc>) -> Result<PathBuf> {
    run(&DistArgs {
        target: Some(AARCH64.triple.into()),
        profile: "release".into(),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        max_glibc,
        deb: true,
        check: None,
    })?;
    package_in(&target().join("dist").join(AARCH64.triple))
}

/// The Debian package of a firmware for arm64 that is built already, whatever its profile, in `folder`.
pub fn package_of(built: &Path, features: &[String], folder: &Path) -> Result<PathBuf> {
    deb::there()?;
    let program = Program::read(built)?;
    // cargo-deb makes packages of the profile release.
    let release = folder.join("target").join(AARCH64.triple).join("release");
    fs::create_dir_all(&release).with_context(|| format!("cannot make {}", release.display()))?;
    let there = release.join("tadpole");
    fs::copy(built, &there).with_context(|| format!("cannot copy {}", built.display()))?;
    let others = licences::of_dependencies(AARCH64.triple, features)?;
    fs::write(folder.join(licences::FILE), others).with_context(|| format!("cannot write {}", licences::FILE))?;
    deb::make(&AARCH64, &there, &program, folder)?;
    package_in(folder)
}

fn package_in(folder: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let packages = files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "deb"));
    packages.max().with_context(|| format!("cargo-deb left no package in {}", folder.display()))
}

/// Print what the program wants and holds; an error when that will not do.
fn check(processor: &Processor, path: &Path, most: Option<Glibc>) -> Result<Program> {
    let program = Program::read(path)?;
    match &program.glibc {
        Some((wanted, by)) => println!("glibc: {wanted} or newer (for {})", by.join(", ")),
        None => println!("glibc: none"),
    }
    println!("libraries: {}", program.libraries.join(", "));
    if processor.has_dot_products {
        println!("int8 dot products: {}", program.dot_product_kernels()?.join(", "));
    }
    if let Some(most) = most {
        program.starts_with(most).with_context(|| {
            format!(
                "link it against {most} or older: with cargo-zigbuild (docs/guide/flash.md) by this command, \
                 or by `cross build` with the image that Cross.toml names"
            )
        })?;
    }
    Ok(program)
}

/// Write the checksums of all that lies in `folder`, and say what does.
pub fn sum_up(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        files.push((entry.file_name(), entry.metadata()?.len()));
    }
    files.sort();
    let sums = command("sha256sum").current_dir(folder).arg("--").args(files.iter().map(|file| &file.0)).output();
    let sums = sums.context("cannot start sha256sum")?;
    if !sums.status.success() {
        bail!("sha256sum: {}", String::from_utf8_lossy(&sums.stderr).trim());
    }
    fs::write(folder.join(CHECKSUMS), &sums.stdout).with_context(|| format!("cannot write {CHECKSUMS}"))?;
    println!("{}:", folder.display());
    for (name, bytes) in files {
        println!("  {:>9.3} MB  {}", bytes as f64 / 1e6, name.to_string_lossy());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn checksums_are_those_that_sha256sum_checks() {
        let folder = target().join("tmp").join(format!("dist-sums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("tadpole"), b"abc").unwrap();
        sum_up(&folder).unwrap();
        let sums = fs::read_to_string(folder.join(CHECKSUMS)).unwrap();
        let checked = command("sha256sum").current_dir(&folder).args(["--check", CHECKSUMS]).output().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(sums, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  tadpole\n");
        assert!(checked.status.success());
    }
}
