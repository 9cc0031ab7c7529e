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

use super::graphs::{camera_scorer, graph_scorer};
use super::{Figures, Mode, Scored, Scorer, detection, figures, run_scorer, score_all, score_each};
use crate::dataset::{Dataset, Split, Video};
use crate::train::Run;

/// Judge a trained model on a data set's test list.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    /// A RUN folder, or a bundle, whoever signed it; with --seeds, a name with `{seed}` in it, or a folder of `seed-S`.
    run: PathBuf,
    /// The data set's folder.
    dataset: PathBuf,
    /// Score as a camera does too, even where that takes long.
    #[arg(long)]
    streaming: bool,
    /// Judge the runs of these seeds, and give mean and deviation.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    seeds: Vec<u64>,
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

/// What was judged, and the figures.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Offline figures.
    pub offline: Figures,
    /// Streaming figures, if they were made.
    pub streaming: Option<Figures>,
    /// The whole as JSON, with detection at false-alarm rates.
    pub json: Value,
}

/// Judge a scorer of windows of `segments` segments on the test list; `streaming`: also as a camera scores, whatever it takes.
pub fn judge(dataset: &Dataset, segments: usize, streaming: bool, fps: f64, scorer: &mut Scorer<'_>) -> Result<Judged> {
    let videos = dataset.both_classes(Split::Test)?;
    let (offline, offline_detection) = in_mode(videos, segments, Mode::Offline, fps, scorer)?;
    let rows: usize = videos.iter().map(|video| video.header.rows).sum();
    let mut json = json!({
        "videos": videos.len(),
        "frames": videos.iter().filter_map(|video| video.entry.frames).sum::<u64>(),
        "offline": offline,
        "detection": { "fps": fps, "offline": offline_detection },
    });
    let mut judged = None;
    if streaming || rows <= CHEAP_WINDOWS {
        let (figures, points) = in_mode(videos, segments, Mode::Streaming, fps, scorer)?;
        json["streaming"] = json!(figures);
        json["detection"]["streaming"] = json!(points);
        judged = Some(figures);
    }
    Ok(Judged { offline, streaming: judged, json })
}

fn in_mode(
    videos: &[Video],
    segments: usize,
    mode: Mode,
    fps: f64,
    scorer: &mut Scorer<'_>,
) -> Result<(Figures, Vec<detection::Point>)> {
    judged(&score_all(videos, segments, mode, scorer)?, fps)
}

fn judged(scored: &[Scored<'_>], fps: f64) -> Result<(Figures, Vec<detection::Point>)> {
    Ok((figures(scored)?, detection::curve(scored, &RATES, fps)?))
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
        "graph": "head", "precision": "float32", "offline": whole.offline, "streaming": whole.streaming,
    })];
    if let Some(step) = bundle.content(FileRole::Step) {
        let precision = if StepModel::from_onnx(step)?.is_int8() { "int8" } else { "float32" };
        let scored = score_each(dataset.videos(Split::Test)?, &mut camera_scorer(bundle.head(), step)?)?;
        let (figures, points) = judged(&scored, fps)?;
        graphs.push(json!({ "graph": "step", "precision": precision, "streaming": figures }));
        whole.json["streaming"] = json!(figures);
        whole.json["detection"]["streaming"] = json!(points);
        whole.streaming = Some(figures);
    }
    whole.json["model"] = json!({ "bundle": path, "id": bundle.id, "name": bundle.manifest.name });
    whole.json["graphs"] = json!(graphs);
    whole.json["dataset"] = json!(dataset.root);
    Ok(whole)
}

/// Judge a RUN, and add a line to its `results.jsonl`.
pub fn judge_run(path: &Path, dataset: &Dataset, streaming: bool, fps: f64) -> Result<Judged> {
    let run = Run::open(path)?;
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
    if !(args.fps > 0.0 && args.fps.is_finite()) {
        return Err(Error::invalid("--fps", "is not above 0", "give the recordings' frame rate"));
    }
    let dataset = Dataset::open(&args.dataset)?;
    let json = if args.seeds.is_empty() && args.run.is_file() {
        judge_bundle(&args.run, &dataset, args.streaming, args.fps)?.json
    } else if args.seeds.is_empty() {
        judge_run(&args.run, &dataset, args.streaming, args.fps)?.json
    } else {
        judge_seeds(args, &dataset)?
    };
    let text = if args.json { json.to_string() } else { table(&json) };
    writeln!(std::io::stdout(), "{text}")
        .map_err(|error| Error::failed("standard output", error.to_string(), "check where it is sent"))
}

fn judge_seeds(args: &EvaluateArgs, dataset: &Dataset) -> Result<Value> {
    let mut runs = Vec::with_capacity(args.seeds.len());
    for seed in &args.seeds {
        let name = args.run.display().to_string();
        let path = if name.contains("{seed}") {
            PathBuf::from(name.replace("{seed}", &seed.to_string()))
        } else {
            args.run.join(format!("seed-{seed}"))
        };
        runs.push(judge_run(&path, dataset, args.streaming, args.fps)?);
    }
    let offline: Vec<Figures> = runs.iter().map(|run| run.offline.clone()).collect();
    let streaming: Vec<Figures> = runs.iter().filter_map(|run| run.streaming.clone()).collect();
    let (offline_mean, offline_deviation) = spread(&offline);
    let mut json = json!({
        "videos": runs[0].json["videos"],
        "frames": runs[0].json["frames"],
        "dataset": dataset.root,
        "runs": runs.iter().map(|run| run.json.clone()).collect::<Vec<_>>(),
        "offline": offline_mean,
        "mean": { "offline": offline_mean },
        "deviation": { "offline": offline_deviation },
    });
    if streaming.len() == runs.len() {
        let (mean, deviation) = spread(&streaming);
        json["streaming"] = json!(mean);
        json["mean"]["streaming"] = json!(mean);
        json["deviation"]["streaming"] = json!(deviation);
    }
    Ok(json)
}

/// Mean and sample deviation (n - 1) of each figure.
fn spread(all: &[Figures]) -> (Figures, Figures) {
    type Spread = (Option<f64>, Option<f64>);
    let of = |figure: fn(&Figures) -> Option<f64>| -> Spread {
        let Some(values) = all.iter().map(figure).collect::<Option<Vec<f64>>>() else { return (None, None) };
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (Some(mean), (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
    };
    let parts = [of(|f| f.frame_auc), of(|f| f.frame_ap), of(|f| f.abnormal_auc), of(|f| f.video_auc)];
    let figures = |pick: fn(&Spread) -> Option<f64>| Figures {
        frame_auc: pick(&parts[0]),
        frame_ap: pick(&parts[1]),
        abnormal_auc: pick(&parts[2]),
        video_auc: pick(&parts[3]),
    };
    (figures(|part| part.0), figures(|part| part.1))
}

/// The figures as a small table for people.
fn table(json: &Value) -> String {
    let mut lines = vec![
        format!("{} videos, {} frames", json["videos"], json["frames"]),
        format!("{:10} {:>9} {:>9} {:>12} {:>9}", "", "frame AUC", "frame AP", "abnormal AUC", "video AUC"),
    ];
    let row = |name: &str, figures: &Value| {
        let cell = |key: &str| figures[key].as_f64().map_or("-".into(), |value| format!("{value:.4}"));
        format!(
            "{name:10} {:>9} {:>9} {:>12} {:>9}",
            cell("frame_auc"),
            cell("frame_ap"),
            cell("abnormal_auc"),
            cell("video_auc")
        )
    };
    for mode in ["offline", "streaming"] {
        if json[mode].is_object() {
            lines.push(row(mode, &json[mode]));
        }
        if json["deviation"][mode].is_object() {
            lines.push(row("  +/-", &json["deviation"][mode]));
        }
    }
    for graph in json["graphs"].as_array().into_iter().flatten() {
        let name =
            format!("{}, {}", graph["graph"].as_str().unwrap_or("-"), graph["precision"].as_str().unwrap_or("-"));
        lines.push(name);
        let modes = ["offline", "streaming"].into_iter().filter(|mode| graph[*mode].is_object());
        lines.extend(modes.map(|mode| row(mode, &graph[mode])));
    }
    lines.join("\n")
}
