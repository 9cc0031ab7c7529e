//! `cargo xtask soak --fuzz`: each target of `fuzz/` for a while, from its corpus and what earlier runs found (`fuzz/found`, `fuzz/target/found`). What
//! crashes or hangs lies in `fuzz/artifacts`, and fails the soak; once mended, it goes into the corpus.

use anyhow::{Result, bail};

use crate::run::{command, root, run as run_shown, there};

/// The targets.
pub const TARGETS: [&str; 6] = ["config_blob", "config_toml", "manifest", "bundle_tar", "http_body", "onnx"];
/// The longest answer to one input, in seconds.
const TIMEOUT_S: u32 = 25;
/// Memory of a target, in MiB. The address sanitizer's own is in it.
const MEMORY_MIB: u32 = 4096;
/// The longest input, in bytes: a manifest with its graphs.
const LENGTH_MAX: u32 = 64 << 10;

/// Run each of `targets`, or all, for so many minutes.
pub fn run(targets: &[String], minutes: f64) -> Result<u8> {
    if !there("cargo-fuzz", "--version") {
        run_shown(command("cargo").args(["install", "--locked", "cargo-fuzz"]))?;
    }
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(&target.as_str())) {
        bail!("{unknown} is no target: {}", TARGETS.join(", "));
    }
    let seconds = (minutes * 60.0).max(1.0) as u64;
    let mut crashed = Vec::new();
    for target in TARGETS.iter().filter(|target| targets.is_empty() || targets.iter().any(|wanted| wanted == *target)) {
        // Inputs that are found go into a folder of their own, so that the corpus stays small: the second folder is only read.
        let found = root().join("fuzz/target/found").join(target);
        std::fs::create_dir_all(&found)?;
        let kept = root().join("fuzz/found").join(format!("{target}.tar"));
        run_shown(command("tar").arg("-xf").arg(kept).arg("-C").arg(&found))?;
        let mut fuzz = command("cargo");
        fuzz.args(["+nightly", "fuzz", "run", target]).arg(found).arg(root().join("fuzz/corpus").join(target));
        fuzz.args(["--", &format!("-max_total_time={seconds}"), &format!("-timeout={TIMEOUT_S}")]);
        fuzz.args([&format!("-rss_limit_mb={MEMORY_MIB}"), &format!("-max_len={LENGTH_MAX}")]);
        if run_shown(&mut fuzz).is_err() {
            crashed.push(*target);
        }
    }
    if crashed.is_empty() {
        return Ok(0);
    }
    eprintln!("found something: {}; the inputs lie in fuzz/artifacts", crashed.join(", "));
    Ok(1)
}
