//! The element-wise parts of an encoder, each as one operation with a gradient of its own: a training step on a CPU spends as
//! long in chains of small tensor operations as in matrix products.
//!
//! Every kernel works on rows `[R, D]` and takes the dropout mask along (factors of the same shape; `None` when scoring).
//!
//! | backend | implementation |
//! |---|---|
//! | the CPU backend `Flex` | [`host`]: one pass over memory, rows shared among threads, sums in a fixed order |
//! | any other | the trait's defaults: burn's own operations ([`reference`]) |
//! | `Autodiff` of either | [`autodiff`]: the backend's forward and backward kernels joined to the graph |

mod autodiff;
mod host;
pub mod reference;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Rows `[R, D]`.
pub type Rows<B> = Tensor<B, 2>;

/// What [`Kernels::add_norm`] keeps for its gradient.
#[derive(Clone, Debug)]
pub struct Normalised<B: Backend> {
    /// The output.
    pub output: Rows<B>,
    /// The normalised rows, before scale and bias.
    pub rows: Rows<B>,
    /// One over each row's deviation, `[R, 1]`.
    pub inverse_deviation: Rows<B>,
}

/// Gradients of [`Kernels::add_norm`].
#[derive(Clone, Debug)]
pub struct NormGradients<B: Backend> {
    /// For `x`.
    pub x: Rows<B>,
    /// For `y`.
    pub y: Rows<B>,
    /// For the scale `[D]`.
    pub gamma: Tensor<B, 1>,
    /// For the bias `[D]`.
    pub beta: Tensor<B, 1>,
}

/// Added to a row's variance; burn's and PyTorch's default.
pub const EPSILON: f32 = 1e-5;

/// A backend with these kernels.
pub trait Kernels: Backend {
    /// `GELU(x) mask`, in its tanh form `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
    fn masked_gelu(x: Rows<Self>, mask: Option<Rows<Self>>) -> Rows<Self> {
        reference::gelu(x, mask)
    }

    /// The gradient for `x` of [`Kernels::masked_gelu`].
    fn masked_gelu_backward(x: Rows<Self>, mask: Option<Rows<Self>>, grad: Rows<Self>) -> Rows<Self> {
        reference::gelu_backward(x, mask, grad)
    }

    /// `p = softmax(x)` along rows, and `p mask`.
    fn masked_softmax(x: Rows<Self>, mask: Option<Rows<Self>>) -> (Rows<Self>, Rows<Self>) {
        reference::softmax(x, mask)
    }

    /// The gradient for `x` of `p mask`, from [`Kernels::masked_softmax`]'s `p`.
    fn masked_softmax_backward(p: Rows<Self>, mask: Option<Rows<Self>>, grad: Rows<Self>) -> Rows<Self> {
        reference::softmax_backward(p, mask, grad)
    }

    /// `LN(x + y mask) gamma + beta`: a residual and the norm after it.
    fn add_norm(
        x: Rows<Self>,
        y: Rows<Self>,
        mask: Option<Rows<Self>>,
        gamma: Tensor<Self, 1>,
        beta: Tensor<Self, 1>,
    ) -> Normalised<Self> {
        reference::add_norm(x, y, mask, gamma, beta)
    }

    /// The gradients of [`Kernels::add_norm`]'s output; `state` is what it gave.
    fn add_norm_backward(
        state: Normalised<Self>,
        mask: Option<Rows<Self>>,
        gamma: Tensor<Self, 1>,
        grad: Rows<Self>,
    ) -> NormGradients<Self> {
        reference::add_norm_backward(state, mask, gamma, grad)
    }
}

impl Kernels for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}

#[cfg(test)]
mod tests;
