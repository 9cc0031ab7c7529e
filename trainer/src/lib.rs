//! The Tadpole workstation as a library: videos labelled as a whole in, signed bundles for cameras out.

pub mod ablate;
pub mod bench;
pub mod collect;
pub mod dataset;
pub mod embed;
pub mod evaluate;
pub mod export;
pub mod extract;
pub mod extractor;
mod files;
pub mod import;
pub mod model;
pub mod onnx;
pub mod progress;
pub mod provision;
pub mod push;
mod recordings;
pub mod seeds;
pub mod shard;
pub mod simulate;
pub mod site;
pub mod train;
