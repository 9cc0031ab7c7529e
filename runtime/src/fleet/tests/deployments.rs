//! What becomes of deployments, and what the server is told. The server refuses whatever it does not expect, word for word, and
//! then a turn of the device fails.

use hawkbit::ddi::{Execution, Finished, Type};
use serde_json::json;

use super::*;
use crate::store::state::Evidence;
use crate::store::{Event, Stage};

const EVIDENCE: Evidence = Evidence { difference: 1e-6, segment_ms: 120.0, memory_mb: 30.0 };
const DOWNLOADED: &str = "is being downloaded";

fn stages(events: &[Event], store: &Store) {
    events.iter().for_each(|event| _ = store.advance(event).unwrap());
}

#[test]
fn success_is_told_when_the_trial_confirmed_it_and_not_before() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    site.target.push_deployment(deployment(ACTION, Type::Forced, file, &hash));
    let expect = |execution, finished, text| {
        site.target.expect_deployment_feedback(ACTION, execution, finished, None, vec![text])
    };
    let download = expect(Execution::Download, Finished::None, DOWNLOADED);
    let proving = expect(Execution::Proceeding, Finished::None, "roadside release 2 is on trial: to be proved");
    let shadow = expect(Execution::Proceeding, Finished::None, "roadside release 2 is on trial: in shadow");
    let unconfirmed = expect(Execution::Proceeding, Finished::None, "roadside release 2 is on trial: unconfirmed");
    let success = expect(Execution::Closed, Finished::Success, "roadside release 2 is confirmed");

    let mut device = site.device();
    assert_eq!(device.turn().unwrap(), Duration::from_mins(1), "as the server asks");
    assert!(!device.has_news());
    device.turn().unwrap();
    assert_eq!((download.calls(), proving.calls()), (1, 1), "told once");
    assert_eq!(site.store().state().unwrap().trial.unwrap().stage, Stage::Installed, "for the driver to find");

    stages(&[Event::Proved(EVIDENCE), Event::ShadowBegun], &site.store());
    assert!(device.has_news(), "and asks the server before its time");
    device.turn().unwrap();
    stages(&[Event::Passed], &site.store());
    device.turn().unwrap();
    assert_eq!((shadow.calls(), unconfirmed.calls(), success.calls()), (1, 1, 0));

    // The firmware starts anew, and the trial ends well.
    drop(device);
    stages(&[Event::Passed], &site.store());
    site.device().turn().unwrap();
    assert_eq!((success.calls(), download.calls()), (1, 1));
    assert_eq!(site.store().state().unwrap().current.unwrap().release, 2);
}

#[test]
fn a_reversal_is_told_with_its_reason_also_by_the_next_start_and_the_bundle_may_be_deployed_again() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    site.target.push_deployment(deployment(ACTION, Type::Attempt, file.clone(), &hash));
    let expect = |id, execution, finished, text| {
        site.target.expect_deployment_feedback(id, execution, finished, None, vec![text])
    };
    let proving = "roadside release 2 is on trial: to be proved";
    let _download = expect(ACTION, Execution::Download, Finished::None, DOWNLOADED);
    let _proving = expect(ACTION, Execution::Proceeding, Finished::None, proving);
    site.device().turn().unwrap();
    let nan = Event::Failed("camera north: a score is NaN".into());
    stages(&[Event::Proved(EVIDENCE), Event::ShadowBegun, Event::Passed, nan], &site.store());
    let text = "roadside release 2 was reverted: camera north: a score is NaN";
    let failure = expect(ACTION, Execution::Closed, Finished::Failure, text);
    site.device().turn().unwrap();
    site.device().turn().unwrap();
    assert_eq!(failure.calls(), 2, "until the server stops asking");
    assert_eq!(site.store().state().unwrap().current.unwrap().release, 1);

    site.target.push_deployment(deployment("11", Type::Forced, file, &hash));
    let again = expect("11", Execution::Download, Finished::None, DOWNLOADED);
    let trial = expect("11", Execution::Proceeding, Finished::None, proving);
    site.device().turn().unwrap();
    assert_eq!((again.calls(), trial.calls()), (1, 1));
}

/// Deploy a file; the server must be told `told` as the reason why not.
fn refused(site: &Site, file: PathBuf, hash: &str, downloads: bool, told: &str) {
    let before = site.store().state().unwrap();
    site.target.push_deployment(deployment(ACTION, Type::Forced, file, hash));
    let _download =
        site.target.expect_deployment_feedback(ACTION, Execution::Download, Finished::None, None, vec![DOWNLOADED]);
    let failure =
        site.target.expect_deployment_feedback(ACTION, Execution::Closed, Finished::Failure, None, vec![told]);
    if let Err(error) = site.device().turn() {
        // What it would have said.
        let mut probe = site.device();
        panic!("{error}; not told: {told}; but {:?}", probe.turn().err().map(|error| error.to_string()));
    }
    assert_eq!(failure.calls(), 1);
    let after = site.store().state().unwrap();
    assert_eq!((&after.current, &after.trial), (&before.current, &None));
    assert!(downloads || after.candidate.is_none());
}

#[test]
fn what_is_of_another_hash_is_refused() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    let other = sha256(b"another");
    let told = format!(
        "{other}: lies on the disk with another SHA-256 than {other}; send it again; if that does not help, check the disk"
    );
    refused(&site, file, &other, false, &told);
    assert_ne!(hash, other);
    assert_eq!(std::fs::read_dir(site.folder.path().join("store/incoming")).unwrap().count(), 0, "and not kept");
}

#[test]
fn what_a_stranger_signed_is_refused() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 9);
    let error = crate::bundle::Bundle::open(&file, &trust().keys).unwrap_err();
    let told = format!("{hash}: {}; {}", error.problem, error.remedy);
    assert!(told.contains("trusted"), "{told}");
    refused(&site, file, &hash, false, &told);
}

#[test]
fn what_is_no_bundle_is_refused() {
    let site = Site::new();
    let file = site.file("notes.txt", b"notes");
    let told = "deployment: holds 0 files whose names end in `.tadpole`; let the distribution set hold one bundle";
    refused(&site, file, &sha256(b"notes"), false, told);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_fetched() {
    let site = Site::new();
    let bytes = crate::store::receive::RECEIVED_BYTES_MAX + 1;
    let file = site.folder.path().join("huge.tadpole");
    std::fs::File::create(&file).unwrap().set_len(bytes).unwrap();
    let told = format!("deployment: has {bytes} bytes; a bundle has at most {}; deploy a `.tadpole` bundle", bytes - 1);
    let chunk = DeploymentBuilder::new(ACTION, Type::Forced, Type::Forced).chunk_with_mock(
        ChunkProtocol::BOTH,
        "bApp",
        "1",
        "model",
        vec![(file, "-", "-", &sha256(b""))],
        Box::new(|when, then| _ = (when.path("/never"), then.status(404))),
    );
    site.target.push_deployment(chunk.build());
    let failure =
        site.target.expect_deployment_feedback(ACTION, Execution::Closed, Finished::Failure, None, vec![&told]);
    site.device().turn().unwrap();
    assert_eq!(failure.calls(), 1);
}

#[test]
fn an_older_release_is_refused() {
    let site = Site::new();
    adopt(&site.store(), 3);
    let (file, hash) = site.bundle(2, 1);
    let id = crate::bundle::Bundle::open(&file, &trust().keys).unwrap().id;
    let told = format!(
        "{id}: release 2 of roadside is older than release 3; send a newer one, or on the device: `tadpole model activate --allow-downgrade`"
    );
    refused(&site, file, &hash, true, &told);
}

#[test]
fn leave_to_activate_is_waited_for_and_a_cancellation_until_then_is_granted() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    site.target.push_deployment(deployment(ACTION, Type::Skip, file.clone(), &hash));
    let expect =
        |execution, text| site.target.expect_deployment_feedback(ACTION, execution, Finished::None, None, vec![text]);
    let _download = expect(Execution::Download, DOWNLOADED);
    let waits = expect(Execution::Scheduled, "is installed and waits for leave to be activated");
    let mut device = site.device();
    device.turn().unwrap();
    assert_eq!((waits.calls(), site.store().state().unwrap().trial), (1, None));

    site.target.cancel_action(ACTION);
    let granted = site.target.expect_cancel_feedback(
        ACTION,
        Execution::Closed,
        Finished::Success,
        vec!["given up before it was activated"],
    );
    device.turn().unwrap();
    assert_eq!((granted.calls(), site.store().state().unwrap().trial), (1, None));
}

#[test]
fn a_cancellation_of_what_is_activated_is_rejected() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    site.target.push_deployment(deployment(ACTION, Type::Forced, file, &hash));
    let expect =
        |execution, text| site.target.expect_deployment_feedback(ACTION, execution, Finished::None, None, vec![text]);
    let _download = expect(Execution::Download, DOWNLOADED);
    let _proving = expect(Execution::Proceeding, "roadside release 2 is on trial: to be proved");
    site.device().turn().unwrap();
    site.target.cancel_action(ACTION);
    let rejected = site.target.expect_cancel_feedback(
        ACTION,
        Execution::Rejected,
        Finished::None,
        vec!["it is activated: its trial decides; on the device, `tadpole model rollback` ends it"],
    );
    site.device().turn().unwrap();
    assert_eq!(rejected.calls(), 1);
    assert!(site.store().state().unwrap().trial.is_some());
}

#[test]
fn another_trial_is_waited_for() {
    let site = Site::new();
    let bytes = packed(&release(2), 1);
    site.store().install_from("by hand", &bytes[..], bytes.len() as u64, &trust()).unwrap();
    site.store().activate(None, false, false).unwrap();
    let (file, hash) = site.bundle(3, 1);
    site.target.push_deployment(deployment(ACTION, Type::Forced, file, &hash));
    let text = "waits for the trial of roadside release 2";
    let waits = site.target.expect_deployment_feedback(ACTION, Execution::Scheduled, Finished::None, None, vec![text]);
    site.device().turn().unwrap();
    assert_eq!(waits.calls(), 1);
    assert_eq!(site.store().state().unwrap().on_trial().unwrap().release, 2);
}

#[test]
fn the_device_says_what_it_is_when_it_is_asked() {
    let site = Site::new();
    let model_id = site.store().state().unwrap().current.unwrap().id;
    site.target.request_config(json!({ "mode": "merge", "data": {
        "firmware": env!("CARGO_PKG_VERSION"), "engine": "tract", "cameras": "north,south",
        "model": "roadside", "release": "1", "model_id": model_id,
    }}));
    site.device().turn().unwrap();
    assert_eq!(site.target.config_data_hits(), 1);
}
