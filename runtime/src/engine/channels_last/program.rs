//! A run of convolutions as a list of steps over a few reused buffers, all channels last.
//!
//! Flows in: tensors `[n, c, h, w]`. Flows out: tensors `[n, c, h, w]`. Between them nothing is allocated after the
//! first run, and nothing is transposed but the inputs and outputs of the whole list.

use super::depthwise::Depthwise;
use super::window::Window;
use crate::engine::kernels::product::{Product, Weights};
use crate::engine::kernels::simd::AlignedVec;
use std::sync::{Arc, Mutex, PoisonError};

/// A buffer of the program, by number.
pub type Slot = usize;

/// A tensor at the program's border: where it lies, and its shape `[n, c, h, w]` outside.
#[derive(Clone, Debug)]
pub struct Port {
    /// The buffer that holds it, as `[n, h, w, c]`.
    pub slot: Slot,
    /// `[n, c, h, w]`
    pub shape: [usize; 4],
}

/// What a step computes.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A 1 x 1 convolution, with the bounds of its clamp.
    Pointwise(Arc<Weights>, (f32, f32)),
    /// A convolution with a larger window or a stride.
    Window(Window),
    /// One filter per channel.
    Depthwise(Arc<Depthwise>),
}

/// One step: `to = clamp(layer(from) + add)`.
#[derive(Debug)]
pub struct Step {
    /// What is computed.
    pub layer: Layer,
    /// Its input.
    pub from: Slot,
    /// A tensor of the output's shape that is added before the clamp (never for a depthwise layer).
    pub add: Option<Slot>,
    /// Where the output goes; never `from` nor `add`.
    pub to: Slot,
    /// Floats of the output.
    pub len: usize,
}

/// Steps in order, and the buffers they work on.
#[derive(Debug)]
pub struct Program {
    /// What comes in.
    pub inputs: Vec<Port>,
    /// What goes out.
    pub outputs: Vec<Port>,
    /// What is done.
    pub steps: Vec<Step>,
    /// Floats of each buffer, the largest first.
    pub slots: Vec<usize>,
    pool: Arc<Pool>,
}

/// Buffers of runs that are over, for the next: one graph's programs, which run one after another, share them.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Memory>>);

/// The buffers of one run.
#[derive(Debug, Default)]
struct Memory {
    slots: Vec<AlignedVec>,
    scratch: AlignedVec,
}

impl Memory {
    /// Make every buffer as large as is asked for, if it is not yet.
    fn fit(&mut self, slots: &[usize], scratch: usize) {
        self.slots.resize_with(self.slots.len().max(slots.len()), AlignedVec::default);
        let buffers = self.slots.iter_mut().zip(slots).chain([(&mut self.scratch, &scratch)]);
        for (buffer, &len) in buffers.filter(|(buffer, len)| buffer.len() < **len) {
            *buffer = AlignedVec::zeros(len);
        }
    }
}

impl Program {
    /// A program of `steps`, on buffers from `pool`.
    pub fn new(
        mut inputs: Vec<Port>,
        mut outputs: Vec<Port>,
        mut steps: Vec<Step>,
        slots: &[usize],
        pool: Arc<Pool>,
    ) -> Self {
        // Numbered by size, so that two programs' buffers of one number are alike.
        let mut order: Vec<Slot> = (0..slots.len()).collect();
        order.sort_by_key(|slot| std::cmp::Reverse(slots[*slot]));
        let mut number = vec![0; slots.len()];
        order.iter().enumerate().for_each(|(new, old)| number[*old] = new);
        inputs.iter_mut().chain(&mut outputs).for_each(|port| port.slot = number[port.slot]);
        for step in &mut steps {
            (step.from, step.to) = (number[step.from], number[step.to]);
            step.add = step.add.map(|slot| number[slot]);
        }
        Self { inputs, outputs, steps, slots: order.iter().map(|old| slots[*old]).collect(), pool }
    }

    /// Run on `inputs`, in the order of [`Self::inputs`], into `outputs`.
    pub fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        // Two threads on one program each get buffers of their own.
        let kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_default();
        memory.fit(&self.slots, self.scratch());
        for (port, input) in self.inputs.iter().zip(inputs) {
            let [n, c, h, w] = port.shape;
            transpose(input, &mut memory.slots[port.slot][..n * c * h * w], c, h * w);
        }
        for step in &self.steps {
            step.run(&mut memory);
        }
        for (port, output) in self.outputs.iter().zip(outputs) {
            let [n, c, h, w] = port.shape;
            transpose(&memory.slots[port.slot][..n * c * h * w], output, h * w, c);
        }
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    /// Floats that the hungriest step needs beside its input and output.
    fn scratch(&self) -> usize {
        let scratch = self.steps.iter().map(|step| match &step.layer {
            Layer::Window(window) => window.scratch(),
            Layer::Pointwise(..) | Layer::Depthwise(_) => 0,
        });
        scratch.max().unwrap_or(0)
    }
}

impl Step {
    fn run(&self, memory: &mut Memory) {
        let mut to = std::mem::take(&mut memory.slots[self.to]);
        let out = &mut to[..self.len];
        let from = &memory.slots[self.from];
        let add = self.add.map(|slot| &memory.slots[slot][..self.len]);
        match &self.layer {
            Layer::Pointwise(weights, clamp) => {
                let rows = self.len / weights.cols;
                Product { a: &from[..rows * weights.k], weights, add, clamp: *clamp, out }.run();
            }
            Layer::Window(window) => {
                let images = self.len / window.output_len();
                window.run(&from[..images * window.shape.input_len()], add, out, &mut memory.scratch);
            }
            Layer::Depthwise(depthwise) => {
                let images = self.len / depthwise.output_len();
                depthwise.run(&from[..images * depthwise.input_len()], out);
            }
        }
        memory.slots[self.to] = to;
    }
}

/// Each `[rows, cols]` of `from` as `[cols, rows]` in `to`.
fn transpose(from: &[f32], to: &mut [f32], rows: usize, cols: usize) {
    const BLOCK: usize = 16;
    let images = from.chunks_exact(rows * cols).zip(to.chunks_exact_mut(rows * cols));
    for (from, to) in images {
        for row_first in (0..rows).step_by(BLOCK) {
            for col_first in (0..cols).step_by(BLOCK) {
                for col in col_first..cols.min(col_first + BLOCK) {
                    let rows_here = row_first..rows.min(row_first + BLOCK);
                    let line = &mut to[col * rows + rows_here.start..col * rows + rows_here.end];
                    for (to, row) in line.iter_mut().zip(rows_here) {
                        *to = from[row * cols + col];
                    }
                }
            }
        }
    }
}
