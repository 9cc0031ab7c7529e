use std::fs;
use std::path::PathBuf;

use firmware_config::contract::FeatureContract;
use firmware_config::manifest::{
    AlarmDefaults, FileEntry, GOLDEN_TOLERANCE, GoldenVectors, Note, TargetEngine, Threshold, Version,
};
use firmware_config::sign::{SigningKey, TrustedKeys};
use tempfile::TempDir;

use super::*;
use crate::ErrorKind;

const HEAD: &[u8] = b"the graph over the full window";
const LICENCE: &[u8] = &[b'L'; 1500];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn ours() -> TrustedKeys {
    TrustedKeys::only((&key(1)).into())
}

/// A head-only manifest: window 4, rows of 3 numbers.
fn manifest() -> Manifest {
    Manifest {
        name: "roadside".into(),
        created: "2026-01-31".into(),
        release: 1,
        minimum_firmware: Version::default(),
        engine: TargetEngine::Tract,
        contract: FeatureContract::external(3),
        window: 4,
        min_segments: 2,
        look_ahead: 0,
        thresholds: vec![Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 9.0 }],
        alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 1.28, cool_down_s: 30.0 },
        files: vec![
            FileEntry::of("head.onnx", FileRole::Head, HEAD),
            FileEntry::of("LICENCE", FileRole::Licence, LICENCE),
        ],
        golden: GoldenVectors {
            tolerance: GOLDEN_TOLERANCE,
            head_input: vec![0.0; 12],
            head_scores: vec![0.5; 4],
            extractor: None,
        },
        notes: vec![Note { title: "licences".into(), text: "mine".into() }],
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A good bundle, and its bytes.
    fn good(&self) -> (PathBuf, Vec<u8>) {
        let path = self.path("good.tadpole");
        write(&path, &manifest(), &[HEAD, LICENCE], &key(1)).unwrap();
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    }

    /// What opening these bytes is refused with; the folder's name is left out.
    fn refused(&self, bytes: &[u8]) -> (ErrorKind, String) {
        let path = self.path("x.tadpole");
        fs::write(&path, bytes).unwrap();
        let error = Bundle::open(&path, &ours()).expect_err("should be refused");
        let text = error.to_string().replace(&format!("{}/", self.0.path().display()), "");
        assert!(!text.contains('\n'), "one line: {text}");
        (error.kind, text)
    }
}

/// Where an entry's header begins in a bundle.
fn at(bytes: &[u8], name: &str) -> usize {
    (0..bytes.len()).step_by(512).find(|at| bytes[*at..].starts_with(format!("{name}\0").as_bytes())).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let folder = Folder::new();
    let (path, bytes) = folder.good();
    let bundle = Bundle::open(&path, &ours()).unwrap();
    assert_eq!(bundle.manifest, manifest());
    assert_eq!((bundle.head(), bundle.extractor()), (HEAD, None));
    assert_eq!(bundle.file("LICENCE"), Some(LICENCE));
    assert_eq!(bundle.signed_by, (&key(1)).into());
    assert_eq!(bundle.require_extractor().unwrap_err().kind, ErrorKind::InvalidInput);
    // Again, over the old one: the same id and bytes, and nothing is left beside it.
    assert_eq!(write(&path, &manifest(), &[HEAD, LICENCE], &key(1)).unwrap(), bundle.id);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);
}

#[test]
fn any_tar_reads_it() {
    let folder = Folder::new();
    let (_, bytes) = folder.good();
    let mut archive = tar::Archive::new(&bytes[..]);
    let names: Vec<_> = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, ["manifest", "manifest.sig", "head.onnx", "LICENCE"]);
}

#[test]
fn each_refusal_is_one_clear_line() {
    let folder = Folder::new();
    let (_, good) = folder.good();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let (kind, text) = folder.refused(&bytes);
        format!("{kind:?} {text}")
    };
    let head = at(&good, "head.onnx");
    let stranger = {
        let path = folder.path("stranger.tadpole");
        write(&path, &manifest(), &[HEAD, LICENCE], &key(2)).unwrap();
        fs::read(path).unwrap()
    };
    let future = {
        let path = folder.path("future.tadpole");
        let manifest = Manifest { minimum_firmware: "99.0.0".parse().unwrap(), ..manifest() };
        write(&path, &manifest, &[HEAD, LICENCE], &key(1)).unwrap();
        fs::read(path).unwrap()
    };
    let all = [
        with(&|b| b.clear()),
        with(&|b| *b = b"[[camera]]\n".to_vec()),
        with(&|b| *b = vec![b'x'; 4096]),
        with(&|b| *b = stranger.clone()),
        with(&|b| *b = future.clone()),
        with(&|b| b[600] ^= 1),
        with(&|b| b[at(&good, "manifest.sig") + 512 + 40] ^= 1),
        with(&|b| b[head + 512] ^= 1),
        with(&|b| b[head + 512 + HEAD.len()] = 1),
        with(&|b| b[head + 156] = b'2'),
        with(&|b| {
            b[head..head + 512].copy_from_slice(&ustar::header("tail.onnx", HEAD.len() as u64));
        }),
        with(&|b| b[head..head + 512].copy_from_slice(&ustar::header("head.onnx", 8 << 30))),
        with(&|b| b[..512].copy_from_slice(&ustar::header("manifest", 5 << 20))),
        with(&|b| b[..512].copy_from_slice(&ustar::header("manifest", 4 << 20))),
        with(&|b| drop(b.splice(head..head, ustar::header("extra", 0)))),
        with(&|b| {
            drop(b.splice(b.len() - 1024.., ustar::header("extra", 0).into_iter().chain([0; 1024])));
        }),
        with(&|b| b.push(0)),
        with(&|b| b.truncate(b.len() - 1)),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
        Corrupt x.tadpole: is empty; copy or export the bundle again
        Corrupt x.tadpole: is cut short: it ends within its first header, or is no bundle; copy or export the bundle again
        Corrupt x.tadpole: is not a bundle: it does not begin with a plain `manifest`; copy or export the bundle again
        Untrusted x.tadpole: it is signed with the key 8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394, which is not among the trusted keys; if you know this key, add it to `trusted_keys` of `[model]`
        InvalidInput x.tadpole: needs firmware 99.0.0 or newer, and this is 0.1.0; update the firmware first
        Untrusted x.tadpole: its signature by the key 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c does not fit its manifest; do not run it: get it again from whoever signed it
        Untrusted x.tadpole: its signature by the key 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c does not fit its manifest; do not run it: get it again from whoever signed it
        Corrupt x.tadpole: `head.onnx` differs from its SHA-256 in the manifest; copy or export the bundle again
        Corrupt x.tadpole: something is hidden behind the end of `head.onnx`; copy or export the bundle again
        Corrupt x.tadpole: holds something else than a plain file in the place of `head.onnx`; copy or export the bundle again
        Corrupt x.tadpole: holds `tail.onnx` in the place of `head.onnx`; copy or export the bundle again
        Corrupt x.tadpole: holds something else than a plain file in the place of `head.onnx`; copy or export the bundle again
        Corrupt x.tadpole: `manifest` has 5242880 bytes instead of at most 4194304 that it may have; copy or export the bundle again
        Corrupt x.tadpole: is cut short: it ends within `manifest`; copy or export the bundle again
        Corrupt x.tadpole: holds `extra` in the place of `head.onnx`; copy or export the bundle again
        Corrupt x.tadpole: holds more than its manifest names; copy or export the bundle again
        Corrupt x.tadpole: 1 bytes follow its end; copy or export the bundle again
        Corrupt x.tadpole: is cut short: it ends within its closing blocks; copy or export the bundle again
        ");
}

#[test]
fn what_is_not_there_is_said() {
    let folder = Folder::new();
    let error = Bundle::open(folder.path("none.tadpole"), &ours()).unwrap_err();
    assert_eq!((error.kind, error.remedy.as_str()), (ErrorKind::InvalidInput, "name a `.tadpole` bundle"));
    assert_eq!(Bundle::open(folder.0.path(), &ours()).unwrap_err().kind, ErrorKind::InvalidInput);
}

#[test]
fn a_bundle_cut_anywhere_is_refused() {
    let folder = Folder::new();
    let (_, good) = folder.good();
    let places = (0..60).map(|n| n * good.len() / 60).chain([1, 511, 512, 513, good.len() - 512, good.len() - 1]);
    for place in places {
        assert_eq!(folder.refused(&good[..place]).0, ErrorKind::Corrupt, "cut at {place}");
    }
}

#[test]
fn a_bundle_with_a_flipped_byte_is_refused() {
    let folder = Folder::new();
    let (_, good) = folder.good();
    // Every byte of a header is tried in `ustar`; here, every eleventh of the whole.
    for place in (0..good.len()).step_by(11) {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        let (kind, text) = folder.refused(&bytes);
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Untrusted), "byte {place}: {kind:?} {text}");
    }
}

#[test]
fn nobody_trusted_opens_nothing() {
    let folder = Folder::new();
    let (path, _) = folder.good();
    assert_eq!(Bundle::open(&path, &TrustedKeys::default()).unwrap_err().kind, ErrorKind::Untrusted);
    assert_eq!(Bundle::open(&path, &demo_keys()).unwrap_err().kind, ErrorKind::Untrusted);
}

#[test]
fn inspection_reports_the_signature() {
    let folder = Folder::new();
    let (path, good) = folder.good();
    let found = Bundle::inspect(&path).unwrap();
    assert_eq!(found.signature, SignatureStatus::Fits((&key(1)).into()));
    assert_eq!((found.id, found.manifest), (Bundle::open(&path, &ours()).unwrap().id, manifest()));
    let mut forged = good;
    let sig = at(&forged, "manifest.sig") + 512;
    forged[sig + 40] ^= 1;
    fs::write(&path, &forged).unwrap();
    assert_eq!(Bundle::inspect(&path).unwrap().signature, SignatureStatus::Wrong((&key(1)).into()));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let folder = Folder::new();
    let path = folder.path("new.tadpole");
    for contents in [vec![HEAD], vec![LICENCE, HEAD], vec![b"".as_slice(), LICENCE]] {
        let error = write(&path, &manifest(), &contents, &key(1)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    let wrong = Manifest { window: 0, ..manifest() };
    assert_eq!(write(&path, &wrong, &[HEAD, LICENCE], &key(1)).unwrap_err().kind, ErrorKind::InvalidInput);
    assert!(!path.exists());
    let nowhere = folder.path("no/such/folder.tadpole");
    assert_eq!(write(nowhere, &manifest(), &[HEAD, LICENCE], &key(1)).unwrap_err().kind, ErrorKind::Failed);
}

#[test]
fn the_demo_key_is_the_committed_one() {
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    let pem = include_str!("../../../models/demo-signing-key.pem");
    let key = SigningKey::from_pkcs8_pem(pem).unwrap();
    assert_eq!(PublicKey::from(&key).to_string(), demo_key::DEMO_PUBLIC_KEY_HEX);
    assert!(demo_key::is_demo_key((&key).into()));
}
