//! The report of a run: one file, with everything that it promises in it.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::evaluate::command::{judge_path, judge_run};
use trainer::evaluate::report;
use trainer::model::Model;
use trainer::train::seeds::train_seeds;
use trainer::train::{Device, train};

#[test]
fn a_report_shows_every_video_and_asks_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let run = folder.path().join("run");
    train(&dataset, &common::tiny(Model::DeNet, 20), 1, Device::Cpu, &run, false).unwrap();
    let judged = judge_run(&run, &dataset, true, 25.0).unwrap();
    let page = report::write(&folder.path().join("report"), &run, &dataset, &judged, 25.0).unwrap();
    let html = std::fs::read_to_string(&page).unwrap();
    for i in 0..12 {
        let title = format!("<h3>video{i}</h3>");
        assert_eq!(html.matches(&title).count() - usize::from(html.contains(&format!("of video{i} over training"))), 1);
    }
    for id in ["ranking", "alarms", "threshold", "training", "videos"] {
        assert!(html.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("name=\"viewport\""));
    for word in ["<script", "src=", "http://", "https://", "NaN", "inf"] {
        let from = html.split("</style>").nth(1).unwrap();
        assert!(!from.contains(word), "{word}");
    }
    assert_eq!(html.matches("<figure>").count(), html.matches("</figure>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
}

#[test]
fn the_mean_of_several_runs_has_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = common::separable(&folder.path().join("data"));
    let out = folder.path().join("runs");
    train_seeds(&dataset, &common::tiny(Model::Mil, 5), &[0, 1], Device::Cpu, &out, false).unwrap();
    let judged = judge_path(&out, &dataset, false, 25.0).unwrap();
    let error = report::write(&folder.path().join("report"), &out, &dataset, &judged, 25.0).unwrap_err();
    assert!(error.to_string().contains("name one of them"), "{error}");
}
