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
#[derive(Debug)]
pub enum Layer {
    /// A 1 x 1 convolution, with the bounds of its clamp.
    Pointwise(Arc<Weights>, (f32, f32)),
    /// A convolution with a larger window or a stride.
    Window(Window),
    /// One filter per channel.
    Depthwise(Depthwise),
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
    /// Floats of each buffer.
    pub slots: Vec<usize>,
    memory: Mutex<Vec<Memory>>,
}

/// The buffers of one run, kept for the next.
#[derive(Debug)]
struct Memory {
    slots: Vec<AlignedVec>,
    scratch: AlignedVec,
}

impl Program {
    /// A program of `steps`.
    pub fn new(inputs: Vec<Port>, outputs: Vec<Port>, steps: Vec<Step>, slots: Vec<usize>) -> Self {
        Self { inputs, outputs, steps, slots, memory: Mutex::default() }
    }

    /// Run on `inputs`, in the order of [`Self::inputs`], into `outputs`.
    pub fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        // Two threads on one program each get buffers of their own.
        let kept = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_else(|| self.allocate());
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
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    fn allocate(&self) -> Memory {
        let scratch = self.steps.iter().map(|step| match &step.layer {
            Layer::Window(window) => window.scratch(),
            Layer::Pointwise(..) | Layer::Depthwise(_) => 0,
        });
        Memory {
            slots: self.slots.iter().map(|len| AlignedVec::zeros(*len)).collect(),
            scratch: AlignedVec::zeros(scratch.max().unwrap_or(0)),
        }
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
