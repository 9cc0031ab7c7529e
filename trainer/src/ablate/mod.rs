//! `tadpole-trainer ablate DATASET --out DIR`: what each part of DE-Net is worth on a data set.
//!
//! ```text
//! DIR/CELL/seed-N        a RUN for each variant and seed
//! DIR/ablation.md        a table for each study, with paired differences from the full model
//! DIR/ablation.csv       the same, a line for each variant and figure
//! DIR/ablation.json      the same, with each run
//! ```
//!
//! Interrupted, the same command goes on: finished runs are judged, not trained again. Refused: runs in DIR of other settings or
//! data, and data sets without a test list. Nothing is chosen by it.

pub mod cells;
mod plan;

use std::path::PathBuf;

use clap::Args;
use runtime::Result;
use serde_json::{Value, json};

use crate::dataset::Dataset;
use crate::evaluate::command::{Judged, check_fps};
use crate::evaluate::rows::{Row, csv, markdown, rows};
use crate::files::write_atomic;
use crate::model::Model;
use crate::progress::say;
use crate::seeds::{SeedRange, listed};
use crate::train::{Device, Preset, Settings};
use cells::{Cell, Study, cells};
pub use plan::Plan;

/// Train DE-Net with parts taken away and sizes varied, and tell what each is worth on the test videos.
#[derive(Args, Clone, Debug)]
pub struct AblateArgs {
    /// The data set's folder; it needs a test list.
    dataset: PathBuf,
    /// The folder of all runs and tables; with what an earlier call left there, it goes on.
    #[arg(long)]
    out: PathBuf,
    /// A run of each variant for each of these seeds (`0..4`, or `0,3,7`).
    #[arg(long, value_delimiter = ',', default_value = "0..2")]
    seeds: Vec<SeedRange>,
    /// The tables to make.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["components", "scales", "threshold"])]
    only: Vec<Study>,
    /// The settings of the full model.
    #[arg(long, value_enum, default_value = "edge")]
    preset: Preset,
    /// Training steps of each run, instead of the preset's.
    #[arg(long)]
    steps: Option<u64>,
    /// Abnormal videos in a batch, and as many normal ones, instead of the preset's.
    #[arg(long)]
    pairs: Option<usize>,
    /// Where to train: cpu, ndarray (burn's reference backend), or cuda and cuda:N, an NVIDIA GPU, and cuda:N-M, several (they need a build with `--features cuda`).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// Score as a camera does too, even where that takes long.
    #[arg(long)]
    streaming: bool,
    /// Frames a second of the recordings.
    #[arg(long, default_value_t = 25.0)]
    fps: f64,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Run the command.
pub fn run(args: &AblateArgs) -> Result<()> {
    let mut full = args.preset.settings(Model::DeNet.config());
    full.steps = args.steps.unwrap_or(full.steps);
    full.pairs = args.pairs.unwrap_or(full.pairs);
    check_fps(args.fps)?;
    args.device.check()?;
    let dataset = Dataset::open(&args.dataset)?;
    let plan = Plan {
        dataset: &dataset,
        seeds: &listed(&args.seeds)?,
        out: &args.out,
        device: args.device,
        streaming: args.streaming,
        fps: args.fps,
    };
    let tables = ablate(&plan, &full, &args.only)?;
    let json = write(&plan, &full, &tables)?;
    if args.json { say(&json.to_string()) } else { say(page(&plan, &full, &tables).trim_end()) }
}

/// The rows of each study, the full model's first.
pub fn ablate(plan: &Plan<'_>, full: &Settings, studies: &[Study]) -> Result<Vec<(Study, Vec<Row>)>> {
    let of_study: Vec<(Study, Vec<Cell>)> =
        studies.iter().map(|&study| Ok((study, cells(full, study)?))).collect::<Result<_>>()?;
    let mut distinct: Vec<&Cell> = Vec::new();
    for cell in of_study.iter().flat_map(|(_, cells)| cells) {
        if distinct.iter().all(|other| other.name != cell.name) {
            distinct.push(cell);
        }
    }
    let judged = plan.judged(&distinct)?;
    let row = |cell: &Cell| Some((cell.title.clone(), judged.get(&cell.name)?.clone()));
    Ok(of_study
        .iter()
        .map(|(study, cells)| (*study, rows(&cells.iter().filter_map(row).collect::<Vec<(String, Judged)>>())))
        .collect())
}

/// `ablation.md`, with a heading for each study.
fn page(plan: &Plan<'_>, full: &Settings, tables: &[(Study, Vec<Row>)]) -> String {
    let mut parts = vec![format!(
        "# DE-Net on {}, part by part\n\n`{}` preset, {} steps of {} pairs, seeds {}. Every row is trained alike but for what it names; nothing \
         was chosen by these figures.\n",
        plan.dataset.root.display(),
        json!(full.preset).as_str().unwrap_or_default(),
        full.steps,
        full.pairs,
        plan.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    )];
    for (study, rows) in tables {
        parts.push(format!("## {}\n\n{}", study.title(), markdown(rows, study.column())));
    }
    parts.join("\n")
}

/// Write the three tables; returns the JSON one.
fn write(plan: &Plan<'_>, full: &Settings, tables: &[(Study, Vec<Row>)]) -> Result<Value> {
    let json = json!({
        "dataset": plan.dataset.root,
        "seeds": plan.seeds,
        "settings": full,
        "tables": tables.iter().map(|(study, rows)| json!({ "title": study.title(), "rows": rows })).collect::<Vec<_>>(),
    });
    let mut all: Vec<Row> = Vec::new();
    for (study, rows) in tables {
        all.extend(rows.iter().map(|row| Row { name: format!("{}: {}", study.title(), row.name), ..row.clone() }));
    }
    write_atomic(&plan.out.join("ablation.md"), page(plan, full, tables).as_bytes())?;
    write_atomic(&plan.out.join("ablation.csv"), &csv(&all)?)?;
    write_atomic(&plan.out.join("ablation.json"), format!("{json:#}\n").as_bytes())?;
    Ok(json)
}
