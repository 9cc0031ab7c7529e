//! `tadpole model show`: looking at a bundle. It comes in, a table for people or one JSON object goes out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::manifest::{FileEntry, Manifest, Threshold};
use firmware_config::sign::PublicKey;
use runtime::bundle::{Bundle, Inspection, SignatureStatus, demo_key, demo_keys};
use runtime::pipeline::proof::{Proof, prove};
use runtime::{Error, ErrorKind, Result};
use serde_json::{Value, json};

/// Show what a bundle promises and who signed it; nothing of it is run, unless --prove says so.
///
/// Every byte is checked against the manifest and the signature against its key. Whether to trust that key is for a config
/// to say: name one with --config and the answer is given.
///
/// Exit code 0: the bundle is whole and its signature fits (and, with --config, is trusted). 2: it is not.
#[derive(Args)]
pub struct ShowArgs {
    /// The bundle, `NAME.tadpole`.
    file: PathBuf,
    /// Say whether the cameras of this config would trust it.
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Print nothing but the verdict: `OK`, or the error.
    #[arg(long, conflicts_with_all = ["json", "prove"])]
    verify: bool,
    /// Run the bundle's golden vectors on this machine, and print the largest differences. The bundle must be signed by a key
    /// of the config, or without one by the demo's.
    #[arg(long)]
    prove: bool,
    #[command(flatten)]
    engine: crate::commands::EngineArgs,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Print it.
pub fn run(args: &ShowArgs) -> Result<()> {
    let found = Bundle::inspect(&args.file)?;
    let trusted = match (&args.config, &found.signature) {
        (Some(config), SignatureStatus::Fits(key)) => {
            Some(crate::commands::check::read_config(config)?.trusted().contains(*key))
        }
        (Some(_), _) => Some(false),
        (None, _) => None,
    };
    if args.verify {
        judge(&args.file, &found.signature, trusted)?;
        println!("OK");
        return Ok(());
    }
    let mut proof = None;
    if args.prove {
        judge(&args.file, &found.signature, trusted)?;
        proof = Some(proved(args)?);
    }
    if args.json {
        let mut json = to_json(&found, trusted);
        if let Some(Proof { head, step, extractor }) = proof {
            json["proved"] = json!({ "head": head, "step": step, "extractor": extractor });
        }
        println!("{json:#}");
    } else {
        print!("{}", table(&found, trusted));
        if let Some(proof) = proof {
            println!("{}", proved_text(&proof));
        }
    }
    judge(&args.file, &found.signature, trusted)
}

/// A measured number with three digits at least, and no more behind the point than these take: `0.0164`, `20`, `1235`.
fn rounded(number: f32) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let digits = (2.0 - f64::from(number).abs().log10().floor()).max(0.0) as usize;
    let text = format!("{number:.digits$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    short.to_owned()
}

/// Only what somebody vouches for is run.
fn proved(args: &ShowArgs) -> Result<Proof> {
    let trusted = args
        .config
        .as_deref()
        .map_or(Ok(demo_keys()), |path| Ok(crate::commands::check::read_config(path)?.trusted()))?;
    prove(&Bundle::open(&args.file, &trusted)?, &args.engine.engines())
}

fn proved_text(proof: &Proof) -> String {
    let rest = [("step", proof.step), ("extractor", proof.extractor)];
    let rest = rest.iter().filter_map(|(name, difference)| Some(format!(", {name} {:e}", (*difference)?)));
    format!("proved on this machine; largest differences: head {:e}{}", proof.head, rest.collect::<String>())
}

/// The exit code's reason: what was shown must not be mistaken for something that may be run.
fn judge(file: &Path, signature: &SignatureStatus, trusted: Option<bool>) -> Result<()> {
    let (problem, remedy) = match (signature, trusted) {
        (SignatureStatus::Fits(_), None | Some(true)) => return Ok(()),
        (SignatureStatus::Fits(key), Some(false)) => (
            format!("it is signed with the key {key}, which the config does not trust"),
            "if you know this key, add it to `trusted_keys` of `[model]`",
        ),
        _ => ("its signature does not fit its manifest".into(), "do not run it: get it again from whoever signed it"),
    };
    Err(Error::new(ErrorKind::Untrusted, file.display().to_string(), problem, remedy))
}

fn table(found: &Inspection, trusted: Option<bool>) -> String {
    let m = &found.manifest;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |title: &str, text: String| rows.push((title.into(), text));
    row("model", format!("{}, release {}, made {}", m.name, m.release, m.created));
    row("id", found.id.clone());
    row("signature", signature_text(&found.signature, trusted));
    row("needs", format!("firmware {} or newer, engine {}", m.minimum_firmware, m.engine));
    row("features", format!("{}, {} wide, contract {}", m.contract.name, m.contract.feature_width, m.contract.hash()));
    if let Some(input) = &m.contract.input {
        row(
            "clip",
            format!(
                "{} frames of {} x {} out of {} at {} a second ({} s)",
                input.ticks.len(),
                input.width,
                input.height,
                input.clip_ticks,
                input.rate_hz,
                input.segment_seconds()
            ),
        );
    }
    row("window", format!("{} segments, alarms from {} on, {} of hindsight", m.window, m.min_segments, m.look_ahead));
    for threshold in &m.thresholds {
        row(
            "threshold",
            format!(
                "{} for {} false alarms an hour, measured on {} h of normal footage",
                threshold.value,
                rounded(threshold.false_alarms_per_hour),
                rounded(threshold.calibration_hours)
            ),
        );
    }
    row(
        "alarm",
        format!(
            "after {} s above the threshold; ends below {} of it; then none for {} s",
            m.alarm.min_length_s, m.alarm.release_ratio, m.alarm.cool_down_s
        ),
    );
    for file in &m.files {
        let sha = hex::encode(&file.sha256[..8]);
        row("file", format!("{}, {}, {} bytes, SHA-256 {sha}...", file.name, file.role, file.bytes));
    }
    row("proof", proof_text(m));
    for note in &m.notes {
        row(&note.title, note.text.trim_end().to_owned());
    }
    layout(&rows)
}

/// Two columns; a title that repeats is written once, and lines of a text stand under each other.
fn layout(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
    let (mut out, mut last) = (String::new(), "");
    for (title, text) in rows {
        let mut shown = if title == last { "" } else { title };
        last = title;
        for line in text.lines() {
            let _ = writeln!(out, "{}", format!("{shown:width$}  {line}").trim_end());
            shown = "";
        }
    }
    out
}

fn signature_text(signature: &SignatureStatus, trusted: Option<bool>) -> String {
    let fits = |key: &PublicKey| {
        let whose = if demo_key::is_demo_key(*key) { "the demo key (public: worthless for trust)" } else { "key" };
        let trust = match trusted {
            Some(true) => "trusted by the config",
            Some(false) => "NOT TRUSTED by the config",
            None => "trust is for a config to say",
        };
        format!("fits, by {whose} {key}\n{trust}")
    };
    match signature {
        SignatureStatus::Fits(key) => fits(key),
        SignatureStatus::Wrong(key) => format!("DOES NOT FIT, claims to be by key {key}"),
        SignatureStatus::Unreadable(error) => format!("UNREADABLE: {error}"),
    }
}

fn proof_text(m: &Manifest) -> String {
    let extractor = m.golden.extractor.as_ref();
    let clip = extractor.map_or(String::new(), |golden| format!(" and the clip of seed {}", golden.seed));
    format!("golden vectors for {} scores{clip}, tolerance {}", m.golden.head_scores.len(), m.golden.tolerance)
}

fn to_json(found: &Inspection, trusted: Option<bool>) -> Value {
    let m = &found.manifest;
    let (status, key) = match &found.signature {
        SignatureStatus::Fits(key) => ("fits", Some(*key)),
        SignatureStatus::Wrong(key) => ("wrong", Some(*key)),
        SignatureStatus::Unreadable(_) => ("unreadable", None),
    };
    let file_json = |file: &FileEntry| {
        json!({
            "name": file.name,
            "role": file.role.to_string(),
            "bytes": file.bytes,
            "sha256": hex::encode(file.sha256),
        })
    };
    let files: Vec<_> = m.files.iter().map(file_json).collect();
    let threshold_json = |threshold: &Threshold| {
        json!({
            "value": plain(threshold.value),
            "false_alarms_per_hour": plain(threshold.false_alarms_per_hour),
            "calibration_hours": plain(threshold.calibration_hours),
        })
    };
    let thresholds: Vec<_> = m.thresholds.iter().map(threshold_json).collect();
    json!({
        "name": m.name,
        "id": found.id,
        "created": m.created,
        "release": m.release,
        "minimum_firmware": m.minimum_firmware.to_string(),
        "engine": m.engine.to_string(),
        "signature": {
            "status": status,
            "key": key,
            "demo_key": key.is_some_and(demo_key::is_demo_key),
            "trusted": trusted,
        },
        "contract": m.contract,
        "contract_hash": m.contract.hash(),
        "window": m.window,
        "min_segments": m.min_segments,
        "look_ahead": m.look_ahead,
        "thresholds": thresholds,
        "alarm": {
            "release_ratio": plain(m.alarm.release_ratio),
            "min_length_s": plain(m.alarm.min_length_s),
            "cool_down_s": plain(m.alarm.cool_down_s),
        },
        "files": files,
        "golden": {
            "tolerance": plain(m.golden.tolerance),
            "head_scores": m.golden.head_scores.len(),
            "extractor_seed": m.golden.extractor.as_ref().map(|golden| golden.seed),
        },
        "notes": m.notes,
    })
}

/// The number as people wrote it: 0.1, where widening alone gives 0.10000000149011612.
fn plain(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

#[cfg(test)]
mod tests {
    use firmware_config::contract::{ClipContract, FeatureContract};
    use firmware_config::manifest::{AlarmDefaults, FileRole, GoldenRow, GoldenVectors, Note, TargetEngine, Version};

    use super::*;

    fn found() -> Inspection {
        let extractor = FileEntry::of("extractor.onnx", FileRole::Extractor, b"e");
        Inspection {
            id: "1234".repeat(16),
            manifest: Manifest {
                name: "roadside".into(),
                created: "2026-01-31".into(),
                release: 3,
                minimum_firmware: Version { major: 0, minor: 1, patch: 0 },
                engine: TargetEngine::Tract,
                contract: FeatureContract {
                    name: "lite0-160".into(),
                    feature_width: 128,
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
                window: 64,
                min_segments: 8,
                look_ahead: 0,
                thresholds: vec![
                    Threshold { value: 0.5, false_alarms_per_hour: 0.1, calibration_hours: 20.0 },
                    Threshold { value: 0.4, false_alarms_per_hour: 1.0, calibration_hours: 20.0 },
                ],
                alarm: AlarmDefaults { release_ratio: 0.8, min_length_s: 1.28, cool_down_s: 30.0 },
                files: vec![FileEntry::of("head.onnx", FileRole::Head, b"head"), extractor],
                golden: GoldenVectors {
                    tolerance: 1e-4,
                    head_input: vec![0.0; 64 * 128],
                    head_scores: vec![0.5; 64],
                    extractor: Some(GoldenRow { seed: 7, row: vec![0.0; 128] }),
                },
                notes: vec![
                    Note { title: "trained on".into(), text: "a simulated road".into() },
                    Note { title: "licences".into(), text: "head: MIT\nextractor: Apache-2.0\n".into() },
                ],
            },
            signature: SignatureStatus::Fits(demo_key::DEMO_PUBLIC_KEY_HEX.parse().unwrap()),
        }
    }

    #[test]
    fn measured_numbers_are_rounded() {
        for (number, text) in
            [(0.016_355_556, "0.0164"), (0.1, "0.1"), (9.996, "10"), (20.0, "20"), (1235.4, "1235"), (0.0, "0")]
        {
            assert_eq!(rounded(number), text);
        }
    }

    #[test]
    fn the_table_for_people() {
        insta::assert_snapshot!(table(&found(), None), @r"
            model       roadside, release 3, made 2026-01-31
            id          1234123412341234123412341234123412341234123412341234123412341234
            signature   fits, by the demo key (public: worthless for trust) b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991
                        trust is for a config to say
            needs       firmware 0.1.0 or newer, engine tract
            features    lite0-160, 128 wide, contract 2f265ce2fdbe9ef6b60e77ae0094369d6cda8c720dbe6d8f53cda9e7707d82d6
            clip        4 frames of 160 x 160 out of 16 at 25 a second (0.64 s)
            window      64 segments, alarms from 8 on, 0 of hindsight
            threshold   0.5 for 0.1 false alarms an hour, measured on 20 h of normal footage
                        0.4 for 1 false alarms an hour, measured on 20 h of normal footage
            alarm       after 1.28 s above the threshold; ends below 0.8 of it; then none for 30 s
            file        head.onnx, head, 4 bytes, SHA-256 9f2e6d33a3717ee8...
                        extractor.onnx, extractor, 1 bytes, SHA-256 3f79bb7b435b0532...
            proof       golden vectors for 64 scores and the clip of seed 7, tolerance 0.0001
            trained on  a simulated road
            licences    head: MIT
                        extractor: Apache-2.0
            ");
    }

    #[test]
    fn the_object_for_programs() {
        insta::assert_snapshot!(format!("{:#}", to_json(&found(), Some(false))), @r#"
            {
              "alarm": {
                "cool_down_s": 30.0,
                "min_length_s": 1.28,
                "release_ratio": 0.8
              },
              "contract": {
                "background_segments": 0,
                "feature_width": 128,
                "input": {
                  "clip_ticks": 16,
                  "extractor_sha256": "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
                  "height": 160,
                  "rate_hz": 25,
                  "ticks": [
                    0,
                    5,
                    10,
                    15
                  ],
                  "width": 160
                },
                "name": "lite0-160"
              },
              "contract_hash": "2f265ce2fdbe9ef6b60e77ae0094369d6cda8c720dbe6d8f53cda9e7707d82d6",
              "created": "2026-01-31",
              "engine": "tract",
              "files": [
                {
                  "bytes": 4,
                  "name": "head.onnx",
                  "role": "head",
                  "sha256": "9f2e6d33a3717ee826353a404ba4618d1aeeb6879ad7936bce8ed5f46814924d"
                },
                {
                  "bytes": 1,
                  "name": "extractor.onnx",
                  "role": "extractor",
                  "sha256": "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"
                }
              ],
              "golden": {
                "extractor_seed": 7,
                "head_scores": 64,
                "tolerance": 0.0001
              },
              "id": "1234123412341234123412341234123412341234123412341234123412341234",
              "look_ahead": 0,
              "min_segments": 8,
              "minimum_firmware": "0.1.0",
              "name": "roadside",
              "notes": [
                {
                  "text": "a simulated road",
                  "title": "trained on"
                },
                {
                  "text": "head: MIT\nextractor: Apache-2.0\n",
                  "title": "licences"
                }
              ],
              "release": 3,
              "signature": {
                "demo_key": true,
                "key": "b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991",
                "status": "fits",
                "trusted": false
              },
              "thresholds": [
                {
                  "calibration_hours": 20.0,
                  "false_alarms_per_hour": 0.1,
                  "value": 0.5
                },
                {
                  "calibration_hours": 20.0,
                  "false_alarms_per_hour": 1.0,
                  "value": 0.4
                }
              ],
              "window": 64
            }
            "#);
    }

    #[test]
    fn a_signature_that_will_not_do_is_shouted_and_refused() {
        let key = demo_key::DEMO_PUBLIC_KEY_HEX.parse().unwrap();
        let told = |signature: SignatureStatus, trusted| {
            let refused = judge(Path::new("m.tadpole"), &signature, trusted).err();
            let refused = refused.map_or("OK".into(), |error| format!("{:?} {error}", error.kind));
            format!("{}\n{refused}", signature_text(&signature, trusted))
        };
        let all = [
            told(SignatureStatus::Fits(key), Some(true)),
            told(SignatureStatus::Fits(key), Some(false)),
            told(SignatureStatus::Wrong(key), None),
            told(SignatureStatus::Unreadable(firmware_config::SignError::BlockLength(5)), None),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
            fits, by the demo key (public: worthless for trust) b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991
            trusted by the config
            OK
            fits, by the demo key (public: worthless for trust) b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991
            NOT TRUSTED by the config
            Untrusted m.tadpole: it is signed with the key b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991, which the config does not trust; if you know this key, add it to `trusted_keys` of `[model]`
            DOES NOT FIT, claims to be by key b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991
            Untrusted m.tadpole: its signature does not fit its manifest; do not run it: get it again from whoever signed it
            UNREADABLE: its signature has 5 bytes instead of 96
            Untrusted m.tadpole: its signature does not fit its manifest; do not run it: get it again from whoever signed it
            ");
    }
}
