//! `tadpole-trainer train DATASET --out RUN`.

use std::path::PathBuf;

use clap::Args;
use runtime::{Error, Result};
use serde_json::{Value, json};

use super::seeds::{lines, train_seeds};
use super::{Choose, Device, Preset, Run, RunFile, Settings, train};
use crate::dataset::Dataset;
use crate::dataset::text::{self, TextContract};
use crate::evaluate::table::table;
use crate::model::{Fusion, Knobs, Model, TextConfig};
use crate::progress::say;
use crate::seeds::{self, SeedRange};

/// Train a model on a data set.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// The data set's folder.
    dataset: PathBuf,
    /// The model.
    #[arg(long, value_enum, default_value = "denet")]
    model: Model,
    /// The settings to train with [default: edge; with --resume: the run's].
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// The RUN folder to make.
    #[arg(long)]
    out: PathBuf,
    /// The seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Train a run for each of these seeds (`0..4`, or `0,3,7`) into OUT/seed-N, judge each where the data set has a test list, and
    /// write mean, deviation and each to OUT/seeds.json.
    #[arg(long, value_delimiter = ',', conflicts_with = "seed")]
    seeds: Vec<SeedRange>,
    /// Where to train: cpu, ndarray (burn's reference backend), or cuda and cuda:N, an NVIDIA GPU, and cuda:N-M, several (they need a build with `--features cuda`).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// Training steps, instead of the preset's.
    #[arg(long)]
    steps: Option<u64>,
    /// Abnormal videos in a batch, and as many normal ones, instead of the preset's.
    #[arg(long)]
    pairs: Option<usize>,
    /// Adam's learning rate, instead of the preset's.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// One batch in N is made of contiguous windows, the others of whole videos (0: none), instead of the preset's.
    #[arg(long, value_name = "N")]
    window_every: Option<u64>,
    /// Decay of the moving average of the weights, which is what is kept (0: none), instead of the preset's.
    #[arg(long, value_name = "DECAY")]
    average_decay: Option<f64>,
    /// How many of a window's highest scores the ranking loss takes the mean of, instead of the preset's.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Weight of the smoothness of abnormal windows' scores, instead of the preset's.
    #[arg(long, value_name = "WEIGHT")]
    smoothness: Option<f64>,
    /// Weight of their sparsity, instead of the preset's.
    #[arg(long, value_name = "WEIGHT")]
    sparsity: Option<f64>,
    /// Share of the training videos held out for validation, 0 to 0.5, instead of the preset's.
    #[arg(long, value_name = "SHARE")]
    validation_share: Option<f64>,
    /// End a run after N assessments whose validation AUC is no higher than an earlier one's, with the weights of the best; needs
    /// held-out videos.
    #[arg(long, value_name = "N")]
    patience: Option<u64>,
    /// Learn from the training videos of this data set too, such as what `collect` brought from cameras; may be given several times. Its features
    /// must be of the same contract [default with --resume: as the run was begun].
    #[arg(long, value_name = "DIR")]
    add: Vec<PathBuf>,
    /// Learn from captions too, that `embed` has put into this data set (or folder of text) of the same videos: mtn alone, and for
    /// workstations alone, as cameras have no captions.
    #[arg(long, value_name = "DATASET")]
    text: Option<PathBuf>,
    /// How text and pictures meet [default: concat].
    #[arg(long, value_enum, requires = "text")]
    fusion: Option<Fusion>,
    /// Go on with an interrupted run, with the settings that it was begun with; --steps may be larger.
    #[arg(long)]
    resume: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

impl TrainArgs {
    /// What is gone on with: the run, or the first of the seeds' runs that was begun.
    fn begun(&self) -> Result<Option<RunFile>> {
        if !self.resume {
            return Ok(None);
        }
        let run =
            if self.seeds.is_empty() { Some(self.out.clone()) } else { seeds::runs_in(&self.out).into_iter().next() };
        run.map(|run| Ok(Run::open(&run)?.file)).transpose()
    }

    /// The preset's settings, or those of the run to go on with, with what the command line says otherwise.
    fn settings(&self, begun: Option<&RunFile>) -> Result<Settings> {
        let mut settings = match begun.map(|begun| begun.settings.clone()) {
            Some(begun) => Settings { preset: self.preset.unwrap_or(begun.preset), ..begun },
            None => self.preset.unwrap_or(Preset::Edge).settings(self.model.config()),
        };
        settings.steps = self.steps.unwrap_or(settings.steps);
        settings.pairs = self.pairs.unwrap_or(settings.pairs);
        settings.learning_rate = self.learning_rate.unwrap_or(settings.learning_rate);
        settings.window_every = self.window_every.unwrap_or(settings.window_every);
        settings.average_decay = self.average_decay.unwrap_or(settings.average_decay);
        let name = settings.model.name();
        let Knobs { top, smoothness, sparsity } = settings.model.knobs();
        set("--top", name, self.top, top)?;
        set("--smoothness", name, self.smoothness, smoothness)?;
        set("--sparsity", name, self.sparsity, sparsity)?;
        settings.validation_share = self.validation_share.unwrap_or(settings.validation_share);
        if self.patience.is_some() {
            settings.patience = self.patience;
            settings.choose = Choose::Best;
        }
        Ok(settings)
    }

    /// The data set, with the text that the model takes in, if it does, and what is added.
    fn dataset(&self, settings: &mut Settings, begun: Option<&RunFile>) -> Result<Dataset> {
        let mut dataset = Dataset::open(&self.dataset)?;
        if let Some(from) = &self.text {
            let width = TextContract::read(&text::folder(from))?.width as usize;
            let begun = settings.model.text().map(|text| text.fusion);
            let fusion = self.fusion.or(begun).unwrap_or_default();
            if !settings.model.set_text(TextConfig { width, fusion }) {
                let problem = format!("{} takes no text in", settings.model.name());
                return Err(Error::invalid("--text", problem, "use --model mtn, or leave the flag out"));
            }
            dataset.text_root.clone_from(from);
        }
        let own = if settings.model.text().is_some() { dataset.with_text()? } else { dataset };
        let kept = begun.map(|begun| begun.dataset.added_folders()).unwrap_or_default();
        let dataset = own.with_added(if self.add.is_empty() { &kept } else { &self.add })?;
        if !dataset.added.is_empty() {
            log::info!("{}", dataset.told_added(&own, settings.model.segments())?);
        }
        Ok(dataset)
    }
}

/// Give a model's setting the value of `flag`, if it was given; refused where the model has no such setting.
fn set<T>(flag: &str, model: &str, value: Option<T>, setting: Option<&mut T>) -> Result<()> {
    match (value, setting) {
        (Some(value), Some(setting)) => *setting = value,
        (Some(_), None) => {
            return Err(Error::invalid(flag, format!("{model} has no such setting"), "leave the flag out"));
        }
        (None, _) => {}
    }
    Ok(())
}

/// Run the command.
pub fn run(args: &TrainArgs) -> Result<()> {
    let begun = args.begun()?;
    let mut settings = args.settings(begun.as_ref())?;
    args.device.check()?;
    let dataset = args.dataset(&mut settings, begun.as_ref())?;
    if !args.seeds.is_empty() {
        let seeds = seeds::listed(&args.seeds)?;
        let summary = train_seeds(&dataset, &settings, &seeds, args.device, &args.out, args.resume)?;
        return say(&if args.json { summary.to_string() } else { for_people(&summary) });
    }
    let file = train(&dataset, &settings, args.seed, args.device, &args.out, args.resume)?.run.file;
    let text = if args.json {
        json!({
            "run": args.out,
            "steps": file.step,
            "seconds": file.seconds,
            "chosen_step": file.chosen_step,
            "stopped": file.stopped,
            "validation": file.validation,
            "seed": file.seed,
        })
        .to_string()
    } else {
        let validation = match file.validation {
            None => "no held-out videos".to_owned(),
            Some(auc) if auc < 0.5 => format!("validation AUC {auc:.4}, below .5: check that label 1 means abnormal"),
            Some(auc) => format!("validation AUC {auc:.4}"),
        };
        format!(
            "{}: {} steps in {:.0} s, weights of step {}, {validation}",
            args.out.display(),
            file.step,
            file.seconds,
            file.chosen_step
        )
    };
    say(&text)
}

/// Each seed's run, and the table of their mean where they were judged.
fn for_people(summary: &Value) -> String {
    let mut lines = lines(summary);
    if summary["offline"].is_object() {
        lines.push(table(summary));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_a_model_has_no_setting_for_is_refused() {
        let mut mtn = Model::Mtn.config();
        assert_eq!(mtn.name(), "mtn");
        let error = set("--top", "mtn", Some(3), mtn.knobs().top).unwrap_err();
        assert!(error.to_string().contains("mtn has no such setting"), "{error}");
        set("--top", "mtn", None, mtn.knobs().top).unwrap();
        set("--sparsity", "mtn", Some(0.5), mtn.knobs().sparsity).unwrap();
        assert_eq!(mtn.knobs().sparsity, Some(&mut 0.5));
    }
}
