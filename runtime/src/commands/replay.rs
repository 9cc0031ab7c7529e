//! `tadpole replay`: the live path on a recording, as fast as it goes, with a report to look at.

use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::{ClipContract, PublicKey, TrustedKeys};
use indicatif::ProgressBar;
use runtime::Result;
use runtime::bundle::Bundle;
use runtime::clip::Clip;
use runtime::output::Outputs;
use runtime::output::gpio::{GpioRelay, MemoryPin, Polarity};
use runtime::pipeline::RuleOverrides;
use runtime::replay::{Best, Report, Truth, counted, digits};
use runtime::source::SourceInfo;
use runtime::source::mask::PrivacyMask;
use runtime::source::open::{self, Opened};
use serde_json::json;

use super::show;

/// Watch a recording as a camera would, as fast as it goes, and write what it saw.
///
/// The same recording, bundle, binary, engine and CPU give the same bytes.
#[derive(Args)]
pub struct ReplayArgs {
    /// A video file, `file://`, `sim://?seed=1&incident=fire`, a .sim file, or `features:///rows.npy`.
    source: String,
    /// Bundle to use instead of the shipped one; signed by the demo's key, unless another is trusted.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Believe bundles that this key signed: the 64 digits that `tadpole-trainer keygen` printed.
    #[arg(long, value_name = "PUBLIC_KEY", requires = "model")]
    trusted_key: Option<PublicKey>,
    /// Truth to draw into the timeline: video,label,frames,events with events first-last;first-last (1-based frames).
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Folder for scores.csv, alarms.jsonl and timeline.png.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A config whose [alarm] settings to use, and whose camera's mask and region.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Which camera of the config; may be left out when it has one.
    #[arg(long, requires = "config")]
    camera: Option<String>,
    /// Threshold to use instead of the model's and the config's, 0..1.
    #[arg(long)]
    threshold: Option<f32>,
    #[command(flatten)]
    engine: super::EngineArgs,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Pictures in the timeline, and how far apart they are taken.
const THUMBNAILS: usize = 8;
const THUMBNAILS_APART_S: f64 = 1.5;

/// How the source looks: what the report needs of it.
struct View {
    aspect: f32,
    rate_hz: f64,
}

impl Default for View {
    fn default() -> Self {
        Self { aspect: 1.0, rate_hz: 25.0 }
    }
}

impl From<SourceInfo> for View {
    fn from(info: SourceInfo) -> Self {
        Self { aspect: info.width as f32 / info.height.max(1) as f32, rate_hz: info.rate_hz.unwrap_or(25.0) }
    }
}

/// The name by which a truth file knows a source: its file's, without folder and extension.
fn stem(source: &str) -> String {
    let path = source.split("://").last().unwrap_or(source);
    Path::new(path).file_stem().map_or_else(|| source.into(), |stem| stem.to_string_lossy().into_owned())
}

/// The middle one of a clip's pictures.
fn middle_picture(clip: &Clip, size: &ClipContract, rgb: &mut Vec<u8>) -> (u32, u32) {
    let bytes = (size.width * size.height * 3) as usize;
    rgb.clear();
    rgb.extend_from_slice(&clip.pixels[size.ticks.len() / 2 * bytes..][..bytes]);
    (size.width, size.height)
}

/// Replay.
pub fn run(args: &ReplayArgs) -> Result<()> {
    let truth = args.truth.as_deref().map(|csv| Truth::read(csv, &stem(&args.source))).transpose()?;
    let mut bundle = match (&args.model, args.trusted_key) {
        (Some(path), Some(key)) => Bundle::open(path, &TrustedKeys::only(key))?,
        (model, _) => show::open_bundle(model.as_ref())?,
    };
    let (mask, over) = as_configured(args)?;
    let source = mask.over(open::open(&args.source)?);
    let bar = progress(&source);
    let view = match &source {
        Opened::Frames(frames) => frames.info().clone().into(),
        Opened::Rows(_) => View::default(),
    };
    let pin = MemoryPin::new();
    let mut outputs = Outputs::default();
    outputs.push(GpioRelay::new(pin.clone(), Polarity::ActiveHigh)?);
    let mut best = Best::new(THUMBNAILS, THUMBNAILS_APART_S);
    let watched =
        show::watch(source, &mut bundle, &args.engine.engines(), &over, outputs, |watch, segment, score, _| {
            bar.set_position(segment.last_frame);
            bar.set_message(format!("score {score:.3}"));
            if args.out.is_some()
                && let Some((clip, contract)) = watch.pipeline().feed().clip()
                && let Some(size) = &contract.input
            {
                best.offer(segment.end_ns as f64 / 1e9, score, |rgb| middle_picture(clip, size, rgb));
            }
        })?;
    bar.finish_and_clear();
    if let Some(folder) = &args.out {
        let spans = truth.as_ref().map(|truth| truth.spans(view.rate_hz));
        let report = Report {
            title: &stem(&args.source),
            frames: watched.scores.last().map_or(0, |row| row.last_frame),
            duration_s: watched.scores.last().map_or(0.0, |row| row.time_s),
            threshold: watched.threshold,
            aspect: view.aspect,
            scores: &watched.scores,
            alarms: &watched.alarms,
            truth: spans.as_deref(),
            thumbnails: &best.into_vec(),
        };
        report.write(folder)?;
    }
    if args.json {
        let mut report = watched.json();
        report["model"] = json!(bundle.id);
        return show::print_json(&report);
    }
    println!(
        "{}: {} frames, {} segments, highest score {}, threshold {}",
        args.source,
        watched.scores.last().map_or(0, |row| row.last_frame),
        watched.scores.len(),
        digits(watched.max_score(), 3),
        digits(watched.threshold, 3)
    );
    for alarm in &watched.alarms {
        println!(
            "alarm from {:.1} s (frame {}) to {:.1} s (frame {}), highest score {}",
            alarm.start_s,
            alarm.first_frame,
            alarm.end_s,
            alarm.last_frame,
            digits(alarm.peak, 3)
        );
    }
    println!("{}; relay switched {} times", counted(watched.alarms.len()), pin.edges());
    if let Some(folder) = &args.out {
        println!("see {}", folder.join("timeline.png").display());
    }
    Ok(())
}

/// The mask that is laid on the recording, and the rule of its alarms.
fn as_configured(args: &ReplayArgs) -> Result<(PrivacyMask, RuleOverrides)> {
    let (mask, over) = match &args.config {
        Some(path) => {
            let config = super::check::read_config(path)?;
            let camera = super::camera_of(&config, args.camera.as_deref())?;
            (PrivacyMask::new(camera.into()), RuleOverrides::from(&config.alarm))
        }
        None => (PrivacyMask::default(), RuleOverrides::default()),
    };
    Ok((mask, RuleOverrides { threshold: args.threshold.or(over.threshold), ..over }))
}

fn progress(source: &Opened) -> ProgressBar {
    let frames = match source {
        Opened::Frames(frames) => frames.info().frames,
        Opened::Rows(rows) => Some(rows.rows() as u64 * 16),
    };
    show::progress(frames, "replay", "frames")
}
