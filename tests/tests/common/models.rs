//! Models to send: releases of the shipped one, one that is trained on the spot, and such as no camera should keep. What is wrong with the bad ones is in the
//! model itself: its graphs run, and a camera has to find out.

// Each test uses some of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;

use firmware_config::manifest::{FileEntry, FileRole};
use firmware_config::sign::SigningKey;
use prost::Message as _;
use runtime::bundle::{self, Bundle, demo_keys};
use sha2::{Digest as _, Sha256};
use system_tests::{root, shipped, succeed};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto};

/// The key of the given number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// What a model is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The shipped one.
    Good,
    /// Its golden scores are another model's.
    WrongGolden,
    /// It computes what it should, and something long besides.
    Slow,
    /// It computes what it should on its golden clip, and NaN on what a road looks like.
    NanOnTheRoad,
    /// It computes what it should on its golden clip, and has the engine panic at what a road looks like.
    PanicsOnTheRoad,
}

/// The shipped model as another release and of another kind, signed with key `by`; the file's path.
pub fn release(folder: &Path, number: u64, kind: Kind, by: u8) -> String {
    let Bundle { mut manifest, mut contents, .. } = Bundle::open(shipped(), &demo_keys()).unwrap();
    manifest.release = number;
    let file = manifest.files.iter().position(|file| file.role == FileRole::Extractor).unwrap();
    match kind {
        Kind::Good => {}
        Kind::WrongGolden => manifest.golden.head_scores[0] = 1.0 - manifest.golden.head_scores[0],
        Kind::Slow => contents[file] = slow(&contents[file], manifest.contract.feature_width as usize),
        Kind::NanOnTheRoad => {
            let golden = manifest.golden.extractor.as_ref().unwrap().row[0];
            contents[file] = nan_unless_near(&contents[file], golden);
        }
        Kind::PanicsOnTheRoad => {
            let golden = manifest.golden.extractor.as_ref().unwrap().row[0];
            contents[file] = panic_unless_near(&contents[file], golden);
        }
    }
    if let Some(input) = &mut manifest.contract.input {
        input.extractor_sha256 = hex::encode(Sha256::digest(&contents[file]));
    }
    manifest.files[file] = FileEntry::of(&manifest.files[file].name, FileRole::Extractor, &contents[file]);
    let path = folder.join(format!("release-{number}-{kind:?}-{by}.tadpole"));
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    bundle::write(&path, &manifest, &contents, &key(by)).unwrap();
    path.display().to_string()
}

/// A model that is trained now, behind the shipped extractor, as another release of the shipped model, signed with key `by`; the file's path. Two
/// simulated roads of 15 s and 20 steps teach it next to nothing, and take seconds: it is a head of its own, and that is all that matters here.
pub fn trained(folder: &Path, number: u64, by: u8) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let shipped = Bundle::open(shipped(), &demo_keys()).unwrap();
    let name = &shipped.manifest.name;
    let (graph, made, number) = (path("extractor.onnx"), path(&format!("{name}.tadpole")), number.to_string());
    std::fs::write(&graph, shipped.require_extractor().unwrap()).unwrap();
    let contract = serde_json::to_vec(&shipped.manifest.contract).unwrap();
    std::fs::write(path("extractor.contract.json"), contract).unwrap();
    let (roads, rows, run) = (path("roads"), path("rows"), path("run"));
    let demo_key = root().join("models/demo-signing-key.pem").display().to_string();
    let line = |line: &str, more: &[&str]| {
        succeed("tadpole-trainer", line.split(' ').chain(more.iter().copied()));
    };
    line("simulate --videos 2 --seed 5 --min-seconds 15 --max-seconds 16", &[&roads]);
    line("extract --extractor", &[&graph, &roads, &rows]);
    line("train --steps 20 --pairs 1 --seed 1 --validation-share 0 --out", &[&run, &rows]);
    line("export --sign", &[&demo_key, "--extractor", &graph, "--release", &number, "--out", &made, &run]);

    // The cameras trust a key of their own, and the demo key never.
    let Bundle { manifest, contents, .. } = Bundle::open(&made, &demo_keys()).unwrap();
    let head = manifest.files.iter().position(|file| file.role == FileRole::Head).unwrap();
    assert!(shipped.manifest.files.iter().all(|file| file.sha256 != manifest.files[head].sha256), "a head of its own");
    let signed = path(&format!("trained-{number}-{by}.tadpole"));
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    bundle::write(Path::new(&signed), &manifest, &contents, &key(by)).unwrap();
    signed
}

/// Matrix products beside the graph, whose result is added, made so small that it changes nothing: 50 thousand million multiplications, so that
/// a machine of any sort takes its time.
fn slow(onnx: &[u8], width: usize) -> Vec<u8> {
    const WIDTH: usize = 2048;
    const ROWS: usize = 64;
    const PRODUCTS: usize = 200;
    extended(onnx, |row, out| {
        let mut nodes = vec![node("Add", &[row, "slow_rows"], "slow_start")];
        let mut last = "slow_start".to_owned();
        for n in 0..PRODUCTS {
            let next = format!("slow_{n}");
            let weights = if n == 0 { "slow_first" } else { "slow_weights" };
            nodes.push(node("MatMul", &[&last, weights], &next));
            last = next;
        }
        nodes.push(node("ReduceMean", &[&last], "slow_mean"));
        nodes.push(node("Mul", &["slow_mean", "slow_nothing"], "slow_zero"));
        nodes.push(node("Add", &[row, "slow_zero"], out));
        let small = 1.0 / WIDTH as f32;
        let weights = vec![
            tensor("slow_first", &[width, WIDTH], small),
            tensor("slow_weights", &[WIDTH, WIDTH], small),
            tensor("slow_rows", &[ROWS, width], 0.0),
            tensor("slow_nothing", &[], 1e-12),
        ];
        (nodes, weights)
    })
}

/// `row + odd(square) / 10^9`, where `square` is that of how far the row's first number is from the golden clip's: what `odd` makes of it is nothing to
/// speak of up to `unless_near`, 1/100, and what the test is about beyond.
fn odd_unless_near(onnx: &[u8], golden: f32, odd: impl Fn(&str, &str) -> Vec<NodeProto>) -> Vec<u8> {
    extended(onnx, |row, out| {
        let mut first = node("Gather", &[row, "odd_first"], "odd_number");
        first.attribute.push(attribute("axis", 1));
        let mut nodes = vec![
            first,
            node("Sub", &["odd_number", "odd_golden"], "odd_off"),
            node("Mul", &["odd_off", "odd_off"], "odd_square"),
        ];
        nodes.extend(odd(row, "odd_square"));
        nodes.extend([node("Mul", &["odd", "odd_tiny"], "odd_small"), node("Add", &[row, "odd_small"], out)]);
        let first = TensorProto {
            name: "odd_first".into(),
            data_type: DataType::Int64 as i32,
            dims: vec![1],
            int64_data: vec![0],
            ..TensorProto::default()
        };
        let weights = vec![
            first,
            tensor("odd_golden", &[], golden),
            tensor("unless_near", &[], 0.01),
            tensor("odd_tiny", &[], 1e-9),
        ];
        (nodes, weights)
    })
}

/// The root of what is left of 1/100: none of a number below 0.
fn nan_unless_near(onnx: &[u8], golden: f32) -> Vec<u8> {
    odd_unless_near(onnx, golden, |_, square| {
        vec![node("Sub", &["unless_near", square], "odd_left"), node("Sqrt", &["odd_left"], "odd")]
    })
}

/// The row's own first number, or that of a row that there is not: tract leaves it to an array's bounds to find that out, and those panic.
fn panic_unless_near(onnx: &[u8], golden: f32) -> Vec<u8> {
    odd_unless_near(onnx, golden, |row, square| {
        let mut far = node("Cast", &["odd_is_far"], "odd_far");
        far.attribute.push(attribute("to", DataType::Int64 as i64));
        let mut taken = node("GatherElements", &[row, "odd_far"], "odd");
        taken.attribute.push(attribute("axis", 0));
        vec![node("Less", &["unless_near", square], "odd_is_far"), far, taken]
    })
}

/// The graph with nodes behind its output: they are given that value's new name, and put out the old one.
fn extended(onnx: &[u8], more: impl FnOnce(&str, &str) -> (Vec<NodeProto>, Vec<TensorProto>)) -> Vec<u8> {
    let mut model = ModelProto::decode(onnx).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let out = graph.output[0].name.clone();
    let row = format!("{out}_before");
    for name in graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output)) {
        if *name == out {
            name.clone_from(&row);
        }
    }
    let (nodes, weights) = more(&row, &out);
    graph.node.extend(nodes);
    graph.initializer.extend(weights);
    model.encode_to_vec()
}

fn node(op: &str, input: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("make_{output}"),
        op_type: op.into(),
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn attribute(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

fn tensor(name: &str, shape: &[usize], value: f32) -> TensorProto {
    TensorProto {
        name: name.into(),
        data_type: DataType::Float as i32,
        dims: shape.iter().map(|n| *n as i64).collect(),
        float_data: vec![value; shape.iter().product()],
        ..TensorProto::default()
    }
}
