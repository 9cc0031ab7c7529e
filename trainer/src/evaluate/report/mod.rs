//! `evaluate --report DIR`: one judged model and the videos that it was judged on in, `DIR/index.html` out.
//!
//! The page is a single file without scripts; it takes nothing from the network and follows the reader's light or dark
//! setting. Each section is a file here. Refused: the mean of several runs, whose scores have no mean.

mod alarms;
mod classes;
mod page;
mod plot;
mod ranking;
mod reliability;
mod training;
mod videos;

use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use super::command::{Judged, Resampled};
use super::table::COLUMNS;
use super::warnings::warnings;
use super::{Figures, Scored, detection};
use crate::dataset::{Dataset, Split, Video};
use crate::files::write_atomic;
use crate::train::Run;
use page::{escape, page, paragraph, table};

/// False alarms an hour of the working point that the plots mark.
const WORKING_RATE: f64 = 2.0;

/// One way of scoring, as the sections take it.
struct Way<'a> {
    /// Its name.
    name: &'static str,
    /// Class of its marks.
    class: &'static str,
    judged: &'a Resampled,
    scored: Vec<Scored<'a>>,
    /// Where an alarm would be raised, at [`WORKING_RATE`] at most; absent without normal videos or events.
    working: Option<detection::Point>,
}

impl<'a> Way<'a> {
    fn new(
        name: &'static str,
        class: &'static str,
        judged: &'a Resampled,
        videos: &'a [Video],
        fps: f64,
    ) -> Result<Self> {
        let scored: Vec<Scored<'a>> =
            videos.iter().zip(&judged.scores).map(|(video, scores)| Scored { video, scores: scores.clone() }).collect();
        let working = detection::curve(&scored, &[WORKING_RATE], fps)?.pop();
        Ok(Self { name, class, judged, scored, working })
    }
}

/// Write the page on what is at `model`, judged on `dataset`'s test list; returns its path.
pub fn write(folder: &Path, model: &Path, dataset: &Dataset, judged: &Judged, fps: f64) -> Result<PathBuf> {
    if judged.offline.scores.is_empty() {
        return Err(of_several(model));
    }
    let videos = dataset.videos(Split::Test)?;
    let mut ways = vec![Way::new("offline", "a", &judged.offline, videos, fps)?];
    if let Some(streaming) = &judged.streaming {
        ways.push(Way::new("streaming", "b", streaming, videos, fps)?);
    }
    let run = if model.join("run.json").exists() { Some(Run::open(model)?) } else { None };
    let mut sections = vec![ranking::section(&ways)?, alarms::section(&ways, fps)?, reliability::section(&ways, fps)?];
    sections.extend(classes::section(&ways, fps)?);
    if let Some(run) = &run {
        sections.extend(training::section(run)?);
    }
    sections.push(videos::section(&ways, fps)?);
    let html = page(&format!("{} on {}", name(model), name(&dataset.root)), &head(&ways, run.as_ref(), fps), &sections);
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::failed(folder.display().to_string(), format!("cannot be made: {error}"), "name another --report")
    })?;
    let path = folder.join("index.html");
    write_atomic(&path, html.as_bytes())?;
    Ok(path)
}

/// Why the runs in a folder have no report together.
pub fn of_several(folder: &Path) -> Error {
    let remedy = format!("name one of them, {}/seed-N", folder.display());
    Error::invalid("--report", "shows one run, not the mean of several", remedy)
}

/// The last part of a path.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// What was judged, what is wrong with it if anything, and the figures.
fn head(ways: &[Way<'_>], run: Option<&Run>, fps: f64) -> String {
    let scored = &ways[0].scored;
    let abnormal = scored.iter().filter(|item| item.video.entry.abnormal).count();
    let events: usize = scored.iter().map(|item| item.video.entry.events.len()).sum();
    let mut facts = format!(
        "{} test videos, {abnormal} with {events} events, {} of footage at {fps} frames a second.",
        scored.len(),
        duration(footage_s(scored, fps)),
    );
    if let Some(run) = run {
        let file = &run.file;
        facts += &[
            format!(" Model {}, seed {}, weights of step {}", file.settings.model.name(), file.seed, file.chosen_step),
            format!(", trained on {} videos ({} abnormal).", file.dataset.videos, file.dataset.abnormal),
        ]
        .concat();
    }
    let mut html = vec![paragraph(&facts)];
    for way in ways {
        for warning in warnings(way.name, &way.judged.figures) {
            html.push(format!("<p class=\"warn\">{}</p>", escape(&warning)));
        }
    }
    let titles: Vec<&str> = std::iter::once("").chain(COLUMNS.map(|(title, _)| title)).collect();
    let row = |way: &Way<'_>| -> Vec<String> {
        std::iter::once(way.name.to_owned()).chain(cells(&way.judged.figures)).collect()
    };
    html.push(table(&titles, &ways.iter().map(row).collect::<Vec<Vec<String>>>()));
    html.push(paragraph(
        "In brackets: where the figure might lie with other videos of the same kind (95 %, by resampling videos). Offline, a \
         model sees the whole video before it scores; streaming, it scores each segment as a camera does, from what came before.",
    ));
    html.concat()
}

/// Figures with their intervals.
fn cells(figures: &Figures) -> [String; 4] {
    let (values, intervals) = (figures.values(), figures.intervals.values());
    std::array::from_fn(|i| {
        let Some(value) = values[i] else { return "-".into() };
        let interval = intervals[i].map(|[low, high]| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
        format!("{value:.4}{interval}")
    })
}

/// What the plots' circles mark.
fn working_point() -> String {
    format!("at most {WORKING_RATE} false alarms an hour")
}

/// Seconds of footage in videos.
fn footage_s(scored: &[Scored<'_>], fps: f64) -> f64 {
    scored.iter().filter_map(|item| item.video.entry.frames).sum::<u64>() as f64 / fps
}

/// Hours of normal footage.
fn normal_hours(scored: &[Scored<'_>], fps: f64) -> f64 {
    let normal = scored.iter().filter(|item| !item.video.entry.abnormal);
    normal.filter_map(|item| item.video.entry.frames).sum::<u64>() as f64 / fps / 3600.0
}

/// Seconds for people.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests;
