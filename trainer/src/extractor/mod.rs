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
//! | [`command`] | `tadpole-trainer extractor` |

pub mod architecture;
pub mod graph;
pub mod pickle;
pub mod weights;
