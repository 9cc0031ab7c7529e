//! The step's weights, out of the step graph of a bundle.
//!
//! The graph itself runs anywhere (its inputs and outputs are the state); here only its named weights are taken, packed for
//! the kernels: `NAME_weight` in float32, or in int8 with a `NAME_scale` per output column. Refused: a graph without them,
//! or whose sizes do not fit each other.

use std::collections::HashMap;

use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataType};
use tract_onnx::prelude::Framework as _;

use super::layer::Layer;
use crate::engine::kernels::int8::Room;
use crate::engine::kernels::{Int8Weights, Weights};
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
    pub(super) golden: Option<GoldenScore>,
    pub(super) input: InputLayer,
    pub(super) scales: Vec<Scale>,
    pub(super) classifier: [Layer; 3],
}

/// What an int8 step scores for the bundle's golden window: not quite what the float32 head does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoldenScore {
    /// The last score, as the maker's machine had it.
    pub score: f32,
    /// How far another machine may be: where its arithmetic differs in the last bit, a number rounds to the next step.
    pub tolerance: f32,
}

/// From a raw row to `x`.
#[derive(Debug)]
pub(super) struct InputLayer {
    /// Absent where it is folded into the projection.
    standardisation: Option<Standardisation>,
    /// Absent where D is the features' width.
    projection: Option<Layer>,
}

/// `(row - mean) * inverse deviation`.
#[derive(Debug)]
struct Standardisation {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

/// One temporal scale.
#[derive(Debug)]
pub(super) struct Scale {
    /// Segments per token.
    pub stride: usize,
    /// The token whose score is asked for.
    pub asked: usize,
    pub conv: Layer,
    pub key: Layer,
    pub value: Layer,
    /// `PE` of the asked token, `[D]`.
    pub position: Vec<f32>,
    /// `W_k PE_i + b_k`, `[N, D]`.
    pub key_position: Vec<f32>,
    /// `W_v PE_i + b_v`, `[N, D]`.
    pub value_position: Vec<f32>,
    pub query: Layer,
    pub joined: Layer,
    pub norm_attention: Norm,
    pub widen: Layer,
    pub narrow: Layer,
    pub norm_mlp: Norm,
    pub fuse: Layer,
}

#[derive(Debug)]
pub(super) struct Norm {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

impl InputLayer {
    /// `row [D_in]` to `x [D]`; `standard [D_in]` and `room` are for what lies between.
    pub(super) fn run(&self, row: &[f32], standard: &mut [f32], room: &mut Room, out: &mut [f32]) {
        match (&self.standardisation, &self.projection) {
            (Some(standardisation), Some(projection)) => {
                standardisation.run(row, standard);
                projection.run(standard, room, out);
            }
            (None, Some(projection)) => projection.run(row, room, out),
            (Some(standardisation), None) => standardisation.run(row, out),
            (None, None) => out.copy_from_slice(row),
        }
    }

    fn of(parts: &Parts<'_>) -> Result<Self> {
        let projection = parts.has("projection_weight").then(|| parts.layer("projection", None, None)).transpose()?;
        let standardisation = if projection.is_none() || parts.has("mean") {
            let (mean, inverse) = (parts.vector("mean")?, parts.vector("inverse_deviation")?);
            let width = projection.as_ref().map_or(mean.len(), Layer::k);
            if mean.len() != width || inverse.len() != width {
                return Err(corrupt("has a mean and deviations of another width than its rows".into()));
            }
            Some(Standardisation { mean, inverse })
        } else {
            None
        };
        Ok(Self { standardisation, projection })
    }

    /// `D_in` and D.
    fn sizes(&self) -> (usize, usize) {
        let plain = self.standardisation.as_ref().map_or(0, |standardisation| standardisation.mean.len());
        self.projection.as_ref().map_or((plain, plain), |projection| (projection.k(), projection.cols()))
    }
}

impl Standardisation {
    fn run(&self, row: &[f32], out: &mut [f32]) {
        for (to, (x, (mean, inverse))) in out.iter_mut().zip(row.iter().zip(self.mean.iter().zip(&self.inverse))) {
            *to = (x - mean) * inverse;
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
        let input = InputLayer::of(&parts)?;
        let (features, width) = input.sizes();
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(corrupt(format!("has a width of {width} and {heads} heads")));
        }
        let scales: Result<Vec<Scale>> = (0..count).map(|s| scale(&parts, s, width, look_ahead)).collect();
        let first = parts.layer("classifier_first", Some(width), None)?;
        let second = parts.layer("classifier_second", Some(first.cols()), None)?;
        let third = parts.layer("classifier_third", Some(second.cols()), Some(1))?;
        Ok(Self {
            features,
            width,
            heads,
            look_ahead,
            golden: parts.golden()?,
            input,
            scales: scales?,
            classifier: [first, second, third],
        })
    }
}

impl StepModel {
    /// Whether its large layers are int8.
    pub fn is_int8(&self) -> bool {
        self.scales.iter().any(|scale| matches!(scale.widen, Layer::Int8(_)))
    }

    /// The longest row that a layer takes in.
    pub(super) fn longest_row(&self) -> usize {
        let of_scale = |scale: &Scale| scale.conv.k().max(scale.narrow.k()).max(scale.widen.k());
        let classifier = self.classifier.iter().map(Layer::k);
        self.scales.iter().map(of_scale).chain(classifier).fold(self.features.max(self.width), usize::max)
    }
}

fn scale(parts: &Parts<'_>, s: usize, d: usize, look_ahead: usize) -> Result<Scale> {
    let stride = 1 << s;
    let tokens = SEGMENTS / stride;
    let name = |part: &str| format!("scale{}_{part}", s + 1);
    let square = |part: &str| parts.layer(&name(part), Some(d), Some(d));
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
    let widen = parts.layer(&name("widen"), Some(d), None)?;
    Ok(Scale {
        stride,
        asked: (SEGMENTS - 1 - look_ahead) / stride,
        conv: parts.layer(&name("conv"), Some(stride * d), Some(d))?,
        key: square("key")?,
        value: square("value")?,
        position: rows("position", 1)?,
        key_position: rows("key_position", tokens)?,
        value_position: rows("value_position", tokens)?,
        query: square("query")?,
        joined: square("joined")?,
        norm_attention: norm("norm_attention")?,
        narrow: parts.layer(&name("narrow"), Some(widen.cols()), Some(d))?,
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
        self.tensors.contains_key(name)
    }

    fn number(&self, key: &str) -> Result<usize> {
        let value = self.metadata.get(key).and_then(|value| value.parse().ok());
        value.ok_or_else(|| corrupt(format!("does not say its `{key}`")))
    }

    /// Present in an int8 step alone.
    fn golden(&self) -> Result<Option<GoldenScore>> {
        let number = |key: &str| {
            let number = |text: &str| text.parse().ok().filter(|x: &f32| x.is_finite());
            self.metadata.get(key).map(|text| number(text).ok_or_else(|| corrupt(format!("has a malformed `{key}`"))))
        };
        let (score, tolerance) = (number("golden_score").transpose()?, number("golden_tolerance").transpose()?);
        Ok(score.zip(tolerance).map(|(score, tolerance)| GoldenScore { score, tolerance }))
    }

    /// The tensor of this name, which must be of this type: its shape and its bytes, as many as its shape says.
    fn tensor(&self, name: &str, kind: DataType, bytes: usize) -> Result<(Vec<usize>, &'a [u8])> {
        let tensor = self.tensors.get(name).ok_or_else(|| corrupt(format!("has no `{name}`")))?;
        let shape: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let length = shape.iter().try_fold(bytes, |n, &dim| n.checked_mul(dim));
        if tensor.data_type != kind as i32 || length != Some(tensor.raw_data.len()) {
            return Err(corrupt(format!("has a malformed `{name}`")));
        }
        Ok((shape, &tensor.raw_data))
    }

    fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let (shape, bytes) = self.tensor(name, DataType::Float, 4)?;
        Ok((shape, bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.floats(name)?.1)
    }

    fn is_int8(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor.data_type == DataType::Int8 as i32)
    }

    /// A layer `[k, cols]` with its bias (none: zeros), of the sizes that are asked for.
    fn layer(&self, name: &str, k: Option<usize>, cols: Option<usize>) -> Result<Layer> {
        let weight = format!("{name}_weight");
        let sizes = |shape: &[usize]| match *shape {
            [rows, columns]
                if rows > 0 && columns > 0 && k.is_none_or(|k| k == rows) && cols.is_none_or(|n| n == columns) =>
            {
                Ok((rows, columns))
            }
            _ => Err(corrupt(format!("has a `{name}` of shape {shape:?} that does not fit its neighbours"))),
        };
        let bias = |columns: usize| {
            let bias = format!("{name}_bias");
            let bias = if self.has(&bias) { self.vector(&bias)? } else { vec![0.0; columns] };
            if bias.len() == columns {
                Ok(bias)
            } else {
                Err(corrupt(format!("has a `{name}` of {columns} columns and {} biases", bias.len())))
            }
        };
        if self.is_int8(&weight) {
            let (shape, bytes) = self.tensor(&weight, DataType::Int8, 1)?;
            let (rows, columns) = sizes(&shape)?;
            let scales = self.vector(&format!("{name}_scale"))?;
            let at = |row: usize, column: usize| bytes[row * columns + column] as i8;
            if scales.len() != columns {
                return Err(corrupt(format!("has a `{name}` of {columns} columns and {} scales", scales.len())));
            }
            let packed = Int8Weights::pack(rows, scales, bias(columns)?, at);
            return packed.map(Layer::Int8).ok_or_else(|| corrupt(format!("has a `{name}` of {rows} rows, too many")));
        }
        let (shape, values) = self.floats(&weight)?;
        let (rows, columns) = sizes(&shape)?;
        let bias = bias(columns)?;
        Ok(Layer::Float(Weights::pack(rows, columns, &bias, |row, column| values[row * columns + column])))
    }
}
