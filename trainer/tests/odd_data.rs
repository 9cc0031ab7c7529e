//! Data that is odd but real: swapped labels, one class, hardly any videos, features that never change. Each ends in a plain error
//! or in a run that does what it should.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use firmware_config::FeatureContract;
use trainer::dataset::{Dataset, Entry, Split, Writer};
use trainer::evaluate::command::judge_run;
use trainer::model::Model;
use trainer::train::{Choose, Device, train};

const ALL: [Model; 4] = [Model::DeNet, Model::Mil, Model::Mtn, Model::LaNet];

/// A data set of the given training videos (abnormal or not), its rows by `value(video, row, feature)`.
fn write(root: &Path, labels: &[bool], value: impl Fn(usize, usize, usize) -> f32) -> Dataset {
    let mut writer = Writer::create(root, FeatureContract::external(common::WIDTH as u32)).unwrap();
    for (i, &abnormal) in labels.iter().enumerate() {
        let rows: Vec<f32> = (0..24)
            .flat_map(|row| (0..common::WIDTH).map(move |d| (row, d)))
            .map(|(row, d)| value(i, row, d))
            .collect();
        let entry = Entry { video: format!("video{i}"), abnormal, frames: None, events: vec![] };
        writer.add(Split::Train, entry, &rows).unwrap();
    }
    writer.finish().unwrap();
    Dataset::open(root).unwrap()
}

fn wave(video: usize, row: usize, d: usize) -> f32 {
    ((video * 31 + row * 7 + d * 3) as f32 * 0.37).sin()
}

/// Truth that marks what is normal: the model is right, and its figures say the opposite.
#[test]
fn swapped_truth_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let right = common::separable(&data);
    let out = folder.path().join("run");
    train(&right, &common::tiny(Model::Mil, 60), 1, Device::Cpu, &out, false).unwrap();
    assert!(judge_run(&out, &right, false, 25.0).unwrap().warnings().is_empty());
    let all_but = |line: &str| match line.rsplit_once(',') {
        Some((start, event)) if event.contains('-') && !line.starts_with("video,") => {
            let (first, last) = event.split_once('-').unwrap();
            let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
            format!("{start},1-{};{}-160", first - 1, last + 1)
        }
        _ => line.to_owned(),
    };
    let list = std::fs::read_to_string(data.join("test.csv")).unwrap();
    std::fs::write(data.join("test.csv"), list.lines().map(all_but).collect::<Vec<_>>().join("\n")).unwrap();
    let judged = judge_run(&out, &Dataset::open(&data).unwrap(), false, 25.0).unwrap();
    assert!(judged.offline.figures.abnormal_auc.unwrap() < 0.5, "{:?}", judged.offline.figures);
    let warnings = judged.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("Check that label 1 means abnormal")), "{warnings:?}");
}

#[test]
fn a_folder_of_one_class_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, labels) in [("abnormal", [true; 3]), ("normal", [false; 3])] {
        let dataset = write(&folder.path().join(name), &labels, wave);
        let out = folder.path().join("run");
        let error = train(&dataset, &common::tiny(Model::DeNet, 2), 1, Device::Cpu, &out, false).unwrap_err();
        assert!(error.to_string().contains(&format!("lists {name} videos only")), "{error}");
        assert!(!out.exists());
    }
}

#[test]
fn one_video_of_each_class_fills_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = write(&folder.path().join("data"), &[true, false], wave);
    for model in ALL {
        let settings = common::tiny(model, 5);
        assert!(settings.pairs > 1);
        let out = folder.path().join(settings.model.name());
        let run = train(&dataset, &settings, 1, Device::Cpu, &out, false).unwrap().run;
        assert_eq!((run.file.step, run.file.validation, run.file.dataset.held_out), (5, None, 0));
    }
}

#[test]
fn features_that_never_change_teach_nothing_and_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<bool> = (0..8).map(|i| i % 2 == 1).collect();
    let some = write(&folder.path().join("some"), &labels, |v, row, d| if d < 6 { 3.0 } else { wave(v, row, d) });
    for model in ALL {
        let settings = common::tiny(model, 5);
        let out = folder.path().join(settings.model.name());
        let run = train(&some, &settings, 1, Device::Cpu, &out, false).unwrap().run;
        assert_eq!(run.file.statistics.deviation[..6], [1.0; 6]);
        let scores = trainer::evaluate::run_scorer(&run).unwrap()(&[3.0; 16 * common::WIDTH], 1).unwrap();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    }
    let all = write(&folder.path().join("all"), &labels, |_, _, _| 3.0);
    let error =
        train(&all, &common::tiny(Model::Mil, 5), 1, Device::Cpu, &folder.path().join("none"), false).unwrap_err();
    assert!(error.to_string().contains("the same features in each of"), "{error}");
}

#[test]
fn a_run_ends_early_where_validation_no_longer_improves() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let mut settings = common::tiny(Model::Mil, 400);
    settings.patience = Some(2);
    let out = folder.path().join("run");
    let error = train(&dataset, &settings, 1, Device::Cpu, &out, false).unwrap_err();
    assert!(error.to_string().contains("which `choose` does not keep"), "{error}");
    settings.choose = Choose::Best;
    let file = train(&dataset, &settings, 1, Device::Cpu, &out, false).unwrap().run.file;
    assert!(file.stopped && file.finished() && file.step < 400, "{} steps", file.step);
    assert_eq!(file.step, file.chosen_step + 2 * settings.assess_every);
    let resumed = train(&dataset, &settings, 1, Device::Cpu, &out, true).unwrap().run.file;
    assert_eq!(resumed, file, "it does not go on");
}
