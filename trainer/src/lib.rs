//! The Tadpole workstation.

pub mod export;
pub mod onnx;
