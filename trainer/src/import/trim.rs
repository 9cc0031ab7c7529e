//! The one rule for features and truth of different lengths, and the record of what it cut.
//!
//! A row stands for `per_row` frames (16). A video is cut to the **whole rows that everything of it has**: every crop, the sound,
//! and the truth where that says how many frames there are; its frames are then `rows * per_row`, and each belongs to the row that
//! it was made of. Events end where the frames end. What is cut is in `import.csv`, video by video.

use std::path::Path;

use runtime::{Error, Result};
use serde::Serialize;

use super::truth::Spans;
use crate::files::write_atomic;

/// What is left of a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Rows of features.
    pub rows: usize,
    /// Frames that they stand for.
    pub frames: u64,
    /// Events inside of them.
    pub events: Vec<(u64, u64)>,
}

/// A line of `import.csv`: a video of which something was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The list.
    pub list: &'static str,
    /// The video.
    pub video: String,
    /// Rows in its longest file.
    pub rows: usize,
    /// Frames that its truth has, where it says so.
    pub truth_frames: Option<u64>,
    /// Rows kept.
    pub rows_kept: usize,
    /// Frames kept.
    pub frames_kept: u64,
    /// Frames inside events that were cut.
    pub event_frames_cut: u64,
}

impl Cut {
    /// Whether more than an incomplete row's worth is gone.
    pub fn notable(&self, per_row: u64) -> bool {
        let truth = self.truth_frames.is_some_and(|frames| frames >= self.frames_kept + per_row);
        self.rows > self.rows_kept + 1 || truth || self.event_frames_cut >= per_row
    }
}

/// Cut a video whose files have `rows` rows, at least and at most; none where nothing is left.
pub fn trim(rows: (usize, usize), per_row: u64, truth: &Spans) -> Option<Kept> {
    let known = truth.frames.map_or(rows.0, |frames| (frames / per_row) as usize);
    let rows = rows.0.min(known);
    let frames = rows as u64 * per_row;
    let inside = truth.events.iter().filter(|event| event.0 <= frames);
    let events = inside.map(|&(first, last)| (first, last.min(frames))).collect();
    (rows > 0).then_some(Kept { rows, frames, events })
}

/// What [`trim`] cut, if anything.
pub fn cut(list: &'static str, video: &str, rows: (usize, usize), truth: &Spans, kept: &Kept) -> Option<Cut> {
    let inside = |events: &[(u64, u64)]| events.iter().map(|(first, last)| last - first + 1).sum::<u64>();
    let event_frames_cut = inside(&truth.events) - inside(&kept.events);
    let whole = rows.1 == kept.rows && truth.frames.is_none_or(|frames| frames == kept.frames) && event_frames_cut == 0;
    (!whole).then(|| Cut {
        list,
        video: video.to_owned(),
        rows: rows.1,
        truth_frames: truth.frames,
        rows_kept: kept.rows,
        frames_kept: kept.frames,
        event_frames_cut,
    })
}

/// Write `import.csv`.
pub fn write(out: &Path, cuts: &[Cut]) -> Result<()> {
    let path = out.join("import.csv");
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    for cut in cuts {
        csv.serialize(cut).map_err(|error| failed(&error))?;
    }
    write_atomic(&path, &csv.into_inner().map_err(|error| failed(&error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(frames: Option<u64>, events: &[(u64, u64)]) -> Spans {
        Spans { frames, events: events.to_vec() }
    }

    #[test]
    fn whole_rows_that_both_have_are_kept() {
        // 100 frames hold 6 whole rows of 16; 7 were extracted.
        let known = truth(Some(100), &[(90, 100)]);
        let kept = trim((7, 7), 16, &known).unwrap();
        assert_eq!(kept, Kept { rows: 6, frames: 96, events: vec![(90, 96)] });
        let gone = cut("test", "a", (7, 7), &known, &kept).unwrap();
        assert_eq!((gone.rows_kept, gone.frames_kept, gone.event_frames_cut), (6, 96, 4));
        assert!(!gone.notable(16), "an incomplete row");
        // The truth goes on after the features.
        let known = truth(Some(200), &[(3, 10), (150, 160)]);
        let kept = trim((5, 5), 16, &known).unwrap();
        assert_eq!(kept, Kept { rows: 5, frames: 80, events: vec![(3, 10)] });
        assert!(cut("test", "a", (5, 5), &known, &kept).unwrap().notable(16));
        // A crop is shorter than the others; nothing else is known.
        let kept = trim((4, 5), 16, &truth(None, &[(60, 70)])).unwrap();
        assert_eq!(kept, Kept { rows: 4, frames: 64, events: vec![(60, 64)] });
        assert_eq!(trim((4, 4), 16, &truth(Some(15), &[])), None);
        let exact = truth(Some(64), &[(60, 64)]);
        let kept = trim((4, 4), 16, &exact).unwrap();
        assert_eq!(cut("test", "a", (4, 4), &exact, &kept), None);
    }
}
