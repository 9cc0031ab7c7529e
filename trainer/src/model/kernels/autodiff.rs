//! The kernels as nodes of burn's gradient graph.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use super::{Kernels, NormGradients, Normalised, Rows};

fn primitive<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// A tensor's values, off the graph. Masks never carry a gradient.
fn values<B: Backend, C: CheckpointStrategy>(x: Rows<Autodiff<B, C>>) -> Rows<B> {
    tensor(<Autodiff<B, C> as AutodiffBackend>::inner(primitive(x)))
}

#[derive(Debug)]
struct Gelu;
#[derive(Debug)]
struct Softmax;
#[derive(Debug)]
struct AddNorm;

impl<B: Kernels> Backward<B, 1> for Gelu {
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, mask) = ops.state;
        if let [Some(parent)] = ops.parents {
            let grad = B::masked_gelu_backward(tensor(x), mask.map(tensor), tensor(grad));
            grads.register::<B>(parent.id, primitive(grad));
        }
    }
}

impl<B: Kernels> Backward<B, 1> for Softmax {
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (p, mask) = ops.state;
        if let [Some(parent)] = ops.parents {
            let grad = B::masked_softmax_backward(tensor(p), mask.map(tensor), tensor(grad));
            grads.register::<B>(parent.id, primitive(grad));
        }
    }
}

impl<B: Kernels> Backward<B, 4> for AddNorm {
    /// Normalised rows, inverse deviations, scale, mask.
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad: Rows<B> = tensor(grads.consume::<B>(&ops.node));
        let (rows, inverse_deviation, gamma, mask) = ops.state;
        // The output itself is not needed for the gradient.
        let rows: Rows<B> = tensor(rows);
        let state = Normalised { output: rows.clone(), rows, inverse_deviation: tensor(inverse_deviation) };
        let NormGradients { x, y, gamma, beta } = B::add_norm_backward(state, mask.map(tensor), tensor(gamma), grad);
        let all = [primitive(x), primitive(y), primitive(gamma), primitive(beta)];
        for (parent, grad) in ops.parents.into_iter().zip(all) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, grad);
            }
        }
    }
}

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn masked_gelu(x: Rows<Self>, mask: Option<Rows<Self>>) -> Rows<Self> {
        let x = primitive(x);
        let mask = mask.map(values);
        let output = primitive(B::masked_gelu(tensor(x.primitive.clone()), mask.clone()));
        tensor(match Gelu.prepare::<C>([x.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x.primitive, mask.map(primitive)), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        })
    }

    fn masked_softmax(x: Rows<Self>, mask: Option<Rows<Self>>) -> (Rows<Self>, Rows<Self>) {
        let x = primitive(x);
        let mask = mask.map(values);
        let (p, output) = B::masked_softmax(tensor(x.primitive), mask.clone());
        let (p, output) = (primitive(p), primitive(output));
        let output = match Softmax.prepare::<C>([x.node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((p.clone(), mask.map(primitive)), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (tensor(<Self as AutodiffBackend>::from_inner(p)), tensor(output))
    }

    fn add_norm(
        x: Rows<Self>,
        y: Rows<Self>,
        mask: Option<Rows<Self>>,
        gamma: Tensor<Self, 1>,
        beta: Tensor<Self, 1>,
    ) -> Normalised<Self> {
        let (x, y, gamma, beta) = (primitive(x), primitive(y), primitive(gamma), primitive(beta));
        let mask = mask.map(values);
        let result = B::add_norm(
            tensor(x.primitive),
            tensor(y.primitive),
            mask.clone(),
            tensor(gamma.primitive.clone()),
            tensor(beta.primitive),
        );
        let (rows, inverse) = (primitive(result.rows), primitive(result.inverse_deviation));
        let output = primitive(result.output);
        let nodes = [x.node, y.node, gamma.node, beta.node];
        let output = match AddNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish((rows.clone(), inverse.clone(), gamma.primitive, mask.map(primitive)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        Normalised {
            output: tensor(output),
            rows: tensor(<Self as AutodiffBackend>::from_inner(rows)),
            inverse_deviation: tensor(<Self as AutodiffBackend>::from_inner(inverse)),
        }
    }
}
