//! Fifty steps on data that can be learned are enough to find what is abnormal, and when.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::evaluate::command::judge_run;
use trainer::model::Model;
use trainer::train::{Device, train};

#[test]
fn fifty_steps_learn_a_separable_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let out = folder.path().join("run");
    let run = train(&dataset, &common::tiny(Model::DeNet, 50), 1, Device::Cpu, &out, false).unwrap().run;
    assert_eq!((run.file.step, run.file.dataset.videos), (50, 24));
    assert!(run.file.validation.unwrap() > 0.9, "{:?}", run.file.validation);
    for file in ["run.json", "model.bin", "checkpoint.bin", "log.csv"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let judged = judge_run(&out, &dataset, true, 25.0).unwrap();
    let (offline, streaming) = (judged.offline.figures, judged.streaming.unwrap().figures);
    assert!(offline.frame_auc.unwrap() > 0.85, "{offline:?}");
    assert!(streaming.frame_auc.unwrap() > 0.8, "{streaming:?}");
    let interval = offline.intervals.frame_auc_interval.unwrap();
    assert!(interval[0] < offline.frame_auc.unwrap() && interval[1] <= 1.0, "{interval:?}");
    assert_eq!(judged.json["frames"], 12 * 160);
    // Where nothing abnormal belongs, too: composites of held-out videos.
    let log = std::fs::read_to_string(out.join("log.csv")).unwrap();
    assert!(log.lines().next().unwrap().ends_with("validation_composite"), "{log}");
    let composite: f64 = log.lines().last().unwrap().rsplit(',').next().unwrap().parse().unwrap();
    // A quarter of what is put in is the burst, which is all that can be told from the rest.
    assert!(composite > 0.55, "{composite}");
    assert_eq!(std::fs::read_to_string(out.join("results.jsonl")).unwrap().lines().count(), 1);

    let again = train(&dataset, &common::tiny(Model::DeNet, 50), 1, Device::Cpu, &out, false).unwrap_err();
    assert!(again.to_string().contains("holds a run already"), "{again}");
}

#[test]
fn every_other_model_learns_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    for (model, steps) in [(Model::Mil, 60), (Model::Mtn, 60), (Model::LaNet, 60)] {
        let settings = common::tiny(model, steps);
        let name = settings.model.name();
        let out = folder.path().join(name);
        let run = train(&dataset, &settings, 1, Device::Cpu, &out, false).unwrap().run;
        assert!(run.file.validation.unwrap() > 0.9, "{name}: {:?}", run.file.validation);
        let judged = judge_run(&out, &dataset, true, 25.0).unwrap();
        let (offline, streaming) = (judged.offline.figures, judged.streaming.unwrap().figures);
        if model == Model::LaNet {
            // Its causal head answers up to six segments late, which is longer than an event lasts here.
            assert!(offline.video_auc.unwrap() > 0.9, "{name}: {offline:?}");
            continue;
        }
        assert!(offline.frame_auc.unwrap() > 0.7, "{name}: {offline:?}");
        assert!(streaming.frame_auc.unwrap() > 0.65, "{name}: {streaming:?}");
    }
}
