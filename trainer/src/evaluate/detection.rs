//! What an operator feels: at a given rate of false alarms on normal footage, the share of events alarmed and the delay.

use runtime::Result;
use serde::{Deserialize, Serialize};

use super::{Scored, first_frame_of_row};

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// False alarms an hour of normal footage, at most.
    pub false_alarms_per_hour: f64,
    /// A threshold that keeps to it.
    pub threshold: f32,
    /// Share of events with a score over the threshold in them.
    pub detected: f64,
    /// Median seconds from an event's first frame to the first row over the threshold in it; absent if none is detected.
    pub delay_s: Option<f64>,
}

/// The curve at `rates` (false alarms an hour), for footage of `fps` frames a second. Empty without normal videos or events.
///
/// A false alarm is a run of rows over the threshold in a normal video.
pub fn curve(scored: &[Scored<'_>], rates: &[f64], fps: f64) -> Result<Vec<Point>> {
    let normal: Vec<&Scored<'_>> = scored.iter().filter(|item| !item.video.entry.abnormal).collect();
    let frames: u64 = normal.iter().filter_map(|item| item.video.entry.frames).sum();
    let hours = frames as f64 / fps / 3600.0;
    let events: usize = scored.iter().map(|item| item.video.entry.events.len()).sum();
    if frames == 0 || events == 0 {
        return Ok(Vec::new());
    }
    let peaks = run_peaks(&normal);
    let mut points = Vec::with_capacity(rates.len());
    for &rate in rates {
        // Fewer than k local peaks are above the k-th highest, and every run over a threshold has a peak above it.
        let allowed = (rate * hours).floor() as usize;
        let threshold = peaks.get(allowed).copied().unwrap_or(0.0);
        let mut delays: Vec<f64> = scored.iter().flat_map(|item| delays_s(item, threshold, fps)).collect();
        delays.sort_by(f64::total_cmp);
        points.push(Point {
            false_alarms_per_hour: rate,
            threshold,
            detected: delays.len() as f64 / events as f64,
            delay_s: (!delays.is_empty()).then(|| {
                let middle = delays.len() / 2;
                if delays.len() % 2 == 1 { delays[middle] } else { f64::midpoint(delays[middle - 1], delays[middle]) }
            }),
        });
    }
    Ok(points)
}

/// All local peaks of normal videos, highest first (a plateau is one).
fn run_peaks(normal: &[&Scored<'_>]) -> Vec<f32> {
    let mut peaks = Vec::new();
    for item in normal {
        let scores = &item.scores;
        for (row, &score) in scores.iter().enumerate() {
            let rises = row == 0 || scores[row - 1] < score;
            // The end of a plateau decides whether it is a peak.
            let next = scores[row..].iter().find(|&&other| other != score);
            if rises && next.is_none_or(|&other| other < score) {
                peaks.push(score);
            }
        }
    }
    peaks.sort_by(|a, b| b.total_cmp(a));
    peaks
}

/// Seconds from onset to the first row over the threshold, for each event that has one.
fn delays_s(item: &Scored<'_>, threshold: f32, fps: f64) -> Vec<f64> {
    let rows = item.scores.len();
    let frames = item.video.entry.frames.unwrap_or(rows as u64);
    item.video
        .entry
        .events
        .iter()
        .filter_map(|&(first, last)| {
            item.scores
                .iter()
                .enumerate()
                .filter(|&(_, &score)| score > threshold)
                // A row's score is known when its last frame has been seen.
                .map(|(row, _)| (first_frame_of_row(row, frames, rows), first_frame_of_row(row + 1, frames, rows)))
                .find(|&(start, end)| end >= first && start < last)
                .map(|(_, end)| end.saturating_sub(first - 1) as f64 / fps)
        })
        .collect()
}
