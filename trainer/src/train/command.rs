//! `tadpole-trainer train DATASET --out RUN`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use runtime::{Error, Result};
use serde_json::json;

use super::{Device, Preset, Run, train};
use crate::dataset::Dataset;
use crate::model::ModelConfig;
use crate::model::denet::DeNetConfig;

/// Which model to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// The Dynamic Erasing Network.
    Denet,
}

/// Train a model on a data set.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// The data set's folder.
    dataset: PathBuf,
    /// The model.
    #[arg(long, value_enum, default_value = "denet")]
    model: Model,
    /// The settings to train with.
    #[arg(long, value_enum, default_value = "edge")]
    preset: Preset,
    /// The RUN folder to make.
    #[arg(long)]
    out: PathBuf,
    /// The seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to train.
    #[arg(long, value_enum, default_value = "cpu")]
    device: Device,
    /// Training steps, instead of the preset's.
    #[arg(long)]
    steps: Option<u64>,
    /// Go on with an interrupted run.
    #[arg(long)]
    resume: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Run the command.
pub fn run(args: &TrainArgs) -> Result<()> {
    let model = match args.model {
        Model::Denet => ModelConfig::DeNet(DeNetConfig::default()),
    };
    let mut settings = args.preset.settings(model);
    if args.resume {
        settings.steps = Run::open(&args.out)?.file.settings.steps;
    }
    if let Some(steps) = args.steps {
        settings.steps = steps;
    }
    args.device.check()?;
    let dataset = Dataset::open(&args.dataset)?;
    let file = train(&dataset, &settings, args.seed, args.device, &args.out, args.resume)?.run.file;
    let text = if args.json {
        json!({
            "run": args.out,
            "steps": file.step,
            "seconds": file.seconds,
            "chosen_step": file.chosen_step,
            "validation": file.validation,
            "seed": file.seed,
        })
        .to_string()
    } else {
        let validation = file.validation.map_or("no held-out videos".into(), |auc| format!("validation AUC {auc:.4}"));
        format!(
            "{}: {} steps in {:.0} s, weights of step {}, {validation}",
            args.out.display(),
            file.step,
            file.seconds,
            file.chosen_step
        )
    };
    writeln!(std::io::stdout(), "{text}")
        .map_err(|error| Error::failed("standard output", error.to_string(), "check where it is sent"))
}
