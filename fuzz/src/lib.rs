//! What each target does with its bytes, and what must hold for all bytes: an answer or an error, no panic, and what was accepted
//! survives its own encoding. tests/tests/corpora.rs includes this file, and replays the corpora with the ordinary compiler.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use firmware_config::config::{Config, EngineChoice};
use firmware_config::contract::{ClipContract, FeatureContract};
use firmware_config::envelope::Envelope;
use firmware_config::manifest::{
    AlarmDefaults, FileEntry, FileRole, GOLDEN_TOLERANCE, GoldenRow, GoldenVectors, Manifest, TargetEngine, Threshold,
    Version,
};
use firmware_config::sign::{SigningKey, TrustedKeys};
use firmware_config::wire;
use runtime::bundle::{self, Bundle};
use runtime::control::Desk;
use runtime::control::gate::Gate;
use runtime::control::identity::{Client, Role};
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine as _, Engines, Input};
use runtime::health::SystemClock;
use runtime::score::step::StepModel;
use runtime::store::judge::Limits;
use runtime::store::live::{Lead, Live};
use runtime::store::{Store, Trust, proof};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Inputs of a graph that is larger than this are not made up: golden vectors are not that long.
const INPUT_MAX: usize = 1 << 16;
/// How long a request may be worked on before its time-outs are up.
const PATIENCE: Duration = Duration::from_millis(300);

/// A config as a board carries it: as it is, and as the payload of each schema version, with a checksum that is right.
pub fn config_blob(data: &[u8]) {
    let _ = wire::decode(data).map(|config| survives(&config));
    for version in 1..=wire::SCHEMA_VERSION {
        if let Ok(blob) = envelope(*b"TADPOLEC", version).seal(version, data) {
            let _ = wire::decode(&blob).map(|config| survives(&config));
        }
    }
}

/// A config as people write it.
pub fn config_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_toml(text) {
        Ok(config) => survives(&config),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A manifest: as it is, and as a payload with a checksum that is right.
pub fn manifest(data: &[u8]) {
    let sealed = envelope(*b"TADPOLEM", 1).seal(1, data);
    for bytes in [Some(data), sealed.as_deref().ok()].into_iter().flatten() {
        if let Ok(manifest) = Manifest::decode(bytes) {
            let again = manifest.encode().expect("what was decoded is valid");
            // Numbers may be spelt longer than they need be; what is meant is the same.
            assert_eq!(Manifest::decode(&again).as_ref(), Ok(&manifest));
        }
    }
}

/// A bundle's archive. The key is that of the corpus, so that what stands behind the signature is reached.
pub fn bundle_tar(data: &[u8]) {
    if let Ok(bundle) = Bundle::from_reader("fuzz", data, data.len() as u64, &trusted()) {
        let contents: Vec<&[u8]> = bundle.contents.iter().map(Vec::as_slice).collect();
        let again = bundle::pack(&bundle.manifest, &contents, &key()).expect("what was read can be written");
        let again = Bundle::from_reader("again", &again[..], again.len() as u64, &trusted());
        assert!(again.is_ok_and(|again| again == bundle));
    }
}

/// A signed bundle whose graphs are these bytes: as the store proves a candidate, and as a camera loads a model.
pub fn onnx(data: &[u8]) {
    // A manifest names no empty file.
    if data.is_empty() {
        return;
    }
    let bytes = signed(data);
    let bundle = Bundle::from_reader("fuzz", &bytes[..], bytes.len() as u64, &trusted()).expect("our own bundle");
    let _ = proof::gather(&bundle, &Engines::new(EngineChoice::Tract), &Limits::default());
    if let Ok(mut engine) = TractEngine::load(bundle.head(), "head") {
        let count = |shape: &[usize]| shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let (inputs, outputs) = (count(&engine.info().input_shape), count(&engine.info().output_shape));
        if let (Some(inputs @ 0..INPUT_MAX), Some(outputs @ 0..INPUT_MAX)) = (inputs, outputs) {
            let _ = engine.run(Input::F32(&vec![0.5; inputs]), &mut vec![0.0; outputs]);
        }
    }
    let _ = StepModel::from_onnx(data);
}

/// Time does not leap by itself while a thread waits for the rest of an upload that never comes. After [`PATIENCE`] of the world's time, while
/// this is held, it is made to.
struct Hurry(Option<(mpsc::Sender<()>, std::thread::JoinHandle<()>)>);

impl Hurry {
    fn begin() -> Self {
        let (bell, rung) = tokio::sync::oneshot::channel();
        let (held, over) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = bell.send(());
            }
        });
        tokio::spawn(async move {
            if rung.await.is_ok() {
                loop {
                    tokio::time::advance(Duration::from_secs(1)).await;
                }
            }
        });
        Self(Some((held, waiting)))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        // A thread that is still there when the target returns is taken for a leak.
        if let Some((held, waiting)) = self.0.take() {
            drop(held);
            let _ = waiting.join();
        }
    }
}

/// What a client sends who may push, behind the handshake, to a control service with an empty store.
pub fn http_body(data: &[u8]) {
    static LEAD: LazyLock<Lead> = LazyLock::new(|| {
        let bytes = signed(b"graph");
        let bundle = Bundle::from_reader("lead", &bytes[..], bytes.len() as u64, &trusted()).expect("our own bundle");
        Lead { bundle: Arc::new(bundle), engines: Engines::new(EngineChoice::Tract) }
    });
    let folder = tempfile::tempdir().expect("a folder for a store");
    let trust = Trust { keys: trusted(), engine: EngineChoice::Tract };
    let store = Some((Store::new(folder.path().join("store")), trust));
    let (clock, live) = (Box::new(SystemClock::start()), Arc::new(Live::new(LEAD.clone(), 0)));
    let desk = Desk::new(Vec::new(), clock, live, EngineChoice::Tract, store, folder.path().into());
    let gate = Arc::new(Gate::new(&Arc::new(desk)));
    let client = Client { name: "anna".into(), role: Some(Role::Push) };

    // Time stands still while anything is done, and leaps to the next time-out when nothing is.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let heard = runtime.expect("a runtime").block_on(async {
        let (here, there) = tokio::io::duplex(64 << 10);
        let served = async move { gate.serve(there, SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), client).await };
        let served = tokio::spawn(served);
        let (mut ear, mut mouth) = tokio::io::split(here);
        let said = data.to_vec();
        // A service that has heard enough closes the connection: then the rest is not said.
        let said = tokio::spawn(async move { mouth.write_all(&said).await.map(|()| mouth) });
        let hurry = Hurry::begin();
        let mut heard = Vec::new();
        let _ = ear.read_to_end(&mut heard).await;
        let _ = said.await.expect("nothing of ours panics");
        served.await.expect("the service does not panic");
        drop(hurry);
        heard
    });
    // As old as the request, at least 1.0.
    let status = heard.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    assert!(heard.is_empty() || status.is_some(), "no HTTP: {}", String::from_utf8_lossy(&heard));
    assert_ne!(status, Some(&b"500"[..]), "a mistake of the service: {}", String::from_utf8_lossy(&heard));
}

/// What was accepted goes into a blob and comes out the same.
fn survives(config: &Config) {
    let blob = wire::encode(config).expect("what was accepted can be encoded");
    assert_eq!(wire::decode(&blob).as_ref(), Ok(config));
}

fn envelope(magic: [u8; 8], newest_version: u16) -> Envelope {
    Envelope { magic, newest_version, payload_bytes_max: 1 << 20 }
}

/// The key that signs the corpus; nobody trusts it.
pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn trusted() -> TrustedKeys {
    TrustedKeys::only((&key()).into())
}

/// A signed bundle whose head, step and extractor are `graph`: window 4, rows of 3 numbers, clips of one frame of 2 x 2.
pub fn signed(graph: &[u8]) -> Vec<u8> {
    let roles = [("head.onnx", FileRole::Head), ("step.onnx", FileRole::Step), ("extractor.onnx", FileRole::Extractor)];
    let files: Vec<_> = roles.iter().map(|(name, role)| FileEntry::of(*name, *role, graph)).collect();
    let extractor_sha256 = files[2].sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let input = ClipContract { width: 2, height: 2, rate_hz: 25, clip_ticks: 16, ticks: vec![0], extractor_sha256 };
    let manifest = Manifest {
        name: "fuzz".into(),
        created: "2026-01-31".into(),
        release: 1,
        minimum_firmware: Version::default(),
        engine: TargetEngine::Tract,
        contract: FeatureContract { name: "tiny".into(), feature_width: 3, background_segments: 0, input: Some(input) },
        window: 4,
        min_segments: 2,
        look_ahead: 0,
        thresholds: vec![Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 9.0 }],
        alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 1.28, cool_down_s: 30.0 },
        files,
        golden: GoldenVectors {
            tolerance: GOLDEN_TOLERANCE,
            head_input: vec![0.5; 12],
            head_scores: vec![0.5; 4],
            extractor: Some(GoldenRow { seed: 7, row: vec![0.0; 3] }),
        },
        notes: Vec::new(),
    };
    bundle::pack(&manifest, &[graph; 3], &key()).expect("a manifest that fits its graphs")
}
