//! gpio-sim, the kernel's simulated GPIO lines: Debian builds no kernel with it, so it is built here from Debian's sources
//! of that very kernel, as a module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::apt::{Apt, told};
use crate::cross::AARCH64;
use crate::run::command;

/// The sources that it takes: the module, and the simulated interrupts that it needs, which are not built either.
const SOURCES: [&str; 3] = ["drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c"];
/// The second cannot be called after its only file.
const MODULES: &str = "obj-m += gpio-sim.o irq-sim-tadpole.o\nirq-sim-tadpole-y := irq_sim.o\n";

/// Build the modules for the kernel `release` of Debian's `version`, in `folder`.
pub fn build(apt: &Apt, release: &str, version: &str, folder: &Path) -> Result<Vec<PathBuf>> {
    // 6.1 of 6.1.0-50-arm64
    let line = release.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let common = format!("linux-headers-{}-common", release.trim_end_matches("-arm64"));
    let (headers, source) = (format!("linux-headers-{release}"), format!("linux-source-{line}"));
    let packages = [
        format!("{headers}:arm64={version}"),
        format!("{common}={version}"),
        format!("linux-kbuild-{line}:{}={version}", apt.host),
        format!("{source}={version}"),
    ];
    let unpacked = folder.join("packages");
    apt.alone(&packages.each_ref().map(String::as_str), &unpacked)?;

    let module = folder.join("module");
    fs::create_dir_all(&module).with_context(|| format!("cannot make {}", module.display()))?;
    let mut unpack = command("tar");
    unpack.arg("-xJf").arg(unpacked.join(format!("usr/src/{source}.tar.xz"))).arg("-C").arg(&module);
    told(unpack.arg("--strip-components=3").args(SOURCES.map(|file| format!("{source}/{file}"))))?;
    for (name, text) in [("Kbuild", MODULES.to_owned()), ("irq_sim.c", as_module(&read(&module.join("irq_sim.c"))?)?)] {
        fs::write(module.join(name), text).with_context(|| format!("cannot write {}", module.display()))?;
    }
    let mut make = command("make");
    // The headers' own Makefile names the other one by where Debian would have put it.
    make.arg("-s").arg("-C").arg(unpacked.join("usr/src").join(&headers));
    make.arg("-f").arg(unpacked.join("usr/src").join(&common).join("Makefile"));
    make.arg(format!("M={}", module.display())).arg("ARCH=arm64").arg(format!("CC={}", AARCH64.tool("gcc")));
    make.arg(format!("CROSS_COMPILE={}", AARCH64.tool(""))).arg("modules").stdin(Stdio::null());
    told(&mut make)?;
    let built = ["gpio-sim.ko", "irq-sim-tadpole.ko"].map(|name| module.join(name));
    for path in &built {
        told(command(&AARCH64.tool("strip")).arg("--strip-debug").arg(path))?;
    }
    Ok(built.to_vec())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The simulated interrupts are written to be part of the kernel: as a module they need its licence said, and not the two
/// functions that modules cannot call.
fn as_module(source: &str) -> Result<String> {
    let (include, call) = ("#include <linux/slab.h>\n", "handle_simple_irq(irq_to_desc(irqnum));");
    if !source.contains(include) || !source.contains(call) {
        bail!("the kernel's irq_sim.c is not as it was: adapt xtask/src/board/gpio_sim.rs");
    }
    let source = source.replace(include, &format!("{include}#include <linux/module.h>\n"));
    Ok(source.replace(call, "generic_handle_irq(irqnum);") + "MODULE_LICENSE(\"GPL\");\n")
}
