//! A model for two cameras, over the network, with the real programs: both watch a road, get a newly trained model, try it and keep
//! it without a lost segment; and what is wrong with a model or with who signed it, they find out and stay as they are.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;
#[path = "common/site.rs"]
mod site;

use std::time::{Duration, Instant};

use models::{Kind, release, trained};
use serde_json::Value;
use site::{Pole, Site};

/// Wait until every camera has scored so many segments.
fn scored(site: &Site, segments: u64) -> Vec<u64> {
    let begun = Instant::now();
    loop {
        let counts: Vec<_> = site.poles.iter().map(|pole| site.status(pole).cameras[0].segments).collect();
        if counts.iter().all(|count| *count >= segments) {
            return counts;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{counts:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn ends(json: &Value) -> Vec<(&str, &str)> {
    let cameras = json["cameras"].as_array().unwrap().iter();
    cameras.map(|camera| (camera["end"].as_str().unwrap(), camera["reason"].as_str().unwrap())).collect()
}

#[test]
fn good_models_stay_and_bad_ones_go() {
    // The limit of drift is lifted: shares of segments within so few are a matter of chance, and a head that was taught for a second scores
    // otherwise than one that has learnt. Whether drift is found is for the store's own tests.
    let site = Site::new(&["pole-1", "pole-2"], "stage_s = 5\nsegment_ms = 300\ndrift = 1.0");
    let second = trained(site.folder.path(), 2, 1);
    let running: Vec<_> = site.poles.iter().map(Pole::start).collect();
    scored(&site, 10);
    let (code, json) = site.push(&second);
    assert_eq!((code, ends(&json)), (0, vec![("confirmed", ""); 2]), "{json}");
    assert_eq!(ends(&site.push(&second).1), [("had it already", ""); 2]);
    let id = json["model"].as_str().unwrap().to_owned();
    for pole in &site.poles {
        let status = site.status(pole);
        assert_eq!((status.model.id.as_str(), status.model.release), (id.as_str(), 2));
        assert_eq!(status.state, "ok", "{status:?}");
    }

    for (kind, number, by, reason) in [
        (Kind::WrongGolden, 3, 1, "golden"),
        (Kind::Slow, 4, 1, "of at most 300"),
        (Kind::NanOnTheRoad, 5, 1, "NaN"),
        (Kind::PanicsOnTheRoad, 8, 1, "panicked"),
        (Kind::Good, 6, 9, "trusted"),
        (Kind::Good, 1, 1, "older than release 2"),
    ] {
        let bad = release(site.folder.path(), number, kind, by);
        let (code, json) = site.push(&bad);
        assert_eq!(code, 1, "{json}");
        for (end, why) in ends(&json) {
            assert!(end == "not on it" && why.contains(reason), "{kind:?}: {why}");
        }
        for pole in &site.poles {
            let status = site.status(pole);
            assert_eq!((status.model.id.as_str(), status.state.as_str()), (id.as_str(), "ok"), "{kind:?}");
        }
    }
    // A wave that fails is the last.
    let bad = release(site.folder.path(), 7, Kind::WrongGolden, 1);
    let (code, json) = site.push_with(&bad, &["--waves", "1,100%", "--max-failures", "0"]);
    let told = ends(&json);
    assert_eq!((code, told[0].0, told[1]), (1, "not on it", ("not tried", "too many cameras before it failed")));
    // Each watched without a gap, and never stopped.
    for pole in &site.poles {
        let camera = site.status(pole).cameras.remove(0);
        assert_eq!((camera.frames_dropped, camera.gaps), (0, 0), "{camera:?}");
    }
    for firmware in running {
        let (_, said) = firmware.stop();
        assert!(!said.contains("degraded"), "{said}");
    }
    // Why a model went stands in the journal too.
    for pole in &site.poles {
        let journal = std::fs::read_to_string(pole.config.with_file_name("events.jsonl")).unwrap();
        for (number, reason) in [(3, "golden"), (4, "of at most 300"), (5, "NaN"), (8, "panicked")] {
            let name = format!("release {number} was dropped");
            assert!(journal.lines().any(|line| line.contains(&name) && line.contains(reason)), "{name}: {journal}");
        }
    }
}
