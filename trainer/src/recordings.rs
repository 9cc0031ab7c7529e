//! A folder of recordings with video-level labels, as filmed or as `simulate` writes it.
//!
//! ```text
//! VIDEOS/train.csv  VIDEOS/test.csv                            video,label,frames,events
//! VIDEOS/train/VIDEO.{sim,mp4,avi,mkv,mov,webm,ts}             what train.csv lists; test/ likewise
//! ```

use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use crate::dataset::{Entry, Split, list};

/// Extensions of recordings, tried in this order.
const EXTENSIONS: [&str; 7] = ["sim", "mp4", "avi", "mkv", "mov", "webm", "ts"];

/// What a list should look like, for errors.
const REMEDY: &str = "write train.csv with the columns video,label,frames,events (label 1: something happens in here), \
                      or run `tadpole-trainer simulate`";

/// The recordings that the list of `split` names, in its order; none where there is no list.
///
/// # Errors
/// When the list is malformed, or names a recording that is not there.
pub fn listed(videos: &Path, split: Split) -> Result<Vec<(Entry, PathBuf)>> {
    let path = videos.join(split.name()).with_extension("csv");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let folder = videos.join(split.name());
    let found = |entry: Entry| match find(&folder, &entry.video) {
        Some(recording) => Ok((entry, recording)),
        None => Err(Error::invalid(
            path.display().to_string(),
            format!("lists `{0}`, but there is no recording {1}/{0}.*", entry.video, split.name()),
            format!("add it (as .{}) or remove the line", EXTENSIONS.join(", .")),
        )),
    };
    list::read(&path)?.into_iter().map(found).collect()
}

/// The training recordings.
///
/// # Errors
/// As [`listed`], and when there are none.
pub fn training(videos: &Path) -> Result<Vec<PathBuf>> {
    let all: Vec<PathBuf> = listed(videos, Split::Train)?.into_iter().map(|(_, recording)| recording).collect();
    if all.is_empty() { Err(nothing_listed(videos, "no train.csv lists a video")) } else { Ok(all) }
}

/// The error for a folder that lists nothing.
pub fn nothing_listed(videos: &Path, problem: &str) -> Error {
    Error::invalid(videos.display().to_string(), problem, REMEDY)
}

/// `folder/NAME.EXTENSION`, whatever its extension; feature rows are not recordings.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    EXTENSIONS.iter().map(|e| folder.join(format!("{name}.{e}"))).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_must_be_there_and_true() {
        let folder = tempfile::tempdir().unwrap();
        let error = training(folder.path()).unwrap_err();
        assert!(error.to_string().contains("train.csv"), "{error}");
        std::fs::create_dir(folder.path().join("train")).unwrap();
        std::fs::write(folder.path().join("train.csv"), "video,label,frames,events\na,0,10,\n").unwrap();
        let error = training(folder.path()).unwrap_err();
        assert!(error.to_string().contains("lists `a`"), "{error}");
        std::fs::write(folder.path().join("train/a.sim"), "sim://").unwrap();
        assert_eq!(training(folder.path()).unwrap().len(), 1);
        assert!(listed(folder.path(), Split::Test).unwrap().is_empty());
    }
}
