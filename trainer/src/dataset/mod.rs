//! A data set on disk: the one form that training, evaluation and `extract` share.
//!
//! ```text
//! train.csv, test.csv     video,label,frames,events    (label 0 or 1; events `first-last;first-last`, 1-based frames)
//! train/VIDEO.npy         [T, D] or [T, crops, D], floats of any size, one row per segment, in time order
//! contract.json           the feature contract (absent: an external one of the first file's width)
//! ```
//!
//! Opening reads lists and headers only; [`Video::read`] reads rows and refuses NaN, infinities and truncated files.
//! Either list may be missing: asking for its videos is the error.

mod add;
pub mod list;
pub(crate) mod npy;
mod reduce;
mod statistics;
pub mod text;
pub mod write;

use std::path::{Path, PathBuf};

use firmware_config::FeatureContract;
use runtime::{Error, Result};

pub use list::Entry;
pub use npy::{Header, Rows};
pub use reduce::{segment_edges, segment_of_row, stretch, to_segments};
pub use statistics::{Statistics, scan};
pub use write::Writer;

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Videos to learn from, labelled as a whole.
    Train,
    /// Videos to judge by, with the frames of each event.
    Test,
}

impl Split {
    /// The folder's name; the list is this with `.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// One video of a list, with the header of its feature file.
#[derive(Clone, Debug)]
pub struct Video {
    /// What the list says of it.
    pub entry: Entry,
    /// Its feature file.
    pub path: PathBuf,
    /// Shape of its rows; with text, that is in their width.
    pub header: Header,
    /// The file of its text, in a data set that is read with it.
    pub text: Option<PathBuf>,
}

impl Video {
    /// Read its rows.
    pub fn read(&self) -> Result<Rows> {
        match &self.text {
            None => npy::read(&self.path, &self.header),
            Some(text) => text::joined(&npy::read(&self.path, &npy::header(&self.path)?)?, text),
        }
    }
}

/// An opened data set.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its folder.
    pub root: PathBuf,
    /// How its features were made.
    pub contract: FeatureContract,
    /// Where its text is, for models that take it in ([`Dataset::with_text`]): its own folder, unless said.
    pub text_root: PathBuf,
    /// Whose training videos were added ([`Dataset::with_added`]).
    pub added: Vec<PathBuf>,
    train: Option<Vec<Video>>,
    test: Option<Vec<Video>>,
}

impl Dataset {
    /// Open the data set in `root`: both lists, every feature file's header, the contract.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Error::invalid(
                root.display().to_string(),
                "is not a folder",
                "name a data set folder (train.csv, train/VIDEO.npy, ...)",
            ));
        }
        let mut contract = read_contract(root)?;
        let mut load = |split: Split| -> Result<Option<Vec<Video>>> {
            let path = root.join(split.name()).with_extension("csv");
            if !path.is_file() {
                return Ok(None);
            }
            let mut videos = Vec::new();
            for entry in list::read(&path)? {
                videos.push(open_video(root, split, entry, &mut contract)?);
            }
            Ok(Some(videos))
        };
        let train = load(Split::Train)?;
        let test = load(Split::Test)?;
        if train.is_none() && test.is_none() {
            return Err(Error::invalid(
                root.display().to_string(),
                "holds neither train.csv nor test.csv",
                "name a data set folder, or make one with `tadpole-trainer import` or `extract`",
            ));
        }
        let contract = contract.ok_or_else(|| no_videos(root))?;
        Ok(Self { root: root.to_path_buf(), contract, text_root: root.to_path_buf(), added: Vec::new(), train, test })
    }

    /// Width of one feature row.
    pub fn width(&self) -> usize {
        self.contract.feature_width as usize
    }

    /// Whether there is such a list.
    pub fn has(&self, split: Split) -> bool {
        match split {
            Split::Train => self.train.is_some(),
            Split::Test => self.test.is_some(),
        }
    }

    /// All videos, list by list.
    pub fn all(&self) -> impl Iterator<Item = (Split, &Video)> {
        let train = self.train.iter().flatten().map(|video| (Split::Train, video));
        train.chain(self.test.iter().flatten().map(|video| (Split::Test, video)))
    }

    /// The videos of a list, at least one.
    pub fn videos(&self, split: Split) -> Result<&[Video]> {
        let list = self.root.join(split.name()).with_extension("csv");
        let videos = match split {
            Split::Train => self.train.as_deref(),
            Split::Test => self.test.as_deref(),
        };
        match videos {
            Some([]) => Err(no_videos(&list)),
            Some(videos) => Ok(videos),
            None => Err(Error::invalid(
                list.display().to_string(),
                "is missing",
                format!("add the list of {} videos: `video,label,frames,events`", split.name()),
            )),
        }
    }

    /// The videos of a list that must hold both classes, as learning and ROC curves need.
    pub fn both_classes(&self, split: Split) -> Result<&[Video]> {
        let videos = self.videos(split)?;
        let abnormal = videos.iter().filter(|video| video.entry.abnormal).count();
        if abnormal == 0 || abnormal == videos.len() {
            return Err(Error::invalid(
                self.root.join(split.name()).with_extension("csv").display().to_string(),
                format!("lists {} videos only", if abnormal == 0 { "normal" } else { "abnormal" }),
                "list both normal (label 0) and abnormal (label 1) videos",
            ));
        }
        Ok(videos)
    }
}

fn no_videos(path: &Path) -> Error {
    Error::invalid(path.display().to_string(), "lists no videos", "add a line `video,label,frames,events` per video")
}

pub(crate) fn read_contract(root: &Path) -> Result<Option<FeatureContract>> {
    let path = root.join("contract.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::failed(path.display().to_string(), format!("cannot be read: {error}"), "check its permissions")
    })?;
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::corrupt(
            path.display().to_string(),
            format!("is no feature contract: {error}"),
            "extract the features again, or remove the file to treat them as external",
        )
    })
}

/// Find and check one video's file; the first file's width settles an absent contract.
fn open_video(root: &Path, split: Split, entry: Entry, contract: &mut Option<FeatureContract>) -> Result<Video> {
    let path = root.join(split.name()).join(format!("{}.npy", entry.video));
    let header = npy::header(&path)?;
    let width = header.width as u32;
    let expected = contract.get_or_insert_with(|| FeatureContract::external(width));
    if expected.feature_width != width {
        return Err(Error::invalid(
            path.display().to_string(),
            format!("has rows of width {width}, not {}", expected.feature_width),
            format!("extract it with the same extractor as the others ({})", expected.name),
        ));
    }
    Ok(Video { entry, path, header, text: None })
}

#[cfg(test)]
mod tests;
