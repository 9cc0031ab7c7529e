//! What the store refuses, and that it is then as it was; and the real disk, once through everything.

use std::path::Path;

use super::power::{PowerDisk, Survives};
use super::*;
use crate::ErrorKind;
use crate::store::collect::FREE_BYTES_MIN;

/// Try to install; the error's kind and text, after seeing that nothing is left of the attempt.
fn refused(bytes: &[u8], trust: &Trust) -> (ErrorKind, String) {
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    let before = store(&disk).state().unwrap();
    let error = store(&disk).install_from("bundle", bytes, bytes.len() as u64, trust).unwrap_err();
    assert_eq!(store(&disk).state().unwrap(), before);
    assert_eq!((files(&disk, "blobs"), files(&disk, "incoming")), (1, 0), "{error}");
    assert_eq!(booted(&store(&disk)), 1);
    (error.kind, error.to_string())
}

fn files(disk: &PowerDisk, inside: &str) -> usize {
    disk.list(&folder().join(inside)).unwrap().len()
}

#[test]
fn nothing_unsigned_damaged_or_for_another_device_comes_in() {
    let good = bundle_of(2);
    let (kind, text) = refused(&packed(&release(2), 9), &trust());
    assert!(kind == ErrorKind::Untrusted && text.contains("trusted"), "{text}");
    for at in [700, 3000, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        let (kind, text) = refused(&damaged, &trust());
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Untrusted), "{at}: {text}");
    }
    assert_eq!(refused(&good[..good.len() - 512], &trust()).0, ErrorKind::Corrupt);
    assert_eq!(refused(b"", &trust()).0, ErrorKind::Corrupt);
    let (mut newer, contents) = release(2);
    newer.minimum_firmware = Version { major: 99, minor: 0, patch: 0 };
    let (kind, text) = refused(&packed(&(newer, contents), 1), &trust());
    assert!(kind == ErrorKind::InvalidInput && text.contains("needs firmware 99.0.0"), "{text}");
    let (mut headless, mut contents) = release(2);
    headless.files.pop();
    contents.pop();
    (headless.contract, headless.golden.extractor) = (FeatureContract::external(3), None);
    let (kind, text) = refused(&packed(&(headless, contents), 1), &trust());
    assert!(kind == ErrorKind::InvalidInput && text.contains("no extractor"), "{text}");
}

#[test]
fn graphs_for_another_engine_stay_out() {
    let (mut other, contents) = release(2);
    other.engine = TargetEngine::TensorRt;
    let bytes = packed(&(other, contents), 1);
    let (kind, text) = refused(&bytes, &trust());
    assert!(kind == ErrorKind::InvalidInput && text.contains("this device computes with tract"), "{text}");
    let trust = Trust { engine: EngineChoice::Tensorrt, ..trust() };
    let disk = PowerDisk::new();
    assert!(store(&disk).install_from("b", &bytes[..], bytes.len() as u64, &trust).is_ok());
}

#[test]
fn uploads_that_lie_are_refused() {
    let disk = PowerDisk::new();
    let s = store(&disk);
    let bytes = bundle_of(1);
    let length = bytes.len() as u64;
    for name in ["", "../../etc/passwd", &"A".repeat(64), &"g".repeat(64)] {
        assert_eq!(s.receive(name, 10).err().unwrap().kind, ErrorKind::InvalidInput, "{name}");
    }
    assert_eq!(s.receive(&"a".repeat(64), 1 << 40).err().unwrap().kind, ErrorKind::InvalidInput);
    // More than was announced.
    let mut incoming = s.receive(&sha256(&bytes), 100).unwrap();
    assert_eq!(incoming.write(&bytes[..101]).unwrap_err().kind, ErrorKind::InvalidInput);
    // Less: the rest may follow.
    let mut incoming = s.receive(&sha256(&bytes), length).unwrap();
    incoming.write(&bytes[..700]).unwrap();
    assert_eq!(incoming.finish(&trust()).unwrap_err().kind, ErrorKind::Unavailable);
    let mut incoming = s.receive(&sha256(&bytes), length).unwrap();
    assert_eq!(incoming.have(), 700);
    incoming.write(&bytes[700..]).unwrap();
    assert_eq!(incoming.finish(&trust()).unwrap().model.id, id_of(1));
    // Another bundle under this hash.
    let hash = "0".repeat(64);
    let mut incoming = s.receive(&hash, length).unwrap();
    incoming.write(&bytes).unwrap();
    let error = incoming.finish(&trust()).unwrap_err();
    assert!(error.kind == ErrorKind::Corrupt && error.problem.contains("another SHA-256"), "{error}");
    assert_eq!(files(&disk, "incoming"), 0);
    // One at a time: what was begun before another is gone.
    s.receive(&"1".repeat(64), 10).unwrap().write(b"12345").unwrap();
    s.receive(&"2".repeat(64), 10).unwrap().write(b"12345").unwrap();
    assert_eq!((files(&disk, "incoming"), s.receive(&"1".repeat(64), 10).unwrap().have()), (1, 0));
}

#[test]
fn quota_and_free_space_are_kept() {
    let disk = PowerDisk::new();
    let bytes = bundle_of(1).len() as u64;
    let s = store(&disk).with_quota(2 * bytes + 10);
    adopt(&s, 1);
    adopt(&s, 2);
    // Both are named: current and previous.
    let error = install(&s, 3).unwrap_err();
    assert!(error.problem.contains("of the store are taken"), "{error}");
    assert_eq!((booted(&s), files(&disk, "blobs"), files(&disk, "incoming")), (2, 2, 0));

    let disk = PowerDisk::new();
    let s = store(&disk);
    adopt(&s, 1);
    install(&s, 2).unwrap();
    disk.set_free(FREE_BYTES_MIN + bytes - 1);
    let error = install(&s, 3).unwrap_err();
    assert!(error.problem.contains("must stay so"), "{error}");
    disk.set_free(FREE_BYTES_MIN + bytes);
    install(&s, 3).unwrap();
    assert_eq!(booted(&s), 1);
}

#[test]
fn a_disk_that_cannot_be_written_still_starts_and_runs_nothing_unconfirmed() {
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    disk.set_read_only();
    assert_eq!((booted(&store(&disk)), booted(&store(&disk))), (1, 1));
    assert!(install(&store(&disk), 2).is_err());

    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    put_on_trial(&store(&disk), 2, Stage::Unconfirmed);
    disk.set_read_only();
    for _ in 0..3 {
        let boot = store(&disk).boot(&trust()).unwrap();
        assert_eq!((boot.bundle.manifest.release, boot.state.trial), (1, None));
        assert!(boot.told[0].contains("cannot be counted"), "{:?}", boot.told);
    }
    // Writable again, the trial counts from where it was.
    let disk = disk.power_cut(Survives::All);
    assert_eq!((booted(&store(&disk)), booted(&store(&disk))), (2, 1));
}

#[test]
fn a_damaged_blob_gives_way_to_the_model_before() {
    let disk = PowerDisk::new();
    let s = store(&disk);
    adopt(&s, 1);
    adopt(&s, 2);
    disk.damage(&folder().join("blobs").join(sha256(&bundle_of(2))), 2000);
    let boot = s.boot(&trust()).unwrap();
    assert_eq!(boot.bundle.manifest.release, 1);
    assert!(boot.told[0].contains("the model before runs: it cannot be loaded"), "{:?}", boot.told);
    // Installed anew, it is whole again.
    install(&s, 2).unwrap();
    assert_eq!(booted(&s), 2);
    // With nothing before it, the error is the model's.
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    disk.damage(&folder().join("blobs").join(sha256(&bundle_of(1))), 2000);
    assert!(store(&disk).boot(&trust()).is_err());
    // On trial, that is its end.
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    put_on_trial(&store(&disk), 2, Stage::Unconfirmed);
    disk.damage(&folder().join("blobs").join(sha256(&bundle_of(2))), 2000);
    assert_eq!(booted(&store(&disk)), 1);
    assert_eq!(store(&disk).state().unwrap().trial, None);
}

#[test]
fn keys_that_a_config_trusts_no_more_run_nothing() {
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    let other = Trust { keys: TrustedKeys::only((&key(2)).into()), ..trust() };
    assert_eq!(store(&disk).boot(&other).unwrap_err().kind, ErrorKind::Untrusted);
    // The same model, signed with the new key, takes its place where it is.
    let bytes = packed(&release(1), 2);
    store(&disk).install_from("b", &bytes[..], bytes.len() as u64, &other).unwrap();
    assert_eq!(store(&disk).boot(&other).unwrap().bundle.manifest.release, 1);
    assert_eq!((files(&disk, "blobs"), store(&disk).state().unwrap().candidate), (1, None));
}

#[test]
fn a_damaged_record_is_said_to_be() {
    let disk = PowerDisk::new();
    adopt(&store(&disk), 1);
    disk.damage(&folder().join("state"), 30);
    let error = store(&disk).boot(&trust()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(error.to_string().contains("/var/lib/tadpole/store/state"), "{error}");
}

#[test]
fn the_real_disk_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let s = Store::new(folder.path().join("store"));
    assert_eq!(s.state().unwrap(), State::default());
    assert_eq!(s.boot(&trust()).unwrap_err().kind, ErrorKind::InvalidInput);
    adopt(&s, 1);
    adopt(&s, 2);
    install(&s, 3).unwrap();
    assert_eq!(booted(&s), 2);
    let names = |inside: &str| std::fs::read_dir(folder.path().join("store").join(inside)).unwrap().count();
    assert_eq!((names("blobs"), names("incoming"), names("")), (3, 0, 4));
    install(&s, 4).unwrap();
    assert_eq!((names("blobs"), s.collect().unwrap()), (3, 0));
    s.roll_back("try").unwrap();
    assert_eq!(booted(&Store::new(folder.path().join("store"))), 1);
    let missing = s.install(&folder.path().join("none.tadpole"), &trust()).unwrap_err();
    assert!(missing.kind == ErrorKind::InvalidInput && missing.subject.ends_with("none.tadpole"), "{missing}");
    let error = Store::new(Path::new("/proc/store")).install_from("b", &b"x"[..], 1, &trust()).unwrap_err();
    assert!(error.subject.starts_with("/proc/store"), "{error}");
}

#[test]
fn one_process_at_a_time_changes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    adopt(&Store::new(&path), 1);
    // Rolling to and fro by several at once: every one is whole, none is lost.
    adopt(&Store::new(&path), 2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| drop(Store::new(&path).roll_back("to and fro").unwrap())));
        }
    });
    assert_eq!(booted(&Store::new(&path)), 2);
}
