//! Timed captions: JSON files `{VIDEO: {duration, timestamps: [[start, end], ..], sentences: [..]}}`, in seconds, as UCA (captions for
//! UCF-Crime) publishes them, in; each video's captions out. Refused by file and video: other forms, as many times as sentences
//! there are not, a video in two files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::{Error, Result};
use serde::Deserialize;

/// What a file has of a video.
#[derive(Clone, Debug, Deserialize)]
struct Published {
    duration: f64,
    timestamps: Vec<(f64, f64)>,
    sentences: Vec<String>,
}

/// One sentence about a stretch of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// When it begins, seconds.
    pub start_s: f64,
    /// When it ends, seconds.
    pub end_s: f64,
    /// What it says.
    pub sentence: String,
}

/// A video's captions.
#[derive(Clone, Debug, PartialEq)]
pub struct Captions {
    /// The video's length, seconds.
    pub duration_s: f64,
    /// In the file's order; they may overlap.
    pub captions: Vec<Caption>,
}

impl Captions {
    /// Captions that lie outside of the video or have no length: they stand for nothing.
    pub fn void(&self) -> usize {
        let stands = |caption: &&Caption| caption.start_s.max(0.0) < caption.end_s.min(self.duration_s);
        self.captions.len() - self.captions.iter().filter(stands).count()
    }
}

/// Read files, and all `.json` files of folders, by video.
///
/// # Errors
/// On what cannot be read or has another form.
pub fn read(paths: &[PathBuf]) -> Result<BTreeMap<String, Captions>> {
    let mut all = BTreeMap::new();
    for path in paths {
        for file in files(path)? {
            for (video, captions) in one(&file)? {
                if all.insert(video.clone(), captions).is_some() {
                    let problem = format!("has captions of {video}, which another file has too");
                    return Err(Error::invalid(file.display().to_string(), problem, "name each video's captions once"));
                }
            }
        }
    }
    Ok(all)
}

/// The file, or a folder's in order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let name = path.display().to_string();
    let entries: std::io::Result<Vec<PathBuf>> =
        std::fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries = entries.map_err(|error| Error::unreadable(&name, &error, "check it"))?;
    entries.retain(|entry| entry.extension().is_some_and(|extension| extension == "json"));
    entries.sort();
    if entries.is_empty() {
        return Err(Error::invalid(name, "holds no .json files", "name the captions' files or their folder"));
    }
    Ok(entries)
}

fn one(path: &Path) -> Result<Vec<(String, Captions)>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::unreadable(&name, &error, "check the path"))?;
    let form = "write {VIDEO: {\"duration\": s, \"timestamps\": [[s, s], ..], \"sentences\": [..]}}";
    let published: BTreeMap<String, Published> = serde_json::from_str(&text)
        .map_err(|error| Error::corrupt(&name, format!("holds no timed captions: {error}"), form))?;
    let of = |(video, Published { duration, timestamps, sentences }): (String, Published)| {
        let problem = if !(duration > 0.0 && duration.is_finite()) {
            format!("has a {video} of {duration} seconds")
        } else if timestamps.len() != sentences.len() {
            format!("has {} times and {} sentences of {video}", timestamps.len(), sentences.len())
        } else {
            let caption = |((start_s, end_s), sentence)| Caption { start_s, end_s, sentence };
            let captions = timestamps.into_iter().zip(sentences).map(caption).collect();
            return Ok((video, Captions { duration_s: duration, captions }));
        };
        Err(Error::corrupt(&name, problem, form))
    };
    published.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_are_read_from_a_folder_and_faults_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_path_buf()];
        assert!(read(&paths).unwrap_err().to_string().contains("holds no .json files"));
        let first = folder.path().join("a.json");
        let good =
            r#"{"a": {"duration": 10.0, "timestamps": [[0, 4.5], [9, 12], [11, 12]], "sentences": ["x", "y", "z"]}}"#;
        std::fs::write(&first, good).unwrap();
        let all = read(&paths).unwrap();
        assert_eq!(all["a"].captions[0], Caption { start_s: 0.0, end_s: 4.5, sentence: "x".into() });
        assert_eq!(all["a"].void(), 1, "the last begins after the video's end");
        std::fs::write(folder.path().join("b.json"), good).unwrap();
        assert!(
            read(&paths).unwrap_err().to_string().contains("b.json: has captions of a, which another file has too")
        );
        for (text, problem) in [
            ("[]", "holds no timed captions"),
            (r#"{"a": {"duration": 10, "timestamps": [], "sentences": ["x"]}}"#, "has 0 times and 1 sentences of a"),
            (r#"{"a": {"duration": 0, "timestamps": [], "sentences": []}}"#, "has a a of 0 seconds"),
        ] {
            std::fs::write(&first, text).unwrap();
            let error = read(std::slice::from_ref(&first)).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
    }
}
