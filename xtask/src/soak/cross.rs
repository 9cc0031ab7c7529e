//! What `cross build` would do, without a container engine: the distribution that Cross.toml's image holds, in a folder; its
//! pre-build lines run there; then the build, with the variables that Cross.toml passes through. The binary that comes out
//! must start with that distribution's glibc and hold the int8 kernels.
//!
//! Needs root (for the folder's packages, and to show it the sources and the toolchain) and debootstrap.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use toml::{Table, Value};

use crate::cross::AARCH64;
use crate::elf::{Glibc, Program};
use crate::run::{command, root, run as run_shown, target};
use crate::setup;

/// The image whose distribution can be made from packages.
const IMAGE: &str = "docker.io/library/debian:";

/// Make the folder (once), prepare it, build there, read the binary.
pub fn run() -> Result<u8> {
    setup::for_cross(&[("debootstrap", "debootstrap"), ("unshare", "util-linux")], AARCH64.triple)?;
    let told = fs::read_to_string(root().join("Cross.toml")).context("cannot read Cross.toml")?;
    let told: Table = told.parse().context("Cross.toml is no TOML")?;
    let told = &told.get("target").and_then(|targets| targets.get(AARCH64.triple));
    let told = told.with_context(|| format!("Cross.toml says nothing of {}", AARCH64.triple))?;

    let image = told.get("image").and_then(Value::as_str).unwrap_or_default();
    let release = image.strip_prefix(IMAGE).with_context(|| format!("Cross.toml's image is not {IMAGE}RELEASE"))?;
    let folder = target().join("chroot").join(release);
    if !folder.join("etc/debian_version").is_file() {
        run_shown(command("debootstrap").args(["--variant=minbase", release]).arg(&folder))?;
    }
    let resolver = "/etc/resolv.conf";
    fs::copy(resolver, folder.join(&resolver[1..])).with_context(|| format!("cannot copy {resolver}"))?;

    let lines = strings(told.get("pre-build"))?.join("\n");
    inside(&folder, &[], &lines)?;
    let variables = strings(told.get("env").and_then(|env| env.get("passthrough")))?;
    let build = format!("cd /project && cargo build --locked --target {}", AARCH64.triple);
    inside(&folder, &variables, &build)?;

    let program = target().join("cross").join(AARCH64.triple).join("debug/tadpole");
    let read = Program::read(&program)?;
    println!("int8 dot products: {}", read.dot_product_kernels()?.join(", "));
    read.starts_with(Glibc::DEBIAN_11)?;
    println!("glibc: {}", read.glibc.map_or("none".into(), |(wanted, by)| format!("{wanted} (for {})", by.join(", "))));
    Ok(0)
}

fn strings(value: Option<&Value>) -> Result<Vec<&str>> {
    let all = value.and_then(Value::as_array).map(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    all.flatten().ok_or_else(|| anyhow!("Cross.toml lacks a list of strings where cross wants one"))
}

/// Run `script` in `folder`, which sees the sources at /project, the toolchain at /rust, cargo's downloads at /cargo and a
/// target folder of its own: as cross lays them out. The mounts end with it.
fn inside(folder: &Path, variables: &[&str], script: &str) -> Result<()> {
    let sysroot = command("rustc").args(["--print", "sysroot"]).output().context("cannot start rustc")?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    let cargo = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"));
    let cargo = cargo.context("neither CARGO_HOME nor HOME says where cargo keeps its downloads")?;
    let built = target().join("cross");
    fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
    let mut mounts = String::from("set -e\n");
    for (from, to) in [
        (root().display().to_string(), "project"),
        (sysroot, "rust"),
        (cargo, "cargo"),
        (built.display().to_string(), "target"),
        ("/proc".into(), "proc"),
        ("/dev".into(), "dev"),
    ] {
        if from.contains('\'') {
            bail!("{from} has a quotation mark in its name; build elsewhere");
        }
        let _ = writeln!(mounts, "mkdir -p \"$1/{to}\" && mount --rbind '{from}' \"$1/{to}\"");
    }
    mounts += "exec chroot \"$1\" sh -e -c \"$2\"\n";
    let mut run = Command::new("unshare");
    run.args(["--mount", "sh", "-c", &mounts, "sh"]).arg(folder).arg(script).env_clear();
    run.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/rust/bin");
    run.env("DEBIAN_FRONTEND", "noninteractive").env("HOME", "/root");
    run.env("CARGO_HOME", "/cargo").env("CARGO_TARGET_DIR", "/target");
    for variable in variables {
        let (name, value) =
            variable.split_once('=').with_context(|| format!("{variable} in Cross.toml has no value"))?;
        run.env(name, value);
    }
    run_shown(&mut run)
}
