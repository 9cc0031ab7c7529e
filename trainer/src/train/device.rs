//! Where training runs: `--device cpu`, `ndarray`, `cuda`, `cuda:N` or `cuda:N-M` in, work on that backend of burn and its devices out.
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

/// A backend of burn, and which devices of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// burn's fast CPU backend.
    Cpu,
    /// burn's reference CPU backend.
    Ndarray,
    /// NVIDIA GPUs, by CUDA's numbers (need a build with `--features cuda`); each takes a part of every batch.
    Cuda {
        /// The one that holds weights and optimiser.
        first: usize,
        /// The last one, which may be the first.
        last: usize,
    },
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let gpus = |numbers: &str| {
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Self::Cuda { first, last })
        };
        let device = match text {
            "cpu" => Some(Self::Cpu),
            "ndarray" => Some(Self::Ndarray),
            "cuda" => gpus("0"),
            other => other.strip_prefix("cuda:").and_then(gpus),
        };
        device.ok_or_else(|| {
            format!(
                "`{text}` is no device: use cpu, ndarray, cuda, cuda:N for the GPU N, from 0, or cuda:N-M for several"
            )
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Ndarray => f.write_str("ndarray"),
            Self::Cuda { first, last } if first == last => write!(f, "cuda:{first}"),
            Self::Cuda { first, last } => write!(f, "cuda:{first}-{last}"),
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

    /// Do it on `devices`, at least one; the first holds what is trained.
    fn on<B>(self, devices: &[B::Device]) -> Result<Self::Output>
    where
        B: AutodiffBackend + Kernels,
        B::InnerBackend: Kernels;
}

impl Device {
    /// Refuse a device that cannot be had.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Cuda { first, last } => (first..=last).try_for_each(cuda::check),
            Self::Cpu | Self::Ndarray => Ok(()),
        }
    }

    /// Parts that a batch is computed in: one on each GPU.
    pub(crate) fn parts(self) -> usize {
        if let Self::Cuda { first, last } = self { last - first + 1 } else { PARTS }
    }

    /// Do `work` here.
    pub(crate) fn run<W: Work>(self, work: W) -> Result<W::Output> {
        match self {
            Self::Cpu => work.on::<Autodiff<Flex>>(&[burn::tensor::Device::<Flex>::default()]),
            Self::Ndarray => work.on::<Autodiff<NdArray>>(&[burn::tensor::Device::<NdArray>::default()]),
            #[cfg(feature = "cuda")]
            Self::Cuda { first, last } => {
                let gpus: Vec<_> = (first..=last).map(burn::backend::cuda::CudaDevice::new).collect();
                work.on::<Autodiff<burn::backend::Cuda>>(&gpus)
            }
            #[cfg(not(feature = "cuda"))]
            Self::Cuda { first, .. } => Err(cuda::absent(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_they_are_written_into_runs() {
        let (third, several) = (Device::Cuda { first: 3, last: 3 }, Device::Cuda { first: 0, last: 2 });
        for (text, device) in
            [("cpu", Device::Cpu), ("ndarray", Device::Ndarray), ("cuda:3", third), ("cuda:0-2", several)]
        {
            assert_eq!(text.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string(), text);
            assert_eq!(serde_json::from_str::<Device>(&serde_json::to_string(&device).unwrap()).unwrap(), device);
        }
        let first = Device::Cuda { first: 0, last: 0 };
        assert_eq!(serde_json::from_str::<Device>("\"cuda\"").unwrap(), first, "as runs were written before");
        assert_eq!((several.parts(), third.parts(), Device::Cpu.parts()), (3, 1, PARTS));
        for wrong in ["", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda0", "cuda:0:1", "cuda:2-1", "cuda:1-", "gpu"] {
            assert!(wrong.parse::<Device>().unwrap_err().contains("no device"), "{wrong}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_gpu_is_refused_by_a_build_without_cuda() {
        let error = Device::Cuda { first: 1, last: 2 }.check().unwrap_err().to_string();
        assert!(error.contains("--device cuda:1: this tadpole-trainer was built without CUDA"), "{error}");
        assert!(Device::Cpu.check().is_ok() && Device::Ndarray.check().is_ok());
    }
}
