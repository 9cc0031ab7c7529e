//! The Tadpole workstation.

pub mod onnx;
