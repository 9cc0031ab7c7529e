//! What a model promises: the manifest of a bundle. A [`Manifest`] comes in, the bytes of the `manifest` entry go
//! out, and back. Its [`id`] is the model's id.
//!
//! The wire form is postcard in an [`Envelope`]: postcard names no fields, so a field added, moved or retyped is a new
//! schema version with a struct of its own. That holds for [`FeatureContract`] as well, which is inside.
//!
//! Refused: damage (see [`crate::envelope`]), and any promise that cannot be kept: see [`check`](Manifest::validate).

mod check;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::contract::FeatureContract;
use crate::envelope::{self, Envelope, EnvelopeError};

/// The longest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// The most files in a bundle.
pub const FILES_MAX: usize = 64;
/// The longest file in a bundle, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// All files of a bundle together, in bytes.
pub const BUNDLE_BYTES_MAX: u64 = 512 << 20;
/// The tolerance of golden vectors unless a manifest says otherwise: softmax and layer norm differ in the last bits
/// between CPUs.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;
/// The newest schema version.
pub const SCHEMA_VERSION: u16 = 1;

const ENVELOPE: Envelope = Envelope {
    magic: *b"TADPOLEM",
    newest_version: SCHEMA_VERSION,
    payload_bytes_max: MANIFEST_BYTES_MAX - envelope::HEADER_BYTES - envelope::TRAILER_BYTES,
};

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are damaged or of another kind.
    #[error("its manifest cannot be read: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A field promises what cannot be.
    #[error("its manifest is not valid: `{field}` {problem}")]
    Field {
        /// The field, such as `files[2].name`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What a model promises (schema version 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// A plain name such as `roadside-lite0`.
    pub name: String,
    /// When it was made, for people; a label and never compared.
    pub created: String,
    /// Rises with every release of this name; a camera never goes back.
    pub release: u64,
    /// The oldest firmware that runs it.
    pub minimum_firmware: Version,
    /// The engine that its graphs are made for.
    pub engine: TargetEngine,
    /// How frames become segment features.
    pub contract: FeatureContract,
    /// Segments in the head's window: 64.
    pub window: u32,
    /// From how many segments on a score may raise an alarm, while the window still fills.
    pub min_segments: u32,
    /// Segments of hindsight: the score at a step is that of the segment so many steps ago.
    pub look_ahead: u32,
    /// Alarm thresholds, the one in force unless a config overrides it first.
    pub thresholds: Vec<Threshold>,
    /// Alarm settings in force unless a config overrides them.
    pub alarm: AlarmDefaults,
    /// What the bundle holds, in its order.
    pub files: Vec<FileEntry>,
    /// Inputs and expected outputs that prove the model on the machine that is to run it.
    pub golden: GoldenVectors,
    /// What `tadpole model show` tells people: training, measurements, licences.
    pub notes: Vec<Note>,
}

/// A firmware version, ordered as versions are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Additions.
    pub minor: u16,
    /// Corrections.
    pub patch: u16,
}

/// The engine that a bundle's graphs are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetEngine {
    /// tract, on the CPU.
    Tract,
    /// TensorRT through onnxruntime.
    TensorRt,
}

/// An alarm threshold and what it was calibrated for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// A score above this raises an alarm; between 0 and 1.
    pub value: f32,
    /// False alarms an hour that it gave on normal footage.
    pub false_alarms_per_hour: f32,
    /// Hours of normal footage that it was calibrated on.
    pub calibration_hours: f32,
}

/// Alarm settings of a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmDefaults {
    /// An alarm ends when the score falls below this share of the threshold; above 0, below 1.
    pub release_ratio: f32,
    /// The score must stay up this long before an alarm is raised, in seconds.
    pub min_length_s: f32,
    /// After an alarm, no new one for this long, in seconds.
    pub cool_down_s: f32,
}

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// A plain file name.
    pub name: String,
    /// What it is for.
    pub role: FileRole,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// What a file of the bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileRole {
    /// The graph over the full window: `[window, D]` to `[window]` scores.
    Head,
    /// The graph from a clip to a feature row.
    Extractor,
    /// What the streaming step needs beside the head.
    Step,
    /// The licence of a part.
    Licence,
    /// Anything else.
    Data,
}

/// Inputs and expected outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenVectors {
    /// How far an output may be from the expected one.
    pub tolerance: f32,
    /// The head's input, `[window, D]`, row by row.
    pub head_input: Vec<f32>,
    /// The head's scores, `[window]`.
    pub head_scores: Vec<f32>,
    /// The extractor's proof; absent when the bundle has no extractor.
    pub extractor: Option<GoldenRow>,
}

/// The row expected of the clip [`crate::golden::clip`] of a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenRow {
    /// The clip's seed.
    pub seed: u64,
    /// The feature row, `[D]`.
    pub row: Vec<f32>,
}

/// Something that `tadpole model show` tells people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Such as `licences` or `trained on`.
    pub title: String,
    /// Lines of text.
    pub text: String,
}

impl Manifest {
    /// The bytes of the `manifest` entry.
    ///
    /// # Errors
    /// When the manifest is not valid, or larger than a manifest may be.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.validate()?;
        let payload = postcard::to_allocvec(self).map_err(|_| EnvelopeError::Payload { version: SCHEMA_VERSION })?;
        Ok(ENVELOPE.seal(SCHEMA_VERSION, &payload)?)
    }

    /// Read the bytes of the `manifest` entry. Check the signature first: see [`crate::sign`].
    ///
    /// # Errors
    /// When the bytes are damaged, or the manifest is not valid.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let (version, payload) = ENVELOPE.open(bytes)?;
        let manifest: Self = envelope::decode_payload(version, payload)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The threshold in force unless a config overrides it.
    pub fn threshold(&self) -> f32 {
        self.thresholds.first().map_or(1.0, |threshold| threshold.value)
    }

    /// The first file with this role.
    pub fn file(&self, role: FileRole) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.role == role)
    }
}

impl FileEntry {
    /// The entry for these bytes.
    pub fn of(name: impl Into<String>, role: FileRole, bytes: &[u8]) -> Self {
        Self { name: name.into(), role, bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }
}

/// The id of the model whose `manifest` entry has these bytes: their SHA-256, hexadecimal.
pub fn id(manifest: &[u8]) -> String {
    hex::encode(Sha256::digest(manifest))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(format!("`{text}` is not a version such as 0.1.0")),
        }
    }
}

impl fmt::Display for TargetEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tract => "tract",
            Self::TensorRt => "tensorrt",
        })
    }
}

impl fmt::Display for FileRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Extractor => "extractor",
            Self::Step => "step",
            Self::Licence => "licence",
            Self::Data => "data",
        })
    }
}

#[cfg(test)]
mod tests;
