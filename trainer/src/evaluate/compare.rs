//! `tadpole-trainer compare DATASET RUN...`: several models on the same test videos.
//!
//! A RUN is a run's folder, a bundle, or a folder of runs `seed-N`, which stand as one model. All are compared with the first.

use std::path::PathBuf;

use clap::Args;
use runtime::{Error, Result};
use serde_json::json;

use super::command::{check_fps, judge_path};
use super::rows::{csv, markdown, rows};
use crate::dataset::Dataset;
use crate::files::write_atomic;
use crate::progress::{bar, say};

/// Judge several models on the same test videos, and tell which differences would outlast other videos.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// The data set's folder.
    dataset: PathBuf,
    /// RUN folders, folders of `seed-N`, or bundles; the others are compared with the first.
    #[arg(required = true, num_args = 1.., value_name = "RUN|BUNDLE")]
    models: Vec<PathBuf>,
    /// Score as a camera does too, even where that takes long.
    #[arg(long)]
    streaming: bool,
    /// Frames a second of the recordings.
    #[arg(long, default_value_t = 25.0)]
    fps: f64,
    /// Also write the table into this folder: comparison.md, comparison.csv, comparison.json.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Run the command.
pub fn run(args: &CompareArgs) -> Result<()> {
    check_fps(args.fps)?;
    let dataset = Dataset::open(&args.dataset)?;
    let mut judged = Vec::with_capacity(args.models.len());
    let bar = bar(args.models.len() as u64, "comparing");
    for path in &args.models {
        bar.set_message(path.display().to_string());
        judged.push((path.display().to_string(), judge_path(path, &dataset, args.streaming, args.fps)?));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rows = rows(&judged);
    let json = json!({
        "dataset": dataset.root,
        "videos": judged[0].1.json["videos"],
        "frames": judged[0].1.json["frames"],
        "rows": rows,
    });
    let mut text = markdown(&rows, "model");
    for (name, one) in &judged {
        text.extend(one.warnings().iter().map(|warning| format!("\nwarning: {name}: {warning}\n")));
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::failed(folder.display().to_string(), format!("cannot be made: {error}"), "name another --out")
        })?;
        write_atomic(&folder.join("comparison.md"), text.as_bytes())?;
        write_atomic(&folder.join("comparison.csv"), &csv(&rows)?)?;
        write_atomic(&folder.join("comparison.json"), format!("{json:#}\n").as_bytes())?;
    }
    if args.json { say(&json.to_string()) } else { say(text.trim_end()) }
}
