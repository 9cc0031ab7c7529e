//! How the run came about: what was erased over its steps (the paper's Fig. 4), and what validation said.

use std::collections::BTreeMap;

use runtime::Result;

use super::page::{Key, Section, figure, keys, paragraph, plots};
use super::plot::{Axis, Plot};
use crate::train::watch::{self, WatchLine};
use crate::train::{LogLine, Run, read_log};

/// Points of a line over a run's steps at most: each is the mean of the steps between.
const POINTS: usize = 60;

/// The section, where the run has a log.
pub fn section(run: &Run) -> Result<Option<Section>> {
    if !run.path.join("log.csv").exists() {
        return Ok(None);
    }
    let log = read_log(run)?;
    if log.is_empty() {
        return Ok(None);
    }
    let mut figures = vec![losses(&log)];
    figures.extend(validation(&log));
    if watch::erases(&run.file.settings.model).is_some() {
        figures.push(erased(&log));
    }
    let mut html = paragraph("The run's own log, of training videos alone.") + &plots(&figures);
    let mut videos: BTreeMap<String, Vec<WatchLine>> = BTreeMap::new();
    for line in watch::read(&run.path, u64::MAX)? {
        videos.entry(line.video.clone()).or_default().push(line);
    }
    if !videos.is_empty() {
        html += &paragraph(
            "What would be erased of a few abnormal training videos, from the first assessment (top) to the last: the stronger the blue, the higher a \
             segment scores; orange segments would be hidden, so that the rest of the incident is looked for. Erasing \
             works if orange spreads from a first peak over an incident, and stops there; all orange is too much.",
        );
        let shades = [("s1", "score from .1"), ("s2", ".3"), ("s3", ".5"), ("s4", ".8"), ("erased", "would be erased")];
        html += &keys(&shades.map(|(class, text)| (Key::Area(class), text.to_owned())));
        html += &plots(&videos.iter().map(|(video, lines)| map(video, lines)).collect::<Vec<_>>());
    }
    Ok(Some(Section { id: "training", title: "Training", html }))
}

/// Means of blocks of steps: `(last step of the block, mean)`.
fn blocks(log: &[LogLine], value: impl Fn(&LogLine) -> f64) -> Vec<(f64, f64)> {
    let block = log.len().div_ceil(POINTS).max(1);
    let mean = |lines: &[LogLine]| lines.iter().map(&value).sum::<f64>() / lines.len() as f64;
    log.chunks(block).map(|lines| (lines[lines.len() - 1].step as f64, mean(lines))).collect()
}

fn steps(log: &[LogLine]) -> Axis {
    Axis::linear("training step", 0.0, log.last().map_or(1.0, |line| line.step as f64), 5)
}

fn top(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, y)| *y).fold(0.0, f64::max) * 1.05
}

fn losses(log: &[LogLine]) -> String {
    let points = blocks(log, |line| f64::from(line.loss));
    let mut plot = Plot::new(steps(log), Axis::linear("loss", 0.0, top(&points), 5), 230.0);
    plot.line("a", &points);
    let caption =
        "Of the batches, with dropout. It should fall and level out; a rise means a learning rate that is too high.";
    figure("Loss", &plot.svg("Loss against training step"), &[], caption)
}

fn validation(log: &[LogLine]) -> Option<String> {
    let of = |value: fn(&LogLine) -> Option<f64>| -> Vec<(f64, f64)> {
        log.iter().filter_map(|line| Some((line.step as f64, value(line)?))).collect()
    };
    let (videos, composites) = (of(|line| line.validation), of(|line| line.validation_composite));
    if videos.is_empty() {
        return None;
    }
    let lowest = videos.iter().chain(&composites).map(|(_, auc)| *auc).fold(0.5, f64::min);
    let lowest = (lowest * 10.0).floor() / 10.0;
    let mut plot = Plot::new(steps(log), Axis::linear("AUC", lowest, 1.0, 5), 230.0);
    plot.level("chance", 0.5);
    plot.line("a", &videos);
    plot.line("b", &composites);
    let keys = [
        (Key::Line("a"), "held-out videos".to_owned()),
        (Key::Line("b"), "an abnormal one inside a normal one".to_owned()),
        (Key::Line("chance"), "chance".to_owned()),
    ];
    let caption = "On training videos held out: what kind of video is it (solid), and where does something not belong (dashed)? A solid line that \
                   rises while the dashed one falls is a model that learns scenes, not incidents.";
    Some(figure("Validation", &plot.svg("Validation AUC against training step"), &keys, caption))
}

fn erased(log: &[LogLine]) -> String {
    let segments = blocks(log, |line| line.erased_segments as f64);
    let mut plot = Plot::new(steps(log), Axis::linear("segments erased in a batch", 0.0, top(&segments), 5), 230.0);
    plot.line("a", &segments);
    let caption = "Segments hidden from the second pass. None are until scores pass the erasing threshold; then more, as the model finds \
                   more of each incident. A line at 0 means that erasing never took part in this run.";
    figure("Erased segments", &plot.svg("Erased segments against training step"), &[], caption)
}

/// One video: segments from left to right, assessments from top to bottom.
fn map(video: &str, lines: &[WatchLine]) -> String {
    let rows = lines.len();
    let segments = lines[0].scores.len();
    let every = rows.div_ceil(6).max(1);
    let middle = |row: usize| rows as f64 - row as f64 - 0.5;
    let ticks: Vec<(f64, String)> =
        (0..rows).step_by(every).map(|row| (middle(row), lines[row].step.to_string())).collect();
    let x = Axis::linear("segment of the video", 0.0, segments as f64, 4);
    let mut plot = Plot::new(x, Axis::named("step", 0.0, rows as f64, ticks), (rows as f64 * 12.0).clamp(90.0, 260.0));
    for (row, line) in lines.iter().enumerate() {
        let classes: Vec<&str> = line.scores.chars().zip(line.erased.chars()).map(|(s, e)| shade(s, e)).collect();
        let mut start = 0;
        for run in classes.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            if !run[0].is_empty() {
                plot.rect(run[0], (start as f64, middle(row) - 0.45), (end as f64, middle(row) + 0.45));
            }
            start = end;
        }
    }
    figure(video, &plot.svg(&format!("Scores and erased segments of {video} over training")), &[], "")
}

/// The class of a segment: by whether it would be erased, else by its score in tenths.
fn shade(score: char, erased: char) -> &'static str {
    if erased == '1' {
        return "erased";
    }
    match score {
        '0' => "",
        '1' | '2' => "s1",
        '3' | '4' => "s2",
        '5'..='7' => "s3",
        _ => "s4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_shows_scores_and_what_was_erased() {
        let line = |step, scores: &str, erased: &str| WatchLine {
            step,
            video: "v".into(),
            scores: scores.into(),
            erased: erased.into(),
        };
        let map = map("v", &[line(50, "0115", "0000"), line(100, "0899", "0111")]);
        let count = |class: &str| map.matches(&format!("<rect class=\"{class}\"")).count();
        assert_eq!((count("s1"), count("s3"), count("erased")), (1, 1, 1), "{map}");
        assert!(map.contains(">50<") && map.contains(">100<"));
    }

    #[test]
    fn long_logs_are_averaged() {
        let log: Vec<LogLine> = (1..=600)
            .map(|step| LogLine { step, erased_segments: (step % 2) as usize * 4, ..LogLine::default() })
            .collect();
        let points = blocks(&log, |line| line.erased_segments as f64);
        assert_eq!((points.len(), points[0], points[59]), (60, (10.0, 2.0), (600.0, 2.0)));
    }
}
