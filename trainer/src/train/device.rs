//! Where training runs.

use clap::ValueEnum;
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

/// A backend of burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// burn's fast CPU backend.
    Cpu,
    /// burn's reference CPU backend.
    Ndarray,
    /// An NVIDIA GPU (needs a build with `--features cuda`).
    Cuda,
}

impl Device {
    /// Refuse a device that cannot be had, before anything is read: the backend itself would panic on a worker thread.
    pub fn check(self) -> Result<()> {
        if self != Self::Cuda {
            return Ok(());
        }
        if !cfg!(feature = "cuda") {
            return Err(Error::invalid(
                "--device cuda",
                "this tadpole-trainer was built without CUDA",
                "use --device cpu, or build with --features cuda",
            ));
        }
        if !cuda_driver_found() {
            return Err(Error::invalid("--device cuda", "no CUDA driver (libcuda.so.1) found", "use --device cpu"));
        }
        Ok(())
    }
}

/// Whether the loader would find libcuda: in its cache, in `LD_LIBRARY_PATH`, or in the usual folders.
fn cuda_driver_found() -> bool {
    const NAME: &str = "libcuda.so.1";
    let cache = std::fs::read("/etc/ld.so.cache").unwrap_or_default();
    if cache.windows(NAME.len()).any(|bytes| bytes == NAME.as_bytes()) {
        return true;
    }
    let paths = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let usual =
        ["/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/wsl/lib"];
    paths
        .split(':')
        .filter(|path| !path.is_empty())
        .chain(usual)
        .any(|folder| std::path::Path::new(folder).join(NAME).exists())
}
