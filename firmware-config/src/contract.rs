//! The feature contract: how frames become one segment feature. Features of different contracts never meet.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How a camera's frames become segment features. Its [`FeatureContract::hash`] is in every feature folder
/// (`contract.json`), model and config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureContract {
    /// A name for people, such as `lite0-160`; `external` for features made elsewhere.
    pub name: String,
    /// Width of one feature row.
    pub feature_width: u32,
    /// Time constant, in segments, of the background that is subtracted from each row; 0: none. A fixed camera's rows
    /// are mostly the place: what it usually sees says nothing about what happens. Row `t` (from 0, anew after a
    /// gap) becomes `x_t - m_t` with the running mean `m_t = m_(t-1) + (x_t - m_(t-1)) / min(t + 1, background_segments)`.
    pub background_segments: u32,
    /// How the extractor sees frames; `None` for external features.
    pub input: Option<ClipContract>,
}

/// The pixels of one clip, as the extractor graph takes them: `[frames, height, width, 3]` u8 RGB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipContract {
    /// Width in pixels that frames are resized to (aspect is not kept: the whole view is seen).
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Ticks per second of the model's clock: 25.
    pub rate_hz: u32,
    /// Ticks in a clip: 16, so that a clip is one segment of 0.64 s.
    pub clip_ticks: u32,
    /// Which ticks of the clip the extractor sees, ascending, each below `clip_ticks`.
    pub ticks: Vec<u32>,
    /// SHA-256 of the extractor's ONNX file, hexadecimal.
    pub extractor_sha256: String,
}

impl FeatureContract {
    /// A contract for features made elsewhere, of which only the width is known.
    pub fn external(feature_width: u32) -> Self {
        Self { name: "external".into(), feature_width, background_segments: 0, input: None }
    }

    /// SHA-256 of the contract's postcard form, hexadecimal.
    pub fn hash(&self) -> String {
        // A contract holds strings and integers only: encoding it cannot fail.
        let bytes = postcard::to_allocvec(self).unwrap_or_default();
        hex::encode(Sha256::digest(bytes))
    }
}

impl ClipContract {
    /// Bytes of one clip's pixels.
    pub fn clip_bytes(&self) -> usize {
        self.ticks.len() * (self.width * self.height * 3) as usize
    }

    /// Seconds that one clip (segment) lasts.
    pub fn segment_seconds(&self) -> f64 {
        f64::from(self.clip_ticks) / f64::from(self.rate_hz)
    }
}
