//! The training loop.

use std::path::Path;
use std::time::Instant;

use burn::module::{AutodiffModule, Module as _};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, Optimizer};
use burn::tensor::backend::AutodiffBackend;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

use super::assess::{Validation, assess};
use super::average::averaged;
use super::device::Work;
use super::parallel::{Step, gradients};
use super::run::{FORMAT, Run, RunFile, from_bytes, to_bytes};
use super::{Choose, DatasetMark, Device, Schedule, Settings, TrainingSet, watch};
use crate::dataset::Dataset;
use crate::files::{read_parts, write_atomic, write_parts};
use crate::model::kernels::Kernels;
use crate::model::{Detector, with_model};
use crate::progress::below;

/// What a training came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The RUN folder, with its `run.json`.
    pub run: Run,
}

/// Train on `dataset` into the folder `out`: a new run, or with `resume` the rest of an interrupted one (its settings
/// are then `run.json`'s; only `settings.steps` may be larger).
pub fn train(
    dataset: &Dataset,
    settings: &Settings,
    seed: u64,
    device: Device,
    out: &Path,
    resume: bool,
) -> Result<Outcome> {
    settings.check()?;
    device.check()?;
    if settings.model.text().is_some() && !dataset.has_text() {
        let problem = format!("is read without text, which {} takes in", settings.model.name());
        return Err(Error::invalid(dataset.root.display().to_string(), problem, "name its text with --text"));
    }
    let set = TrainingSet::load(dataset, settings, seed)?;
    let run =
        if resume { resumed(out, settings, seed, &set)? } else { new_run(dataset, settings, seed, device, out, &set)? };
    device.run(Learning { run, set: &set, resume })
}

/// A run to learn, on whichever device.
struct Learning<'a> {
    run: Run,
    set: &'a TrainingSet,
    resume: bool,
}

impl Work for Learning<'_> {
    type Output = Outcome;

    fn on<B>(self, devices: &[B::Device]) -> Result<Outcome>
    where
        B: AutodiffBackend + Kernels,
        B::InnerBackend: Kernels,
    {
        let Self { run, set, resume } = self;
        let settings = run.file.settings.clone();
        with_model!(&settings.model, |Model, config| learn::<B, Model<B>>(run, config, set, resume, devices))
    }
}

/// A new RUN folder; an existing one is refused.
fn new_run(
    dataset: &Dataset,
    settings: &Settings,
    seed: u64,
    device: Device,
    out: &Path,
    set: &TrainingSet,
) -> Result<Run> {
    let name = out.display().to_string();
    if out.join("run.json").exists() {
        return Err(Error::invalid(name, "holds a run already", "go on with --resume, or name another --out"));
    }
    std::fs::create_dir_all(out)
        .map_err(|error| Error::failed(name, format!("cannot be made: {error}"), "name another --out"))?;
    let run = Run {
        path: out.to_path_buf(),
        file: RunFile {
            format: FORMAT,
            trainer: env!("CARGO_PKG_VERSION").into(),
            burn: "0.21.0".into(),
            device,
            seed,
            settings: settings.clone(),
            dataset: DatasetMark {
                path: dataset.root.display().to_string(),
                added: dataset.added.iter().map(|root| root.display().to_string()).collect(),
                sha256: set.sha256.clone(),
                videos: set.len(),
                abnormal: set.abnormal(),
                held_out: set.plan.held_out.len(),
            },
            contract: dataset.contract.clone(),
            step: 0,
            chosen_step: 0,
            validation: None,
            stopped: false,
            seconds: 0.0,
            statistics: set.statistics.clone(),
        },
    };
    run.save()?;
    Ok(run)
}

/// The run to go on with; refused if its data or settings are others.
fn resumed(out: &Path, settings: &Settings, seed: u64, set: &TrainingSet) -> Result<Run> {
    let mut run = Run::open(out)?;
    let name = out.join("run.json").display().to_string();
    if run.file.dataset.sha256 != set.sha256 {
        let remedy = "name the data set that it began with; what was added to it must be as it was then";
        return Err(Error::invalid(name, "was trained on other data", remedy));
    }
    let same = Settings { steps: settings.steps, ..run.file.settings.clone() } == *settings;
    if run.file.seed != seed || !same {
        return Err(Error::invalid(
            name,
            "was begun with another seed, model or preset",
            "resume with those, or begin another run",
        ));
    }
    let steps = settings.steps.max(run.file.step);
    if settings.schedule != Schedule::Constant && steps != run.file.settings.steps {
        return Err(Error::invalid(
            name,
            format!("has a learning rate that falls until step {}", run.file.settings.steps),
            "resume with as many steps, or begin another run",
        ));
    }
    run.file.settings.steps = steps;
    Ok(run)
}

/// One line of `log.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Steps done.
    pub step: u64,
    /// Of the step's batch.
    pub loss: f32,
    /// Abnormal windows of the batch of which something was erased.
    pub erased_windows: usize,
    /// Segments erased in all.
    pub erased_segments: usize,
    /// AUC of held-out videos; at assessments, where there are any.
    pub validation: Option<f64>,
    /// AUC of their segments.
    #[serde(default)]
    pub validation_segments: Option<f64>,
    /// AUC of composites' segments.
    #[serde(default)]
    pub validation_composite: Option<f64>,
}

/// `log.csv` of a run.
pub fn read_log(run: &Run) -> Result<Vec<LogLine>> {
    let path = run.path.join("log.csv");
    let corrupt = |error: csv::Error| {
        Error::corrupt(path.display().to_string(), error.to_string(), "go on with the run: it is written anew")
    };
    csv::Reader::from_path(&path).map_err(corrupt)?.deserialize::<LogLine>().collect::<Result<_, _>>().map_err(corrupt)
}

fn learn<B, M>(
    mut run: Run,
    config: &M::Config,
    set: &TrainingSet,
    resume: bool,
    devices: &[B::Device],
) -> Result<Outcome>
where
    B: AutodiffBackend,
    M: Detector<B> + AutodiffModule<B>,
    M::InnerModule: Detector<B::InnerBackend>,
    M::Config: Sync,
{
    let settings = run.file.settings.clone();
    let seed = run.file.seed;
    let device = &devices[0];
    let mut model = M::new(config, run.features(), seed, device);
    let decay = (settings.weight_decay > 0.0).then(|| WeightDecayConfig::new(settings.weight_decay));
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init::<B, M>();
    let mut log: Vec<LogLine> = Vec::new();
    let checkpoint = run.path.join("checkpoint.bin");
    let mut average = model.valid();
    if resume && checkpoint.exists() {
        let [weights, mean, moments, lines] = read_parts(&checkpoint)?;
        model = model.load_record(from_bytes(weights, &checkpoint, device)?);
        average = average.load_record(from_bytes(mean, &checkpoint, device)?);
        optimizer = optimizer.load_record(from_bytes(moments, &checkpoint, device)?);
        log = serde_json::from_slice(&lines)
            .map_err(|error| Error::corrupt(checkpoint.display().to_string(), error.to_string(), "train again"))?;
    }
    let first = log.len() as u64;
    let mut watched = if first > 0 { watch::read(&run.path, first)? } else { Vec::new() };
    let bar = progress_bar(settings.steps, first);
    let parts = run.file.device.parts();
    let (began, before) = (Instant::now(), run.file.seconds);
    for step in first..settings.steps {
        if run.file.stopped {
            break;
        }
        let batch = set.batch(&settings, seed, step)?;
        let Step { loss, erased_windows, erased_segments, seen, gradients } =
            gradients(&model, config, &batch, (seed, step), parts, devices)?;
        if !loss.is_finite() {
            return Err(Error::failed(
                format!("step {}", step + 1),
                format!("the loss is {loss}"),
                "lower the learning rate",
            ));
        }
        let rate = settings.learning_rate * settings.schedule.factor(step, settings.steps);
        model = optimizer.step(rate, model, gradients).observed(&seen);
        let done = step + 1;
        average = averaged(average, &model.valid(), settings.average_decay, done);
        let mut line = LogLine { step: done, loss, erased_windows, erased_segments, ..LogLine::default() };
        bar.set_message(format!("loss {loss:.4}"));
        bar.inc(1);
        if done % settings.assess_every == 0 || done == settings.steps {
            let Validation { videos, segments, composite } =
                assess(&average, set, settings.model.segments(), seed, device)?;
            (line.validation, line.validation_segments, line.validation_composite) = (videos, segments, composite);
            if let Some(config) = watch::erases(&settings.model) {
                watched.extend(watch::look(&average, set, config, done, device)?);
                watch::save(&run.path, &watched)?;
            }
            log.push(line.clone());
            let better = match (line.validation, run.file.validation) {
                (Some(new), Some(old)) => new > old || run.file.chosen_step == 0,
                _ => true,
            };
            run.file.step = done;
            run.file.stopped = settings.patience.is_some_and(|patience| stalled(&log) >= patience);
            run.file.seconds = before + began.elapsed().as_secs_f64();
            let weights = to_bytes::<B, _>(model.clone().into_record())?;
            let mean = to_bytes::<B::InnerBackend, _>(average.clone().into_record())?;
            if better || settings.choose == Choose::Last {
                run.file.chosen_step = done;
                run.file.validation = line.validation;
                run.save_model(&mean)?;
            }
            let moments = to_bytes::<B, _>(optimizer.to_record())?;
            save_log(&run, &log)?;
            let lines =
                serde_json::to_vec(&log).map_err(|error| Error::failed("log", error.to_string(), "report this"))?;
            write_parts(&checkpoint, &[&weights, &mean, &moments, &lines])?;
            run.save()?;
        } else {
            log.push(line);
        }
    }
    bar.finish_and_clear();
    Ok(Outcome { run })
}

/// Assessments since the one with the highest validation AUC, the earliest of equals.
fn stalled(log: &[LogLine]) -> u64 {
    let mut best = f64::NEG_INFINITY;
    let mut since = 0;
    for auc in log.iter().filter_map(|line| line.validation) {
        since = if auc > best { 0 } else { since + 1 };
        best = best.max(auc);
    }
    since
}

fn progress_bar(steps: u64, first: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} step {pos}/{len}  {msg}  {per_sec}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    below(ProgressBar::new(steps).with_style(style).with_position(first))
}

fn save_log(run: &Run, log: &[LogLine]) -> Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for line in log {
        csv.serialize(line).map_err(|error| Error::failed("log.csv", error.to_string(), "report this"))?;
    }
    let bytes = csv.into_inner().map_err(|error| Error::failed("log.csv", error.to_string(), "report this"))?;
    write_atomic(&run.path.join("log.csv"), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_assessments_since_the_best() {
        let log = |validation: &[Option<f64>]| -> Vec<LogLine> {
            validation.iter().map(|&validation| LogLine { validation, ..LogLine::default() }).collect()
        };
        assert_eq!(stalled(&log(&[None, Some(0.6), None, Some(0.7), None])), 0);
        assert_eq!(stalled(&log(&[Some(0.6), Some(0.7), None, Some(0.65), Some(0.7)])), 2, "an equal is no better");
        assert_eq!(stalled(&log(&[None])), 0);
    }

    #[test]
    fn a_log_from_before_a_figure_was_kept_is_read() {
        let old = r#"[{"step":1,"loss":0.5,"erased_windows":0,"erased_segments":0,"validation":0.75}]"#;
        let lines: Vec<LogLine> = serde_json::from_str(old).unwrap();
        assert_eq!((lines[0].validation, lines[0].validation_composite), (Some(0.75), None));
    }
}
