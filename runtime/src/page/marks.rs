//! What people say of alarms, kept for training: one JSON line each, appended and flushed. The newest line of an alarm holds; one
//! whose `mark` is `null` takes back what was said. A false alarm is a normal video, a true one an abnormal one.
//!
//! A line holds the feature rows around the alarm and how they were made, so that `tadpole-trainer` can learn from it without any
//! picture. Of an alarm that is marked before they are there, another line comes with them.
//! Half a line, which a full disk or a power cut leaves, is cut off before the next. Refused: more than [`FILE_BYTES_MAX`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firmware_config::FeatureContract;
use rustls::crypto::ring;
use serde_json::{Value, json};

use super::book::{Alarm, Mark, Rows};
pub use crate::control::marks::FILE;
use crate::pipeline::watch::lock;
use crate::{Error, ErrorKind, Result};

/// Thousands of marks.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// How much of its end is read at a time, to find the last whole line.
const END_BYTES: u64 = 64 << 10;

/// The file of marks.
pub struct Marks {
    folder: PathBuf,
    /// Tells the alarms of this run from those of others: their numbers begin at 1 each time.
    run: String,
    /// One at a time.
    writing: Mutex<()>,
}

/// What somebody says.
pub struct Said<'a> {
    /// Of this alarm.
    pub alarm: &'a Alarm,
    /// What it was; nothing takes it back.
    pub mark: Option<Mark>,
}

impl Marks {
    /// In `folder`, for a run that begins now.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let mut run = [0; 8];
        // Without randomness the alarms of two runs may be taken for the same; nothing else is at stake.
        let _ = ring::default_provider().secure_random.fill(&mut run);
        Self { folder: folder.into(), run: hex::encode(run), writing: Mutex::default() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keep what somebody says. May wait for the disk.
    ///
    /// # Errors
    /// When the disk refuses, or there are too many.
    pub fn keep(&self, said: &Said<'_>) -> Result<()> {
        let path = self.folder.join(FILE);
        let line = format!("{}\n", self.line(said));
        let _writing = lock(&self.writing);
        let refused = |error: std::io::Error| {
            let kind =
                if error.kind() == std::io::ErrorKind::StorageFull { ErrorKind::NoRoom } else { ErrorKind::Failed };
            let problem = format!("the mark cannot be kept: {error}");
            Error::new(kind, path.display().to_string(), problem, "see to the disk, and mark it again")
        };
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(refused)?;
        let length = cut_off(&mut file).map_err(refused)?;
        if length + line.len() as u64 > FILE_BYTES_MAX {
            let remedy = "fetch the marks with `tadpole-trainer collect`, then remove the file";
            return Err(Error::new(ErrorKind::NoRoom, path.display().to_string(), "is full of marks", remedy));
        }
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(refused)
    }

    fn line(&self, said: &Said<'_>) -> Value {
        let Alarm { event, model, threshold, rows, raised, .. } = said.alarm;
        let contract = rows.as_ref().and_then(|rows| rows.contract.as_ref());
        let rows = rows.as_ref().map(|Rows { first, width, values, .. }| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!({
                "first_segment": first, "segments": values.len().checked_div(*width), "width": width,
                "float32_le": BASE64_STANDARD.encode(bytes),
            })
        });
        json!({
            "event": format!("{}-{}-{}", self.run, event.camera, event.id), "mark": said.mark, "camera": event.camera,
            "segment": raised, "start_s": event.start_s, "end_s": event.end_s, "peak": event.peak, "threshold": threshold,
            "model": model, "contract": contract.map(FeatureContract::hash), "features": contract, "rows": rows,
        })
    }
}

/// Cut half a line off the file's end; its length then. Nobody has read that half: only whole lines are given out.
fn cut_off(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let (mut whole, mut end, mut part) = (0, length, Vec::new());
    while whole == 0 && end > 0 {
        let begin = end.saturating_sub(END_BYTES);
        part.resize((end - begin) as usize, 0);
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut part)?;
        whole = part.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| begin + last as u64 + 1);
        end = begin;
    }
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::event::tests::started;
    use crate::page::book::Book;

    fn marked(folder: &Path) -> Vec<Value> {
        let mut book = Book::default();
        book.alarm(&started("north", 3), Duration::ZERO, false, "4f", Some(0.5));
        let contract = Some(FeatureContract::external(2));
        book.fill(1, Vec::new(), Some(Rows { first: 7, width: 2, values: vec![1.0, -2.5, 0.0, 3.0], contract }));
        let marks = Marks::new(folder);
        for mark in [Some(Mark::False), None] {
            marks.keep(&Said { alarm: book.get(1).unwrap(), mark }).unwrap();
        }
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_is_said_is_appended_with_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let lines = marked(folder.path());
        assert_eq!((&lines[0]["mark"], &lines[1]["mark"]), (&"false".into(), &Value::Null));
        assert_eq!(lines[0]["event"], lines[1]["event"]);
        let made: FeatureContract = serde_json::from_value(lines[0]["features"].clone()).unwrap();
        assert_eq!((made.feature_width, &lines[0]["contract"]), (2, &made.hash().into()));
        let rows = &lines[0]["rows"];
        assert_eq!((&rows["segments"], &rows["width"], &rows["first_segment"]), (&2.into(), &2.into(), &7.into()));
        let bytes = BASE64_STANDARD.decode(rows["float32_le"].as_str().unwrap()).unwrap();
        let values: Vec<f32> = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(values, [1.0, -2.5, 0.0, 3.0]);
        let again = marked(folder.path());
        assert_eq!(again.len(), 4);
        assert_ne!(again[0]["event"], again[2]["event"], "alarm 3 of another run is another alarm");
    }

    #[test]
    fn half_a_line_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        marked(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for half in [1, whole.len() / 4, 3 * END_BYTES as usize] {
            let more: Vec<u8> = whole.iter().copied().filter(|&byte| byte != b'\n').cycle().take(half).collect();
            std::fs::write(&path, [whole.as_slice(), &more].concat()).unwrap();
            assert_eq!(marked(folder.path()).len(), 4, "{half} bytes of a line");
        }
        // A file that holds nothing else.
        std::fs::write(&path, "{\"event\":").unwrap();
        assert_eq!(marked(folder.path()).len(), 2);
    }

    #[test]
    fn a_disk_that_refuses_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::default();
        book.alarm(&started("north", 3), Duration::ZERO, false, "4f", None);
        let marks = Marks::new(folder.path().join("gone"));
        let error = marks.keep(&Said { alarm: book.get(1).unwrap(), mark: None }).unwrap_err();
        assert!(error.to_string().contains("marks.jsonl"), "{error}");
    }
}
