//! `tadpole-trainer export` and `keygen`: a RUN becomes a signed bundle, proved on the engine that will run it before
//! it is written.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use firmware_config::golden;
use firmware_config::manifest::{
    AlarmDefaults, FileRole, GOLDEN_TOLERANCE, GoldenRow, GoldenVectors, Manifest, Note, TargetEngine, Threshold,
};
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Input, largest_difference};
use runtime::pipeline::proof;
use runtime::{Error, Result};
use serde_json::json;

use super::agree::{self, Aucs};
use super::package::{Part, package};
use super::products::{Activations, Form};
use super::ranges::{self, Ranges};
use super::step::Precision;
use super::{calibrate, head, keys, nnef, step};
use crate::dataset::{Dataset, Split, Video};
use crate::evaluate::graphs::{camera_scorer, graph_scorer};
use crate::evaluate::{Mode, Scorer, run_scorer, score_video};
use crate::files::write_atomic;
use crate::train::Run;

/// Seed of the clip that proves an extractor.
const GOLDEN_SEED: u64 = 1;

/// Windows at most that int8 ranges are measured on.
const RANGE_WINDOWS_MAX: usize = 256;

/// Put a trained model into a signed bundle.
///
/// Writes NAME.tadpole for tract, NAME.tensorrt.tadpole for TensorRT, or both, and beside them the graphs in every form: NAME.head.onnx
/// in float32, NAME.head.int8.onnx for tract and NAME.head.qdq.onnx for onnxruntime and TensorRT in int8, and what tract
/// reads as NAME.*.nnef.tar too. Refused: an int8 graph that tells the run's recordings apart differently from float32.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The RUN folder of a training.
    run: PathBuf,
    /// The extractor that the data set was extracted with; without it the bundle is for evaluate and features:// alone.
    #[arg(long)]
    extractor: Option<PathBuf>,
    /// The bundle to write, NAME.tadpole.
    #[arg(long)]
    out: PathBuf,
    /// The private key to sign with (`tadpole-trainer keygen FILE` makes one).
    #[arg(long)]
    sign: PathBuf,
    /// Which engine the bundle is for.
    #[arg(long, value_enum, default_value_t = Target::Tract)]
    target: Target,
    /// How the step, which scores once a camera's window is full, is stored and computed. Refused: int8 that tells
    /// the run's recordings apart differently from float32.
    #[arg(long, value_enum, default_value_t = Precision::Float32)]
    precision: Precision,
    /// What NAME.head.int8.onnx, the full window for tract, scales its activations by.
    #[arg(long, value_enum, default_value_t = Scales::Static)]
    activations: Scales,
    /// Data set whose normal training recordings the threshold is calibrated on: footage that the model was not
    /// trained on. Without it, the normal recordings of the run's own data set, which flatters the model.
    #[arg(long)]
    calibrate: Option<PathBuf>,
    /// False alarms an hour that the threshold may give on that footage.
    #[arg(long, default_value_t = 0.5)]
    false_alarms_per_hour: f32,
    /// The score must stay up this long before an alarm is raised, seconds.
    #[arg(long, default_value_t = 1.28)]
    min_length_s: f32,
    /// Release counter; a camera never goes back to a lower one.
    #[arg(long, default_value_t = 1)]
    release: u64,
    /// Label for people, such as a date.
    #[arg(long, default_value = "")]
    created: String,
    /// Text file that goes into the bundle's notes, such as the model card.
    #[arg(long)]
    card: Option<PathBuf>,
}

/// The scales of int8 activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scales {
    /// One for each product, from calibration.
    Static,
    /// One for each row, by its largest magnitude: nearer to float32, and slower.
    Dynamic,
}

/// The engine that a bundle is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// NAME.tadpole.
    Tract,
    /// NAME.tensorrt.tadpole.
    Tensorrt,
    /// Both.
    All,
}

impl Target {
    /// The bundles to write beside each other.
    fn bundles(self, out: &Path) -> Vec<(TargetEngine, PathBuf)> {
        let tract = (TargetEngine::Tract, out.to_path_buf());
        let tensorrt = (TargetEngine::TensorRt, out.with_extension("tensorrt.tadpole"));
        match self {
            Self::Tract => vec![tract],
            Self::Tensorrt => vec![tensorrt],
            Self::All => vec![tract, tensorrt],
        }
    }
}

/// Make a signing key and tell what to do with it.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn keygen(file: &Path) -> Result<()> {
    let key = keys::keygen(file)?;
    crate::progress::say(&keys::keygen_message(file, key))
}

/// Export.
///
/// # Errors
/// When the run, the extractor or the key cannot be used, or a graph fails its proof.
pub fn run(args: &ExportArgs) -> Result<()> {
    let key = keys::read_signing_key(&args.sign)?;
    let run = Run::open(&args.run)?;
    let graph = head::of_run(&run, Form::Float)?;
    let extractor = args.extractor.as_deref().map(|path| read_extractor(path, &run)).transpose()?;
    let alarm = AlarmDefaults { release_ratio: 0.7, min_length_s: args.min_length_s, cool_down_s: 10.0 };
    let min_segments = 8;
    let dataset = calibration_set(args, &run)?;
    let threshold = threshold(args, &run, &dataset, alarm, min_segments)?;
    let int8 = quantised(&run, &dataset, args.activations)?;
    let golden = prove(&run, &graph, extractor.as_deref())?;
    let manifest = Manifest {
        name: name_of(&args.out)?,
        created: args.created.clone(),
        release: args.release,
        minimum_firmware: env!("CARGO_PKG_VERSION").parse().unwrap_or_default(),
        engine: TargetEngine::Tract,
        contract: run.file.contract.clone(),
        window: run.file.settings.model.segments() as u32,
        min_segments,
        look_ahead: 0,
        thresholds: vec![threshold],
        alarm,
        files: Vec::new(),
        golden,
        notes: notes(args, &run)?,
    };
    let step = step_of(&run, &graph, &manifest, args.precision)?;
    let beside = |extension: &str, content: &[u8]| write_atomic(&args.out.with_extension(extension), content);
    beside("head.qdq.onnx", &int8.qdq)?;
    let full = [("head", &graph), ("head.int8", &int8.tract)];
    for (form, onnx) in full.into_iter().chain(step.as_ref().map(|step| ("step", step))) {
        beside(&format!("{form}.onnx"), onnx)?;
        beside(&format!("{form}.nnef.tar"), &nnef::of_onnx(onnx, form)?)?;
    }
    let mut parts = vec![Part::new("head.onnx", FileRole::Head, graph)];
    parts.extend(step.map(|step| Part::new("step.onnx", FileRole::Step, step)));
    parts.extend(extractor.map(|graph| Part::new("extractor.onnx", FileRole::Extractor, graph)));
    for (engine, out) in args.target.bundles(&args.out) {
        let id = package(&out, Manifest { engine, ..manifest.clone() }, &parts, &key)?;
        log::info!(
            "{}: model {}, threshold {} at {:.2} false alarms an hour over {:.2} h",
            out.display(),
            &id[..12],
            threshold.value,
            threshold.false_alarms_per_hour,
            threshold.calibration_hours
        );
    }
    Ok(())
}

fn name_of(out: &Path) -> Result<String> {
    let stem = out.file_stem().map(|s| s.to_string_lossy().into_owned());
    stem.filter(|_| out.extension().is_some_and(|e| e == "tadpole"))
        .ok_or_else(|| Error::invalid(out.display().to_string(), "does not end in .tadpole", "give --out NAME.tadpole"))
}

fn read_extractor(path: &Path, run: &Run) -> Result<Vec<u8>> {
    let graph = std::fs::read(path).map_err(|e| {
        Error::unreadable(path.display().to_string(), &e, "name the ONNX file that `tadpole-trainer extractor` wrote")
    })?;
    let contract = crate::extractor::read_contract(path, &graph)?;
    if contract == run.file.contract {
        return Ok(graph);
    }
    Err(Error::invalid(
        path.display().to_string(),
        format!("is not the extractor that the run's features come from (contract {})", run.file.contract.name),
        "name the one that the data set was extracted with",
    ))
}

/// The data set that thresholds and int8 ranges come from.
fn calibration_set(args: &ExportArgs, run: &Run) -> Result<Dataset> {
    // Without what was added to it: marked alarms are no hours of traffic.
    let root = args.calibrate.clone().unwrap_or_else(|| PathBuf::from(&run.file.dataset.path));
    let dataset = Dataset::open(&root)?;
    if dataset.contract != run.file.contract {
        return Err(Error::invalid(
            root.display().to_string(),
            "has features of another contract than the run",
            "extract it with the run's extractor",
        ));
    }
    Ok(dataset)
}

fn threshold(
    args: &ExportArgs,
    run: &Run,
    dataset: &Dataset,
    alarm: AlarmDefaults,
    min_segments: u32,
) -> Result<Threshold> {
    if args.calibrate.is_none() {
        log::warn!("the threshold is calibrated on the training footage itself; give --calibrate DATASET");
    }
    let videos = dataset.videos(Split::Train)?;
    let normal: Vec<Video> = videos.iter().filter(|v| !v.entry.abnormal).cloned().collect();
    let segments = run.file.settings.model.segments();
    let mut scorer = run_scorer(run)?;
    calibrate::calibrate(&normal, segments, alarm, min_segments, args.false_alarms_per_hour, &mut *scorer)
}

/// The head in int8, for either engine.
struct Int8Heads {
    tract: Vec<u8>,
    qdq: Vec<u8>,
}

/// Quantise the head by ranges measured on `dataset`, and compare it with float32.
fn quantised(run: &Run, dataset: &Dataset, scales: Scales) -> Result<Int8Heads> {
    let segments = run.file.settings.model.segments();
    let windows = ranges::windows(dataset.videos(Split::Train)?, segments, RANGE_WINDOWS_MAX)?;
    let ranges = Ranges::of_run(run, &windows)?;
    let activations = match scales {
        Scales::Static => Activations::Static(&ranges),
        Scales::Dynamic => Activations::Dynamic,
    };
    let graph = |form| head::of_run(run, form);
    let heads = Int8Heads { tract: graph(Form::Int8(activations, None))?, qdq: graph(Form::Qdq(&ranges))? };
    let Some(videos) = to_compare(run) else { return Ok(heads) };
    let float = offline(&videos, segments, &mut *run_scorer(run)?)?;
    let int8 = offline(&videos, segments, &mut graph_scorer(&heads.tract, segments)?)?;
    accept("head.int8.onnx", float, int8, videos.len(), || {
        let few = &windows[..windows.len().min(8 * segments * run.features())];
        let (product, gap) = agree::worst_product(run, &ranges, activations, few)?;
        Ok(format!("; most by {product}, {gap:.4} alone"))
    })?;
    Ok(heads)
}

/// The step, proved on the golden window; none, and a word about it, where the model has none.
fn step_of(run: &Run, head: &[u8], manifest: &Manifest, precision: Precision) -> Result<Option<Vec<u8>>> {
    let look_ahead = manifest.look_ahead as usize;
    let Some(mut step) = step::of_run(run, look_ahead, precision)? else {
        let name = run.file.settings.model.name();
        if precision == Precision::Int8 {
            let problem = format!("is of the step, and {name} has none");
            return Err(Error::invalid(
                "--precision int8",
                problem,
                "leave it out; NAME.head.int8.onnx is written anyway",
            ));
        }
        log::info!("{name} has no step: cameras score every segment by the full window");
        return Ok(None);
    };
    if precision == Precision::Int8 {
        if let Some(float) = step::of_run(run, look_ahead, Precision::Float32)? {
            compare_steps(run, head, &float, &step)?;
        }
        step = step::with_golden_score(&step, &manifest.golden.head_input)?;
    }
    proof::prove_step(&step, &manifest.golden)?;
    Ok(Some(step))
}

/// Refuse an int8 step that tells recordings apart otherwise than float32.
fn compare_steps(run: &Run, head: &[u8], float: &[u8], int8: &[u8]) -> Result<()> {
    let Some(videos) = to_compare(run) else { return Ok(()) };
    let judged = |step: &[u8]| agree::aucs(&videos, &mut camera_scorer(head, step)?);
    accept("step.onnx", judged(float)?, judged(int8)?, videos.len(), || Ok(String::new()))
}

/// What to compare on; none, and a word about it, where the run's data are gone.
fn to_compare(run: &Run) -> Option<Vec<Video>> {
    agree::recordings(run).inspect_err(|error| log::warn!("int8 is not compared with float32: {error}")).ok()
}

fn offline(videos: &[Video], segments: usize, scorer: &mut Scorer<'_>) -> Result<Aucs> {
    agree::aucs(videos, &mut |video| {
        score_video(&video.read()?.mean_crop(), video.header.width, segments, Mode::Offline, scorer)
    })
}

/// Say how `graph`, in int8, compares with float32 on `count` recordings, or refuse it; `more` is what a refusal adds.
fn accept(graph: &str, float: Aucs, int8: Aucs, count: usize, more: impl FnOnce() -> Result<String>) -> Result<()> {
    if agree::agree(float, int8) {
        log::info!("{graph}: {} on {count} recordings", told(float, int8));
        return Ok(());
    }
    Err(Error::failed(
        graph,
        format!("differs from float32 on the run's recordings: {}{}", told(float, int8), more()?),
        "train longer, or calibrate on more and more varied recordings (--calibrate)",
    ))
}

fn told(float: Aucs, int8: Aucs) -> String {
    let figure = |auc: Option<f64>| auc.map_or("-".into(), |auc| format!("{auc:.4}"));
    let video = format!("video AUC {} (float32 {})", figure(int8.video), figure(float.video));
    // Training recordings have no truth by frames.
    if int8.frame.is_none() && float.frame.is_none() {
        return video;
    }
    format!("{video}, frame AUC {} (float32 {})", figure(int8.frame), figure(float.frame))
}

/// Run the graphs on the camera's engine; the head must agree with the trainer's own scores.
fn prove(run: &Run, graph: &[u8], extractor: Option<&[u8]>) -> Result<GoldenVectors> {
    let segments = run.file.settings.model.segments();
    let width = run.features();
    let (mean, deviation) = (&run.file.statistics.mean, &run.file.statistics.deviation);
    // A window as the model knows them: around the training mean, with waves of its own deviation.
    let head_input: Vec<f32> = (0..segments * width)
        .map(|i| {
            let (t, d) = (i / width, i % width);
            mean[d] + deviation[d] * ((t as f32 * 0.37 + d as f32 * 1.7).sin() * 1.5)
        })
        .collect();
    let mut head_scores = vec![0.0; segments];
    TractEngine::load(graph, "head")?.run(Input::F32(&head_input), &mut head_scores)?;
    let ours = run_scorer(run)?(&head_input, 1)?;
    let gap = largest_difference(&ours, &head_scores);
    if gap.is_nan() || gap > GOLDEN_TOLERANCE {
        return Err(Error::failed(
            "head.onnx",
            format!("tract's scores differ from the trainer's by {gap}"),
            "report this: the exporter is wrong",
        ));
    }
    let golden_row = |graph: &[u8]| -> Result<Option<GoldenRow>> {
        let Some(clip) = &run.file.contract.input else { return Ok(None) };
        let mut row = vec![0.0; width];
        TractEngine::load(graph, "extractor")?.run(Input::U8(&golden::clip(GOLDEN_SEED, clip)), &mut row)?;
        Ok(Some(GoldenRow { seed: GOLDEN_SEED, row }))
    };
    let extractor = extractor.map_or(Ok(None), golden_row)?;
    Ok(GoldenVectors { tolerance: GOLDEN_TOLERANCE, head_input, head_scores, extractor })
}

fn notes(args: &ExportArgs, run: &Run) -> Result<Vec<Note>> {
    let file = &run.file;
    let trained = json!({
        "model": file.settings.model.name(),
        "preset": file.settings.preset,
        "seed": file.seed,
        "steps": file.chosen_step,
        "videos": file.dataset.videos,
        "abnormal": file.dataset.abnormal,
        "held_out": file.dataset.held_out,
        "validation_auc": file.validation,
        "data_sha256": file.dataset.sha256,
        "trainer": file.trainer,
        "burn": file.burn,
    });
    let mut notes = vec![Note { title: "trained".into(), text: trained.to_string() }];
    if args.extractor.is_some() {
        notes.push(Note {
            title: "licences".into(),
            text: "extractor: EfficientNet-Lite0 ImageNet weights, Apache-2.0; the rest: MIT OR Apache-2.0".into(),
        });
    }
    if let Some(path) = &args.card {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::unreadable(path.display().to_string(), &e, "name a text file"))?;
        notes.push(Note { title: "card".into(), text });
    }
    Ok(notes)
}
