//! A loaded graph: bytes of ONNX in, numbers out.
//!
//! | implementation | module | when |
//! |---|---|---|
//! | tract | [`tract`] | always |
//! | onnxruntime: CPU, CUDA, TensorRT | `onnxruntime` | feature `onnxruntime`, and a library to load |
//!
//! [`choice`] loads the one that a config names, [`successor`] lets one score while another is being compiled.

pub mod channels_last;
pub mod choice;
pub mod kernels;
#[cfg(feature = "onnxruntime")]
pub mod onnxruntime;
pub mod successor;
pub mod tract;

use std::fmt;

pub use choice::Engines;

use crate::Result;

/// The element type of a graph's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input<'a> {
    /// 8-bit pixels.
    U8(&'a [u8]),
    /// 32-bit floats.
    F32(&'a [f32]),
}

/// What runs, for logs, status and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// The engine's name, `tract` or `onnxruntime`.
    pub engine: &'static str,
    /// Its version.
    pub version: String,
    /// What computes.
    pub provider: Provider,
    /// Shape of the one input.
    pub input_shape: Vec<usize>,
    /// Shape of the one output.
    pub output_shape: Vec<usize>,
}

impl fmt::Display for EngineInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.engine, self.version, self.provider)
    }
}

/// What computes for an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, by CUDA's libraries.
    Cuda,
    /// An NVIDIA GPU, by what TensorRT compiles for it.
    Tensorrt,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA",
            Self::Tensorrt => "TensorRT",
        })
    }
}

/// A graph with one input and one float32 output, ready to run. Not shared between threads: each owner has its own state.
pub trait Engine: Send {
    /// What runs.
    fn info(&self) -> &EngineInfo;

    /// Run once. `input` must hold exactly as many elements as the input shape; `output` as many as the output shape.
    ///
    /// # Errors
    /// On wrong lengths, or when the engine fails. A NaN in the output is not an error here: `score` judges it.
    fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()>;
}

/// The largest difference of two rows of numbers; NaN when one of them is, so that it is within no tolerance.
pub fn largest_difference(actual: &[f32], expected: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a.is_nan() || a > b { a } else { b };
    actual.iter().zip(expected).map(|(a, e)| (a - e).abs()).fold(0.0, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_anywhere_is_the_largest_difference() {
        assert_eq!(largest_difference(&[1.0, 2.0, 3.0], &[1.5, 2.0, 2.0]), 1.0);
        assert!(largest_difference(&[1.0, f32::NAN, 3.0], &[1.0, 2.0, 2.0]).is_nan());
    }
}
