//! The graph under construction: values, names, weights; at the end the file's bytes.
//!
//! Every node and value is called `nNUMBER_SCOPE_OPERATOR` and every initializer `wNUMBER_HINT`. The number comes first and
//! is unique, so that no name is another's beginning: tract derives inner names by appending to ours, and two such names
//! must never meet.

use std::collections::BTreeMap;

use prost::Message;
use runtime::{Error, Result};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

use super::{IR_VERSION, OPSET};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
    /// Signed byte.
    I8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

impl ElementType {
    /// The number that ONNX gives the type.
    pub fn code(self) -> i32 {
        let kind = match self {
            Self::F32 => DataType::Float,
            Self::U8 => DataType::Uint8,
            Self::I8 => DataType::Int8,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
        };
        kind as i32
    }
}

/// A tensor in the graph: an input, an initializer, or what a node puts out. Only the builder that made it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub(super) String);

/// Builds one ONNX graph. Operators are methods, in [`super::ops`] and [`super::compose`].
///
/// A mistake (weights of the wrong length, say) does not interrupt building: the first one is reported by
/// [`GraphBuilder::finish`].
#[derive(Debug)]
pub struct GraphBuilder {
    name: String,
    doc: String,
    scope: String,
    numbered: usize,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    metadata: BTreeMap<String, String>,
    scalars: BTreeMap<u32, Value>,
    shared: BTreeMap<String, Value>,
    fault: Option<String>,
}

impl GraphBuilder {
    /// An empty graph called `name`, with `doc` for whoever opens the file.
    pub fn new(name: &str, doc: &str) -> Self {
        Self {
            name: name.into(),
            doc: doc.into(),
            scope: String::new(),
            numbered: 0,
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            metadata: BTreeMap::new(),
            scalars: BTreeMap::new(),
            shared: BTreeMap::new(),
            fault: None,
        }
    }

    /// A line of metadata, such as `license`. The last value of a key counts.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.metadata.insert(key.into(), value.into());
    }

    /// What comes next belongs to `scope` (part of the names of nodes, for people); empty for none.
    pub fn scope(&mut self, scope: &str) {
        self.scope = safe(scope);
    }

    /// A graph input of the given shape.
    pub fn input(&mut self, name: &str, kind: ElementType, shape: &[usize]) -> Value {
        if self.inputs.iter().any(|i| i.name == name) {
            self.fault(format!("input '{name}' is declared twice"));
        }
        self.inputs.push(value_info(name, kind, shape));
        Value(name.into())
    }

    /// Declares `value` as the graph output `name`. A value is best put out once; `shape` is what the graph promises.
    pub fn output(&mut self, name: &str, value: &Value, kind: ElementType, shape: &[usize]) {
        let taken = |infos: &[ValueInfoProto]| infos.iter().any(|i| i.name == name);
        if taken(&self.outputs) || taken(&self.inputs) {
            self.fault(format!("output '{name}' is declared twice"));
        }
        self.outputs.push(value_info(name, kind, shape));
        self.nodes.push(NodeProto {
            input: vec![value.0.clone()],
            output: vec![name.into()],
            name: format!("out_{}", safe(name)),
            op_type: "Identity".into(),
            ..NodeProto::default()
        });
    }

    /// Weights: `data` in row-major order, of `shape`. `hint` names them for people.
    pub fn f32s(&mut self, hint: &str, shape: &[usize], data: &[f32]) -> Value {
        let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initializer(hint, ElementType::F32, shape, data.len(), raw)
    }

    /// As [`GraphBuilder::f32s`], but stored once for all calls with the same `name`, which must pass the same data.
    pub fn shared_f32s(&mut self, name: &str, shape: &[usize], data: &[f32]) -> Value {
        if let Some(known) = self.shared.get(name) {
            return known.clone();
        }
        let made = self.f32s(name, shape, data);
        self.shared.insert(name.into(), made.clone());
        made
    }

    /// Signed bytes (quantised weights): `data` in row-major order, of `shape`.
    pub fn i8s(&mut self, hint: &str, shape: &[usize], data: &[i8]) -> Value {
        let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initializer(hint, ElementType::I8, shape, data.len(), raw)
    }

    /// Integers (shapes, indices): `data` as a vector.
    pub fn i64s(&mut self, hint: &str, data: &[i64]) -> Value {
        let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initializer(hint, ElementType::I64, &[data.len()], data.len(), raw)
    }

    /// A constant of rank 0, broadcast wherever it is used; equal constants are stored once.
    pub fn scalar(&mut self, value: f32) -> Value {
        if let Some(known) = self.scalars.get(&value.to_bits()) {
            return known.clone();
        }
        let made = self.f32s("scalar", &[], &[value]);
        self.scalars.insert(value.to_bits(), made.clone());
        made
    }

    /// Any operator with one output: what has no method of its own.
    pub fn node(&mut self, op: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        let number = self.next();
        let joint = if self.scope.is_empty() { "" } else { "_" };
        let name = format!("n{number:04}_{}{joint}{}", self.scope, op.to_lowercase());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|v| v.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.into(),
            attribute: attributes,
            ..NodeProto::default()
        });
        Value(name)
    }

    /// The file: deterministic bytes.
    ///
    /// # Errors
    /// With the first mistake made while building, or when there is no output.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if self.outputs.is_empty() {
            self.fault("it has no output".into());
        }
        if let Some(fault) = self.fault {
            return Err(Error::failed(format!("ONNX graph '{}'", self.name), fault, "mend the code that builds it"));
        }
        let graph = GraphProto {
            node: self.nodes,
            name: self.name,
            doc_string: self.doc.clone(),
            initializer: self.initializers,
            input: self.inputs,
            output: self.outputs,
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "tadpole-trainer".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: self.doc,
            graph: Some(graph),
            metadata_props: self
                .metadata
                .into_iter()
                .map(|(key, value)| StringStringEntryProto { key, value })
                .collect(),
            ..ModelProto::default()
        };
        Ok(model.encode_to_vec())
    }

    /// Notes a mistake; the first one counts.
    pub(super) fn fault(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    fn next(&mut self) -> usize {
        self.numbered += 1;
        self.numbered
    }

    fn initializer(&mut self, hint: &str, kind: ElementType, shape: &[usize], length: usize, raw: Vec<u8>) -> Value {
        if shape.iter().product::<usize>() != length {
            self.fault(format!("'{hint}' of shape {shape:?} was given {length} elements"));
        }
        let name = format!("w{:04}_{}", self.next(), safe(hint));
        self.initializers.push(TensorProto {
            dims: shape.iter().map(|&d| d as i64).collect(),
            data_type: kind.code(),
            name: name.clone(),
            raw_data: raw,
            ..TensorProto::default()
        });
        Value(name)
    }
}

/// Letters, digits and underscores only.
/// `file` with more lines of metadata: what is known only once the finished graph has run.
///
/// # Errors
/// When `file` is no ONNX model.
pub fn with_metadata(file: &[u8], lines: &[(&str, String)]) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(file)
        .map_err(|error| Error::corrupt("ONNX graph", format!("cannot be read back: {error}"), "report this"))?;
    let entry = |(key, value): &(&str, String)| StringStringEntryProto { key: (*key).into(), value: value.clone() };
    model.metadata_props.extend(lines.iter().map(entry));
    Ok(model.encode_to_vec())
}

fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn value_info(name: &str, kind: ElementType, shape: &[usize]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&d| Dimension { value: Some(dimension::Value::DimValue(d as i64)), ..Dimension::default() })
        .collect();
    let tensor = type_proto::Tensor { elem_type: kind.code(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> GraphBuilder {
        let mut g = GraphBuilder::new("t", "test");
        g.metadata("license", "none");
        g.metadata("author", "nobody");
        let x = g.input("x", ElementType::F32, &[1, 2]);
        let w = g.f32s("w / odd name", &[1, 2], &[1.0, -2.0]);
        g.scope("a.b");
        let y = g.add(&x, &w);
        g.output("y", &y, ElementType::F32, &[1, 2]);
        g
    }

    #[test]
    fn bytes_are_deterministic() {
        assert_eq!(small().finish().unwrap(), small().finish().unwrap());
    }

    #[test]
    fn names_are_safe_and_none_begins_another() {
        let bytes = small().finish().unwrap();
        let model = ModelProto::decode(bytes.as_slice()).unwrap();
        let graph = model.graph.unwrap();
        let mut names: Vec<_> = graph.node.iter().map(|n| n.name.clone()).collect();
        names.extend(graph.initializer.iter().map(|i| i.name.clone()));
        for (i, a) in names.iter().enumerate() {
            assert!(a.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{a}");
            for (j, b) in names.iter().enumerate() {
                assert!(i == j || !a.starts_with(b.as_str()), "{b} begins {a}");
            }
        }
        assert_eq!(graph.node[0].name, "n0002_a_b_add");
        assert_eq!(model.metadata_props[0].key, "author");
    }

    #[test]
    fn equal_scalars_are_stored_once() {
        let mut g = GraphBuilder::new("t", "");
        assert_eq!(g.scalar(6.0), g.scalar(6.0));
        assert_ne!(g.scalar(0.0), g.scalar(-0.0));
        assert_eq!(g.initializers.len(), 3);
    }

    #[test]
    fn mistakes_come_out_at_the_end() {
        let mut g = small();
        g.f32s("short", &[2, 2], &[1.0]);
        let error = g.finish().unwrap_err().to_string();
        assert!(error.contains("'short'") && error.contains("[2, 2]"), "{error}");

        let error = GraphBuilder::new("empty", "").finish().unwrap_err().to_string();
        assert!(error.contains("no output"), "{error}");

        let mut g = small();
        g.input("x", ElementType::F32, &[1]);
        assert!(g.finish().unwrap_err().to_string().contains("declared twice"));
    }
}
