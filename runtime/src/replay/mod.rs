//! What a replay leaves behind: the scores as a table, the alarms as lines, and one picture of both.
//!
//! [`Report::write`] puts `scores.csv`, `alarms.jsonl` and `timeline.png` into a folder, each complete or not at all.
//! The same report gives the same bytes. [`truth`] reads what really happened, to be drawn beside it; [`best`] keeps
//! the pictures of the highest scores while the replay runs.

pub mod best;
mod draw;
pub mod timeline;
pub mod truth;

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use best::{Best, Thumbnail};
pub use truth::{Truth, TruthSpan};

use crate::{Error, Result, files};

/// One segment and its score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// 0-based number of the segment.
    pub segment: u64,
    /// First source frame, 1-based.
    pub first_frame: u64,
    /// Last source frame, included.
    pub last_frame: u64,
    /// End of the segment, seconds since the first frame.
    pub time_s: f64,
    /// Score, 0..=1.
    pub score: f32,
}

/// An alarm from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmSpan {
    /// Beginning, seconds since the first frame.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
    /// First source frame, 1-based.
    pub first_frame: u64,
    /// Last source frame, included.
    pub last_frame: u64,
    /// Highest score.
    pub peak: f32,
}

/// All that is known when a replay is over.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was replayed, for the picture's title.
    pub title: &'a str,
    /// Number of source frames; 0 when rows were replayed.
    pub frames: u64,
    /// Length of the recording in seconds.
    pub duration_s: f64,
    /// Score at which an alarm may be raised.
    pub threshold: f32,
    /// Width over height of the source's pictures.
    pub aspect: f32,
    /// Scores in the order of time.
    pub scores: &'a [ScoreRow],
    /// Alarms in the order of time.
    pub alarms: &'a [AlarmSpan],
    /// What really happened, if it is known; empty: nothing.
    pub truth: Option<&'a [TruthSpan]>,
    /// Pictures of the highest scores, in any order; the first [`timeline::THUMBNAILS_MAX`] in time are drawn.
    pub thumbnails: &'a [Thumbnail],
}

impl Report<'_> {
    /// Write the three files into `folder`, which is made where needed.
    ///
    /// # Errors
    /// When the folder or a file cannot be written; no half-written file is left under its name.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| cannot_write(folder, &e))?;
        write_whole(&folder.join("scores.csv"), self.scores_csv().as_bytes())?;
        write_whole(&folder.join("alarms.jsonl"), &self.alarms_jsonl()?)?;
        write_whole(&folder.join("timeline.png"), &timeline::png(self)?)
    }

    /// `segment,first_frame,last_frame,time_s,score`, one line per segment; numbers in their shortest exact form.
    fn scores_csv(&self) -> String {
        let mut text = String::from("segment,first_frame,last_frame,time_s,score\n");
        for row in self.scores {
            let ScoreRow { segment, first_frame, last_frame, time_s, score } = row;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{segment},{first_frame},{last_frame},{time_s},{score}");
        }
        text
    }

    fn alarms_jsonl(&self) -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        for alarm in self.alarms {
            serde_json::to_writer(&mut lines, alarm)
                .map_err(|e| Error::failed("alarms.jsonl", e.to_string(), "report this as a bug"))?;
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(
        path.display().to_string(),
        format!("cannot be written: {error}"),
        "choose a writable folder with free space for --out",
    )
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).map_err(|error| cannot_write(path, &error))
}

/// A score, 0 to 1, with `least` digits behind the point, and up to 8 where it would seem to be 1 and is not.
pub fn digits(score: f32, least: usize) -> String {
    let seems = |digits: usize| format!("{score:.digits$}");
    (least..8).map(seems).find(|text| score >= 1.0 || !text.starts_with('1')).unwrap_or_else(|| seems(8))
}

/// So many alarms, in words.
pub fn counted(alarms: usize) -> String {
    match alarms {
        0 => "no alarm".into(),
        1 => "1 alarm".into(),
        n => format!("{n} alarms"),
    }
}

#[cfg(test)]
mod tests;
