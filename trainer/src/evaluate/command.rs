//! `tadpole-trainer evaluate RUN|BUNDLE DATASET`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::FeatureContract;
use firmware_config::manifest::FileRole;
use firmware_config::sign::TrustedKeys;
use runtime::bundle::{Bundle, SignatureStatus};
use runtime::score::step::StepModel;
use runtime::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::bootstrap::Draws;
use super::graphs::{camera_scorer, graph_scorer};
use super::seeds::{difference, judge_seeds};
use super::table::table;
use super::warnings::warnings;
use super::{Figures, Mode, Scored, Scorer, detection, figures, report, run_scorer, score_all, score_each};
use crate::dataset::{Dataset, Split, Video};
use crate::seeds::{self, SeedRange};
use crate::train::Run;

/// Judge a trained model on a data set's test list.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    /// A RUN folder, a folder of runs `seed-N`, or a bundle, whoever signed it; with --seeds, such a folder, or a name with
    /// `{seed}` in it.
    run: PathBuf,
    /// The data set's folder.
    dataset: PathBuf,
    /// Score as a camera does too, even where that takes long.
    #[arg(long)]
    streaming: bool,
    /// Judge the runs of these seeds (`0..4` or `0,3,7`), and give mean and deviation.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    seeds: Vec<SeedRange>,
    /// Another RUN or bundle, or with --seeds other runs of these seeds, to compare with on the same videos: the difference, with
    /// a 95 % interval by paired resampling of the videos.
    #[arg(long, value_name = "RUN|BUNDLE")]
    against: Option<PathBuf>,
    /// Write a page of plots, DIR/index.html: a single file, for a browser without a network.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// The data set (or folder of text) with the captions' vectors, for models that take them in [default: DATASET].
    #[arg(long, value_name = "DATASET")]
    text: Option<PathBuf>,
    /// Frames a second of the recordings, for delays and rates.
    #[arg(long, default_value_t = 25.0)]
    fps: f64,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// False alarms an hour at which detection and delay are given.
const RATES: [f64; 4] = [0.5, 2.0, 10.0, 60.0];

/// Windows up to which streaming scores are made unasked.
const CHEAP_WINDOWS: usize = 4096;

/// Figures with their intervals, and what the intervals come from.
#[derive(Clone, Debug)]
pub struct Resampled {
    /// The figures.
    pub figures: Figures,
    /// The figures of each resample.
    pub draws: Draws,
    /// Each run's figures, where these are the mean of several.
    pub each: Vec<Figures>,
    /// The scores of each test video's rows, in the list's order; none where these are the mean of several runs.
    pub scores: Vec<Vec<f32>>,
}

/// What was judged, and the figures.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Offline figures.
    pub offline: Resampled,
    /// Streaming figures, if they were made.
    pub streaming: Option<Resampled>,
    /// The whole as JSON, with detection at false-alarm rates.
    pub json: Value,
}

impl Judged {
    /// What its figures say is wrong with model or data, in words.
    pub fn warnings(&self) -> Vec<String> {
        let streaming = self.streaming.iter().flat_map(|streaming| warnings("streaming", &streaming.figures));
        warnings("offline", &self.offline.figures).into_iter().chain(streaming).collect()
    }
}

/// Judge a scorer of windows of `segments` segments on the test list; `streaming`: also as a camera scores, whatever it takes.
pub fn judge(dataset: &Dataset, segments: usize, streaming: bool, fps: f64, scorer: &mut Scorer<'_>) -> Result<Judged> {
    let videos = dataset.both_classes(Split::Test)?;
    let (offline, offline_detection) = in_mode(videos, segments, Mode::Offline, fps, scorer)?;
    let rows: usize = videos.iter().map(|video| video.header.rows).sum();
    let mut json = json!({
        "videos": videos.len(),
        "frames": videos.iter().filter_map(|video| video.entry.frames).sum::<u64>(),
        "offline": offline.figures,
        "detection": { "fps": fps, "offline": offline_detection },
    });
    let mut judged = None;
    if streaming || rows <= CHEAP_WINDOWS {
        let (made, points) = in_mode(videos, segments, Mode::Streaming, fps, scorer)?;
        json["streaming"] = json!(made.figures);
        json["detection"]["streaming"] = json!(points);
        judged = Some(made);
    }
    Ok(Judged { offline, streaming: judged, json })
}

fn in_mode(
    videos: &[Video],
    segments: usize,
    mode: Mode,
    fps: f64,
    scorer: &mut Scorer<'_>,
) -> Result<(Resampled, Vec<detection::Point>)> {
    judged(&score_all(videos, segments, mode, scorer)?, fps)
}

fn judged(scored: &[Scored<'_>], fps: f64) -> Result<(Resampled, Vec<detection::Point>)> {
    let draws = Draws::of(scored)?;
    let figures = draws.around(&figures(scored)?);
    let scores = scored.iter().map(|item| item.scores.clone()).collect();
    Ok((Resampled { figures, draws, each: Vec::new(), scores }, detection::curve(scored, &RATES, fps)?))
}

fn check_contract(model: &FeatureContract, dataset: &Dataset) -> Result<()> {
    if *model == dataset.contract {
        return Ok(());
    }
    Err(Error::invalid(
        dataset.root.display().to_string(),
        format!(
            "has features of another contract ({}, width {}) than the model's ({}, width {})",
            dataset.contract.name, dataset.contract.feature_width, model.name, model.feature_width
        ),
        "extract the data set with the model's extractor",
    ))
}

/// Judge a bundle, graph by graph: the head offline and streaming; the step, streaming, as a camera scores. `streaming` of
/// the whole is the step's, where there is one.
pub fn judge_bundle(path: &Path, dataset: &Dataset, streaming: bool, fps: f64) -> Result<Judged> {
    let SignatureStatus::Fits(signer) = Bundle::inspect(path)?.signature else {
        let (problem, remedy) = ("its signature does not fit it", "get it again from whoever signed it");
        return Err(Error::new(ErrorKind::Untrusted, path.display().to_string(), problem, remedy));
    };
    let bundle = Bundle::open(path, &TrustedKeys::only(signer))?;
    check_contract(&bundle.manifest.contract, dataset)?;
    let segments = bundle.manifest.window as usize;
    let mut head = graph_scorer(bundle.head(), segments)?;
    let mut whole = judge(dataset, segments, streaming, fps, &mut head)?;
    let mut graphs = vec![json!({
        "graph": "head", "precision": "float32", "offline": whole.json["offline"], "streaming": whole.json["streaming"],
    })];
    if let Some(step) = bundle.content(FileRole::Step) {
        let precision = if StepModel::from_onnx(step)?.is_int8() { "int8" } else { "float32" };
        let scored = score_each(dataset.videos(Split::Test)?, &mut camera_scorer(bundle.head(), step)?)?;
        let (made, points) = judged(&scored, fps)?;
        graphs.push(json!({ "graph": "step", "precision": precision, "streaming": made.figures }));
        whole.json["streaming"] = json!(made.figures);
        whole.json["detection"]["streaming"] = json!(points);
        whole.streaming = Some(made);
    }
    whole.json["model"] = json!({ "bundle": path, "id": bundle.id, "name": bundle.manifest.name });
    whole.json["graphs"] = json!(graphs);
    whole.json["dataset"] = json!(dataset.root);
    Ok(whole)
}

/// Judge a RUN, and add a line to its `results.jsonl`.
pub fn judge_run(path: &Path, dataset: &Dataset, streaming: bool, fps: f64) -> Result<Judged> {
    let run = Run::open(path)?;
    // One data set may be judged by models with text and without.
    let dataset = &if run.file.settings.model.text().is_some() { dataset.with_text()? } else { dataset.clone() };
    check_contract(&run.file.contract, dataset)?;
    let mut judged = judge(dataset, run.file.settings.model.segments(), streaming, fps, &mut *run_scorer(&run)?)?;
    judged.json["model"] = json!({
        "run": path,
        "model": run.file.settings.model.name(),
        "preset": run.file.settings.preset,
        "seed": run.file.seed,
        "chosen_step": run.file.chosen_step,
        "validation": run.file.validation,
    });
    judged.json["dataset"] = json!(dataset.root);
    let log = path.join("results.jsonl");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .and_then(|mut file| writeln!(file, "{}", judged.json))
        .map_err(|error| Error::failed(log.display().to_string(), error.to_string(), "check space and permissions"))?;
    Ok(judged)
}

/// Run the command.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    check_fps(args.fps)?;
    let several = !args.seeds.is_empty() || !seeds::runs_in(&args.run).is_empty();
    if args.report.is_some() && several {
        return Err(report::of_several(&args.run));
    }
    let mut dataset = Dataset::open(&args.dataset)?;
    dataset.text_root = args.text.clone().unwrap_or(dataset.text_root);
    let mut judged = judge_any(args, &args.run, &dataset)?;
    judged.json["warnings"] = json!(judged.warnings());
    if let Some(other) = &args.against {
        judged.json["against"] = compared(&judged, &judge_any(args, other, &dataset)?, other);
    }
    if let Some(folder) = &args.report {
        let page = report::write(folder, &args.run, &dataset, &judged, args.fps)?;
        log::info!("the report is {}", page.display());
        judged.json["report"] = json!(page);
    }
    let json = judged.json;
    let text = if args.json { json.to_string() } else { table(&json) };
    writeln!(std::io::stdout(), "{text}")
        .map_err(|error| Error::failed("standard output", error.to_string(), "check where it is sent"))
}

/// Refuse a frame rate that gives no times.
pub fn check_fps(fps: f64) -> Result<()> {
    if fps > 0.0 && fps.is_finite() {
        return Ok(());
    }
    Err(Error::invalid("--fps", "is not above 0", "give the recordings' frame rate"))
}

/// Judge a RUN, a bundle, or the runs of several seeds.
fn judge_any(args: &EvaluateArgs, model: &Path, dataset: &Dataset) -> Result<Judged> {
    if args.seeds.is_empty() {
        return judge_path(model, dataset, args.streaming, args.fps);
    }
    let name = model.display().to_string();
    let folder = |seed: u64| {
        let named = name.contains("{seed}");
        if named { PathBuf::from(name.replace("{seed}", &seed.to_string())) } else { seeds::folder(model, seed) }
    };
    let folders: Vec<PathBuf> = seeds::listed(&args.seeds)?.into_iter().map(folder).collect();
    judge_seeds(&folders, dataset, args.streaming, args.fps)
}

/// Judge what is at `path`: a bundle, a RUN, or runs `seed-N` in a folder.
pub fn judge_path(path: &Path, dataset: &Dataset, streaming: bool, fps: f64) -> Result<Judged> {
    if path.is_file() {
        return judge_bundle(path, dataset, streaming, fps);
    }
    match seeds::runs_in(path) {
        runs if runs.is_empty() => judge_run(path, dataset, streaming, fps),
        runs => judge_seeds(&runs, dataset, streaming, fps),
    }
}

/// What `other` came to, and how much better `one` is.
fn compared(one: &Judged, other: &Judged, path: &Path) -> Value {
    let mut json = json!({
        "model": path,
        "offline": other.offline.figures,
        "difference": { "offline": difference(&one.offline, &other.offline) },
    });
    if let (Some(one), Some(other)) = (&one.streaming, &other.streaming) {
        json["streaming"] = json!(other.figures);
        json["difference"]["streaming"] = json!(difference(one, other));
    }
    json
}
