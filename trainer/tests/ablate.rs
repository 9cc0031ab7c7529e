//! A study is resumed where it was cut, and a run of another study is no part of it.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::ablate::cells::Study;
use trainer::ablate::{Plan, ablate};
use trainer::model::Model;
use trainer::train::Device;

#[test]
fn finished_cells_are_kept_and_missing_ones_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let out = folder.path().join("study");
    let plan = Plan { dataset: &dataset, seeds: &[0, 1], out: &out, device: Device::Cpu, streaming: false, fps: 25.0 };
    let full = common::tiny(Model::DeNet, 5);
    let tables = ablate(&plan, &full, &[Study::Components]).unwrap();
    let (study, rows) = &tables[0];
    assert_eq!((*study, rows.len()), (Study::Components, 6));
    assert!(rows[0].offline.difference.is_none() && rows[0].runs == 2);
    for row in &rows[1..] {
        let more = row.offline.difference.as_ref().unwrap();
        let difference = row.offline.figures.frame_auc.unwrap() - rows[0].offline.figures.frame_auc.unwrap();
        assert!((more.frame_auc.unwrap() - difference).abs() < 1e-12 && more.intervals.frame_auc_interval.is_some());
    }

    let made = |cell: &str| std::fs::metadata(out.join(cell).join("seed-1/model.bin")).unwrap().modified().unwrap();
    let before = made("full");
    std::fs::remove_dir_all(out.join("baseline/seed-1")).unwrap();
    let again = ablate(&plan, &full, &[Study::Components]).unwrap();
    assert_eq!(made("full"), before);
    assert!(out.join("baseline/seed-1/model.bin").is_file());
    let aucs = |tables: &[(Study, Vec<trainer::evaluate::rows::Row>)]| -> Vec<Option<f64>> {
        tables[0].1.iter().map(|row| row.offline.figures.frame_auc).collect()
    };
    assert_eq!(aucs(&again), aucs(&tables), "the same seed is the same run");

    let error = ablate(&plan, &common::tiny(Model::DeNet, 6), &[Study::Components]).unwrap_err();
    assert!(error.to_string().contains("seed-0: was trained with other settings"), "{error}");
}
