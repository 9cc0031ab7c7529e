//! The step's weights, out of the step graph of a bundle.
//!
//! The graph itself runs anywhere (its inputs and outputs are the state); here only its named weights are taken, packed for
//! the kernels. Refused: a graph without them, or whose sizes do not fit each other.

use std::collections::HashMap;

use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataType};
use tract_onnx::prelude::Framework as _;

use crate::engine::kernels::Weights;
use crate::window::SEGMENTS;
use crate::{Error, Result};

/// A DE-Net, ready to be stepped.
#[derive(Debug)]
pub struct StepModel {
    /// Width of a feature row.
    pub(super) features: usize,
    /// D.
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) look_ahead: usize,
    pub(super) input: InputLayer,
    pub(super) scales: Vec<Scale>,
    pub(super) fuse_bias: Vec<f32>,
    pub(super) classifier: [Weights; 3],
}

/// From a raw row to `x`.
#[derive(Debug)]
pub(super) enum InputLayer {
    /// Standardisation is folded into the projection.
    Projection(Weights),
    /// No projection: `(row - mean) * inverse deviation`.
    Standardisation { mean: Vec<f32>, inverse: Vec<f32> },
}

/// One temporal scale.
#[derive(Debug)]
pub(super) struct Scale {
    /// Segments per token.
    pub stride: usize,
    /// The token whose score is asked for.
    pub asked: usize,
    pub conv: Weights,
    pub key: Weights,
    pub value: Weights,
    /// `PE` of the asked token, `[D]`.
    pub position: Vec<f32>,
    /// `W_k PE_i + b_k`, `[N, D]`.
    pub key_position: Vec<f32>,
    /// `W_v PE_i + b_v`, `[N, D]`.
    pub value_position: Vec<f32>,
    pub query: Weights,
    pub joined: Weights,
    pub norm_attention: Norm,
    pub widen: Weights,
    pub narrow: Weights,
    pub norm_mlp: Norm,
    pub fuse: Weights,
}

#[derive(Debug)]
pub(super) struct Norm {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

impl InputLayer {
    pub(super) fn run(&self, row: &[f32], out: &mut [f32]) {
        match self {
            Self::Projection(weights) => super::product(weights, row, out, false),
            Self::Standardisation { mean, inverse } => {
                for (to, (x, (mean, inverse))) in out.iter_mut().zip(row.iter().zip(mean.iter().zip(inverse))) {
                    *to = (x - mean) * inverse;
                }
            }
        }
    }
}

impl Scale {
    /// D.
    pub(super) fn width(&self) -> usize {
        self.position.len()
    }
}

impl StepModel {
    /// Out of a step graph.
    ///
    /// # Errors
    /// Of kind `Corrupt` when it is none, or its parts do not fit each other.
    pub fn from_onnx(onnx: &[u8]) -> Result<Self> {
        let proto = tract_onnx::onnx()
            .proto_model_for_read(&mut &*onnx)
            .map_err(|error| corrupt(format!("is no ONNX graph: {error}")))?;
        let parts = Parts::of(&proto)?;
        let heads = parts.number("heads")?;
        let look_ahead = parts.number("look_ahead")?;
        let count = parts.number("scales")?;
        if count == 0 || count > 6 || look_ahead >= SEGMENTS {
            return Err(corrupt(format!("has {count} scales and a look-ahead of {look_ahead}")));
        }
        let input = if parts.has("projection") {
            InputLayer::Projection(parts.weights("projection", None, None)?)
        } else {
            InputLayer::Standardisation { mean: parts.vector("mean")?, inverse: parts.vector("inverse_deviation")? }
        };
        let (features, width) = match &input {
            InputLayer::Projection(weights) => (weights.k, weights.cols),
            InputLayer::Standardisation { mean, inverse } if mean.len() == inverse.len() => (mean.len(), mean.len()),
            InputLayer::Standardisation { .. } => {
                return Err(corrupt("has a mean and deviations of two widths".into()));
            }
        };
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(corrupt(format!("has a width of {width} and {heads} heads")));
        }
        let scales: Result<Vec<Scale>> = (0..count).map(|s| scale(&parts, s, width, look_ahead)).collect();
        let fuse_bias = parts.vector("scale1_fuse_bias")?;
        let first = parts.weights("classifier_first", Some(width), None)?;
        let second = parts.weights("classifier_second", Some(first.cols), None)?;
        let third = parts.weights("classifier_third", Some(second.cols), Some(1))?;
        if fuse_bias.len() != width {
            return Err(corrupt(format!("has a fusing bias of {} numbers", fuse_bias.len())));
        }
        Ok(Self {
            features,
            width,
            heads,
            look_ahead,
            input,
            scales: scales?,
            fuse_bias,
            classifier: [first, second, third],
        })
    }
}

fn scale(parts: &Parts<'_>, s: usize, d: usize, look_ahead: usize) -> Result<Scale> {
    let stride = 1 << s;
    let tokens = SEGMENTS / stride;
    let name = |part: &str| format!("scale{}_{part}", s + 1);
    let square = |part: &str| parts.weights(&name(part), Some(d), Some(d));
    let rows = |part: &str, rows: usize| {
        let values = parts.vector(&name(part))?;
        if values.len() == rows * d {
            Ok(values)
        } else {
            Err(corrupt(format!("has {} numbers in {}", values.len(), name(part))))
        }
    };
    let norm = |part: &str| -> Result<Norm> {
        Ok(Norm { gamma: rows(&format!("{part}_gamma"), 1)?, beta: rows(&format!("{part}_beta"), 1)? })
    };
    let widen = parts.weights(&name("widen"), Some(d), None)?;
    Ok(Scale {
        stride,
        asked: (SEGMENTS - 1 - look_ahead) / stride,
        conv: parts.weights(&name("conv"), Some(stride * d), Some(d))?,
        key: square("key")?,
        value: square("value")?,
        position: rows("position", 1)?,
        key_position: rows("key_position", tokens)?,
        value_position: rows("value_position", tokens)?,
        query: square("query")?,
        joined: square("joined")?,
        norm_attention: norm("norm_attention")?,
        narrow: parts.weights(&name("narrow"), Some(widen.cols), Some(d))?,
        widen,
        norm_mlp: norm("norm_mlp")?,
        fuse: square("fuse")?,
    })
}

fn corrupt(problem: String) -> Error {
    Error::corrupt("step graph", problem, "export it again with tadpole-trainer")
}

/// The graph's initializers by the hint in their names (`w0012_HINT`), and its metadata.
struct Parts<'a> {
    tensors: HashMap<&'a str, &'a TensorProto>,
    metadata: HashMap<&'a str, &'a str>,
}

impl<'a> Parts<'a> {
    fn of(proto: &'a ModelProto) -> Result<Self> {
        let graph = proto.graph.as_ref().ok_or_else(|| corrupt("is empty".into()))?;
        let hint = |name: &'a str| name.split_once('_').map_or(name, |(_, hint)| hint);
        Ok(Self {
            tensors: graph.initializer.iter().map(|tensor| (hint(&tensor.name), tensor)).collect(),
            metadata: proto.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect(),
        })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(format!("{name}_weight").as_str())
    }

    fn number(&self, key: &str) -> Result<usize> {
        let value = self.metadata.get(key).and_then(|value| value.parse().ok());
        value.ok_or_else(|| corrupt(format!("does not say its `{key}`")))
    }

    fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let tensor = self.tensors.get(name).ok_or_else(|| corrupt(format!("has no `{name}`")))?;
        let shape: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let (floats, rest) = tensor.raw_data.as_chunks::<4>();
        let fits = tensor.data_type == DataType::Float as i32
            && rest.is_empty()
            && shape.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim)) == Some(floats.len());
        if !fits {
            return Err(corrupt(format!("has a malformed `{name}`")));
        }
        Ok((shape, floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.tensor(name)?.1)
    }

    /// A layer `[k, cols]` with its bias (none: zeros), of the sizes that are asked for.
    fn weights(&self, name: &str, k: Option<usize>, cols: Option<usize>) -> Result<Weights> {
        let (shape, values) = self.tensor(&format!("{name}_weight"))?;
        let &[rows, columns] = &shape[..] else { return Err(corrupt(format!("has a `{name}` of shape {shape:?}"))) };
        let bias_name = format!("{name}_bias");
        let bias = if self.tensors.contains_key(bias_name.as_str()) && !name.ends_with("_fuse") {
            self.vector(&bias_name)?
        } else {
            vec![0.0; columns]
        };
        if k.is_some_and(|k| k != rows)
            || cols.is_some_and(|cols| cols != columns)
            || bias.len() != columns
            || columns == 0
        {
            return Err(corrupt(format!("has a `{name}` of shape {shape:?} that does not fit its neighbours")));
        }
        Ok(Weights::pack(rows, columns, &bias, |row, column| values[row * columns + column]))
    }
}
