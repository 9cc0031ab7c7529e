use proptest::prelude::*;

use super::*;
use crate::contract::ClipContract;

/// A small manifest: window 4, rows of 3 numbers.
fn manifest() -> Manifest {
    let extractor = FileEntry::of("extractor.onnx", FileRole::Extractor, b"extractor");
    Manifest {
        name: "roadside".into(),
        created: "2026-01-31".into(),
        release: 3,
        minimum_firmware: Version { major: 0, minor: 1, patch: 0 },
        engine: TargetEngine::Tract,
        contract: FeatureContract {
            name: "lite0-160".into(),
            feature_width: 3,
            background_segments: 0,
            input: Some(ClipContract {
                width: 160,
                height: 160,
                rate_hz: 25,
                clip_ticks: 16,
                ticks: vec![0, 5, 10, 15],
                extractor_sha256: hex::encode(extractor.sha256),
            }),
        },
        window: 4,
        min_segments: 2,
        look_ahead: 0,
        thresholds: vec![Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 20.0 }],
        alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 1.28, cool_down_s: 30.0 },
        files: vec![FileEntry::of("head.onnx", FileRole::Head, b"head"), extractor],
        golden: GoldenVectors {
            tolerance: GOLDEN_TOLERANCE,
            head_input: (0..12u8).map(f32::from).collect(),
            head_scores: vec![0.1, 0.2, 0.9, 0.3],
            extractor: Some(GoldenRow { seed: 7, row: vec![-1.0, 0.0, 1.5] }),
        },
        notes: vec![Note { title: "licences".into(), text: "EfficientNet-Lite0: Apache-2.0".into() }],
    }
}

/// What version 1 looks like in every bundle that has it, for ever.
#[test]
fn golden_bytes_v1() {
    let bytes = manifest().encode().unwrap();
    insta::assert_snapshot!(hex::encode(&bytes), @"544144504f4c454d01006a01000008726f6164736964650a323032362d30312d33310300010000096c697465302d313630030001a001a00119100400050a0f4037343838643733383530626632303039653637363264323730626135336262346532663838656337376433646365626565656432316562616334336463613234040200010000003fcdcccc3d0000a041cdcc4c3f0ad7a33f0000f0410209686561642e6f6e6e7800049f2e6d33a3717ee826353a404ba4618d1aeeb6879ad7936bce8ed5f46814924d0e657874726163746f722e6f6e6e7801097488d73850bf2009e6762d270ba53bb4e2f88ec77d3dcebeeed21ebac43dca2417b7d1380c000000000000803f0000004000004040000080400000a0400000c0400000e0400000004100001041000020410000304104cdcccc3dcdcc4c3e6666663f9a99993e010703000080bf000000000000c03f01086c6963656e6365731e456666696369656e744e65742d4c697465303a204170616368652d322e302bc95f4f");
    insta::assert_snapshot!(id(&bytes), @"ef2eae0fe0d15384e31e1fc05114a961dbcfcfe5e53de3f8f5eebe01c9fd51ed");
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest());
}

#[test]
fn promises_that_cannot_be_kept_are_refused() {
    let refused = |change: fn(&mut Manifest)| {
        let mut wrong = manifest();
        change(&mut wrong);
        let error = wrong.encode().expect_err("should be refused").to_string();
        // What cannot be written cannot be read either.
        let payload = postcard::to_allocvec(&wrong).unwrap();
        let sealed = ENVELOPE.seal(1, &payload).unwrap();
        assert_eq!(Manifest::decode(&sealed).expect_err("should be refused").to_string(), error);
        error.trim_start_matches("its manifest is not valid: ").to_owned()
    };
    let all = [
        refused(|m| m.name = "../x".into()),
        refused(|m| m.created = "\u{1b}[2J".into()),
        refused(|m| m.contract.feature_width = 0),
        refused(|m| m.contract.input.as_mut().unwrap().ticks = vec![5, 5]),
        refused(|m| m.contract.input.as_mut().unwrap().ticks = vec![16]),
        refused(|m| m.contract.input.as_mut().unwrap().extractor_sha256 = "0".repeat(64)),
        refused(|m| {
            m.contract.input.as_mut().unwrap().extractor_sha256.make_ascii_uppercase();
        }),
        refused(|m| m.contract.input = None),
        refused(|m| m.window = 0),
        refused(|m| m.min_segments = 5),
        refused(|m| m.look_ahead = 4),
        refused(|m| m.thresholds.clear()),
        refused(|m| m.thresholds[0].value = f32::NAN),
        refused(|m| m.thresholds[0].false_alarms_per_hour = f32::INFINITY),
        refused(|m| m.alarm.release_ratio = 1.0),
        refused(|m| m.alarm.cool_down_s = -1.0),
        refused(|m| m.files.clear()),
        refused(|m| m.files[0].name = "a/b".into()),
        refused(|m| m.files[0].name = ".hidden".into()),
        refused(|m| m.files[0].name = "manifest.sig".into()),
        refused(|m| m.files[0].name = "extractor.onnx".into()),
        refused(|m| m.files[0].bytes = FILE_BYTES_MAX + 1),
        refused(|m| {
            m.files = vec![FileEntry { bytes: FILE_BYTES_MAX, ..m.files[0].clone() }; 65];
        }),
        refused(|m| m.files[0].role = FileRole::Data),
        refused(|m| m.files[1].role = FileRole::Head),
        refused(|m| m.golden.tolerance = 0.0),
        refused(|m| m.golden.head_input.truncate(11)),
        refused(|m| m.golden.head_scores[0] = 1.5),
        refused(|m| m.golden.head_input[0] = f32::NAN),
        refused(|m| m.golden.extractor = None),
        refused(|m| m.golden.extractor.as_mut().unwrap().row.push(0.0)),
        refused(|m| m.notes[0].text = "\u{9b}31m".into()),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
        `name` must be 1 to 64 letters, digits, `.`, `-` or `_`, not beginning with a dot
        `created` must be at most 64 bytes without control characters
        `contract.feature_width` is 0, not 1 to 16384
        `contract.input.ticks` must ascend and stay below clip_ticks (16)
        `contract.input.ticks` must ascend and stay below clip_ticks (16)
        `contract.input.extractor_sha256` is not that of the extractor `extractor.onnx`
        `contract.input.extractor_sha256` must be 64 lower-case hexadecimal digits
        `contract.input.extractor_sha256` is not that of the extractor `extractor.onnx`
        `window` is 0, not 1 to 1024
        `min_segments` is 5, not 1 to 4
        `look_ahead` is 4, not 0 to 3
        `thresholds` has 0 entries, not 1 to 16
        `thresholds[0].value` is NaN, not above 0 and below 1
        `thresholds[0].false_alarms_per_hour` is inf, not 0 to 1000000
        `alarm.release_ratio` is 1, not above 0 and below 1
        `alarm.cool_down_s` is -1, not 0 to 86400
        `files` has 0 entries, not 1 to 64
        `files[0].name` must be 1 to 100 letters, digits, `.`, `-` or `_`, not beginning with a dot
        `files[0].name` must be 1 to 100 letters, digits, `.`, `-` or `_`, not beginning with a dot
        `files[0].name` must not be `manifest.sig`
        `files[1].name` is `extractor.onnx` a second time
        `files[0].bytes` is 268435457, not 1 to 268435456
        `files` has 65 entries, not 1 to 64
        `files` have none of role head
        `files` have 2 of role head, more than 1
        `golden.tolerance` is 0, not above 0 and at most 0.01
        `golden.head_input` has 11 numbers, not 12
        `golden.head_scores` must lie between 0 and 1
        `golden.head_input` holds a number that is not finite
        `golden.extractor` must be there exactly when an extractor is
        `golden.extractor.row` has 4 numbers, not 3
        `notes[0].text` must be at most 65536 bytes without control characters
        ");
}

#[test]
fn a_bundle_without_an_extractor_is_a_bundle() {
    let mut head_only = manifest();
    head_only.files.pop();
    head_only.golden.extractor = None;
    assert_eq!(Manifest::decode(&head_only.encode().unwrap()).unwrap(), head_only);
}

#[test]
fn versions_are_ordered_as_versions() {
    let version = |text: &str| text.parse::<Version>().unwrap();
    assert!(version("0.10.0") > version("0.9.9"));
    assert_eq!(version("1.2.3").to_string(), "1.2.3");
    assert!("1.2".parse::<Version>().is_err() && "1.2.x".parse::<Version>().is_err());
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_and_damage_does_not(
        release: u64, name in "[a-zA-Z0-9_-]{1,64}", value in 0.001f32..0.999,
        at in any::<prop::sample::Index>(), to in 1u8..,
    ) {
        let mut manifest = manifest();
        (manifest.release, manifest.name, manifest.thresholds[0].value) = (release, name, value);
        let bytes = manifest.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        let at = at.index(bytes.len());
        prop_assert!(Manifest::decode(&bytes[..at]).is_err());
        let mut damaged = bytes;
        damaged[at] ^= to;
        prop_assert!(Manifest::decode(&damaged).is_err());
    }
}
