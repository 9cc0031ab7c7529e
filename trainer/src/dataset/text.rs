//! A data set's second stream: a vector of text beside each row, where `embed` has made them.
//!
//! ```text
//! DATASET/text/text.json              what the vectors are of
//! DATASET/text/train/VIDEO.npy        [T, W], as many rows as the video's features
//! ```
//! Read with its text, a data set's rows are `[D + W]`, the text last, and its contract another one: it names the text's
//! encoder, so that vectors of different encoders never meet.

use std::path::{Path, PathBuf};

use firmware_config::FeatureContract;
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::npy::{self, Header, Rows};
use super::{Dataset, Split, Video};
use crate::files::write_atomic;

/// What vectors of text are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextContract {
    /// W, their width.
    pub width: u32,
    /// SHA-256 of the encoder's ONNX file, hexadecimal.
    pub encoder_sha256: String,
    /// SHA-256 of its tokenizer's file, hexadecimal.
    pub tokenizer_sha256: String,
    /// Tokens of a sentence at most.
    pub tokens_max: u32,
}

impl TextContract {
    /// SHA-256 of all of it, hexadecimal.
    pub fn hash(&self) -> String {
        let Self { width, encoder_sha256, tokenizer_sha256, tokens_max } = self;
        hex::encode(Sha256::digest(format!("{width} {encoder_sha256} {tokenizer_sha256} {tokens_max}")))
    }

    /// The contract of rows that hold features of `features` and then this text.
    pub fn beside(&self, features: &FeatureContract) -> FeatureContract {
        FeatureContract {
            name: format!("{}+text-{}", features.name, &self.hash()[..16]),
            feature_width: features.feature_width + self.width,
            ..features.clone()
        }
    }

    /// Write `text.json` in `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join("text.json");
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::failed(path.display().to_string(), error.to_string(), "report this"))?;
        write_atomic(&path, text.as_bytes())
    }

    /// Read the `text.json` of `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("text.json");
        let name = path.display().to_string();
        let remedy = "embed the captions of this data set with `tadpole-trainer embed`";
        let text = std::fs::read_to_string(&path).map_err(|error| Error::unreadable(&name, &error, remedy))?;
        serde_json::from_str(&text)
            .map_err(|error| Error::corrupt(name, format!("is no text's contract: {error}"), remedy))
    }
}

/// Where a folder's text is: `FOLDER/text`, or FOLDER itself where `embed` wrote there.
pub fn folder(root: &Path) -> PathBuf {
    let inside = root.join("text");
    if root.join("text.json").is_file() && !inside.join("text.json").is_file() { root.to_path_buf() } else { inside }
}

impl Dataset {
    /// Whether it is read with text.
    pub fn has_text(&self) -> bool {
        self.all().any(|(_, video)| video.text.is_some())
    }

    /// The data set with the text that lies in `text_root` beside its rows.
    ///
    /// # Errors
    /// When there is none, or it is not that of these rows.
    pub fn with_text(&self) -> Result<Self> {
        if self.has_text() {
            return Ok(self.clone());
        }
        let folder = folder(&self.text_root);
        let contract = TextContract::read(&folder)?;
        let list = |split: Split, videos: Option<&[Video]>| -> Result<Option<Vec<Video>>> {
            let with_text = |video: &Video| beside(&folder, split, video, &contract);
            videos.map(|videos| videos.iter().map(with_text).collect()).transpose()
        };
        Ok(Self {
            root: self.root.clone(),
            contract: contract.beside(&self.contract),
            text_root: self.text_root.clone(),
            added: self.added.clone(),
            train: list(Split::Train, self.train.as_deref())?,
            test: list(Split::Test, self.test.as_deref())?,
        })
    }
}

fn beside(folder: &Path, split: Split, video: &Video, contract: &TextContract) -> Result<Video> {
    let path = folder.join(split.name()).join(format!("{}.npy", video.entry.video));
    let header = npy::header(&path)?;
    let wanted = Header { rows: video.header.rows, crops: 1, width: contract.width as usize };
    if header != wanted {
        return Err(Error::invalid(
            path.display().to_string(),
            format!("has {} rows of width {}, not {} of {}", header.rows, header.width, wanted.rows, wanted.width),
            "embed the captions again: the features are others now",
        ));
    }
    let header = Header { width: video.header.width + wanted.width, ..video.header };
    Ok(Video { header, text: Some(path), ..video.clone() })
}

/// The rows of `features` with those of the file at `path` behind each crop's.
pub(super) fn joined(features: &Rows, path: &Path) -> Result<Rows> {
    let text = npy::read(path, &npy::header(path)?)?;
    let (width, beside) = (features.header.width, text.header.width);
    if text.header.rows != features.header.rows {
        return Err(Error::corrupt(path.display().to_string(), "changed since it was opened", "start again"));
    }
    let mut data = Vec::with_capacity(features.data.len() / width * (width + beside));
    let row = features.header.crops * width;
    for (row, text) in features.data.chunks_exact(row).zip(text.data.chunks_exact(beside)) {
        for crop in row.chunks_exact(width) {
            data.extend_from_slice(crop);
            data.extend_from_slice(text);
        }
    }
    Ok(Rows { data, header: Header { width: width + beside, ..features.header } })
}
