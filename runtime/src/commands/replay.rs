//! `tadpole replay`: the live path on a recording, as fast as it goes, with a report to look at.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::output::Outputs;
use runtime::output::gpio::{GpioRelay, MemoryPin, Polarity};
use runtime::pipeline::RuleOverrides;
use runtime::replay::{self, Gallery};
use runtime::source::open::{self, Opened};
use runtime::Result;
use serde_json::json;

use super::show;

/// Watch a recording as a camera would, as fast as it goes, and write what it saw.
///
/// The same recording, bundle, binary, engine and CPU give the same bytes.
#[derive(Args)]
pub struct ReplayArgs {
    /// A video file, file://, sim://?seed=1&incident=fire, a .sim file, or features:///rows.npy.
    source: String,
    /// Bundle to use instead of the shipped one; it must be signed by the demo's key.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Truth to draw into the timeline: video,label,frames,events with events first-last;first-last (1-based frames).
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Folder for scores.csv, alarms.jsonl and timeline.png.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Threshold to use instead of the model's, 0..1.
    #[arg(long)]
    threshold: Option<f32>,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Replay.
pub fn run(args: &ReplayArgs) -> Result<()> {
    let truth = args.truth.as_deref().map(|csv| replay::truth_for(csv, &args.source)).transpose()?;
    let bundle = show::open_bundle(args.model.as_ref())?;
    let source = open::open(&args.source)?;
    let bar = progress(&source);
    let view = match &source {
        Opened::Frames(frames) => (frames.info().width, frames.info().height),
        Opened::Rows(_) => (0, 0),
    };
    let pin = MemoryPin::new();
    let mut outputs = Outputs::default();
    outputs.push(GpioRelay::new(pin.clone(), Polarity::ActiveHigh)?);
    let over = RuleOverrides { threshold: args.threshold, ..RuleOverrides::default() };
    let mut gallery = Gallery::new(view);
    let watched = show::watch(source, &bundle, &over, outputs, |watch, segment, score, _| {
        bar.set_position(segment.last_frame);
        bar.set_message(format!("score {score:.3}"));
        if args.out.is_some()
            && let Some((clip, contract)) = watch.pipeline().feed().clip()
        {
            gallery.offer(segment, score, clip, contract);
        }
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &args.out {
        let report = replay::Report {
            title: &args.source,
            scores: &watched.scores,
            alarms: &watched.alarms,
            threshold: watched.threshold,
            truth: truth.as_deref(),
            thumbnails: &gallery.into_thumbnails(),
        };
        report.write(folder)?;
    }
    if args.json {
        let mut report = watched.json();
        report["model"] = json!(bundle.id);
        return show::print_json(&report);
    }
    println!(
        "{}: {} frames, {} segments, highest score {:.3}, threshold {:.3}",
        args.source,
        watched.scores.last().map_or(0, |row| row.last_frame),
        watched.scores.len(),
        watched.max_score(),
        watched.threshold
    );
    for alarm in &watched.alarms {
        println!(
            "alarm from {:.1} s (frame {}) to {:.1} s (frame {}), highest score {:.3}",
            alarm.start_s, alarm.first_frame, alarm.end_s, alarm.last_frame, alarm.peak
        );
    }
    println!("{} alarms; relay switched {} times", watched.alarms.len(), pin.edges());
    if let Some(folder) = &args.out {
        println!("see {}", folder.join("timeline.png").display());
    }
    Ok(())
}

fn progress(source: &Opened) -> ProgressBar {
    let frames = match source {
        Opened::Frames(frames) => frames.info().frames,
        Opened::Rows(rows) => Some(rows.rows() as u64 * 16),
    };
    // The template is a constant: it parses, or the default style serves.
    let style = ProgressStyle::with_template("replay {wide_bar} {pos}/{len} frames {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    frames.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style)
}
