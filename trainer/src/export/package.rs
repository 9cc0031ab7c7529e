//! Manifest and files into one signed bundle. A manifest without its list of files, the files, and a key come in; the
//! bundle goes out, read back and verified as a camera would.

use std::path::Path;

use firmware_config::manifest::{FileEntry, FileRole, Manifest};
use firmware_config::sign::{SigningKey, TrustedKeys};
use runtime::Result;
use runtime::bundle::{self, Bundle};

/// A file to be put into a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// A plain file name.
    pub name: String,
    /// What it is for.
    pub role: FileRole,
    /// Its content.
    pub content: Vec<u8>,
}

impl Part {
    /// A part.
    pub fn new(name: impl Into<String>, role: FileRole, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), role, content: content.into() }
    }
}

/// Write the bundle `out` of `parts`, signed with `key`; returns the model's id. `manifest.files` is filled in here.
///
/// # Errors
/// When the manifest is not valid with these parts, or the bundle cannot be written or read back.
pub fn package(out: &Path, mut manifest: Manifest, parts: &[Part], key: &SigningKey) -> Result<String> {
    manifest.files = parts.iter().map(|part| FileEntry::of(&part.name, part.role, &part.content)).collect();
    let contents: Vec<&[u8]> = parts.iter().map(|part| part.content.as_slice()).collect();
    let id = bundle::write(out, &manifest, &contents, key)?;
    Bundle::open(out, &TrustedKeys::only(key.into()))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use firmware_config::contract::{ClipContract, FeatureContract};
    use firmware_config::manifest::{AlarmDefaults, GoldenRow, GoldenVectors, TargetEngine, Threshold, Version};

    use super::*;

    fn manifest(extractor: &[u8]) -> Manifest {
        Manifest {
            name: "roadside".into(),
            created: "2026-01-31".into(),
            release: 1,
            minimum_firmware: Version::default(),
            engine: TargetEngine::Tract,
            contract: FeatureContract {
                name: "tiny".into(),
                feature_width: 2,
                background_segments: 0,
                input: Some(ClipContract {
                    width: 8,
                    height: 8,
                    rate_hz: 25,
                    clip_ticks: 16,
                    ticks: vec![0, 15],
                    extractor_sha256: hex::encode(FileEntry::of("e", FileRole::Extractor, extractor).sha256),
                }),
            },
            window: 2,
            min_segments: 1,
            look_ahead: 0,
            thresholds: vec![Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 1.0 }],
            alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 0.0, cool_down_s: 0.0 },
            files: Vec::new(),
            golden: GoldenVectors {
                tolerance: 1e-4,
                head_input: vec![0.0; 4],
                head_scores: vec![0.5; 2],
                extractor: Some(GoldenRow { seed: 1, row: vec![0.0; 2] }),
            },
            notes: Vec::new(),
        }
    }

    #[test]
    fn parts_become_a_bundle_that_opens() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("m.tadpole");
        let parts = [
            Part::new("head.onnx", FileRole::Head, *b"head"),
            Part::new("extractor.onnx", FileRole::Extractor, *b"extractor"),
            Part::new("LICENCE", FileRole::Licence, *b"MIT"),
        ];
        let key = SigningKey::from_bytes(&[1; 32]);
        let id = package(&out, manifest(b"extractor"), &parts, &key).unwrap();
        let bundle = Bundle::open(&out, &TrustedKeys::only((&key).into())).unwrap();
        assert_eq!((bundle.id.as_str(), bundle.head()), (id.as_str(), &b"head"[..]));
        assert_eq!(bundle.require_extractor().unwrap(), b"extractor");
        // The contract names the extractor by its SHA-256: another one is no part of this model.
        let error = package(&out, manifest(b"another"), &parts, &key).unwrap_err();
        assert!(error.problem.contains("extractor_sha256"), "{error}");
    }
}
