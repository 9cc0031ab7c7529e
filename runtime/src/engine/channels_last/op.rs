//! The [`Program`] as an operator of tract's.

use super::program::Program;
use std::sync::Arc;
use tract_onnx::prelude::*;
#[allow(clippy::wildcard_imports, reason = "tract's macros name items of this module")]
use tract_onnx::tract_core::internal::*;

/// A run of convolutions: its inputs and outputs are float32 `[n, c, h, w]`.
#[derive(Clone, Debug)]
pub struct ChannelsLast(pub Arc<Program>);

impl PartialEq for ChannelsLast {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ChannelsLast {}

impl Op for ChannelsLast {
    fn name(&self) -> StaticName {
        "ChannelsLast".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{} convolutions", self.0.steps.len())])
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for ChannelsLast {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let views =
            inputs.iter().map(|input| input.try_as_plain_ram()?.as_slice::<f32>()).collect::<TractResult<TVec<_>>>()?;
        for (view, port) in views.iter().zip(&self.0.inputs) {
            ensure!(view.len() == port.shape.iter().product::<usize>(), "expected an input of {:?}", port.shape);
        }
        let mut outputs =
            self.0.outputs.iter().map(|port| Tensor::zero::<f32>(&port.shape)).collect::<TractResult<TVec<_>>>()?;
        {
            let mut plain = outputs.iter_mut().map(Tensor::try_as_plain_ram_mut).collect::<TractResult<TVec<_>>>()?;
            let mut slices =
                plain.iter_mut().map(|view| view.as_slice_mut::<f32>()).collect::<TractResult<TVec<_>>>()?;
            self.0.run(&views, &mut slices);
        }
        Ok(outputs.into_iter().map(IntoTValue::into_tvalue).collect())
    }
}

impl TypedOp for ChannelsLast {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.len() == self.0.inputs.len(), "expected {} inputs", self.0.inputs.len());
        Ok(self.0.outputs.iter().map(|port| f32::fact(port.shape)).collect())
    }

    as_op!();
}
