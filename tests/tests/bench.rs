//! The benchmarks say what they promise; how fast is no test's business.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;
use system_tests::{program, root, shipped, succeed};

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
