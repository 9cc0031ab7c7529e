//! A train list that grows by those of other data sets, such as what `collect` brought from cameras. A data set and folders come in, a data set with
//! their training videos behind its own goes out; its test list stays as it is.
//!
//! Refused: features of another contract, a video of a name that is there already, folders without a train list, and text, which
//! what is added has none of.

use std::collections::HashSet;
use std::path::PathBuf;

use runtime::{Error, Result};

use super::{Dataset, Split, Video};

impl Dataset {
    /// This data set and the training videos of those in `roots`.
    ///
    /// # Errors
    /// Of kind `InvalidInput`: see the module's list of what is refused.
    pub fn with_added(&self, roots: &[PathBuf]) -> Result<Self> {
        let mut grown = self.clone();
        if roots.is_empty() {
            return Ok(grown);
        }
        let mut videos = self.videos(Split::Train)?.to_vec();
        let mut names: HashSet<String> = videos.iter().map(|video| video.entry.video.clone()).collect();
        for root in roots {
            let more = Self::open(root)?;
            let refuse =
                |problem: String, remedy: &str| Err(Error::invalid(root.display().to_string(), problem, remedy));
            if self.has_text() {
                return refuse("has no text".into(), "leave out --add, or --text");
            }
            if more.contract != self.contract {
                let of = |data: &Self| format!("{} ({})", data.contract.name, &data.contract.hash()[..12]);
                let problem = format!("has features of contract {}, not {}", of(&more), of(self));
                return refuse(problem, "extract or collect it with the extractor of the data set that it is added to");
            }
            for video in more.videos(Split::Train)? {
                if !names.insert(video.entry.video.clone()) {
                    let problem = format!("lists {}, which is there already", video.entry.video);
                    return refuse(problem, "add every folder once, or rename the video");
                }
                videos.push(video.clone());
            }
            grown.added.push(root.clone());
        }
        grown.train = Some(videos);
        Ok(grown)
    }

    /// What was added, and how a model of so many segments sees it, in a line for people.
    pub fn told_added(&self, own: &Self, segments: usize) -> Result<String> {
        let own = own.videos(Split::Train)?;
        let more = &self.videos(Split::Train)?[own.len()..];
        let abnormal = more.iter().filter(|video| video.entry.abnormal).count();
        let short = more.iter().filter(|video| video.header.rows < segments).count();
        Ok(format!(
            "training videos added: {} normal, {abnormal} abnormal, of {} rows where others have {} (medians). Each is seen as often as another of its \
             class, and becomes {segments} segments as every video does: means of its rows, and rows repeated where it has fewer ({short} of these)",
            more.len() - abnormal,
            median_rows(more),
            median_rows(own),
        ))
    }
}

/// Rows of the video in the middle.
fn median_rows(videos: &[Video]) -> usize {
    let mut rows: Vec<usize> = videos.iter().map(|video| video.header.rows).collect();
    rows.sort_unstable();
    rows.get(rows.len() / 2).copied().unwrap_or_default()
}
