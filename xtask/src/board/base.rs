//! What every emulated board is made of, once, under `target/board`: the emulator, Debian's arm64 kernel with the modules of
//! a test camera and simulated GPIO lines, and a user space of busybox and a tool that turns the test camera's knobs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _};

use super::apt::{Apt, told};
use super::archive::Archive;
use super::gpio_sim;
use crate::run::command;

/// Raised when what is made here changes: what an older one made is made anew.
const RECIPE: &str = "2";
/// Modules that scenarios ask for.
const MODULES: [&str; 7] = ["vivid", "gpio-sim", "bcm2835_wdt", "virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];
/// Where they are.
const LOADED: &str = "modules";
/// The Raspberry Pis' hardware, described for the kernel.
const PIS: [&str; 2] = ["bcm2837-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb"];
/// Nobody reads these there.
const WASTE: [&str; 4] = ["usr/share", "etc", "usr/lib/aarch64-linux-gnu/gconv", "var"];

/// What lies in `target/board`.
pub struct Base {
    folder: PathBuf,
}

impl Base {
    /// Make it in `folder`, unless it is there.
    pub fn make(folder: &Path) -> Result<Self> {
        let base = Self { folder: folder.to_owned() };
        let stamp = folder.join("recipe");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == RECIPE) {
            return Ok(base);
        }
        eprintln!("fetching Debian's arm64 kernel and an emulator into {}", folder.display());
        for old in ["apt", "emulator", "kernel", "space"] {
            if folder.join(old).exists() {
                fs::remove_dir_all(folder.join(old)).with_context(|| format!("cannot empty {}", folder.display()))?;
            }
        }
        let apt = Apt::new(&folder.join("apt"))?;
        apt.with_dependencies(&[&format!("qemu-system-arm:{}", apt.host)], &folder.join("emulator"))?;
        base.kernel(&apt)?;
        base.space(&apt)?;
        fs::write(&stamp, RECIPE).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(base)
    }

    /// Kernel, hardware descriptions, and modules.
    fn kernel(&self, apt: &Apt) -> Result<()> {
        let (package, version) = apt.first_dependency("linux-image-arm64:arm64")?;
        let release = package.strip_prefix("linux-image-").context("Debian's kernel has another name than expected")?;
        let (unpacked, kernel) = (self.folder.join("apt/kernel"), self.folder.join("kernel"));
        apt.alone(&[&format!("{package}:arm64={version}")], &unpacked)?;
        fs::create_dir_all(kernel.join(LOADED)).with_context(|| format!("cannot make {}", kernel.display()))?;
        let keep = |from: PathBuf, name: &str| {
            fs::copy(&from, kernel.join(name)).map(|_| ()).with_context(|| format!("cannot copy {}", from.display()))
        };
        keep(unpacked.join(format!("boot/vmlinuz-{release}")), "Image")?;
        for pi in PIS {
            keep(unpacked.join(format!("usr/lib/{package}/broadcom/{pi}")), pi)?;
        }
        let mut modules = BTreeMap::new();
        find_modules(&unpacked.join("lib/modules"), &mut modules)?;
        let built = gpio_sim::build(apt, release, &version, &self.folder.join("apt/gpio-sim"))?;
        modules.extend(built.into_iter().map(|path| (module_name(&path), path)));
        for name in MODULES {
            let mut order = Vec::new();
            in_order(name, &modules, &mut order)?;
            fs::write(kernel.join(LOADED).join(format!("{name}.order")), order.join("\n") + "\n")
                .with_context(|| format!("cannot write {}", kernel.display()))?;
            for module in order {
                keep(modules[&module].clone(), &format!("{LOADED}/{module}.ko"))?;
            }
        }
        // A gigabyte that is of no more use.
        fs::remove_dir_all(unpacked).context("cannot remove the unpacked kernel")?;
        fs::remove_dir_all(self.folder.join("apt/gpio-sim")).context("cannot remove the kernel's sources")
    }

    /// The boards' user space: busybox, the camera's knobs, and the libraries that the firmware wants.
    fn space(&self, apt: &Apt) -> Result<()> {
        let space = self.folder.join("space");
        apt.with_dependencies(&["busybox-static:arm64", "v4l-utils:arm64", "libgcc-s1:arm64"], &space)?;
        for waste in WASTE.map(|waste| space.join(waste)) {
            if waste.exists() {
                fs::remove_dir_all(&waste).with_context(|| format!("cannot remove {}", waste.display()))?;
            }
        }
        Ok(())
    }

    /// The kernel, or a Pi's hardware description.
    pub fn kernel_file(&self, name: &str) -> String {
        self.folder.join("kernel").join(name).display().to_string()
    }

    /// The emulator with its own libraries, whatever this machine's are.
    pub fn emulator(&self) -> Result<Command> {
        let root = self.folder.join("emulator");
        let (triplet, loader) = match std::env::consts::ARCH {
            "x86_64" => ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
            "aarch64" => ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
            other => bail!(super::Lacking(format!("an emulator for {other}"))),
        };
        let libraries = [root.join("lib").join(triplet), root.join("usr/lib").join(triplet)];
        let mut emulator = command(&libraries[0].join(loader).display().to_string());
        emulator.arg("--library-path").arg(format!("{}:{}", libraries[0].display(), libraries[1].display()));
        emulator.arg(root.join("usr/bin/qemu-system-aarch64")).arg("-L").arg(root.join("usr/share/qemu"));
        Ok(emulator)
    }

    /// A board's first file system, of all this and `files`: names with what they hold.
    pub fn disk(&self, files: &[(&str, &Path)]) -> Result<Vec<u8>> {
        let mut archive = Archive::new(Vec::new());
        archive.tree(&self.folder.join("space"), "")?;
        for name in ["proc", "sys", "dev", "tmp", LOADED, "board"] {
            archive.folder(name)?;
        }
        archive.tree(&self.folder.join("kernel").join(LOADED), &format!("{LOADED}/"))?;
        for (name, path) in files {
            let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            archive.file(name, &content)?;
        }
        archive.finish()
    }
}

/// All modules below `folder`, by name.
fn find_modules(folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_modules(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            found.insert(module_name(&path), path);
        }
    }
    Ok(())
}

fn module_name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `name` behind all modules that it needs.
fn in_order(name: &str, modules: &BTreeMap<String, PathBuf>, order: &mut Vec<String>) -> Result<()> {
    // The kernel takes - and _ for the same.
    let plain = |name: &str| name.replace('-', "_");
    let Some((own, path)) = modules.iter().find(|(own, _)| plain(own) == plain(name)) else {
        bail!("Debian's kernel has no module {name}");
    };
    if !order.contains(own) {
        let data = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        for needed in depends(&data).with_context(|| format!("{} is no module", path.display()))? {
            in_order(&needed, modules, order)?;
        }
        order.push(own.clone());
    }
    Ok(())
}

/// What a module says that it needs.
fn depends(module: &[u8]) -> Result<Vec<String>> {
    let file = ElfFile64::<Endianness>::parse(module)?;
    let info = file.section_by_name(".modinfo").context("it has no .modinfo")?.data()?;
    let said = info.split(|byte| *byte == 0).find_map(|line| line.strip_prefix(b"depends="));
    let said = String::from_utf8_lossy(said.unwrap_or_default()).into_owned();
    Ok(said.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The stripped firmware, in `folder`.
pub fn stripped(strip: &str, firmware: &Path, folder: &Path) -> Result<PathBuf> {
    let to = folder.join("tadpole");
    told(command(strip).arg("--strip-unneeded").arg("-o").arg(&to).arg(firmware))?;
    Ok(to)
}
