//! The benchmarks say what they promise; how fast is no test's business.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;
use system_tests::{program, python, refuse, root, shipped, succeed};

#[test]
fn a_camera_is_timed_stage_by_stage() {
    let text = succeed("tadpole", ["bench", "--seconds", "1", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let ms = |stage: &str, key: &str| report["stages"][stage][key].as_f64().unwrap();
    for stage in ["decode", "resize", "extract", "score", "alarm"] {
        assert!(ms(stage, "median_ms") <= ms(stage, "p99_ms"), "{stage}: {report}");
    }
    for stage in ["decode", "resize", "extract", "score"] {
        assert!(ms(stage, "median_ms") > 0.0, "{stage}: {report}");
    }
    assert!(report["start_ms"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["engine"], "tract");
    if cfg!(target_os = "linux") {
        let (resident, peak) = (report["resident_mb"].as_f64().unwrap(), report["peak_mb"].as_f64().unwrap());
        assert!(0.0 < resident && resident <= peak, "{report}");
    }
}

#[test]
fn heads_are_made_compared_and_timed_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(program("tadpole-trainer"))
        .current_dir(root())
        .args(["bench-heads", "--serve", "--widths", "32", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = child.stdin.take().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answer = || -> Value { serde_json::from_str(&told.next().unwrap().unwrap()).unwrap() };
    let facts = answer();
    let names = ["step_f32_32", "step_int8_32", "window_f32_32", "window_int8_32", "lite0_160"];
    for (case, name) in facts["cases"].as_array().unwrap().iter().zip(names) {
        assert_eq!(case["name"], name);
        assert!(folder.path().join(case["graph"].as_str().unwrap()).is_file(), "{facts}");
    }
    let (step, int8, clip) = (&facts["cases"][0], &facts["cases"][1], &facts["cases"][4]);
    assert!(int8["bytes"].as_u64().unwrap() * 3 < step["bytes"].as_u64().unwrap() * 2, "{facts}");
    assert!(step["largest_difference"].as_f64().unwrap() <= 1e-5, "{facts}");
    assert!(step["spread"].as_f64().unwrap() > 1e-4, "scores that are all alike prove nothing: {facts}");
    // EfficientNet-Lite0 has about 0.2 G multiply-adds at 160 x 160, and a clip is four images.
    let adds = clip["multiply_adds"].as_f64().unwrap();
    assert!((0.5e9..1.5e9).contains(&adds), "{facts}");
    for name in names {
        writeln!(asked, "{name}").unwrap();
        assert!(answer()["ms"].as_f64().unwrap() > 0.0);
    }
    drop(asked);
    assert!(child.wait().unwrap().success());
    let extractor = std::fs::read(folder.path().join("extractor.onnx")).unwrap();
    let bundle = runtime::bundle::Bundle::open(shipped(), &runtime::bundle::demo_keys()).unwrap();
    assert_eq!(bundle.extractor(), Some(&extractor[..]));
}

#[test]
fn training_steps_are_timed_and_two_backends_agree() {
    let text = succeed(
        "tadpole-trainer",
        ["bench", "--device", "ndarray", "--parity", "--width", "16", "--pairs", "16", "--steps", "1", "--json"],
    );
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["device"], "ndarray");
    for (case, name) in report["cases"].as_array().unwrap().iter().zip(["denet_paper_16", "denet_edge_16"]) {
        assert_eq!(case["name"], name);
        assert!(case["step"]["median_ms"].as_f64().unwrap() > 0.0, "{case}");
        let parity = |key: &str| case["parity"][key].as_f64().unwrap();
        assert!(parity("loss") < 1e-4 && parity("gradient") < 1e-4, "{case}");
        assert!(parity("erased_windows") > 0.0, "a step with its second pass: {case}");
    }
    // What the two compute is not the same to the last bit, and a tolerance of nothing says so.
    let none = [
        "bench",
        "--device",
        "ndarray",
        "--parity",
        "--tolerance",
        "0",
        "--width",
        "16",
        "--pairs",
        "4",
        "--steps",
        "1",
    ];
    refuse("tadpole-trainer", none, 1, &["ndarray: denet_paper_16 differs from the CPU"]);
    refuse("tadpole-trainer", ["bench", "--width", "12"], 2, &["12", "8 heads"]);
    refuse("tadpole-trainer", ["bench", "--device", "cuda:1"], 2, &["--device cuda:1", "without CUDA"]);
}

#[test]
fn pytorch_comes_to_the_same_losses() {
    let Some(python) = python() else { return };
    if !Command::new(&python).args(["-c", "import torch"]).stderr(Stdio::null()).status().unwrap().success() {
        eprintln!("SKIPPED: no PyTorch beside the judges; `cargo xtask bench --train` installs it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let first_line = |command: &mut Command| -> Value {
        let out = command.stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let mut ours = Command::new(program("tadpole-trainer"));
    ours.args(["bench", "--width", "32", "--pairs", "8", "--serve"]).arg(folder.path());
    let ours = first_line(&mut ours);
    let names = ["denet_paper_32", "denet_edge_32"];
    let mut peer = Command::new(python);
    peer.arg(root().join("xtask/peer_train.py")).arg(folder.path()).arg("cpu").args(names);
    let peer = first_line(&mut peer);
    for (case, name) in ours["cases"].as_array().unwrap().iter().zip(names) {
        assert_eq!(case["name"], name);
        let theirs = &peer["cases"][name];
        assert_eq!(case["erased_windows"][0], theirs["erased_windows"][0], "{case} {theirs}");
        for (a, b) in case["losses"].as_array().unwrap().iter().zip(theirs["losses"].as_array().unwrap()) {
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-3, "{case} {theirs}");
        }
    }
}
