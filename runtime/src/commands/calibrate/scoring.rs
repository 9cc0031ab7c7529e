//! Recordings, cameras, or scores of earlier come in; scores of normal footage go out, broken where frames were lost. No output is told
//! of anything.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firmware_config::config::Camera;
use runtime::bundle::Bundle;
use runtime::calibrate::{Footage, Series};
use runtime::engine::Engines;
use runtime::health::{Clock as _, SystemClock};
use runtime::pipeline::{Pipeline, RuleOverrides, Step};
use runtime::source::mask::PrivacyMask;
use runtime::source::open::{self, Opened};
use runtime::{Error, Result, files};
use serde::Deserialize;

use crate::commands::show;

/// How often progress is shown.
const GLANCE: Duration = Duration::from_millis(500);

/// What scores.
pub struct Scoring<'a> {
    /// The model.
    pub bundle: &'a Bundle,
    /// What computes it.
    pub engines: &'a Engines,
    /// The config's alarm settings.
    pub over: &'a RuleOverrides,
    /// Length of a segment, in seconds.
    pub segment_s: f64,
}

/// Whether a recording holds no pixels that a mask could hide.
pub fn is_masked_already(recording: &str) -> bool {
    is_scores(recording) || recording.starts_with("features://")
}

fn is_scores(recording: &str) -> bool {
    Path::new(recording).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

impl Scoring<'_> {
    /// Scores of recordings, behind `mask`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn recordings(&self, recordings: &[String], mask: &PrivacyMask) -> Result<Footage> {
        let mut footage = Footage { series: Vec::new(), segment_s: self.segment_s };
        let bar = show::progress(None, "calibrate", "segments");
        for recording in recordings {
            bar.set_message(recording.clone());
            if is_scores(recording) {
                footage.series.extend(read(Path::new(recording), self.segment_s)?);
                continue;
            }
            let source = mask.over(open::open(recording)?);
            self.score(
                source,
                recording,
                |_| {
                    bar.inc(1);
                    true
                },
                &mut footage.series,
            )?;
        }
        bar.finish_and_clear();
        Ok(footage)
    }

    /// Scores of cameras, watched side by side for `time`. One that fails ends, and what it saw counts.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub fn cameras(&self, cameras: &[Camera], time: Duration) -> Result<Footage> {
        let opened = |camera: &Camera| -> Result<Opened> {
            Ok(PrivacyMask::new(camera.into()).over(open::open_live(&camera.source)?))
        };
        let sources = cameras.iter().map(opened).collect::<Result<Vec<_>>>()?;
        let clock = SystemClock::start();
        let segments = AtomicU64::new(0);
        let (clock, segments) = (&clock, &segments);
        let bar = show::progress(Some(time.as_secs()), "calibrate", "seconds");
        let mut footage = Footage { series: Vec::new(), segment_s: self.segment_s };
        std::thread::scope(|scope| {
            let watch = |(camera, source): (&Camera, Opened)| {
                let name = camera.name.clone();
                scope.spawn(move || {
                    let mut series = Vec::new();
                    let goes_on = |scored: bool| {
                        segments.fetch_add(u64::from(scored), Ordering::Relaxed);
                        clock.now() < time
                    };
                    if let Err(error) = self.score(source, &name, goes_on, &mut series) {
                        log::error!("{name}: {error}");
                    }
                    series
                })
            };
            let threads: Vec<_> = cameras.iter().zip(sources).map(watch).collect();
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                bar.set_position(clock.now().as_secs());
                bar.set_message(format!("{} segments", segments.load(Ordering::Relaxed)));
                std::thread::sleep(GLANCE);
            }
            for thread in threads {
                // A panic was logged by its hook; the other cameras' scores are good.
                footage.series.extend(thread.join().unwrap_or_default());
            }
        });
        bar.finish_and_clear();
        Ok(footage)
    }

    /// Score a source to its end, or as long as `goes_on`, which is asked after each step and told whether it was a segment; what is
    /// there is in `all`, also after an error.
    fn score(&self, source: Opened, name: &str, goes_on: impl Fn(bool) -> bool, all: &mut Vec<Series>) -> Result<()> {
        let mut pipeline = Pipeline::new(source, self.bundle, self.engines, self.over)?;
        let mut whole = false;
        loop {
            let scored = match pipeline.step()? {
                Step::Scored { segment, score, .. } => {
                    if !std::mem::replace(&mut whole, true) {
                        let start_s = segment.start_ns as f64 / 1e9;
                        all.push(Series { name: name.into(), start_s, scores: Vec::new() });
                    }
                    if let Some(series) = all.last_mut() {
                        series.scores.push(score);
                    }
                    true
                }
                Step::Gap { reason, .. } => {
                    if std::mem::replace(&mut whole, false) {
                        log::warn!("{name}: frames lost: {reason}");
                    }
                    false
                }
                Step::End { .. } => return Ok(()),
            };
            if !goes_on(scored) {
                return Ok(());
            }
        }
    }
}

/// A row of kept scores, or of a replay's.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    camera: String,
    segment: u64,
    score: f32,
}

/// Read scores; where segments do not follow each other, there is a break.
fn read(path: &Path, segment_s: f64) -> Result<Vec<Series>> {
    let name = path.display().to_string();
    let remedy = "name the scores.csv of `tadpole replay --out`, or what `--keep` wrote";
    let unreadable = |error: csv::Error| Error::unreadable(&name, &error, remedy);
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let mut all: Vec<Series> = Vec::new();
    let mut next = None;
    for (n, row) in reader.deserialize::<Row>().enumerate() {
        let Row { camera, segment, score } = row.map_err(unreadable)?;
        if !(0.0..=1.0).contains(&score) {
            return Err(Error::corrupt(&name, format!("row {} has the score {score}, not 0 to 1", n + 1), remedy));
        }
        let camera = if camera.is_empty() { name.clone() } else { camera };
        match all.last_mut().filter(|series| next == Some(segment) && series.name == camera) {
            Some(series) => series.scores.push(score),
            None => all.push(Series { name: camera, start_s: segment as f64 * segment_s, scores: vec![score] }),
        }
        next = segment.checked_add(1);
    }
    Ok(all)
}

/// Write scores so that [`read`] finds the same series.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(path: &Path, footage: &Footage) -> Result<()> {
    let mut text = String::from("camera,segment,score\n");
    let mut next = 0;
    for series in &footage.series {
        // One more than would follow: a break stays a break.
        let first = ((series.start_s / footage.segment_s).round() as u64).max(next + 1);
        // A name may be a path with a comma in it.
        let name = series.name.replace(['"', ',', '\n', '\r'], "_");
        for (segment, score) in (first..).zip(&series.scores) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name},{segment},{score}");
        }
        next = first + series.scores.len() as u64;
    }
    files::write(path, text.as_bytes()).map_err(|error| {
        let problem = format!("cannot be written: {error}");
        Error::failed(path.display().to_string(), problem, "choose a writable folder with free space for --keep")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let series =
            |name: &str, start_s: f64, scores: &[f32]| Series { name: name.into(), start_s, scores: scores.into() };
        let footage = Footage {
            series: vec![
                series("north", 0.64, &[0.25, 0.5]),
                series("north", 1.92, &[0.125]),
                series("south", 64.0, &[0.0, 1.0]),
            ],
            segment_s: 0.64,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        keep(&path, &footage).unwrap();
        let found = read(&path, 0.64).unwrap();
        let parts =
            |all: &[Series]| -> Vec<_> { all.iter().map(|one| (one.name.clone(), one.scores.clone())).collect() };
        assert_eq!(parts(&found), parts(&footage.series));
        std::fs::write(&path, "segment,first_frame,last_frame,time_s,score\n0,1,16,0.64,0.5\n1,17,32,1.28,0.75\n")
            .unwrap();
        assert_eq!(read(&path, 0.64).unwrap()[0].scores, [0.5, 0.75], "a replay's");
        std::fs::write(&path, "segment,score\n0,1.5\n").unwrap();
        assert!(read(&path, 0.64).unwrap_err().to_string().contains("row 1 has the score 1.5"));
    }
}
