//! What lies in the sources: features by video, sound, arrays of labels, lists. Names and headers are read, no rows.
//!
//! An array with one axis is labels; every other is features. A damaged file counts as features, so that it is refused when
//! its video is wanted, and harms nobody when not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use super::names::named;
use crate::dataset::{Split, npy};

/// Folders within folders, at most: more is a loop of links.
const DEPTH_MAX: usize = 16;

/// The files of one video.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// One file, or one for each crop by its number.
    pub crops: BTreeMap<Option<usize>, PathBuf>,
    /// The list that its folder's name speaks of (`..Train..`, `..Test..`), if any.
    pub split: Option<Split>,
}

/// Everything found, in the order of names.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Features by video.
    pub videos: BTreeMap<String, Files>,
    /// Features of sound by video.
    pub audio: BTreeMap<String, PathBuf>,
    /// Arrays of a label per frame, by video.
    pub masks: BTreeMap<String, PathBuf>,
    /// Arrays of all labels of a test list: `gt*.npy`.
    pub whole: Vec<PathBuf>,
    /// `.list`, `.txt` and `.csv` files.
    pub texts: Vec<PathBuf>,
}

impl Found {
    /// Look through folders, and take files.
    ///
    /// # Errors
    /// When a source is not there, or two files hold the same thing of a video.
    pub fn new(sources: &[PathBuf]) -> Result<Self> {
        let mut found = Self::default();
        for source in sources {
            // A folder's own name may speak of a list; what is above it is the user's business.
            let above = source.parent().map_or(0, |parent| parent.components().count());
            found.walk(source, above, 0)?;
        }
        Ok(found)
    }

    fn walk(&mut self, path: &Path, above: usize, depth: usize) -> Result<()> {
        let failed = |error: std::io::Error| Error::unreadable(path.display().to_string(), &error, "check the path");
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            return self.take(path, above);
        }
        if depth > DEPTH_MAX {
            return Err(Error::invalid(
                path.display().to_string(),
                "is nested too deep",
                "check for links in a circle",
            ));
        }
        let entries: std::io::Result<Vec<PathBuf>> =
            std::fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut entries = entries.map_err(failed)?;
        entries.sort();
        entries.iter().try_for_each(|entry| self.walk(entry, above, depth + 1))
    }

    fn take(&mut self, path: &Path, above: usize) -> Result<()> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match extension.as_str() {
            "list" | "txt" | "csv" => self.texts.push(path.to_path_buf()),
            "npy" => {
                let name = named(&name);
                let axes = npy::outline(path).map_or(0, |outline| outline.shape.len());
                let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
                if axes > 1 && folder.contains("mask") {
                    // ShanghaiTech's masks of pixels.
                    return Ok(());
                }
                let labels = axes == 1;
                let before = if labels && name.video.starts_with("gt") {
                    self.whole.push(path.to_path_buf());
                    None
                } else if labels {
                    self.masks.insert(name.video, path.to_path_buf())
                } else if name.audio {
                    self.audio.insert(name.video, path.to_path_buf())
                } else {
                    let files = self.videos.entry(name.video).or_default();
                    files.split = files.split.or_else(|| split_of(path, above));
                    files.crops.insert(name.crop, path.to_path_buf())
                };
                if let Some(before) = before {
                    return Err(Error::invalid(
                        path.display().to_string(),
                        format!("holds what {} holds too", before.display()),
                        "name as sources only the folders that are wanted (RGB or flow, one extractor)",
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The list that the nearest folder with such a name speaks of.
fn split_of(path: &Path, above: usize) -> Option<Split> {
    let folders: Vec<String> =
        path.parent()?.components().skip(above).map(|c| c.as_os_str().to_string_lossy().to_ascii_lowercase()).collect();
    folders.iter().rev().find_map(|folder| {
        if folder.contains("test") { Some(Split::Test) } else { folder.contains("train").then_some(Split::Train) }
    })
}
