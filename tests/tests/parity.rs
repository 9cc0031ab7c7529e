//! Exported graphs before the judge: `onnx.checker` accepts them, and burn, tract and onnxruntime agree.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;

use common::data_set;
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Engines, Input, largest_difference};
use runtime::score::step::{StepHead, StepModel};
use system_tests::{numbers, python, succeed};
use trainer::evaluate::run_scorer;
use trainer::export::step::{self, Precision};
use trainer::train::Run;

const WINDOWS: usize = 20;
const WIDTH: usize = 24;

/// What onnxruntime makes of `input`, through a script of this folder.
fn judge(python: &Path, script: &str, graph: &Path, input: &[u8]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let (given, wanted) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&given, input).unwrap();
    let script = system_tests::root().join("tests").join(script);
    let done = Command::new(python).args([&script, graph, &given, &wanted]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let bytes = std::fs::read(wanted).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    largest_difference(a, b)
}

#[test]
fn a_trained_denet_scores_alike_in_burn_tract_and_onnxruntime() {
    heads_agree("denet");
}

#[test]
fn a_trained_mil_scores_alike_in_burn_tract_and_onnxruntime() {
    heads_agree("mil");
}

#[test]
fn a_trained_mtn_scores_alike_in_burn_tract_and_onnxruntime() {
    heads_agree("mtn");
}

#[test]
fn a_trained_lanet_scores_alike_in_burn_tract_and_onnxruntime() {
    heads_agree("lanet");
}

fn heads_agree(model: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    data_set(&folder.path().join("data"), WIDTH);
    succeed("tadpole-trainer", ["train", &path("data"), "--model", model, "--out", &path("run"), "--steps", "3"]);
    succeed("tadpole-trainer", ["keygen", &path("key.pem")]);
    succeed("tadpole-trainer", ["export", &path("run"), "--out", &path("m.tadpole"), "--sign", &path("key.pem")]);
    let graph = folder.path().join("m.head.onnx");

    let windows: Vec<f32> = numbers(77, WINDOWS * 64 * WIDTH).iter().map(|x| 2.0 * x).collect();
    let run = Run::open(&folder.path().join("run")).unwrap();
    let burn = run_scorer(&run).unwrap()(&windows, WINDOWS).unwrap();
    let mut engine = TractEngine::load(&std::fs::read(&graph).unwrap(), "head").unwrap();
    let mut tract = vec![0.0; WINDOWS * 64];
    for (window, scores) in windows.chunks(64 * WIDTH).zip(tract.chunks_mut(64)) {
        engine.run(Input::F32(window), scores).unwrap();
    }
    let spread = burn.iter().fold(0.0f32, |m, &x| m.max(x)) - burn.iter().fold(1.0f32, |m, &x| m.min(x));
    assert!(spread > 1e-3, "scores that are all alike prove nothing: {spread}");
    let found = gap(&burn, &tract);
    assert!(found <= 1e-5, "burn and tract differ by {found}");
    let Some(python) = python() else { return };
    let bytes: Vec<u8> = windows.iter().flat_map(|x| x.to_le_bytes()).collect();
    let found = gap(&burn, &judge(&python, "judge.py", &graph, &bytes));
    assert!(found <= 1e-5, "burn and onnxruntime differ by {found}");

    // The int8 graphs hold the same numbers: a value on the edge between two steps may fall to either side, no more.
    let int8 = folder.path().join("m.head.int8.onnx");
    let mut engine = TractEngine::load(&std::fs::read(&int8).unwrap(), "int8 head").unwrap();
    for (window, scores) in windows.chunks(64 * WIDTH).zip(tract.chunks_mut(64)) {
        engine.run(Input::F32(window), scores).unwrap();
    }
    let found = gap(&burn, &tract);
    assert!(found > 0.0 && found <= 0.03, "float32 and tract's int8 differ by {found}");
    for name in ["m.head.int8.onnx", "m.head.qdq.onnx"] {
        let found = gap(&tract, &judge(&python, "judge.py", &folder.path().join(name), &bytes));
        assert!(found <= 5e-3, "tract's int8 and onnxruntime's {name} differ by {found}");
    }
}

/// Segment by segment: burn's full windows, our kernels, and the step graph in onnxruntime with its state kept outside.
#[test]
fn a_trained_step_scores_as_full_windows_in_our_kernels_and_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    data_set(&folder.path().join("data"), WIDTH);
    succeed("tadpole-trainer", ["train", &path("data"), "--out", &path("run"), "--steps", "3"]);
    let run = Run::open(&folder.path().join("run")).unwrap();
    let rows: Vec<f32> = numbers(78, (63 + WINDOWS) * WIDTH).iter().map(|x| 2.0 * x).collect();
    let windows: Vec<f32> = (0..WINDOWS).flat_map(|w| rows[w * WIDTH..(w + 64) * WIDTH].to_vec()).collect();
    let burn = run_scorer(&run).unwrap()(&windows, WINDOWS).unwrap();
    for look_ahead in [0, 3] {
        let expected: Vec<f32> = burn.chunks(64).map(|scores| scores[63 - look_ahead]).collect();
        let onnx = step::of_run(&run, look_ahead, Precision::Float32).unwrap().unwrap();
        let mut ours = StepHead::new(StepModel::from_onnx(&onnx).unwrap());
        let ours: Vec<f32> = rows.chunks(WIDTH).filter_map(|row| ours.push(row)).collect();
        let found = gap(&expected, &ours);
        assert!(found <= 1e-5, "look-ahead {look_ahead}: burn and our step differ by {found}");
        let Some(python) = python() else { continue };
        let file = folder.path().join("step.onnx");
        std::fs::write(&file, onnx).unwrap();
        let bytes: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
        let found = gap(&expected, &judge(&python, "judge_step.py", &file, &bytes));
        assert!(found <= 1e-5, "look-ahead {look_ahead}: burn and onnxruntime's step differ by {found}");
    }
}

#[test]
fn the_shipped_model_computes_here_what_its_maker_computed() {
    let bundle = runtime::bundle::Bundle::open(system_tests::shipped(), &runtime::bundle::demo_keys()).unwrap();
    let proof = runtime::pipeline::proof::prove(&bundle, &Engines::default()).unwrap();
    assert!(proof.step.is_some() && proof.extractor.is_some(), "{proof:?}");
}

#[test]
fn the_shipped_extractor_gives_the_same_row_in_tract_and_onnxruntime() {
    let Some(python) = python() else { return };
    let bundle = runtime::bundle::Bundle::open(system_tests::shipped(), &runtime::bundle::demo_keys()).unwrap();
    let contract = bundle.manifest.contract.input.clone().unwrap();
    let graph = bundle.require_extractor().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("extractor.onnx");
    std::fs::write(&file, graph).unwrap();
    let mut engine = TractEngine::load(graph, "extractor").unwrap();
    let width = bundle.manifest.contract.feature_width as usize;
    let (mut clips, mut ours) = (Vec::new(), Vec::new());
    for seed in 0..3 {
        let clip = firmware_config::golden::clip(seed, &contract);
        let mut row = vec![0.0; width];
        engine.run(Input::U8(&clip), &mut row).unwrap();
        clips.extend(clip);
        ours.extend(row);
    }
    let theirs = judge(&python, "judge.py", &file, &clips);
    // Rows are whitened: components of small spread are blown up to unit scale, and rounding with them.
    let found = gap(&ours, &theirs);
    println!("largest difference {found}");
    assert!(found <= 1e-4, "tract and onnxruntime differ by {found}");
    assert!(ours.iter().any(|x| x.abs() > 0.1));
}
