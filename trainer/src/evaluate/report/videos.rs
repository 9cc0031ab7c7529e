//! Score against truth, video by video (the paper's Fig. 5), from the video that the model gets most wrong to the one it
//! gets most right.

use runtime::Result;

use super::Way;
use super::page::{Key, Section, figure, folded, keys, paragraph, plots};
use super::plot::{Axis, Plot};
use crate::dataset::{Video, segment_edges};
use crate::evaluate::metrics::Observation;
use crate::evaluate::{Scored, first_frame_of_row, observations, truth};

/// Videos shown at either end; the others are folded.
const SHOWN: usize = 6;

/// Videos in one fold.
const FOLD: usize = 24;

/// Levels of a line at most: more would not be seen.
const LEVELS: usize = 320;

/// Frames by rising score, for shares of them below a score.
struct Ladder {
    /// Score, and frames up to and with it.
    steps: Vec<(f32, u64)>,
}

impl Ladder {
    fn new(mut frames: Vec<(f32, u64)>) -> Self {
        frames.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0;
        for (_, count) in &mut frames {
            sum += *count;
            *count = sum;
        }
        Self { steps: frames }
    }

    /// Share of the frames below `score`; equal ones count half. None of no frames.
    fn below(&self, score: f32) -> Option<f64> {
        let all = self.steps.last().map(|last| last.1).filter(|&all| all > 0)?;
        let up_to = |end: usize| end.checked_sub(1).map_or(0, |i| self.steps[i].1);
        let less = up_to(self.steps.partition_point(|step| step.0 < score));
        let no_more = up_to(self.steps.partition_point(|step| step.0 <= score));
        Some((less + no_more) as f64 / (2 * all) as f64)
    }
}

/// How right each video is, 0 to 1: of an abnormal one, the chance that a frame of its events outranks a frame outside of all events; of
/// a normal one, that a frame of any event outranks one of its own. None where there is nothing to compare with.
pub(super) fn rightness(scored: &[Scored<'_>]) -> Result<Vec<Option<f64>>> {
    let all: Vec<Vec<Observation>> = scored.iter().map(observations).collect::<Result<_>>()?;
    let events = Ladder::new(all.iter().flatten().map(|row| (row.score, row.positives)).collect());
    let others = Ladder::new(all.iter().flatten().map(|row| (row.score, row.negatives)).collect());
    let of = |(item, rows): (&Scored<'_>, &Vec<Observation>)| -> Option<f64> {
        let (mut sum, mut frames) = (0.0_f64, 0_u64);
        for row in rows {
            let (share, count) = if item.video.entry.abnormal {
                (others.below(row.score)?, row.positives)
            } else {
                (1.0 - events.below(row.score)?, row.negatives)
            };
            sum += share * count as f64;
            frames += count;
        }
        (frames > 0).then(|| sum / frames as f64)
    };
    Ok(scored.iter().zip(&all).map(of).collect())
}

/// A video's scores as levels over seconds: as they are, or the highest of each of [`LEVELS`] parts.
pub(super) fn levels(scores: &[f32], frames: u64, fps: f64) -> Vec<(f64, f64, f64)> {
    let (rows, count) = (scores.len(), scores.len().min(LEVELS));
    let second = |row: usize| first_frame_of_row(row, frames, rows) as f64 / fps;
    let mut levels: Vec<(f64, f64, f64)> = Vec::new();
    for i in 0..count {
        let edges = segment_edges(rows, count, i);
        let highest = f64::from(scores[edges.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (from, to) = (second(edges.start), second(edges.end));
        match levels.last_mut() {
            Some(last) if last.2 == highest => last.1 = to,
            _ => levels.push((from, to, highest)),
        }
    }
    levels
}

/// One video's plot.
fn plot(ways: &[Way<'_>], index: usize, right: Option<f64>, fps: f64) -> Result<String> {
    let video: &Video = ways[0].scored[index].video;
    let frames = truth(&video.entry)?;
    let end = frames as f64 / fps;
    let mut plot = Plot::new(Axis::linear("seconds", 0.0, end, 5), Axis::linear("score", 0.0, 1.0, 2), 160.0);
    for &(first, last) in &video.entry.events {
        plot.band("truth", (first - 1) as f64 / fps, (last as f64 / fps).min(end));
    }
    if let Some(point) = ways.last().and_then(|way| way.working.as_ref()) {
        plot.level("chance", f64::from(point.threshold));
    }
    // The first way on top.
    for way in ways.iter().rev() {
        let class = if way.class == "b" { "thin" } else { way.class };
        plot.levels(class, &levels(&way.scored[index].scores, frames, fps));
    }
    let kind = match video.entry.events.len() {
        0 => "Normal".to_owned(),
        1 => "1 event".to_owned(),
        n => format!("{n} events"),
    };
    let right = right.map(|right| format!("; right in {:.0} % of comparisons", 100.0 * right)).unwrap_or_default();
    let name = &video.entry.video;
    Ok(figure(name, &plot.svg(&format!("Score of {name} over time")), &[], &format!("{kind}{right}.")))
}

/// The section.
pub fn section(ways: &[Way<'_>], fps: f64) -> Result<Section> {
    let right = rightness(&ways[0].scored)?;
    let mut order: Vec<usize> = (0..right.len()).collect();
    // Those without a figure come last.
    order.sort_by(|&a, &b| right[a].unwrap_or(2.0).total_cmp(&right[b].unwrap_or(2.0)));
    let show = |indices: &[usize]| -> Result<String> {
        let figures: Vec<String> = indices.iter().map(|&i| plot(ways, i, right[i], fps)).collect::<Result<_>>()?;
        Ok(plots(&figures))
    };
    let mut marks: Vec<(Key, String)> = ways
        .iter()
        .map(|way| (Key::Line(if way.class == "b" { "thin" } else { way.class }), format!("score, {}", way.name)))
        .collect();
    marks.push((Key::Area("truth"), "event".into()));
    if ways.iter().any(|way| way.working.is_some()) {
        marks.push((Key::Line("chance"), format!("threshold for {} false alarms an hour", super::WORKING_RATE)));
    }
    let mut html = vec![
        paragraph(
            "A right line is high inside the bands and low outside of them. The videos are in the order of how right they are: in an abnormal \
             video, how often a frame of its events outranks a frame outside of all events; in a normal one, how often a frame of any event \
             outranks one of its own.",
        ),
        keys(&marks),
    ];
    let few = order.len() <= 2 * SHOWN;
    let (worst, rest) = order.split_at(if few { order.len() } else { SHOWN });
    let (between, best) = rest.split_at(rest.len().saturating_sub(SHOWN));
    html.push(format!("<h3>{}</h3>", if few { "All, the most wrong first" } else { "The most wrong" }));
    html.push(show(worst)?);
    if !best.is_empty() {
        html.push("<h3>The most right, the best last</h3>".into());
        html.push(show(best)?);
    }
    if !between.is_empty() {
        html.push("<h3>All between</h3>".into());
    }
    for (i, part) in between.chunks(FOLD).enumerate() {
        let first = SHOWN + i * FOLD + 1;
        html.push(folded(&format!("Number {first} to {} of {}", first + part.len() - 1, order.len()), &show(part)?));
    }
    Ok(Section { id: "videos", title: "Videos", html: html.concat() })
}
