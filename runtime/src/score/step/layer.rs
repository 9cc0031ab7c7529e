//! One fully connected layer of the step, with weights as the bundle holds them: float32 or int8. A row comes in, a row
//! goes out.

use crate::engine::kernels::int8::Room;
use crate::engine::kernels::{Int8Product, Int8Weights, Product, Weights};

/// `x [k]` to `x W + b [cols]`.
#[derive(Debug)]
pub(super) enum Layer {
    Float(Weights),
    /// The row is quantised as it comes, by its own largest magnitude.
    Int8(Int8Weights),
}

impl Layer {
    /// Length of the row that it takes.
    pub fn k(&self) -> usize {
        match self {
            Self::Float(weights) => weights.k,
            Self::Int8(weights) => weights.k,
        }
    }

    /// Length of the row that it gives.
    pub fn cols(&self) -> usize {
        match self {
            Self::Float(weights) => weights.cols,
            Self::Int8(weights) => weights.cols,
        }
    }

    /// `out = a W + b`. `room` is at least that of a row of `k`.
    pub fn run(&self, a: &[f32], room: &mut Room, out: &mut [f32]) {
        self.product(a, None, f32::NEG_INFINITY, room, out);
    }

    /// As [`Layer::run`], and nothing below zero.
    pub fn run_relu(&self, a: &[f32], room: &mut Room, out: &mut [f32]) {
        self.product(a, None, 0.0, room, out);
    }

    /// `out = a W + b + add`.
    pub fn run_add(&self, a: &[f32], add: &[f32], room: &mut Room, out: &mut [f32]) {
        self.product(a, Some(add), f32::NEG_INFINITY, room, out);
    }

    fn product(&self, a: &[f32], add: Option<&[f32]>, low: f32, room: &mut Room, out: &mut [f32]) {
        let clamp = (low, f32::INFINITY);
        match self {
            Self::Float(weights) => Product { a, weights, add, clamp, out }.run(),
            Self::Int8(weights) => Int8Product { a, weights, add, clamp, out, room }.run(),
        }
    }
}
