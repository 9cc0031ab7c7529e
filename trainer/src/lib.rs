//! The Tadpole workstation as a library: videos labelled as a whole in, signed bundles for cameras out.

pub mod dataset;
pub mod evaluate;
pub mod export;
mod files;
pub mod model;
pub mod extractor;
pub mod onnx;
pub mod train;
