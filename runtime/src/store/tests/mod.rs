//! | file | what |
//! |---|---|
//! | here | bundles and stores to test with |
//! | `power` | a disk that remembers what was synced, and whose power is cut |
//! | `cuts` | the power is cut at every operation of everything that the store does |
//! | `live` | a trial beside a running camera |
//! | `moves` | every stage of a trial, whatever happens |
//! | `receivers` | several receive bundles at the same time |
//! | `refusals` | what the store refuses, and that it is then as it was |

mod cuts;
mod live;
mod moves;
pub(crate) mod power;
mod receivers;
mod refusals;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use firmware_config::config::EngineChoice;
use firmware_config::contract::ClipContract;
use firmware_config::manifest::{
    AlarmDefaults, FileEntry, FileRole, GOLDEN_TOLERANCE, GoldenRow, GoldenVectors, Manifest, TargetEngine, Threshold,
    Version,
};
use firmware_config::sign::{SigningKey, TrustedKeys};
use firmware_config::{FeatureContract, manifest};
use sha2::{Digest as _, Sha256};

use super::state::Evidence;
use super::*;
use crate::bundle;
use power::PowerDisk;

const EVIDENCE: Evidence = Evidence { difference: 1e-6, segment_ms: 120.0, memory_mb: 30.0 };

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Trusts key 1.
pub(crate) fn trust() -> Trust {
    Trust { keys: TrustedKeys::only((&key(1)).into()), engine: EngineChoice::Tract }
}

fn folder() -> PathBuf {
    PathBuf::from("/var/lib/tadpole/store")
}

fn store(disk: &PowerDisk) -> Store {
    Store::on(Box::new(disk.clone()), folder())
}

/// A manifest with an extractor: window 4, rows of 3 numbers, clips of one frame of 2 x 2.
pub(crate) fn release(release: u64) -> (Manifest, Vec<Vec<u8>>) {
    let contents = vec![format!("head of release {release}").into_bytes(), b"the extractor".to_vec()];
    let extractor = FileEntry::of("extractor.onnx", FileRole::Extractor, &contents[1]);
    let input = ClipContract {
        width: 2,
        height: 2,
        rate_hz: 25,
        clip_ticks: 16,
        ticks: vec![0],
        extractor_sha256: hex::encode(extractor.sha256),
    };
    let manifest = Manifest {
        name: "roadside".into(),
        created: "2026-01-31".into(),
        release,
        minimum_firmware: Version::default(),
        engine: TargetEngine::Tract,
        contract: FeatureContract { name: "tiny".into(), feature_width: 3, background_segments: 0, input: Some(input) },
        window: 4,
        min_segments: 2,
        look_ahead: 0,
        thresholds: vec![Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 9.0 }],
        alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 1.28, cool_down_s: 30.0 },
        files: vec![FileEntry::of("head.onnx", FileRole::Head, &contents[0]), extractor],
        golden: GoldenVectors {
            tolerance: GOLDEN_TOLERANCE,
            head_input: vec![0.0; 12],
            head_scores: vec![0.5; 4],
            extractor: Some(GoldenRow { seed: 7, row: vec![0.0; 3] }),
        },
        notes: Vec::new(),
    };
    (manifest, contents)
}

/// The bytes of a bundle, signed with key `by`.
pub(crate) fn packed((manifest, contents): &(Manifest, Vec<Vec<u8>>), by: u8) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.tadpole");
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    bundle::write(&path, manifest, &contents, &key(by)).unwrap();
    std::fs::read(path).unwrap()
}

/// The bundle of a release, signed with key 1. Asked for thousands of times, made once.
pub(crate) fn bundle_of(number: u64) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<u64, Vec<u8>>> = Mutex::new(BTreeMap::new());
    MADE.lock().unwrap().entry(number).or_insert_with(|| packed(&release(number), 1)).clone()
}

pub(crate) fn id_of(number: u64) -> String {
    manifest::id(&release(number).0.encode().unwrap())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(crate) fn install(store: &Store, number: u64) -> Result<()> {
    let bytes = bundle_of(number);
    store.install_from("bundle", &bytes[..], bytes.len() as u64, &trust()).map(|_| ())
}

/// Take a release through its whole trial.
pub(crate) fn adopt(store: &Store, number: u64) {
    install(store, number).unwrap();
    store.activate(None, false, false).unwrap();
    for event in [Event::Proved(EVIDENCE), Event::ShadowBegun, Event::Passed, Event::Passed] {
        store.advance(&event).unwrap();
    }
}

/// Put a release on trial, as far as `stage`.
fn put_on_trial(store: &Store, number: u64, stage: Stage) {
    install(store, number).unwrap();
    store.activate(None, false, false).unwrap();
    for event in [Event::Proved(EVIDENCE), Event::ShadowBegun, Event::Passed] {
        if store.state().unwrap().trial.unwrap().stage == stage {
            return;
        }
        store.advance(&event).unwrap();
    }
}

/// The release that a start runs.
fn booted(store: &Store) -> u64 {
    store.boot(&trust()).unwrap().bundle.manifest.release
}
