//! What goes on top of NVIDIA's JetPack: the package comes in, a folder with it, what the service needs for the GPU, the
//! steps and a list of checksums goes out.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::dist;
use crate::run::root;

/// Files of `deploy/` that go with it.
const FILES: [&str; 3] = ["image/jetson/README.md", "systemd/nvidia.conf", "systemd/hardware-watchdog.conf"];

/// Lay it out in `folder`.
pub fn lay_out(deb: &Path, folder: &Path) -> Result<()> {
    super::firmware_version(deb)?;
    super::emptied(folder)?;
    let files = FILES.map(|file| root().join("deploy").join(file));
    for file in files.iter().map(AsRef::as_ref).chain([deb]) {
        let to = folder.join(file.file_name().unwrap_or_default());
        fs::copy(file, to).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    dist::sum_up(folder)
}
