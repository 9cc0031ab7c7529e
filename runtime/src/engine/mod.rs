//! A loaded graph: bytes of ONNX in, numbers out.
//!
//! | implementation | module | when |
//! |---|---|---|
//! | tract | [`tract`] | always |

pub mod channels_last;
pub mod kernels;
pub mod tract;

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
    /// The engine's name, `tract`.
    pub engine: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Shape of the one input.
    pub input_shape: Vec<usize>,
    /// Shape of the one output.
    pub output_shape: Vec<usize>,
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
