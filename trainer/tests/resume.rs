//! A resumed run equals an unbroken one, bit for bit.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::model::Model;
use trainer::train::{Choose, Device, Settings, train};

#[test]
fn a_resumed_denet_equals_an_unbroken_one() {
    resumed_equals_unbroken(Model::DeNet);
}

/// It has running statistics, which are no weights.
#[test]
fn a_resumed_mtn_equals_an_unbroken_one() {
    resumed_equals_unbroken(Model::Mtn);
}

/// What is assessed and kept is the average of the weights, which is resumed beside them; and early stopping counts on.
#[test]
fn a_resumed_average_with_early_stopping_equals_an_unbroken_one() {
    resumed_as(Model::Mil, |settings| {
        settings.average_decay = 0.9;
        (settings.choose, settings.patience) = (Choose::Best, Some(100));
    });
}

fn resumed_equals_unbroken(model: Model) {
    resumed_as(model, |_| ());
}

fn resumed_as(model: Model, change: impl Fn(&mut Settings)) {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let log = |name: &str| {
        let mut lines: Vec<String> = std::fs::read_to_string(folder.path().join(name).join("log.csv"))
            .unwrap()
            .lines()
            .map(ToOwned::to_owned)
            .collect();
        // A run that was to end at step 10 assessed itself there: so does every one, 10 being a multiple of 5.
        lines.remove(0);
        lines
    };
    let settings = |steps: u64| {
        let mut settings = common::tiny(model, steps);
        change(&mut settings);
        settings
    };
    let run = |name: &str, steps: u64, resume: bool| {
        train(&dataset, &settings(steps), 4, Device::Cpu, &folder.path().join(name), resume).unwrap().run
    };
    let whole = run("whole", 20, false);
    run("parts", 10, false);
    let parts = run("parts", 20, true);
    assert_eq!(log("whole"), log("parts"));
    assert_eq!(log("whole").len(), 20);
    assert_eq!(whole.file.validation, parts.file.validation);
    assert_eq!(
        std::fs::read(folder.path().join("whole/model.bin")).unwrap().len(),
        std::fs::read(folder.path().join("parts/model.bin")).unwrap().len()
    );
    let scores = |run: &trainer::train::Run| {
        let windows: Vec<f32> = (0..16 * common::WIDTH).map(|i| (i as f32 * 0.37).sin()).collect();
        trainer::evaluate::run_scorer(run).unwrap()(&windows, 1).unwrap()
    };
    assert_eq!(scores(&whole), scores(&parts));

    if model == Model::DeNet {
        let erased = |name: &str| std::fs::read_to_string(folder.path().join(name).join("erased.csv")).unwrap();
        assert_eq!(erased("whole"), erased("parts"));
        assert_eq!(erased("whole").lines().count(), 1 + 4 * 8, "eight videos at each of four assessments");
    }

    let other = train(&dataset, &settings(30), 5, Device::Cpu, &folder.path().join("parts"), true).unwrap_err();
    assert!(other.to_string().contains("was begun with another seed"), "{other}");
}
