//! The tract engine: pure Rust, on every board, always there. It reads ONNX and its own form, NNEF in a plain tar.

use tract_nnef::framework::Nnef;
use tract_onnx::prelude::*;
use tract_transformers::WithTractTransformers as _;

use super::{Engine, EngineInfo, Input, Provider, channels_last};
use crate::health::supervision::panics;
use crate::{Error, Result};

/// The version of tract that this build is pinned to.
const TRACT_VERSION: &str = "0.23.9";

/// A graph loaded into tract.
pub struct TractEngine {
    info: EngineInfo,
    name: String,
    state: TypedSimpleState,
}

impl TractEngine {
    /// Load a graph, ONNX or `.nnef.tar`, with one input of fixed shape and one float32 output. `name` is for error messages.
    ///
    /// # Errors
    /// When tract cannot read, type or optimise the graph, or it is not of that form; of kind `Panicked` when it trips over a graph that
    /// is broken in a way its authors did not think of: a signature says whose a graph is, not that it is whole.
    pub fn load(graph: &[u8], name: &str) -> Result<Self> {
        panics::caught(name, || Self::load_or_panic(graph, name))
    }

    fn load_or_panic(graph: &[u8], name: &str) -> Result<Self> {
        let bad = |what: &str, e: &dyn std::fmt::Display| {
            Error::corrupt(
                name,
                format!("tract cannot {what} this {} graph: {e}", if is_tar(graph) { "NNEF" } else { "ONNX" }),
                "export it again with tadpole-trainer",
            )
        };
        let model = if is_tar(graph) {
            nnef().model_for_read(&mut &*graph).map_err(|e| bad("read", &e))
        } else {
            let model = tract_onnx::onnx().model_for_read(&mut &*graph).map_err(|e| bad("read", &e))?;
            model.into_typed().map_err(|e| bad("type", &e))
        }?;
        let model = channels_last::accelerate(model)
            .map_err(|e| bad("type", &e))?
            .into_decluttered()
            .map_err(|e| bad("simplify", &e))?;
        let (inputs, outputs) = (model.inputs.len(), model.outputs.len());
        if (inputs, outputs) != (1, 1) {
            return Err(Error::corrupt(
                name,
                format!("the graph has {inputs} inputs and {outputs} outputs, one of each is wanted"),
                "export it again with tadpole-trainer",
            ));
        }
        let shape = |fact: TractResult<&TypedFact>| -> TractResult<Vec<usize>> {
            let fact = fact?;
            Ok(fact.shape.eval_to_usize(&SymbolValues::default())?.to_vec())
        };
        let input_shape = shape(model.input_fact(0)).map_err(|e| bad("fix the input of", &e))?;
        let output_shape = shape(model.output_fact(0)).map_err(|e| bad("fix the output of", &e))?;
        let state = model
            .into_optimized()
            .and_then(IntoRunnable::into_runnable)
            .and_then(|plan| plan.spawn())
            .map_err(|e| bad("prepare", &e))?;
        let info = EngineInfo {
            engine: "tract",
            version: TRACT_VERSION.into(),
            provider: Provider::Cpu,
            input_shape,
            output_shape,
        };
        Ok(Self { info, name: name.into(), state })
    }

    /// Another engine of the same graph: the weights are shared, what a run needs beside them is its own.
    ///
    /// # Errors
    /// When tract refuses.
    pub fn another(&self) -> Result<Self> {
        let state = self.state.plan().spawn().map_err(|e| self.failed(format!("{e:#}")))?;
        Ok(Self { info: self.info.clone(), name: self.name.clone(), state })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> Error {
        Error::failed(
            &self.name,
            format!("tract failed: {problem}"),
            "see the journal; `tadpole model show` names the graph",
        )
    }
}

/// What tract reads and writes NNEF with: its core operators and those that ONNX graphs and transformers add.
pub fn nnef() -> Nnef {
    tract_nnef::nnef().with_onnx().with_tract_transformers()
}

/// USTAR has its name at this place; ONNX files never do.
fn is_tar(graph: &[u8]) -> bool {
    graph.get(257..262) == Some(b"ustar".as_slice())
}

impl Engine for TractEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
        let shape = &self.info.input_shape;
        let tensor = match input {
            Input::U8(data) => Tensor::from_shape(shape, data),
            Input::F32(data) => Tensor::from_shape(shape, data),
        }
        .map_err(|e| self.failed(format!("input: {e}")))?;
        let result = self.state.run(tvec!(tensor.into_tvalue())).map_err(|e| self.failed(format!("{e:#}")))?;
        let view = result[0].try_as_plain_ram().map_err(|e| self.failed(e))?;
        let values = view.as_slice::<f32>().map_err(|e| self.failed(e))?;
        if values.len() != output.len() {
            return Err(self.failed(format!("{} outputs, {} wanted", values.len(), output.len())));
        }
        output.copy_from_slice(values);
        Ok(())
    }
}
