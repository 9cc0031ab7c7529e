//! How far a collection has come: each device's place in its file of marks, and what each video is of. Read from and written to
//! `DIR/collect.json`. Refused: another version's form.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use runtime::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::write_atomic;

/// The file's name.
const FILE: &str = "collect.json";
/// The form of it that this version writes.
const FORMAT: u32 = 1;

/// How far a device was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The byte of its file where the next line begins.
    pub next: u64,
    /// Length of the last line that was read, bytes.
    pub last_bytes: u64,
    /// SHA-256 of that line, hexadecimal: a device whose file was removed begins another one.
    last_sha256: String,
    /// Videos of marks that came without their rows.
    pub waiting: BTreeSet<String>,
}

impl Place {
    /// Whether `lines` begin with the last line that was read.
    pub fn begins(&self, lines: &[u8]) -> bool {
        let last = lines.get(..usize::try_from(self.last_bytes).unwrap_or(usize::MAX));
        last.is_some_and(|line| sha256(line) == self.last_sha256)
    }

    /// All before byte `next` was read, the line `last` at the end of it.
    pub fn moves_on(&mut self, next: u64, last: &[u8]) {
        (self.next, self.last_bytes, self.last_sha256) = (next, last.len() as u64, sha256(last));
    }
}

/// What a video is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The device that kept the mark.
    pub device: String,
    /// The alarm was a true one.
    pub abnormal: bool,
    /// Frames that its rows stand for.
    pub frames: u64,
    /// First and last frame of the alarm, 1-based; none when it was false.
    pub events: Vec<(u64, u64)>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// By the device's name.
    pub devices: BTreeMap<String, Place>,
    /// By the video's name.
    pub videos: BTreeMap<String, Kept>,
}

impl Default for State {
    fn default() -> Self {
        Self { format: FORMAT, devices: BTreeMap::new(), videos: BTreeMap::new() }
    }
}

impl State {
    /// That of the collection in `root`; `None` where there is none.
    ///
    /// # Errors
    /// Of kind `Corrupt` when it is damaged, `InvalidInput` when another version wrote it.
    pub fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(FILE);
        let name = path.display().to_string();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::failed(name, format!("cannot be read: {error}"), "check its permissions")),
        };
        let remedy = "collect into another folder: devices keep their marks";
        let state: Self = serde_json::from_str(&text)
            .map_err(|error| Error::corrupt(&name, format!("is no state of a collection: {error}"), remedy))?;
        if state.format == FORMAT {
            return Ok(Some(state));
        }
        Err(Error::invalid(name, format!("has format {}, not {FORMAT}", state.format), remedy))
    }

    /// Write it in `root`.
    ///
    /// # Errors
    /// Of kind `Failed` when the disk refuses.
    pub fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::failed(path.display().to_string(), error.to_string(), "report this"))?;
        write_atomic(&path, text.as_bytes())
    }
}

fn sha256(line: &[u8]) -> String {
    hex::encode(Sha256::digest(line))
}
