//! The whole road: the shipped model on simulated footage, and a model made from nothing by the commands of the README.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use system_tests::{root, shipped, succeed};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("not one JSON object ({e}): {text}"))
}

#[test]
fn the_demo_alarms_inside_the_incident() {
    let report = json(&succeed("tadpole", ["demo", "--fast", "--json"]));
    let (start, end) = (report["incident"]["start_s"].as_f64().unwrap(), report["incident"]["end_s"].as_f64().unwrap());
    let alarms = report["alarms"].as_array().unwrap();
    assert!(!alarms.is_empty(), "{report}");
    for alarm in alarms {
        let at = alarm["start_s"].as_f64().unwrap();
        assert!(start <= at && at <= end, "an alarm at {at}: {report}");
    }
    assert_eq!(report["relay_edges"], 2 * alarms.len(), "{report}");
}

#[test]
fn replay_gives_the_same_bytes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let sim = folder.path().join("road.sim");
    std::fs::write(&sim, "sim://?seed=31&seconds=24&incident=fire&at=8\n").unwrap();
    let read = |out: &str| -> Vec<Vec<u8>> {
        let out = folder.path().join(out);
        let args = ["replay", sim.to_str().unwrap(), "--json", "--threshold", "0.2", "--out", out.to_str().unwrap()];
        let report = json(&succeed("tadpole", args));
        assert_eq!(report["segments"], 37, "24 s hold 37 whole segments of 0.64 s");
        let files = ["scores.csv", "alarms.jsonl", "timeline.png"];
        files.iter().map(|name| std::fs::read(out.join(name)).unwrap()).collect()
    };
    let (first, second) = (read("one"), read("two"));
    assert!(first == second, "the same recording gives the same bytes");
    let csv = String::from_utf8_lossy(&first[0]).into_owned();
    assert!(csv.starts_with("segment,first_frame,last_frame,time_s,score\n0,1,16,0.64,"), "{csv}");
}

#[test]
fn footage_becomes_a_signed_model_that_replays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    succeed(
        "tadpole-trainer",
        ["simulate", &path("videos"), "--videos", "6", "--test", "2", "--min-seconds", "15", "--max-seconds", "16"],
    );
    // The shipped extractor, as `extractor` would have written it: its weights are not in this repository.
    let bundle = runtime::bundle::Bundle::open(shipped(), &runtime::bundle::demo_keys()).unwrap();
    std::fs::write(path("e.onnx"), bundle.require_extractor().unwrap()).unwrap();
    let contract = serde_json::to_string(&bundle.manifest.contract).unwrap();
    std::fs::write(path("e.contract.json"), contract).unwrap();

    succeed("tadpole-trainer", ["extract", &path("videos"), "--extractor", &path("e.onnx"), &path("features")]);
    // A second call finds everything done.
    succeed("tadpole-trainer", ["extract", &path("videos"), "--extractor", &path("e.onnx"), &path("features")]);
    let trained = json(&succeed(
        "tadpole-trainer",
        [
            "train",
            &path("features"),
            "--model",
            "denet",
            "--preset",
            "edge",
            "--steps",
            "2",
            "--out",
            &path("run"),
            "--json",
        ],
    ));
    assert_eq!(trained["steps"], 2);
    let judged = json(&succeed("tadpole-trainer", ["evaluate", &path("run"), &path("features"), "--json"]));
    for mode in ["offline", "streaming"] {
        assert!(judged[mode]["frame_auc"].as_f64().is_some_and(|auc| (0.0..=1.0).contains(&auc)), "{judged}");
    }
    let key = root().join("models/demo-signing-key.pem");
    succeed(
        "tadpole-trainer",
        [
            "export",
            &path("run"),
            "--extractor",
            &path("e.onnx"),
            "--out",
            &path("m.tadpole"),
            "--sign",
            key.to_str().unwrap(),
        ],
    );
    // The same model with its step in int8 is smaller, and judged graph by graph.
    succeed(
        "tadpole-trainer",
        ["export", &path("run"), "--out", &path("q.tadpole"), "--sign", key.to_str().unwrap(), "--precision", "int8"],
    );
    let judged = json(&succeed("tadpole-trainer", ["evaluate", &path("q.tadpole"), &path("features"), "--json"]));
    let graphs = judged["graphs"].as_array().unwrap();
    assert_eq!((&graphs[0]["graph"], &graphs[0]["precision"]), (&"head".into(), &"float32".into()), "{judged}");
    assert_eq!((&graphs[1]["graph"], &graphs[1]["precision"]), (&"step".into(), &"int8".into()), "{judged}");
    assert!(graphs[1]["streaming"]["frame_auc"].is_f64(), "{judged}");
    let shown = json(&succeed("tadpole", ["model", "show", &path("m.tadpole"), "--prove", "--json"]));
    assert!(shown.to_string().contains("lite0-160"), "{shown}");
    assert!(["head", "step", "extractor"].iter().all(|graph| shown["proved"][graph].is_number()), "{shown}");
    let replayed =
        json(&succeed("tadpole", ["replay", "sim://?seed=5&seconds=10", "--model", &path("m.tadpole"), "--json"]));
    assert_eq!(replayed["segments"], 15);
}

/// Real features, a short run: the figures are those of a model that has hardly begun, but they come from the whole path.
#[test]
fn fifty_steps_on_real_features() {
    let dataset = root().join("../shared/data/ucf-crime-i3d-logits");
    if !dataset.is_dir() {
        eprintln!("SKIPPED: {} is not there", dataset.display());
        return;
    }
    let (folder, dataset) = (tempfile::tempdir().unwrap(), dataset.display().to_string());
    let run = folder.path().join("run").display().to_string();
    let trained = json(&succeed(
        "tadpole-trainer",
        [
            "train", &dataset, "--model", "denet", "--preset", "edge", "--steps", "50", "--out", &run, "--seed", "0",
            "--json",
        ],
    ));
    assert_eq!(trained["steps"], 50, "{trained}");
    let judged = json(&succeed("tadpole-trainer", ["evaluate", &run, &dataset, "--json"]));
    assert_eq!(judged["videos"], 148, "{judged}");
    let auc = judged["offline"]["frame_auc"].as_f64().unwrap();
    assert!(auc > 0.6 && auc < 0.9, "chance is .5: {judged}");
}
