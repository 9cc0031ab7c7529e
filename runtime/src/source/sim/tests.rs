use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;

/// The frames of these 1-based numbers.
fn frames(spec: &SimSpec, wanted: &[u64]) -> Vec<Vec<u8>> {
    let mut source = SimSource::new(spec.clone());
    let mut frame = Frame::default();
    let mut out = Vec::new();
    while let Advance::Frame(header) = source.advance().unwrap() {
        if wanted.contains(&header.number) {
            source.read(&mut frame).unwrap();
            out.push(frame.data.clone());
        }
    }
    out
}

fn spec(uri: &str) -> SimSpec {
    SimSpec::parse(uri).unwrap()
}

#[test]
fn the_same_spec_gives_the_same_bytes_whichever_frames_are_read() {
    for seed in [3, 6] {
        let spec = spec(&format!("sim://?seed={seed}&seconds=12&incident=fire&at=2&rain=yes"));
        let every: Vec<u64> = (1..=spec.frames()).step_by(20).collect();
        let all = frames(&spec, &every);
        assert_eq!(all.len(), 15);
        assert_eq!(all, frames(&spec, &every));
        assert_eq!(all[14], frames(&spec, &[every[14]])[0], "skipping changed a frame");
        assert_ne!(all[0], all[1]);
    }
}

#[test]
fn the_source_says_what_it_is() {
    let mut source = SimSource::open("sim://?seed=7&seconds=3").unwrap();
    assert!(source.truth().is_none());
    let info = source.info().clone();
    assert_eq!((info.width, info.height, info.frames, info.rate_hz), (640, 360, Some(75), Some(25.0)));
    assert!(info.constant_rate && !info.live);
    assert!(source.read(&mut Frame::default()).is_err(), "there is no frame before the first advance");
    let mut last = None;
    while let Advance::Frame(header) = source.advance().unwrap() {
        last = Some(header);
    }
    assert_eq!(last, Some(FrameHeader { number: 75, pts_ns: 74 * 40_000_000 }));
    assert_eq!(source.advance().unwrap(), Advance::End);
}

#[test]
fn pictures_of_any_size_show_the_same_road() {
    let mean = |size: &str| {
        let spec = spec(&format!("sim://?seed=7&seconds=3&rain=yes&{size}"));
        let (width, height) = spec.size;
        let data = frames(&spec, &[50]).remove(0);
        assert_eq!(data.len(), (width * height * 3) as usize, "{size}");
        data.iter().map(|value| f64::from(*value)).sum::<f64>() / data.len() as f64
    };
    let usual = mean("");
    for size in ["size=64x36", "size=128x72", "size=1280x720"] {
        let found = mean(size);
        assert!((found - usual).abs() < 12.0, "{size}: {found}, not {usual}");
    }
}

#[test]
fn the_truth_lies_between_onset_and_end_and_comes_soon() {
    let mut late = Vec::new();
    for kind in IncidentKind::ALL {
        for seed in 0..20 {
            let spec = SimSpec { onset_s: 20.0, incident_seconds: 18.0, ..SimSpec::new(seed, 60.0, Some(kind)) };
            let truth = SimSource::new(spec).truth();
            let Some(truth) = truth else { panic!("{kind}, seed {seed}: nothing is seen") };
            assert_eq!(truth.kind, kind);
            assert!(truth.start_s >= 20.0 && truth.end_s <= 60.0, "{seed} {truth:?}");
            assert!(truth.end_s - truth.start_s >= 6.0, "{kind}, seed {seed}: too short, {truth:?}");
            assert_eq!(truth.first_frame, (truth.start_s * 25.0).round() as u64 + 1);
            assert_eq!(truth.last_frame, (truth.end_s * 25.0).round() as u64);
            assert!(truth.start_s < 32.0, "{kind}, seed {seed}: too late, {truth:?}");
            late.push(truth.start_s - 20.0);
        }
    }
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    assert!(mean < 4.5, "incidents are seen {mean} s after their onset");
}

#[test]
fn an_incident_changes_nothing_before_its_onset_and_much_after() {
    for (i, kind) in IncidentKind::ALL.into_iter().enumerate() {
        let with = SimSpec { onset_s: 4.0, incident_seconds: 20.0, ..SimSpec::new(40 + i as u64, 26.0, Some(kind)) };
        let without = SimSpec { incident: None, ..with.clone() };
        let truth = SimSource::new(with.clone()).truth().unwrap();
        let middle = u64::midpoint(truth.first_frame, truth.last_frame);
        let numbers = [1, 60, 100, middle];
        let (a, b) = (frames(&with, &numbers), frames(&without, &numbers));
        assert_eq!(a[..3], b[..3], "{kind}: the future shows");
        let changed = a[3].iter().zip(&b[3]).filter(|(a, b)| a.abs_diff(**b) > 24).count();
        assert!(changed > 2000, "{kind}: only {changed} bytes differ");
    }
}

#[test]
fn no_spec_panics() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut frame = Frame::default();
    for i in 0..100 {
        let kind = IncidentKind::ALL.get(i % 8).copied();
        let seconds = rng.random_range(8.0..25.0);
        let spec = SimSpec::new(rng.random(), seconds, kind);
        let mut source = SimSource::new(spec);
        let picked = rng.random_range(1..source.spec().frames());
        while let Advance::Frame(header) = source.advance().unwrap() {
            if header.number == picked {
                source.read(&mut frame).unwrap();
            }
        }
    }
}
