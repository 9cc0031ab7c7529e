//! Where training runs: `--device cpu`, `ndarray`, `cuda` or `cuda:N` in, work on that backend of burn and device out.
//!
//! Refused before anything is read: devices that cannot be had ([`super::cuda`]).

use std::fmt;
use std::str::FromStr;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use runtime::Result;
use serde::{Deserialize, Serialize};

use super::cuda;
use super::parallel::PARTS;
use crate::model::kernels::Kernels;

/// A backend of burn, and which device of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// burn's fast CPU backend.
    Cpu,
    /// burn's reference CPU backend.
    Ndarray,
    /// An NVIDIA GPU, by CUDA's number (needs a build with `--features cuda`).
    Cuda(usize),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |index: &str| index.parse().ok().map(Self::Cuda);
        let device = match text {
            "cpu" => Some(Self::Cpu),
            "ndarray" => Some(Self::Ndarray),
            "cuda" => Some(Self::Cuda(0)),
            other => other.strip_prefix("cuda:").and_then(number),
        };
        device.ok_or_else(|| format!("`{text}` is no device: use cpu, ndarray, cuda, or cuda:N for the GPU N, from 0"))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Ndarray => f.write_str("ndarray"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

/// Something to do on whichever backend was chosen.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Do it on `device`.
    fn on<B>(self, device: &B::Device) -> Result<Self::Output>
    where
        B: AutodiffBackend + Kernels,
        B::InnerBackend: Kernels;
}

impl Device {
    /// Refuse a device that cannot be had.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Cuda(index) => cuda::check(index),
            Self::Cpu | Self::Ndarray => Ok(()),
        }
    }

    /// Parts that a batch is computed in: a GPU takes it whole.
    pub(crate) fn parts(self) -> usize {
        if matches!(self, Self::Cuda(_)) { 1 } else { PARTS }
    }

    /// Do `work` here.
    pub(crate) fn run<W: Work>(self, work: W) -> Result<W::Output> {
        match self {
            Self::Cpu => work.on::<Autodiff<Flex>>(&burn::tensor::Device::<Flex>::default()),
            Self::Ndarray => work.on::<Autodiff<NdArray>>(&burn::tensor::Device::<NdArray>::default()),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => work.on::<Autodiff<burn::backend::Cuda>>(&burn::backend::cuda::CudaDevice::new(index)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(index) => Err(cuda::absent(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_they_are_written_into_runs() {
        for (text, device) in [("cpu", Device::Cpu), ("ndarray", Device::Ndarray), ("cuda:3", Device::Cuda(3))] {
            assert_eq!(text.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string(), text);
            assert_eq!(serde_json::from_str::<Device>(&serde_json::to_string(&device).unwrap()).unwrap(), device);
        }
        assert_eq!(serde_json::from_str::<Device>("\"cuda\"").unwrap(), Device::Cuda(0), "as runs were written before");
        for wrong in ["", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda0", "cuda:0:1", "gpu"] {
            assert!(wrong.parse::<Device>().unwrap_err().contains("no device"), "{wrong}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_gpu_is_refused_by_a_build_without_cuda() {
        let error = Device::Cuda(1).check().unwrap_err().to_string();
        assert!(error.contains("--device cuda:1: this tadpole-trainer was built without CUDA"), "{error}");
        assert!(Device::Cpu.check().is_ok() && Device::Ndarray.check().is_ok());
    }
}
