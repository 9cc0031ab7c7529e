//! Lists of videos: which to learn from, which to judge by.
//!
//! A line is a path of whoever wrote the list, by its last part a video, alone or with more behind it (`01_001,0`,
//! `Normal_012.mp4 500 -1 -1`); the crops of a video may have a line each. What no list says, folders' names may.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use super::folder::Found;
use super::names::named;
use crate::dataset::Split;

/// A video of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub video: String,
    /// The label that the line gives, 0 or 1, if it gives one.
    pub label: Option<bool>,
}

/// Which videos, from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The file, or the folder if folders' names say it.
    pub path: PathBuf,
    /// Each video once, in the order of their first lines.
    pub videos: Vec<Listed>,
}

/// Read a text file.
pub fn text(path: &Path) -> Result<String> {
    let bytes =
        std::fs::read(path).map_err(|error| Error::unreadable(path.display().to_string(), &error, "check the path"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line as the name of a video and what stands behind it. Paths may have spaces in them.
pub fn line(line: &str) -> (&str, &str) {
    let lower = line.to_ascii_lowercase();
    let end = [".npy", ".mp4", ".avi"].iter().filter_map(|e| lower.rfind(e).map(|at| at + e.len())).max();
    let end = end.or_else(|| line.find([',', ' ', '\t'])).unwrap_or(line.len());
    (&line[..end], line[end..].trim_start_matches([',', ' ', '\t']))
}

/// Read a list.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<List> {
    let mut videos: Vec<Listed> = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, row) in text(path)?.lines().map(str::trim).enumerate() {
        let heading = number == 0 && ["path,", "video,"].iter().any(|name| row.starts_with(name));
        if row.is_empty() || heading {
            continue;
        }
        let (name, rest) = line(row);
        let label = match rest.split([',', ' ', '\t']).next() {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        };
        let video = named(name).video;
        if seen.insert(video.clone()) {
            videos.push(Listed { video, label });
        }
    }
    Ok(List { path: path.to_path_buf(), videos })
}

/// The list of `split`: the one that is named, the only one found, or what folders' names say. None when nothing says it.
///
/// # Errors
/// When several could be it.
pub fn choose(found: &Found, split: Split, given: Option<&Path>) -> Result<Option<List>> {
    if let Some(path) = given {
        return read(path).map(Some);
    }
    let mut lists: Vec<List> = Vec::new();
    for path in &found.texts {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let role = if name.contains("test") || name.contains("val") { Split::Test } else { Split::Train };
        if role != split || is_truth(path) {
            continue;
        }
        let list = read(path)?;
        if list.videos.iter().any(|listed| found.videos.contains_key(&listed.video)) {
            lists.push(list);
        }
    }
    let names = |list: &List| list.videos.iter().map(|listed| listed.video.clone()).collect::<BTreeSet<_>>();
    if let Some(other) = lists.iter().skip(1).find(|list| names(list) != names(&lists[0])) {
        return Err(Error::invalid(
            other.path.display().to_string(),
            format!("and {} could both be the {} list", lists[0].path.display(), split.name()),
            format!("say which with --{}-list", split.name()),
        ));
    }
    Ok(lists.into_iter().next().or_else(|| by_folder(found, split)))
}

/// Whether a text's name says that it holds truth.
pub fn is_truth(path: &Path) -> bool {
    path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase().contains("annotation")
}

fn by_folder(found: &Found, split: Split) -> Option<List> {
    let mut inside = found.videos.iter().filter(|(_, files)| files.split == Some(split)).peekable();
    let path = inside.peek()?.1.crops.values().next()?.parent()?.to_path_buf();
    let videos = inside.map(|(video, _)| Listed { video: video.clone(), label: None }).collect();
    Some(List { path, videos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_published_form_are_read() {
        for (row, name, rest) in [
            (r"G:\My Drive\Abuse028_x264_i3d.npy", r"G:\My Drive\Abuse028_x264_i3d.npy", ""),
            ("Normal_012.mp4 500 -1 -1", "Normal_012.mp4", "500 -1 -1"),
            ("Abuse028_x264.mp4  Abuse  165  240  -1  -1", "Abuse028_x264.mp4", "Abuse  165  240  -1  -1"),
            ("01_001,0", "01_001", "0"),
            ("v=x__#1_label_B4-0-0 0 1517", "v=x__#1_label_B4-0-0", "0 1517"),
            ("/data/Abuse001_x264__0.npy,Abuse", "/data/Abuse001_x264__0.npy", "Abuse"),
        ] {
            assert_eq!(line(row), (name, rest));
        }
    }
}
