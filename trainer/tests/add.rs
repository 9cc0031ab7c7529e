//! `train --add`: a run learns from more than its data set, says so, and goes on with the same.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use clap::Parser;
use firmware_config::FeatureContract;
use trainer::dataset::{Entry, Split, Writer};
use trainer::train::Run;
use trainer::train::command::{TrainArgs, run};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: TrainArgs,
}

/// Two false alarms, one of fewer rows than a window, and a true one.
fn collected(root: &Path) {
    let mut writer = Writer::create(root, FeatureContract::external(common::WIDTH as u32)).unwrap();
    for (i, rows) in [5, 64, 64].into_iter().enumerate() {
        let data: Vec<f32> = (0..rows * common::WIDTH).map(|n| ((n + i) as f32 * 0.7).sin()).collect();
        let entry = Entry { video: format!("pole-{i}"), abnormal: i == 2, frames: None, events: vec![] };
        writer.add(Split::Train, entry, &data).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_run_learns_from_what_is_added_and_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    common::separable(Path::new(&path("data")));
    ["marks", "more"].iter().for_each(|name| collected(Path::new(&path(name))));
    let (data, out, marks) = (path("data"), path("run"), path("marks"));
    let train = |more: &[&str]| {
        let fixed = ["train", &data, "--out", &out, "--model", "mil", "--json"];
        run(&Cli::try_parse_from(fixed.iter().chain(more)).unwrap().args)
    };
    let small = ["--steps", "2", "--pairs", "4"];
    train(&[&small[..], &["--add", &marks]].concat()).unwrap();
    let mark = || Run::open(Path::new(&out)).unwrap().file.dataset;
    let begun = mark();
    assert_eq!((begun.videos, begun.abnormal, &begun.added), (27, 13, &vec![marks.clone()]));
    // What export compares on is found again.
    assert_eq!(begun.open().unwrap().videos(Split::Train).unwrap().len(), 27);

    train(&["--resume"]).unwrap();
    train(&["--resume", "--add", &marks]).unwrap();
    assert_eq!(mark(), begun);
    // What is added must be there, and be the same.
    std::fs::remove_dir_all(Path::new(&marks).join("train")).unwrap();
    assert!(train(&["--resume"]).unwrap_err().to_string().contains("pole-0.npy"));
    let more = path("more");
    std::fs::write(Path::new(&more).join("train.csv"), "video,label,frames,events\npole-0,0,,\n").unwrap();
    let error = train(&["--resume", "--add", &more]).unwrap_err();
    assert!(error.to_string().contains("was trained on other data"), "{error}");
}
