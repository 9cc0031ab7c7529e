//! What a score means: the share of frames that lie in events, score by score, and what each threshold costs.

use runtime::Result;

use super::page::{Key, Section, figure, paragraph, plots};
use super::plot::{Axis, Plot};
use super::{Way, normal_hours, working_point};
use crate::evaluate::{Scored, observations};

/// Bins of scores, of equal width.
const BINS: usize = 10;

/// Thresholds tried.
const THRESHOLDS: usize = 200;

/// Frames of scores in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bin {
    frames: u64,
    in_events: u64,
    /// Sum of the frames' scores.
    scores: f64,
}

/// Frames by score.
pub(super) fn bins(scored: &[Scored<'_>]) -> Result<[Bin; BINS]> {
    let mut bins = [Bin::default(); BINS];
    for item in scored {
        for row in observations(item)? {
            let bin = &mut bins[((f64::from(row.score) * BINS as f64) as usize).min(BINS - 1)];
            let frames = row.positives + row.negatives;
            bin.frames += frames;
            bin.in_events += row.positives;
            bin.scores += f64::from(row.score) * frames as f64;
        }
    }
    Ok(bins)
}

/// How far scores are from shares: the mean distance of a bin's score from its share of event frames, weighted by frames.
pub(super) fn calibration_error(bins: &[Bin; BINS]) -> f64 {
    let frames: u64 = bins.iter().map(|bin| bin.frames).sum();
    bins.iter().map(|bin| (bin.scores - bin.in_events as f64).abs()).sum::<f64>() / frames.max(1) as f64
}

/// Runs of rows over a threshold in normal videos: false alarms.
pub(super) fn false_alarms(scored: &[Scored<'_>], threshold: f32) -> usize {
    let runs = |scores: &[f32]| {
        let over = |i: usize| scores[i] > threshold;
        (0..scores.len()).filter(|&i| over(i) && (i == 0 || !over(i - 1))).count()
    };
    scored.iter().filter(|item| !item.video.entry.abnormal).map(|item| runs(&item.scores)).sum()
}

/// Share of events with a row over the threshold in them.
fn found(scored: &[Scored<'_>], threshold: f32) -> Result<f64> {
    let (mut events, mut found) = (0_usize, 0_usize);
    for item in scored.iter().filter(|item| item.video.entry.abnormal) {
        let rows = item.scores.len();
        let frames = crate::evaluate::truth(&item.video.entry)?;
        let first = |row: usize| crate::evaluate::first_frame_of_row(row, frames, rows);
        for &(from, to) in &item.video.entry.events {
            events += 1;
            let inside = |row: usize| first(row + 1) >= from && first(row) < to;
            found += usize::from((0..rows).any(|row| item.scores[row] > threshold && inside(row)));
        }
    }
    Ok(found as f64 / events.max(1) as f64)
}

/// The section.
pub fn section(ways: &[Way<'_>], fps: f64) -> Result<Section> {
    let hours = normal_hours(&ways[0].scored, fps);
    let mut shares = Plot::new(Axis::share("score"), Axis::share("share of frames in events"), 270.0);
    shares.line("chance", &[(0.0, 0.0), (1.0, 1.0)]);
    let all: Vec<[Bin; BINS]> = ways.iter().map(|way| bins(&way.scored)).collect::<Result<_>>()?;
    let most = all.iter().flatten().map(|bin| bin.frames).max().unwrap_or(1).max(10);
    let mut amounts = Plot::new(Axis::share("score"), Axis::log("frames", 1.0, most as f64 * 1.5), 270.0);
    let mut keys = Vec::new();
    for (i, (way, bins)) in ways.iter().zip(&all).enumerate() {
        let known = bins.iter().filter(|bin| bin.frames > 0);
        let points: Vec<(f64, f64)> =
            known.map(|bin| (bin.scores / bin.frames as f64, bin.in_events as f64 / bin.frames as f64)).collect();
        shares.line(way.class, &points);
        points.iter().for_each(|&point| shares.dot(way.class, point));
        for (b, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.frames > 0) {
            // Each way has its part of a bin's width, beside the other's.
            let (width, part) = (1.0 / BINS as f64, 0.8 / ways.len() as f64);
            let from = (b as f64 + 0.1 + part * i as f64) * width;
            amounts.rect(way.class, (from, 1.0), (from + part * width, bin.frames as f64));
        }
        let error = calibration_error(bins);
        keys.push((Key::Line(way.class), format!("{} (mean distance {error:.3})", way.name)));
    }
    keys.push((Key::Line("chance"), "score = share".into()));
    let areas: Vec<(Key, String)> = ways.iter().map(|way| (Key::Area(way.class), way.name.to_owned())).collect();
    let mut lines: Vec<(Key, String)> = ways.iter().map(|way| (Key::Line(way.class), way.name.to_owned())).collect();
    let working = ways.iter().find(|way| way.working.is_some());
    lines.extend(working.map(|way| (Key::Dot(way.class), working_point())));
    let mut figures = vec![
        figure(
            "Reliability",
            &shares.svg("Share of frames in events against score"),
            &keys,
            "Were scores probabilities, circles would lie on the dotted line. Training only asks that events score higher, so they \
             rarely do: below the line a score promises more than it keeps. Take the threshold from the plots of alarms, not from 0.5.",
        ),
        figure(
            "Frames by score",
            &amounts.svg("Number of frames against score"),
            &areas,
            "How many frames each circle of the plot of reliability stands for (each label up is ten times more). Two heaps at the ends leave \
             little between them for a threshold to choose from.",
        ),
    ];
    if hours > 0.0 {
        figures.extend(thresholds(ways, hours, &lines)?);
    }
    let intro = paragraph("Where a threshold can be set, and what a score is worth.");
    Ok(Section { id: "threshold", title: "Threshold", html: intro + &plots(&figures) })
}

/// False alarms and events found, threshold by threshold.
fn thresholds(ways: &[Way<'_>], hours: f64, keys: &[(Key, String)]) -> Result<[String; 2]> {
    let levels: Vec<f32> = Axis::odds_apart(THRESHOLDS).into_iter().map(|level| level as f32).collect();
    let rate = |way: &Way<'_>, level: f32| false_alarms(&way.scored, level) as f64 / hours;
    let rates: Vec<Vec<(f64, f64)>> =
        ways.iter().map(|way| levels.iter().map(|&level| (f64::from(level), rate(way, level))).collect()).collect();
    let lowest = 1.0 / hours;
    let most = rates.iter().flatten().map(|(_, rate)| *rate).fold(lowest * 10.0, f64::max);
    let mut alarms = Plot::new(
        Axis::odds("threshold (as odds: both ends stretched)"),
        Axis::log("false alarms an hour", lowest / 2.0, most * 1.2),
        270.0,
    );
    let mut events =
        Plot::new(Axis::odds("threshold (as odds: both ends stretched)"), Axis::share("share of events found"), 270.0);
    for (way, rates) in ways.iter().zip(&rates) {
        alarms.line(way.class, rates);
        let found: Vec<(f64, f64)> =
            levels.iter().map(|&level| Ok((f64::from(level), found(&way.scored, level)?))).collect::<Result<_>>()?;
        events.line(way.class, &found);
        if let Some(point) = &way.working {
            let threshold = f64::from(point.threshold);
            alarms.dot(way.class, (threshold, rate(way, point.threshold)));
            events.dot(way.class, (threshold, point.detected));
        }
    }
    Ok([
        figure(
            "False alarms by threshold",
            &alarms.svg("False alarms an hour against threshold"),
            keys,
            "What a threshold costs on the normal test videos (each label up is ten times more); at the bottom there are none. Where it is \
             steep, a small change of the threshold is a large one for the operator.",
        ),
        figure(
            "Events found by threshold",
            &events.svg("Share of events found against threshold"),
            keys,
            "What the same threshold brings.",
        ),
    ])
}
