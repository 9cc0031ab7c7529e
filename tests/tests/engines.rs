//! One suite for every engine that this machine can load: the same questions, the same answers.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::data_set;
use firmware_config::config::EngineChoice;
use firmware_config::golden;
use runtime::bundle::{Bundle, demo_keys};
use runtime::engine::{Engine, Engines, Input, Provider, largest_difference};
use runtime::pipeline::proof::prove;
use system_tests::{numbers, onnxruntime, refuse, shipped, succeed};

const WIDTH: usize = 24;
const WINDOW: usize = 64 * WIDTH;

/// A graph on an engine, and how far its scores may be from float32's.
struct Candidate {
    name: &'static str,
    choice: EngineChoice,
    graph: Vec<u8>,
    tolerance: f32,
}

impl Candidate {
    fn load(&self) -> Box<dyn Engine> {
        Engines::new(self.choice).load(&self.graph, self.name).unwrap()
    }
}

/// A trained head in every form that an engine here takes. The first is tract's float32, the measure of the others.
fn candidates(folder: &Path) -> Vec<Candidate> {
    let path = |name: &str| folder.join(name).display().to_string();
    data_set(&folder.join("data"), WIDTH);
    succeed("tadpole-trainer", ["train", &path("data"), "--out", &path("run"), "--steps", "3"]);
    succeed("tadpole-trainer", ["keygen", &path("key.pem")]);
    let export = ["export", &path("run"), "--out", &path("m.tadpole"), "--sign", &path("key.pem"), "--target", "all"];
    succeed("tadpole-trainer", export);
    assert!(folder.join("m.tensorrt.tadpole").is_file());
    let dynamic =
        ["export", &path("run"), "--out", &path("d.tadpole"), "--sign", &path("key.pem"), "--activations", "dynamic"];
    succeed("tadpole-trainer", dynamic);
    let candidate = |name, choice, file: &str, tolerance| {
        let graph = std::fs::read(folder.join(file)).unwrap();
        Candidate { name, choice, graph, tolerance }
    };
    let mut all = vec![
        candidate("tract ONNX float32", EngineChoice::Tract, "m.head.onnx", 0.0),
        candidate("tract NNEF float32", EngineChoice::Tract, "m.head.nnef.tar", 1e-6),
        candidate("tract ONNX int8", EngineChoice::Tract, "m.head.int8.onnx", 0.03),
        candidate("tract NNEF int8", EngineChoice::Tract, "m.head.int8.nnef.tar", 0.03),
        candidate("tract ONNX int8, a scale for each row", EngineChoice::Tract, "d.head.int8.onnx", 0.03),
        candidate("tract NNEF int8, a scale for each row", EngineChoice::Tract, "d.head.int8.nnef.tar", 0.03),
    ];
    if onnxruntime() {
        all.push(candidate("onnxruntime float32", EngineChoice::Onnxruntime, "m.head.onnx", 1e-5));
        all.push(candidate("onnxruntime int8", EngineChoice::Onnxruntime, "m.head.qdq.onnx", 0.03));
    }
    all
}

fn scores(engine: &mut dyn Engine, window: &[f32]) -> Vec<f32> {
    let mut scores = vec![9.0; 64];
    engine.run(Input::F32(window), &mut scores).unwrap();
    scores
}

#[test]
fn every_engine_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = candidates(folder.path());
    let windows: Vec<Vec<f32>> = (0..5).map(|seed| numbers(seed, WINDOW).iter().map(|x| 2.0 * x).collect()).collect();
    let mut first = candidates[0].load();
    let expected: Vec<Vec<f32>> = windows.iter().map(|window| scores(&mut *first, window)).collect();
    for candidate in &candidates {
        let name = candidate.name;
        let mut engine = candidate.load();

        let info = engine.info().clone();
        assert_eq!((info.input_shape, info.output_shape), (vec![1, 64, WIDTH], vec![1, 64]), "{name}");
        assert_eq!(info.provider, Provider::Cpu, "{name}");
        assert!(name.starts_with(info.engine) && !info.version.is_empty(), "{name}: {} {}", info.engine, info.version);

        for (window, expected) in windows.iter().zip(&expected) {
            let found = scores(&mut *engine, window);
            let gap = largest_difference(&found, expected);
            assert!(gap <= candidate.tolerance, "{name}: {gap}");
            assert_eq!(found, scores(&mut *engine, window), "{name}: the same again");
        }
        let again = scores(&mut *candidate.load(), &windows[0]);
        assert_eq!(again, scores(&mut *engine, &windows[0]), "{name}: loaded again, the same");

        let refused = |engine: &mut dyn Engine, input: Input<'_>, outputs: usize| {
            let error = engine.run(input, &mut vec![0.0; outputs]).unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
        };
        refused(&mut *engine, Input::F32(&windows[0][1..]), 64);
        refused(&mut *engine, Input::F32(&[]), 64);
        refused(&mut *engine, Input::U8(&[0; WINDOW]), 64);
        refused(&mut *engine, Input::F32(&windows[0]), 63);
        assert_eq!(scores(&mut *engine, &windows[0]), again, "{name}: an error leaves nothing behind");

        // What a NaN becomes differs; that it harms nothing that comes after does not. `score` never lets one in.
        let mut bad = windows[0].clone();
        bad[WIDTH * 7] = f32::NAN;
        let _ = engine.run(Input::F32(&bad), &mut [0.0; 64]);
        assert_eq!(scores(&mut *engine, &windows[0]), again, "{name}: a NaN leaves nothing behind");

        for cut in [0, 1, candidate.graph.len() / 2, candidate.graph.len() - 20_000] {
            let error = Engines::new(candidate.choice).load(&candidate.graph[..cut], name).err();
            let error = error.unwrap_or_else(|| panic!("{name}: {cut} bytes were taken for a graph"));
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
}

#[test]
fn the_shipped_model_is_proved_on_every_engine() {
    let bundle = Bundle::open(shipped(), &demo_keys()).unwrap();
    let mut choices = vec![EngineChoice::Tract, EngineChoice::Auto];
    choices.extend(onnxruntime().then_some(EngineChoice::Onnxruntime));
    for choice in choices {
        let proof = prove(&bundle, &Engines::new(choice)).unwrap();
        println!("{choice}: head {:e}, step {:?}, extractor {:?}", proof.head, proof.step, proof.extractor);
    }
    // Pixels go in as bytes.
    let graph = bundle.require_extractor().unwrap();
    let clip = golden::clip(1, &bundle.manifest.contract.input.clone().unwrap());
    let mut row = vec![0.0; bundle.manifest.contract.feature_width as usize];
    assert!(Engines::default().load(graph, "x").unwrap().run(Input::F32(&[0.0; 9]), &mut row).is_err());
    Engines::default().load(graph, "x").unwrap().run(Input::U8(&clip), &mut row).unwrap();
}

#[test]
fn an_engine_that_is_not_there_is_an_error_and_never_another() {
    if !onnxruntime() {
        return;
    }
    let model = shipped().display().to_string();
    for (engine, name) in [("tensorrt", "TensorRT"), ("cuda", "CUDA")] {
        if Engines::new(engine.parse().unwrap()).load(b"", "probe").is_err_and(|e| !e.to_string().contains(name)) {
            // It is there.
            continue;
        }
        refuse("tadpole", ["model", "show", &model, "--prove", "--engine", engine], 1, &[name, "engine = "]);
    }
    let told = system_tests::run("tadpole", ["model", "show", &model, "--prove", "--engine", "auto"]);
    let log = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{log}");
    let told = system_tests::run("tadpole", ["bench", "--engine", "rten"]);
    let log = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.code() == Some(2) && log.contains("rten") && log.contains("onnxruntime"), "{log}");
}
