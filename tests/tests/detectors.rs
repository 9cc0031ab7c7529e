//! Every detector from a data set to a camera: trained for a few steps, exported, judged, proved, and replayed from its bundle.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::data_set;
use serde_json::Value;
use system_tests::{root, succeed};

const WIDTH: usize = 24;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("not one JSON object ({e}): {text}"))
}

fn from_data_to_camera(model: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    data_set(&folder.path().join("data"), WIDTH);
    // What was trained on is judged: that it comes through is all that is asked here.
    let data = folder.path().join("data");
    std::fs::copy(data.join("train.csv"), data.join("test.csv")).unwrap();
    events(&data.join("test.csv"));
    copy(&data.join("train"), &data.join("test"));
    let trained = json(&succeed(
        "tadpole-trainer",
        [
            "train",
            &path("data"),
            "--model",
            model,
            "--steps",
            "4",
            "--validation-share",
            "0.4",
            "--out",
            &path("run"),
            "--json",
        ],
    ));
    assert!(trained["validation"].is_f64(), "{trained}");
    let key = root().join("models/demo-signing-key.pem");
    succeed("tadpole-trainer", ["export", &path("run"), "--out", &path("m.tadpole"), "--sign", key.to_str().unwrap()]);

    // A bundle beside the run that it came from: the same scores, so no difference, on any resample.
    let judged = json(&succeed(
        "tadpole-trainer",
        ["evaluate", &path("run"), &path("data"), "--against", &path("m.tadpole"), "--streaming", "--json"],
    ));
    let figure = |mode: &str| judged["against"]["difference"][mode]["frame_auc"].as_f64().unwrap();
    assert!(figure("offline").abs() < 1e-3 && figure("streaming").abs() < 1e-3, "{judged}");
    let interval = judged["offline"]["frame_auc_interval"].as_array().unwrap();
    let (low, high) = (interval[0].as_f64().unwrap(), interval[1].as_f64().unwrap());
    let auc = judged["offline"]["frame_auc"].as_f64().unwrap();
    assert!(low <= auc && auc <= high && low < high, "{judged}");

    let shown = json(&succeed("tadpole", ["model", "show", &path("m.tadpole"), "--prove", "--json"]));
    assert!(shown["proved"]["head"].is_number(), "{shown}");
    assert_eq!(shown["proved"]["step"].is_number(), model == "denet", "{shown}");
    let rows = format!("features://{}", path("data/train/v1.npy"));
    let replayed = json(&succeed("tadpole", ["replay", &rows, "--model", &path("m.tadpole"), "--json"]));
    assert_eq!(replayed["segments"], 70, "{replayed}");
}

/// Give the abnormal videos their event, rows 30 to 35 of 16 frames each.
fn events(list: &Path) {
    let text = std::fs::read_to_string(list).unwrap();
    let line = |line: &str| match line.split(',').collect::<Vec<_>>()[..] {
        [video, "1", frames, _] => format!("{video},1,{frames},481-576\n"),
        _ => format!("{line}\n"),
    };
    std::fs::write(list, text.lines().map(line).collect::<String>()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn denet() {
    from_data_to_camera("denet");
}

#[test]
fn mil() {
    from_data_to_camera("mil");
}

#[test]
fn mtn() {
    from_data_to_camera("mtn");
}

#[test]
fn lanet() {
    from_data_to_camera("lanet");
}
