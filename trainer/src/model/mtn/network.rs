//! The network: `X [B, T, D]` to `X^ [B, T, D]` of as many segments, each with its neighbours at three distances and with the
//! whole window in mind.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use crate::model::convolution::{around, three};
use crate::model::{BatchNorm, Init, linear};

/// Dilations of the three convolutions.
pub const DILATIONS: [isize; 3] = [1, 2, 4];

/// A convolution `D -> D/4`, kernel 3: `BN(ReLU(Conv1d(x)))`.
#[derive(Module, Debug)]
pub struct Branch<B: Backend> {
    /// `[3 D, D/4]`.
    pub conv: Linear<B>,
    /// After ReLU.
    pub norm: BatchNorm<B>,
}

/// A non-local block: `x + BN(W (theta(x) phi(x)^T / T) g(x))`.
#[derive(Module, Debug)]
pub struct NonLocal<B: Backend> {
    /// `D/4 -> D/8`.
    pub theta: Linear<B>,
    /// `D/4 -> D/8`.
    pub phi: Linear<B>,
    /// `D/4 -> D/8`.
    pub g: Linear<B>,
    /// `W: D/8 -> D/4`.
    pub output: Linear<B>,
    /// Its scale starts at 0: the block starts as nothing.
    pub norm: BatchNorm<B>,
}

/// Multi-scale temporal network.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    /// One for each of [`DILATIONS`].
    pub branches: Vec<Branch<B>>,
    /// The fourth branch, `D -> D/4`, before its non-local block.
    pub narrow: Linear<B>,
    /// On the fourth branch.
    pub non_local: NonLocal<B>,
    /// `[3 (4 D/4), D]`: a convolution of kernel 3 over all branches.
    pub join: Linear<B>,
    /// After ReLU.
    pub norm: BatchNorm<B>,
}

/// What a training pass sees of its rows, for the running statistics; none when scoring.
pub type Seen<'a> = Option<&'a mut Vec<f32>>;

impl<B: Backend> Network<B> {
    /// New, of width `width`; Xavier weights, as in the published code of the papers.
    pub fn new(width: usize, init: &mut Init<'_, B>) -> Self {
        let (quarter, eighth) = (width / 4, width / 8);
        let unbiased = |layer: Linear<B>| Linear { bias: None, ..layer };
        let branch = |init: &mut Init<'_, B>| Branch {
            conv: init.xavier(3 * width, quarter, 3 * quarter),
            norm: BatchNorm::new(quarter, 1.0, init),
        };
        Self {
            branches: DILATIONS.iter().map(|_| branch(init)).collect(),
            narrow: unbiased(init.xavier(width, quarter, quarter)),
            non_local: NonLocal {
                theta: init.xavier(quarter, eighth, eighth),
                phi: init.xavier(quarter, eighth, eighth),
                g: init.xavier(quarter, eighth, eighth),
                output: init.xavier(eighth, quarter, quarter),
                norm: BatchNorm::new(quarter, 0.0, init),
            },
            join: unbiased(init.xavier(3 * 4 * quarter, width, 3 * width)),
            norm: BatchNorm::new(width, 1.0, init),
        }
    }

    /// `[B, T, D]` to `[B, T, D]`.
    pub fn forward(&self, x: Tensor<B, 3>, mut seen: Seen<'_>) -> Tensor<B, 3> {
        let mut parts = Vec::with_capacity(4);
        for (branch, dilation) in self.branches.iter().zip(DILATIONS) {
            let y = relu(linear(&branch.conv, around(&x, &three(dilation))));
            parts.push(branch.norm.forward(y, seen.as_deref_mut()));
        }
        let narrow = relu(linear(&self.narrow, x.clone()));
        parts.push(self.non_local.forward(narrow, seen.as_deref_mut()));
        let joined = relu(linear(&self.join, around(&Tensor::cat(parts, 2), &three(1))));
        self.norm.forward(joined, seen) + x
    }

    /// With what a training pass saw taken in; what of it is others' is returned.
    pub fn observed(mut self, seen: &[f32]) -> (Self, &[f32]) {
        let mut rest = seen;
        let mut take = |norm: BatchNorm<B>| {
            let (norm, left) = norm.observed(rest);
            rest = left;
            norm
        };
        self.branches = self.branches.into_iter().map(|branch| Branch { norm: take(branch.norm), ..branch }).collect();
        self.non_local.norm = take(self.non_local.norm);
        self.norm = take(self.norm);
        (self, rest)
    }
}

impl<B: Backend> NonLocal<B> {
    /// `[B, T, D/4]` to `[B, T, D/4]`.
    pub fn forward(&self, x: Tensor<B, 3>, seen: Seen<'_>) -> Tensor<B, 3> {
        let segments = x.dims()[1] as f64;
        let theta = linear(&self.theta, x.clone());
        let phi = linear(&self.phi, x.clone());
        let pairs = theta.matmul(phi.swap_dims(1, 2)) / segments;
        let gathered = pairs.matmul(linear(&self.g, x.clone()));
        self.norm.forward(linear(&self.output, gathered), seen) + x
    }
}
