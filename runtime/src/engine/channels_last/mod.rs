//! Convolutional networks at the speed of the hardware: tract's graph with its convolutions replaced by ours.
//!
//! tract keeps channels first, where a depthwise convolution walks short rows with borders, and a 1 x 1 convolution
//! has to pack its input. [`accelerate`] gathers every run of convolutions (with the clamps and residual additions
//! between them) into one operator that keeps channels last from end to end: `rewrite` finds the runs, `program` runs
//! them over a few reused buffers, `depthwise`, `window` and [`super::kernels`] compute. What it does
//! not know it leaves to tract.
//!
//! Results equal tract's to rounding (1e-5 of the largest value), and are the same bits run after run on one CPU.

#![expect(clippy::inline_always, reason = "the kernels run inside one function compiled for the CPU's vectors")]

mod depthwise;
mod op;

mod program;
mod rewrite;

mod unit;
mod window;

pub use rewrite::accelerate;

#[cfg(test)]
mod tests;
