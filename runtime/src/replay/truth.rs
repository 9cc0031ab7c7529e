//! What really happened in a video: one row of a table `video,label,frames,events`, events as `first-last;first-last`
//! in 1-based frames, first and last included.

use std::path::Path;

use serde::Serialize;

use crate::{Error, Result};

/// The truth about one video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The video's name without its extension.
    pub video: String,
    /// True when something happens in it.
    pub abnormal: bool,
    /// Number of frames.
    pub frames: u64,
    /// Events: first and last frame, 1-based, included.
    pub events: Vec<(u64, u64)>,
}

/// An event on the clock of its video.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TruthSpan {
    /// Beginning in seconds: when its first frame is shown.
    pub start_s: f64,
    /// End in seconds: when the frame after its last is shown.
    pub end_s: f64,
}

impl Truth {
    /// Read the table at `path` and pick the row of the video called `video` (a file's stem).
    ///
    /// # Errors
    /// When the table cannot be read, a row is malformed (naming line and column), or the video is not in it.
    pub fn read(path: &Path, video: &str) -> Result<Self> {
        let name = path.display().to_string();
        let file =
            std::fs::File::open(path).map_err(|e| Error::unreadable(&name, &e, "check the path given to --truth"))?;
        Self::find(&name, file, video)?.ok_or_else(|| {
            Error::invalid(&name, format!("has no row for the video {video}"), "add it, or leave --truth out")
        })
    }

    fn find(name: &str, table: impl std::io::Read, video: &str) -> Result<Option<Self>> {
        const FORM: &str = "write `video,label,frames,events`, with events as `first-last;first-last`";
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(table);
        let broken = |e: csv::Error| Error::corrupt(name, format!("is not a table: {e}"), FORM);
        let headers = reader.headers().map_err(broken)?;
        let column = |key: &str| {
            headers
                .iter()
                .position(|h| h.trim_start_matches('\u{feff}') == key)
                .ok_or_else(|| Error::corrupt(name, format!("has no column `{key}` in line 1"), FORM))
        };
        let columns = [column("video")?, column("label")?, column("frames")?, column("events")?];
        let mut found: Option<(u64, Self)> = None;
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, csv::Position::line);
            let [at, label, frames, events] = columns.map(|c| record.get(c));
            if at != Some(video) {
                continue;
            }
            if let Some((first, _)) = found {
                return Err(Error::corrupt(
                    format!("{name}, line {line}"),
                    format!("names the video {video} again, after line {first}"),
                    "keep one of the rows",
                ));
            }
            let wrong = |column: &str, text: Option<&str>, want: &str| {
                let text = text.map_or_else(|| "nothing".into(), |t| format!("`{t}`"));
                Error::corrupt(format!("{name}, line {line}, column {column}"), format!("{text} is not {want}"), FORM)
            };
            let abnormal = match label {
                Some("0") => false,
                Some("1") => true,
                _ => return Err(wrong("label", label, "0 or 1")),
            };
            let Some(count) = frames.and_then(|f| f.parse().ok()).filter(|&f: &u64| f > 0) else {
                return Err(wrong("frames", frames, "a number of frames"));
            };
            let mut list = Vec::new();
            for event in events.unwrap_or_default().split(';').map(str::trim).filter(|e| !e.is_empty()) {
                let range = event
                    .split_once('-')
                    .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
                    .filter(|&(first, last): &(u64, u64)| first >= 1 && first <= last && last <= count);
                match range {
                    Some(range) => list.push(range),
                    None => {
                        return Err(wrong("events", Some(event), &format!("a range of frames within 1-{count}")));
                    }
                }
            }
            found = Some((line, Self { video: video.into(), abnormal, frames: count, events: list }));
        }
        Ok(found.map(|(_, truth)| truth))
    }

    /// The events in seconds, at a constant rate of `rate_hz` frames per second.
    pub fn spans(&self, rate_hz: f64) -> Vec<TruthSpan> {
        self.events
            .iter()
            .map(|&(first, last)| TruthSpan { start_s: (first - 1) as f64 / rate_hz, end_s: last as f64 / rate_hz })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn find(table: &str, video: &str) -> Result<Option<Truth>> {
        Truth::find("truth.csv", table.as_bytes(), video)
    }

    const HEAD: &str = "video,label,frames,events\n";

    #[test]
    fn a_row_is_found_by_its_video() {
        let table = format!("{HEAD}a,0,100,\nb_x264,1,743,220-315;400-401\n");
        let b = find(&table, "b_x264").unwrap().unwrap();
        assert_eq!((b.abnormal, b.frames, &b.events[..]), (true, 743, &[(220, 315), (400, 401)][..]));
        assert_eq!(b.spans(10.0)[0], TruthSpan { start_s: 21.9, end_s: 31.5 });
        let a = find(&table, "a").unwrap().unwrap();
        assert!(!a.abnormal && a.events.is_empty());
        assert_eq!(find(&table, "c").unwrap(), None);
        let other_order = "events,frames,video,label\r\n1-2,5,a,1\r\n";
        assert_eq!(find(other_order, "a").unwrap().unwrap().events, [(1, 2)]);
    }

    #[test]
    fn a_broken_row_is_named_by_line_and_column() {
        for (row, word) in [
            ("a,2,100,", "line 3, column label: `2`"),
            ("a,1,many,", "line 3, column frames: `many`"),
            ("a,1", "line 3, column frames: nothing"),
            ("a,1,100,5", "line 3, column events: `5`"),
            ("a,1,100,0-5", "line 3, column events"),
            ("a,1,100,9-5", "line 3, column events"),
            ("a,1,100,90-101", "within 1-100"),
            ("a,1,100,\na,1,100,", "line 4"),
        ] {
            let e = find(&format!("{HEAD}x,0,9,\n{row}\n"), "a").unwrap_err();
            assert!(e.kind == ErrorKind::Corrupt && e.to_string().contains(word), "{row}: {e}");
        }
        assert!(find("video,label\na,1\n", "a").unwrap_err().to_string().contains("`frames`"));
    }

    #[test]
    fn a_missing_table_and_a_missing_video_are_named() {
        let e = Truth::read(Path::new("/no/truth.csv"), "a").unwrap_err();
        assert!(e.to_string().contains("/no/truth.csv"), "{e}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), HEAD).unwrap();
        let e = Truth::read(file.path(), "pole").unwrap_err();
        assert!(e.to_string().contains("no row for the video pole"), "{e}");
    }
}
