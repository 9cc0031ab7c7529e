//! Several seeds in one training, and several models in one comparison.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::dataset::Dataset;
use trainer::evaluate::command::judge_path;
use trainer::evaluate::rows::{markdown, rows};
use trainer::model::Model;
use trainer::train::seeds::train_seeds;
use trainer::train::{Device, Run};

#[test]
fn each_seed_is_trained_once_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let out = folder.path().join("runs");
    let settings = common::tiny(Model::Mil, 10);
    let train = |seeds: &[u64], resume| train_seeds(&dataset, &settings, seeds, Device::Cpu, &out, resume);
    let summary = train(&[3, 5], false).unwrap();
    let value = |run: usize| summary["runs"][run]["offline"]["frame_auc"].as_f64().unwrap();
    assert_ne!(value(0), value(1), "another seed is another run");
    let (mean, deviation) = (f64::midpoint(value(0), value(1)), (value(0) - value(1)).abs() / 2.0_f64.sqrt());
    assert!((summary["mean"]["offline"]["frame_auc"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((summary["deviation"]["offline"]["frame_auc"].as_f64().unwrap() - deviation).abs() < 1e-12);
    assert_eq!(summary["seeds"], serde_json::json!([3, 5]));
    let written = std::fs::read_to_string(out.join("seeds.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), summary);

    let again = train(&[5, 6], false).unwrap_err();
    assert!(again.to_string().contains("seed-5: holds a run already"), "{again}");
    assert!(!out.join("seed-6").exists(), "refused before anything is trained");
    let model = std::fs::read(out.join("seed-5/model.bin")).unwrap();
    let more = train(&[3, 5, 6], true).unwrap();
    assert_eq!(more["runs"][1], summary["runs"][1], "a finished run stays as it is");
    assert_eq!(std::fs::read(out.join("seed-5/model.bin")).unwrap(), model);
    assert_eq!(Run::open(&out.join("seed-6")).unwrap().file.seed, 6);

    let judged = [out.clone(), out.join("seed-5")]
        .map(|path| (path.display().to_string(), judge_path(&path, &dataset, false, 25.0).unwrap()));
    let rows = rows(&judged);
    assert_eq!((rows[0].runs, rows[1].runs), (3, 1));
    let more = rows[1].offline.difference.as_ref().unwrap().frame_auc.unwrap();
    let expected = judged[1].1.offline.figures.frame_auc.unwrap() - judged[0].1.offline.figures.frame_auc.unwrap();
    assert_eq!(more, expected);
    assert!(markdown(&rows, "model").contains("Offline, more than "));
}

#[test]
fn without_a_test_list_runs_are_trained_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    common::separable(&data);
    std::fs::remove_file(data.join("test.csv")).unwrap();
    let dataset = Dataset::open(&data).unwrap();
    let out = folder.path().join("runs");
    let settings = common::tiny(Model::Mil, 5);
    let summary = train_seeds(&dataset, &settings, &[0, 1], Device::Cpu, &out, false).unwrap();
    assert!(summary["offline"].is_null() && summary["mean"]["validation"].is_f64(), "{summary}");
}

#[test]
fn a_test_list_that_cannot_be_judged_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    common::separable(&data);
    let list = std::fs::read_to_string(data.join("test.csv")).unwrap();
    let without: Vec<String> = list
        .lines()
        .map(|line| if line.starts_with("video1,") { "video1,1,160,".into() } else { line.into() })
        .collect();
    std::fs::write(data.join("test.csv"), without.join("\n")).unwrap();
    let out = folder.path().join("runs");
    let settings = common::tiny(Model::Mil, 5);
    let error = train_seeds(&Dataset::open(&data).unwrap(), &settings, &[0], Device::Cpu, &out, false).unwrap_err();
    assert!(error.to_string().contains("video1: is abnormal but has no events"), "{error}");
    assert!(!out.exists());
}
