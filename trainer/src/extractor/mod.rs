//! The default feature extractor, `lite0-160`: built here, run by the runtime as one ONNX graph.
//!
//! Flows in: the published weights of EfficientNet-Lite0 and a folder of training videos. Flows out: the ONNX file and its
//! contract. The network is taken as it is; what is learned from footage (without labels) is how its maps become a row.
//!
//! | file | what |
//! |---|---|
//! | [`pickle`] | PyTorch's file format, as far as needed |
//! | [`architecture`] | EfficientNet-Lite0 as a list of convolutions |
//! | [`weights`] | file to folded convolutions |
//! | [`graph`] | the graph: frames to row |
//! | [`fit`] | pooled maps of many clips to the projection |
//! | [`footage`] | videos to pooled maps |
//! | [`selection`] | which clips of a video, and their pixels alone |
//! | [`principal`] | principal components |
//! | [`contract`] | the contract beside the ONNX file |
//! | [`command`] | `tadpole-trainer extractor` |

pub mod architecture;
pub mod command;
pub mod contract;
pub mod fit;
pub mod footage;
pub mod graph;
pub mod pickle;
pub mod principal;
pub mod selection;
pub mod weights;

pub use command::{ExtractorArgs, run};
pub use contract::read_contract;

#[cfg(test)]
mod tests;
