//! The firmware for arm64 boards on emulated processors: does it compute there what a model's maker computed, and does it
//! hold the kernels that the boards' processors want?
//!
//! The program is built for arm64 as tests are, and runs under qemu's user emulation as the processor of a Raspberry Pi 4
//! (Cortex-A72) and of a Raspberry Pi 5 or a Jetson (Cortex-A76: dot products in int8). Of speed this says nothing.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::run::{command, root, run as run_shown, target};
use crate::setup;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const CROSS: &str = "aarch64-linux-gnu-";
/// Where Debian keeps the libraries of arm64.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
const PROCESSORS: [&str; 2] = ["cortex-a72", "cortex-a76"];
/// tract's int8 kernel with dot products; its build leaves it out, silently, where the assembler is too old.
const SDOT: &str = "arm64simd_mmm_i32_8x8_dot";

/// Build, prove each of `models` (the shipped bundle when there are none) on each processor.
pub fn run(models: &[String]) -> Result<u8> {
    setup::for_aarch64(TARGET)?;
    let mut build = command("cargo");
    build
        .args(["build", "--package", "runtime", "--bin", "tadpole", "--target", TARGET])
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", format!("{CROSS}gcc"))
        .env("CC_aarch64_unknown_linux_gnu", format!("{CROSS}gcc"));
    run_shown(&mut build)?;
    let program = target().join(TARGET).join("debug/tadpole");

    let symbols = command(&format!("{CROSS}nm")).arg(&program).output().context("cannot start nm")?;
    let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
    let sdot: Vec<&str> =
        symbols.lines().filter_map(|line| line.split(' ').next_back().filter(|s| s.contains(SDOT))).collect();
    if sdot.is_empty() {
        bail!("{} holds no {SDOT}: binutils are too old, and int8 will be slow on Cortex-A76", program.display());
    }
    println!("int8 dot products: {}", sdot.join(", "));

    let shipped = [root().join("models/roadside-lite0.tadpole").display().to_string()];
    println!("| model | processor | head | step | extractor |\n|---|---|---|---|---|");
    for model in if models.is_empty() { &shipped } else { models } {
        for processor in PROCESSORS {
            let mut emulated = command("qemu-aarch64");
            emulated.args(["-cpu", processor, "-L", LIBRARIES]).arg(&program);
            let out = emulated.args(["model", "show", "--prove", "--json", model]).output();
            let out = out.context("cannot start qemu-aarch64")?;
            if !out.status.success() {
                bail!("{model} on {processor}: {}", String::from_utf8_lossy(&out.stderr).trim());
            }
            let shown: Value = serde_json::from_slice(&out.stdout).context("tadpole printed no JSON")?;
            let name = shown["name"].as_str().unwrap_or(model);
            let of = |graph: &str| shown["proved"][graph].as_f64().map_or("-".into(), |gap| format!("{gap:.1e}"));
            println!("| {name} | {processor} | {} | {} | {} |", of("head"), of("step"), of("extractor"));
        }
    }
    Ok(0)
}
