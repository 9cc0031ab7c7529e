//! When something happens in the test videos, in any published form: lines of events, an array of a label per frame for each
//! video, or one array for all.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use super::folder::Found;
use super::layout::Layout;
use super::lists::{self, List};
use super::names::named;
use crate::dataset::npy;

/// What is known of one video.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Its frames, where the truth says how many.
    pub frames: Option<u64>,
    /// First and last frame of each event, 1-based, both included, in order, apart from each other.
    pub events: Vec<(u64, u64)>,
}

/// The truth of a test list.
#[derive(Clone, Debug)]
pub enum Truth {
    /// Lines of events, by video.
    Lines(PathBuf, HashMap<String, Spans>),
    /// A file of labels for each abnormal video.
    Masks(BTreeMap<String, PathBuf>),
    /// The labels of all videos, and how many of them are used up.
    Whole(PathBuf, Vec<bool>, usize),
}

impl Truth {
    /// The truth that is named, or else the one that was found.
    ///
    /// # Errors
    /// When there is none, or several could be it.
    pub fn find(layout: Layout, found: &Found, list: &List, given: Option<&Path>) -> Result<Self> {
        let missing = |subject: &Path, problem: &str| {
            Err(Error::invalid(
                subject.display().to_string(),
                problem,
                format!("add {} to the sources, or name it with --truth", layout.truth()),
            ))
        };
        if let Some(path) = given {
            if path.is_dir() {
                let masks = Found::new(&[path.to_path_buf()])?.masks;
                return if masks.is_empty() {
                    missing(path, "holds no arrays of labels")
                } else {
                    Ok(Self::Masks(masks))
                };
            }
            return if path.extension().is_some_and(|e| e == "npy") {
                Self::whole(path)
            } else {
                Self::lines(layout, path)
            };
        }
        let mut texts: Vec<&Path> =
            found.texts.iter().map(PathBuf::as_path).filter(|path| lists::is_truth(path)).collect();
        if texts.is_empty() && layout == Layout::Tad && list.path.is_file() {
            texts.push(&list.path);
        }
        let mut lines = Vec::new();
        for path in texts {
            let truth = Self::lines(layout, path)?;
            if list.videos.iter().any(|listed| truth.knows(&listed.video)) {
                lines.push((path, truth));
            }
        }
        match (lines.pop(), lines.first(), &found.whole[..]) {
            (Some((one, _)), Some((other, _)), _) => {
                let problem = format!("and {} could both be the truth", other.display());
                Err(Error::invalid(one.display().to_string(), problem, "say which with --truth"))
            }
            (Some((_, truth)), None, _) => Ok(truth),
            (None, _, _) if list.videos.iter().any(|listed| found.masks.contains_key(&listed.video)) => {
                Ok(Self::Masks(found.masks.clone()))
            }
            (None, _, [one]) => Self::whole(one),
            (None, _, []) => missing(&list.path, "is a test list without frame truth"),
            (None, _, [one, other, ..]) => {
                let problem = format!("and {} could both be the truth", other.display());
                Err(Error::invalid(one.display().to_string(), problem, "say which with --truth"))
            }
        }
    }

    fn knows(&self, video: &str) -> bool {
        matches!(self, Self::Lines(_, lines) if lines.contains_key(video))
    }

    fn lines(layout: Layout, path: &Path) -> Result<Self> {
        let mut lines: HashMap<String, Spans> = HashMap::new();
        for (number, row) in lists::text(path)?.lines().map(str::trim).enumerate().filter(|(_, row)| !row.is_empty()) {
            let (name, rest) = lists::line(row);
            let spans = spans(layout, rest).map_err(|problem| {
                Error::corrupt(
                    format!("{} line {}", path.display(), number + 1),
                    problem,
                    format!("write it as published: {}", layout.truth()),
                )
            })?;
            lines.insert(named(name).video, spans);
        }
        Ok(Self::Lines(path.to_path_buf(), lines))
    }

    fn whole(path: &Path) -> Result<Self> {
        Ok(Self::Whole(path.to_path_buf(), labels(path)?, 0))
    }

    /// What is known of the next video of the list, of which there are features for `frames` frames.
    ///
    /// # Errors
    /// When it contradicts the label, or is not there.
    pub fn next(&mut self, video: &str, abnormal: bool, frames: u64) -> Result<Spans> {
        let contradicts = |path: &Path, problem: &str| {
            Err(Error::invalid(
                path.display().to_string(),
                format!("{problem} {video}"),
                "correct the truth or the lists: a label and its truth must agree",
            ))
        };
        let (path, spans) = match self {
            Self::Lines(path, lines) => (path.clone(), lines.get(video).cloned().unwrap_or_default()),
            Self::Masks(masks) => match masks.get(video) {
                Some(path) => {
                    let labels = labels(path)?;
                    (path.clone(), Spans { frames: Some(labels.len() as u64), events: runs(&labels) })
                }
                None if abnormal => {
                    let some = masks.values().next().cloned().unwrap_or_default();
                    return contradicts(some.parent().unwrap_or(&some), "holds no labels of the abnormal video");
                }
                None => return Ok(Spans::default()),
            },
            Self::Whole(path, labels, used) => {
                let range = *used..*used + frames as usize;
                let Some(inside) = labels.get(range.clone()) else {
                    return contradicts(path, &format!("ends at frame {}, before those of", labels.len()));
                };
                *used = range.end;
                (path.clone(), Spans { frames: Some(frames), events: runs(inside) })
            }
        };
        match (abnormal, spans.events.is_empty()) {
            (true, true) => contradicts(&path, "has no event of the abnormal video"),
            (false, false) => contradicts(&path, "has events of the normal video"),
            _ => Ok(spans),
        }
    }

    /// See that nothing is left over.
    ///
    /// # Errors
    /// When it is not the truth of this list.
    pub fn finish(&self) -> Result<()> {
        match self {
            Self::Whole(path, labels, used) if *used != labels.len() => Err(Error::invalid(
                path.display().to_string(),
                format!("holds {} labels, but the test list's features cover {used} frames", labels.len()),
                "use the list that it was made with, in its order, and --frames-per-row as then",
            )),
            _ => Ok(()),
        }
    }
}

/// The numbers behind a video's name.
fn spans(layout: Layout, rest: &str) -> std::result::Result<Spans, String> {
    let mut fields: Vec<&str> = rest.split([',', ' ', '\t']).filter(|field| !field.is_empty()).collect();
    // UCF-Crime has the class first.
    if fields.first().is_some_and(|field| field.parse::<i64>().is_err()) {
        fields.remove(0);
    }
    let numbers: std::result::Result<Vec<i64>, String> =
        fields.iter().map(|field| field.parse().map_err(|_| format!("has {field:?} for a frame"))).collect();
    let mut numbers = numbers?;
    let mut frames = None;
    if layout == Layout::Tad && numbers.len() % 2 == 1 {
        frames = Some(u64::try_from(numbers.remove(0)).ok().filter(|&n| n > 0).ok_or("has no frames")?);
    }
    if numbers.len() % 2 == 1 {
        return Err("has an event without an end".into());
    }
    let mut events = Vec::new();
    for pair in numbers.chunks_exact(2) {
        match layout.event(pair[0], pair[1]) {
            Some((first, last)) if last < first => return Err(format!("has the empty event {} {}", pair[0], pair[1])),
            Some(event) => events.push(event),
            None => {}
        }
    }
    Ok(Spans { frames, events: apart(events) })
}

/// Events in order, those that overlap or touch as one.
fn apart(mut events: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    events.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(events.len());
    for (first, last) in events {
        match out.last_mut() {
            Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

/// The runs of frames with label 1.
fn runs(labels: &[bool]) -> Vec<(u64, u64)> {
    apart((1..).zip(labels).filter(|(_, label)| **label).map(|(frame, _)| (frame, frame)).collect())
}

/// An array of zeros and others.
fn labels(path: &Path) -> Result<Vec<bool>> {
    let outline = npy::outline(path)?;
    if outline.shape.iter().filter(|&&axis| axis != 1).count() > 1 {
        return Err(Error::corrupt(
            path.display().to_string(),
            format!("has shape {:?}", outline.shape),
            "save it as one label per frame: an array of one axis",
        ));
    }
    Ok(npy::numbers(path, &outline)?.into_iter().map(|label| label > 0.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_published() {
        let of = |layout, rest| spans(layout, rest).map(|spans| (spans.frames, spans.events));
        assert_eq!(of(Layout::UcfCrime, "Abuse  165  240  -1  -1"), Ok((None, vec![(165, 240)])));
        assert_eq!(of(Layout::UcfCrime, "Normal -1 -1 -1 -1"), Ok((None, vec![])));
        assert_eq!(of(Layout::XdViolence, "0 10 20 30"), Ok((None, vec![(1, 10), (21, 30)])));
        assert_eq!(of(Layout::Tad, "500 40 80 200 210"), Ok((Some(500), vec![(40, 80), (200, 210)])));
        assert_eq!(of(Layout::Tad, "500 -1 -1"), Ok((Some(500), vec![])));
        assert_eq!(of(Layout::Tad, "500"), Ok((Some(500), vec![])));
        assert!(of(Layout::UcfCrime, "Abuse 165").unwrap_err().contains("without an end"));
        assert!(of(Layout::UcfCrime, "Abuse 165 16O").unwrap_err().contains("16O"));
        assert!(of(Layout::UcfCrime, "Abuse 240 165").unwrap_err().contains("empty event 240 165"));
    }

    #[test]
    fn overlapping_events_become_one_and_labels_become_runs() {
        assert_eq!(apart(vec![(20, 30), (1, 4), (5, 6), (25, 40)]), [(1, 6), (20, 40)]);
        let labels = [false, true, true, false, true];
        assert_eq!(runs(&labels), [(2, 3), (5, 5)]);
        assert!(runs(&[]).is_empty());
    }
}
