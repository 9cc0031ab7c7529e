//! Watching a recording to its end with people looking on: what `demo`, `replay` and `bench` share.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressStyle};
use runtime::bundle::{Bundle, demo_keys, find};
use runtime::engine::Engines;
use runtime::features::Segment;
use runtime::health::Health;
use runtime::health::clock::{Clock as _, SystemClock};
use runtime::output::{AlarmEvent, Outputs, Phase};
use runtime::pipeline::watch::{Seen, Shared, Watch};
use runtime::pipeline::{Pipeline, RuleOverrides};
use runtime::replay::{AlarmSpan, ScoreRow};
use runtime::source::open::Opened;
use runtime::{Error, Result};
use serde_json::{Value, json};

/// Cells of the bar that stands for a score of 1.
const BAR_CELLS: usize = 40;

/// Open `model`, or the shipped bundle; the demo's key alone is trusted.
pub fn open_bundle(model: Option<&PathBuf>) -> Result<Bundle> {
    let path = model.map_or_else(find::shipped, |path| Ok(path.clone()))?;
    Bundle::open(path, &demo_keys())
}

/// What a recording gave.
pub struct Watched {
    /// One row per segment.
    pub scores: Vec<ScoreRow>,
    /// Alarms, in order.
    pub alarms: Vec<AlarmSpan>,
    /// The threshold in force.
    pub threshold: f32,
}

/// Who is told while a recording is watched.
pub struct Told {
    /// The camera's name.
    pub camera: &'static str,
    /// Who is told of alarms.
    pub outputs: Shared<Outputs>,
    /// How it is.
    pub health: Shared<Health>,
    /// The time.
    pub clock: SystemClock,
}

impl Told {
    /// These outputs, from now on.
    pub fn new(camera: &'static str, outputs: Outputs) -> Self {
        let clock = SystemClock::start();
        let health = Arc::new(Mutex::new(Health::new(camera, false, clock.now())));
        Self { camera, outputs: Arc::new(Mutex::new(outputs)), health, clock }
    }
}

/// Watch `source` to its end with the outputs given; of the bundle, what it promises is left. `seen` is called for each segment, after the outputs were told.
pub fn watch(
    source: Opened,
    bundle: &mut Bundle,
    engines: &Engines,
    over: &RuleOverrides,
    outputs: Outputs,
    seen: impl FnMut(&Watch, &Segment, f32, Option<&AlarmEvent>),
) -> Result<Watched> {
    watch_as(&Told::new("recording", outputs), source, bundle, engines, over, seen)
}

/// As [`watch`], where others look on.
pub fn watch_as(
    told: &Told,
    source: Opened,
    bundle: &mut Bundle,
    engines: &Engines,
    over: &RuleOverrides,
    mut seen: impl FnMut(&Watch, &Segment, f32, Option<&AlarmEvent>),
) -> Result<Watched> {
    let clock = told.clock;
    let pipeline = Pipeline::new(source, bundle, engines, over)?;
    bundle.forget_contents();
    let threshold = pipeline.alarm().rule().threshold;
    let mut watch = Watch::new(told.camera, pipeline, Arc::clone(&told.outputs), Arc::clone(&told.health));
    let mut watched = Watched { scores: Vec::new(), alarms: Vec::new(), threshold };
    loop {
        let (what, event) = watch.step(clock.now())?;
        if let Some(event) = &event {
            watched.note(event);
        }
        match what {
            Seen::Segment(segment, score) => {
                watched.scores.push(ScoreRow {
                    segment: segment.number,
                    first_frame: segment.first_frame,
                    last_frame: segment.last_frame,
                    time_s: segment.end_ns as f64 / 1e9,
                    score,
                });
                seen(&watch, &segment, score, event.as_ref());
            }
            Seen::Gap(reason) => log::warn!("frames were lost: {reason}"),
            Seen::End => break,
        }
    }
    if watched.scores.is_empty() {
        return Err(Error::invalid(
            "recording",
            "it is shorter than one segment (0.64 s), there is nothing to score",
            "use a longer recording",
        ));
    }
    Ok(watched)
}

impl Watched {
    fn note(&mut self, event: &AlarmEvent) {
        let span = AlarmSpan {
            start_s: event.start_s,
            end_s: event.end_s,
            first_frame: event.first_frame,
            last_frame: event.last_frame,
            peak: event.peak,
        };
        match (event.phase, self.alarms.last_mut()) {
            (Phase::Ended, Some(last)) => *last = span,
            _ => self.alarms.push(span),
        }
    }

    /// Highest score.
    pub fn max_score(&self) -> f32 {
        self.scores.iter().map(|row| row.score).fold(0.0, f32::max)
    }

    /// The object that `--json` prints.
    pub fn json(&self) -> Value {
        json!({
            "frames": self.scores.last().map_or(0, |row| row.last_frame),
            "segments": self.scores.len(),
            "max_score": self.max_score(),
            "threshold": self.threshold,
            "alarms": self.alarms,
        })
    }
}

/// One line of a live score: time, a bar with the threshold marked, the score, and an alarm's beginning or end.
pub fn score_line(segment: &Segment, score: f32, threshold: f32, event: Option<&AlarmEvent>) -> String {
    let cell = |x: f32| ((x * BAR_CELLS as f32) as usize).min(BAR_CELLS - 1);
    let (full, mark) = (cell(score), cell(threshold));
    let bar: String = (0..BAR_CELLS)
        .map(|i| match i {
            i if i == mark => '|',
            i if i < full => '#',
            _ => '.',
        })
        .collect();
    let note = match event.map(|e| e.phase) {
        Some(Phase::Started) => "  ALARM: relay closed",
        Some(Phase::Ended) => "  alarm over: relay open",
        None => "",
    };
    format!("{:7.1} s  {bar}  {score:.3}{note}", segment.end_ns as f64 / 1e9)
}

/// A bar on standard error under the name `what`, which counts to `total` (unknown: turns) in `unit`.
pub fn progress(total: Option<u64>, what: &'static str, unit: &str) -> ProgressBar {
    // The template is a constant: it parses, or the default style serves.
    let style = ProgressStyle::with_template(&format!("{what} {{wide_bar}} {{pos}}/{{len}} {unit} {{msg}} {{eta}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style)
}

/// Print one JSON object on standard output.
pub fn print_json(value: &Value) -> Result<()> {
    writeln!(std::io::stdout(), "{value}")
        .map_err(|e| Error::failed("standard output", e.to_string(), "check the pipe"))
}
