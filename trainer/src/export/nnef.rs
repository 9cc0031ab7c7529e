//! One of our ONNX graphs as tract's own form: a plain `.nnef.tar`, which tract loads faster and in less memory. The same
//! operators, so the same scores; the same bytes for the same graph.
//!
//! Refused: a graph with an operator that tract cannot write, such as `QuantizeLinear`.

use runtime::engine::tract::nnef;
use runtime::{Error, Result};
use tract_onnx::prelude::*;

/// An ONNX file as a `.nnef.tar`.
///
/// # Errors
/// When tract cannot read the graph, or write one of its operators.
pub fn of_onnx(onnx: &[u8], name: &str) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(name, format!("is no NNEF: {error:#}"), "report this, with the run")
    };
    let model = tract_onnx::onnx()
        .model_for_read(&mut &*onnx)
        .and_then(InferenceModelExt::into_typed)
        .and_then(TypedModel::into_decluttered)
        .map_err(|error| failed(&error))?;
    nnef().write_to_tar_with_config(&model, Vec::new(), false, true).map_err(|error| failed(&error))
}
