//! Our own ONNX writer: a [`GraphBuilder`] that turns calls into the bytes of a model file.
//!
//! Flows in: shapes, weights and the order of operations. Flows out: one self-contained `.onnx` file, the same bytes for the
//! same calls, that the ONNX checker, onnxruntime, TensorRT's parser and tract all accept. Refused: weights whose length is
//! not the product of their shape, a second input or output of one name, a graph without an output.
//!
//! | file | what |
//! |---|---|
//! | [`builder`] | names, inputs, outputs, initializers, `finish` |
//! | [`ops`] | one method per operator, shapes in its doc |
//! | [`compose`] | what several operators make together: linear layers, tanh-GELU, repetition along time |
//! | [`attribute`] | operator attributes |
//!
//! ```
//! use trainer::onnx::{ElementType, GraphBuilder};
//!
//! let mut g = GraphBuilder::new("double", "y = 2 x");
//! let x = g.input("x", ElementType::F32, &[1, 3]);
//! let two = g.scalar(2.0);
//! let y = g.mul(&x, &two);
//! g.output("y", &y, ElementType::F32, &[1, 3]);
//! let file: Vec<u8> = g.finish().unwrap();
//! # assert!(!file.is_empty());
//! ```

pub mod attribute;
pub mod builder;
pub mod compose;
pub mod ops;

pub use builder::{ElementType, GraphBuilder, Value, with_metadata};
pub use ops::Conv;

/// The operator set written: `LayerNormalization` is in it, and reductions still take their axes as an attribute.
pub const OPSET: i64 = 17;

/// The file format's version: the one that came with [`OPSET`] 17, which onnxruntime reads from 1.12 on.
pub const IR_VERSION: i64 = 8;

#[cfg(test)]
mod tests;
