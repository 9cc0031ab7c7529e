//! The firmware for arm64 boards on emulated processors: does it compute there what a model's maker computed, and does it
//! hold the kernels that the boards' processors want?
//!
//! The program is built for arm64 as tests are, and runs under qemu's user emulation as the processor of a Raspberry Pi 4
//! (Cortex-A72) and of a Raspberry Pi 5 or a Jetson (Cortex-A76: dot products in int8). Of speed this says nothing.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cross::{AARCH64, Build};
use crate::elf::Program;
use crate::run::{command, root};
use crate::setup;

/// Where Debian keeps the libraries of arm64.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
const PROCESSORS: [&str; 2] = ["cortex-a72", "cortex-a76"];

/// Build, prove each of `models` (the shipped bundle when there are none) on each processor.
pub fn run(models: &[String]) -> Result<u8> {
    setup::for_cross(&[("qemu-aarch64", "qemu-user")], AARCH64.triple)?;
    let program = AARCH64.build(Build { profile: "dev", features: &[], glibc: None })?;
    println!("int8 dot products: {}", Program::read(&program)?.dot_product_kernels()?.join(", "));

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
