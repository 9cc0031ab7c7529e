//! Whether CUDA can be had: a GPU's number in, nothing or an error in words out.
//!
//! Refused: a build without CUDA, no driver, no toolkit (the backend compiles its kernels when they are first run), a driver that does not start, a
//! GPU that is not there, one that computes nothing. The backend itself panics about each of these, on a thread of its own.

use std::path::Path;

use runtime::{Error, Result};

const DRIVER: &str = "libcuda.so.1";

fn subject(index: usize) -> String {
    format!("--device cuda:{index}")
}

/// The error of a build without CUDA.
pub fn absent(index: usize) -> Error {
    let problem = "this tadpole-trainer was built without CUDA";
    Error::invalid(subject(index), problem, "use --device cpu, or build with --features cuda")
}

/// Refuse a GPU that cannot be trained on.
///
/// # Errors
/// Naming what is missing.
pub fn check(index: usize) -> Result<()> {
    let refuse = |problem: &str, remedy: &str| Err(Error::invalid(subject(index), problem, remedy));
    if !cfg!(feature = "cuda") {
        return Err(absent(index));
    }
    if !driver_found() {
        let remedy = "install NVIDIA's driver (in a container: start it with the GPUs), or use --device cpu";
        return refuse(&format!("no CUDA driver ({DRIVER}) found"), remedy);
    }
    if !toolkit_found() {
        let remedy =
            "install NVIDIA's CUDA toolkit, set CUDA_PATH where it is not in /usr/local/cuda, or use --device cpu";
        return refuse("no CUDA toolkit found, with which kernels are compiled when they are first run", remedy);
    }
    let seen = "see what `nvidia-smi` says, or use --device cpu";
    match count() {
        None => refuse("the CUDA driver is there but does not start, as said above", seen),
        Some(0) => refuse("the CUDA driver shows no GPU", seen),
        Some(count) if index >= count => {
            let remedy = format!("use cuda:0 to cuda:{}; CUDA_VISIBLE_DEVICES hides others", count - 1);
            refuse(&format!("there is no such GPU; CUDA shows {count}, counted from 0"), &remedy)
        }
        Some(_) if !computes(index) => refuse("the GPU is there but computes nothing, as said above", seen),
        Some(_) => Ok(()),
    }
}

/// How many GPUs CUDA shows; none where the driver does not start.
#[cfg(feature = "cuda")]
fn count() -> Option<usize> {
    use burn::tensor::backend::Backend as _;
    std::thread::spawn(|| <burn::backend::Cuda>::device_count(0)).join().ok()
}

/// Whether one and one is two on it.
#[cfg(feature = "cuda")]
fn computes(index: usize) -> bool {
    use burn::backend::Cuda;
    use burn::tensor::Tensor;
    let work = move || {
        let one = Tensor::<Cuda, 1>::ones([1], &burn::backend::cuda::CudaDevice::new(index));
        (one.clone() + one).into_data().into_vec::<f32>().is_ok_and(|sum| sum == [2.0])
    };
    std::thread::spawn(work).join().unwrap_or(false)
}

#[cfg(not(feature = "cuda"))]
fn count() -> Option<usize> {
    None
}

#[cfg(not(feature = "cuda"))]
fn computes(_index: usize) -> bool {
    false
}

/// Whether there is a toolkit where the backend looks for its headers.
fn toolkit_found() -> bool {
    std::env::var_os("CUDA_PATH").is_some()
        || ["/usr/local/cuda", "/opt/cuda", "/usr/bin/nvcc"].iter().any(|path| Path::new(path).exists())
}

/// Whether the loader would find the driver: in its cache, in `LD_LIBRARY_PATH`, or in the usual folders.
fn driver_found() -> bool {
    let cache = std::fs::read("/etc/ld.so.cache").unwrap_or_default();
    if cache.windows(DRIVER.len()).any(|bytes| bytes == DRIVER.as_bytes()) {
        return true;
    }
    let paths = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let usual =
        ["/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/wsl/lib"];
    paths.split(':').filter(|path| !path.is_empty()).chain(usual).any(|folder| Path::new(folder).join(DRIVER).exists())
}
