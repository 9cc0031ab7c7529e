//! `train.csv` and `test.csv`: `video,label,frames,events`. Lines in, entries out; refused by file and line number:
//! unknown labels, doubled or path-like names, events that are reversed, overlap, start at 0 or after the video's end.

use std::collections::HashSet;
use std::path::Path;

use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The video's name: its file is `SPLIT/NAME.npy`.
    pub video: String,
    /// Label 1: something happens in here.
    pub abnormal: bool,
    /// Source frames in the video, where known.
    pub frames: Option<u64>,
    /// First and last frame of each event, 1-based, both included, in order; empty for normal videos. Training does not look at them.
    pub events: Vec<(u64, u64)>,
}

/// The line as CSV.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    video: String,
    label: String,
    frames: String,
    events: String,
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        let events: Vec<String> = entry.events.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        Self {
            video: entry.video.clone(),
            label: u8::from(entry.abnormal).to_string(),
            frames: entry.frames.map(|n| n.to_string()).unwrap_or_default(),
            events: events.join(";"),
        }
    }
}

/// Read a list, in its order.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let name = path.display().to_string();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| Error::failed(&name, format!("cannot be read: {error}"), "check the file"))?;
    let mut entries = Vec::new();
    let mut names = HashSet::new();
    for line in reader.deserialize::<Line>() {
        let entry = line
            .map_err(|error| error.to_string())
            .and_then(|line| parse(&line))
            .and_then(|entry| {
                if names.insert(entry.video.clone()) { Ok(entry) } else { Err(format!("lists {} twice", entry.video)) }
            })
            .map_err(|problem| {
                Error::invalid(
                    format!("{name} line {}", entries.len() + 2),
                    problem,
                    "write `video,label,frames,events`, events as `first-last;first-last` in 1-based frames",
                )
            })?;
        entries.push(entry);
    }
    Ok(entries)
}

fn parse(line: &Line) -> std::result::Result<Entry, String> {
    if line.video.is_empty() || line.video.contains(['/', '\\', '\0']) || line.video.starts_with('.') {
        return Err(format!("{:?} is no name for a video", line.video));
    }
    let abnormal = match line.label.as_str() {
        "0" => false,
        "1" => true,
        other => return Err(format!("has label {other:?} (0 normal, 1 abnormal)")),
    };
    let frames = match line.frames.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(frames) if frames > 0 => Some(frames),
            _ => return Err(format!("has {text:?} frames")),
        },
    };
    let events = parse_events(&line.events, frames)?;
    if !abnormal && !events.is_empty() {
        return Err("has events in a normal video".into());
    }
    Ok(Entry { video: line.video.clone(), abnormal, frames, events })
}

fn parse_events(text: &str, frames: Option<u64>) -> std::result::Result<Vec<(u64, u64)>, String> {
    let mut events: Vec<(u64, u64)> = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let event = part
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
            .ok_or_else(|| format!("has the event {part:?}"))?;
        if event.0 == 0 || event.1 < event.0 {
            return Err(format!("has the event {part:?}, which is empty or starts before frame 1"));
        }
        // Published truth outlasts its video by a few frames here and there: what is past the end counts for nothing.
        if frames.is_some_and(|frames| event.0 > frames) {
            return Err(format!("has the event {part:?}, which begins after the video's end"));
        }
        events.push(event);
    }
    events.sort_unstable();
    if events.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
        return Err(format!("has overlapping events {text:?}"));
    }
    Ok(events)
}
