//! A module's weights, or their gradients, by name: what another framework, or another device, is given or compared with.

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

/// One of them, in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The path of fields to it, such as `mstm.scales.0.conv.weight`.
    pub name: String,
    /// Its shape; of a fully connected layer's weight `[inputs, outputs]`.
    pub shape: Vec<usize>,
    /// Its numbers, the last dimension's fastest.
    pub values: Vec<f32>,
}

/// All weights, in the order of the fields.
pub fn weights<B: AutodiffBackend, M: AutodiffModule<B>>(module: &M) -> Vec<Parameter> {
    visited(module, None)
}

/// The gradients of those weights that have one, in the same order.
pub fn gradients<B: AutodiffBackend, M: AutodiffModule<B>>(module: &M, gradients: &GradientsParams) -> Vec<Parameter> {
    visited(module, Some(gradients))
}

fn visited<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: Option<&GradientsParams>,
) -> Vec<Parameter> {
    let mut visitor = Visitor { path: Vec::new(), gradients, found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

struct Visitor<'a> {
    path: Vec<String>,
    gradients: Option<&'a GradientsParams>,
    found: Vec<Parameter>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let data = match self.gradients {
            None => param.val().into_data(),
            Some(gradients) => match gradients.get::<B::InnerBackend, D>(param.id) {
                Some(gradient) => gradient.into_data(),
                None => return,
            },
        };
        self.found.push(Parameter {
            name: self.path.join("."),
            shape: param.val().dims().to_vec(),
            values: data.convert::<f32>().into_vec().unwrap_or_default(),
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};

    use super::*;
    use crate::model::Detector as _;
    use crate::model::denet::{DeNet, DeNetConfig};

    #[test]
    fn weights_have_the_names_of_the_fields() {
        let config = DeNetConfig { width: Some(8), segments: 8, scales: 2, heads: 2, ..DeNetConfig::default() };
        let device = burn::tensor::Device::<Flex>::default();
        let weights = weights::<Autodiff<Flex>, _>(&DeNet::<Autodiff<Flex>>::new(&config, 6, 1, &device));
        let shape = |name: &str| {
            let found: Vec<_> = weights.iter().filter(|parameter| parameter.name == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].values.len(), found[0].shape.iter().product::<usize>());
            found[0].shape.clone()
        };
        assert_eq!(shape("projection.weight"), [6, 8]);
        assert_eq!(shape("mstm.scales.1.conv.weight"), [16, 8]);
        assert_eq!(shape("mstm.scales.1.encoder.position"), [4, 8]);
        assert_eq!(shape("mstm.scales.0.encoder.norm_mlp.gamma"), [8]);
        assert_eq!(shape("mstm.scales.0.fuse.bias"), [8]);
        assert_eq!(shape("classifier.third.weight"), [32, 1]);
        // Projection, classifier, and in each scale convolution, position, six layers, two norms, and the fusing layer, whose bias
        // is the first's alone.
        assert_eq!(weights.len(), 2 + 6 + 2 * (2 + 1 + 12 + 4 + 1) + 1);
    }
}
