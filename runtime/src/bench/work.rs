//! The arithmetic that a graph cannot do without: ONNX bytes in, multiply-adds of one run out.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::Cost;

use crate::{Error, Result};

/// Multiply-adds of the products and convolutions of a graph with fixed shapes.
///
/// # Errors
/// When tract cannot read the graph, or a size in it is not fixed.
pub fn multiply_adds(onnx: &[u8], name: &str) -> Result<u64> {
    count(onnx).map_err(|error| {
        Error::corrupt(
            name,
            format!("the arithmetic of this graph cannot be counted: {error}"),
            "export it again with tadpole-trainer",
        )
    })
}

fn count(mut onnx: &[u8]) -> TractResult<u64> {
    let model = tract_onnx::onnx().model_for_read(&mut onnx)?.into_typed()?.into_decluttered()?;
    let mut sum = 0;
    for node in model.eval_order()? {
        let inputs = model.node_input_facts(node)?;
        for (kind, number) in model.node(node).op.cost(&inputs)? {
            // Only what a matrix product or a convolution does; element-wise work is not counted as such.
            if matches!(kind, Cost::FMA(_)) {
                sum += u64::try_from(number.to_i64()?)?;
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_graph_is_corrupt() {
        let error = multiply_adds(b"no graph", "extractor").unwrap_err();
        assert!(error.to_string().starts_with("extractor: the arithmetic"), "{error}");
    }
}
