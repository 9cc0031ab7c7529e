//! `tadpole calibrate`: hours in which nothing happened come in, recorded or live; a threshold for a stated rate of false alarms goes
//! into the config, with the range that its rate lies in.
//!
//! | file | what |
//! |---|---|
//! | here | the command: footage → threshold → config |
//! | [`scoring`] | recordings and cameras → scores; scores that are kept |

mod scoring;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use firmware_config::config::{Calibration, Config};
use firmware_config::{ClipContract, wire};
use runtime::bundle::Bundle;
use runtime::calibrate::write::{into_text, with_threshold};
use runtime::calibrate::{Calibrated, Footage, calibrate};
use runtime::engine::Engines;
use runtime::health::date;
use runtime::pipeline::{RuleOverrides, alarm_rule};
use runtime::source::mask::PrivacyMask;
use runtime::store::disk::RealDisk;
use runtime::store::place;
use runtime::{Error, Result, files};
use serde_json::json;

use super::{check, show};
use scoring::Scoring;

/// Find the threshold for a stated rate of false alarms, from hours in which nothing happened.
///
/// The highest scores of normal footage have a law; it tells how often scores lie above a threshold, also one that the footage
/// hardly reached. The threshold is told with the range in which its rate lies with 95 % confidence, and written into the config
/// with where it is from. Footage that is too short for the rate, or whose highest scores follow no law, is refused. Footage with an
/// incident in it gives a threshold that is too high.
#[derive(Args)]
pub struct CalibrateArgs {
    /// Normal footage: video files, `sim://?seed=1`, `features:///rows.npy`, or scores (the scores.csv of `replay --out`, what --keep
    /// wrote). Without any, the cameras of the config are watched.
    recordings: Vec<String>,
    /// False alarms a day of one camera that you can live with.
    #[arg(long, value_name = "F", value_parser = rate)]
    false_alarms_per_day: f64,
    /// The config that the threshold is written into; its model, its cameras and its other [alarm] settings are used.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The camera of the config that recordings are from: its mask is laid on them. May be left out when there is one.
    #[arg(long, requires = "config")]
    camera: Option<String>,
    /// Without a config: bundle to use instead of the shipped one; it must be signed by the demo's key.
    #[arg(long, conflicts_with = "config")]
    model: Option<PathBuf>,
    /// How long the cameras are watched: 90m, 24h, 7d. Nobody else may be reading them, and no alarm is raised.
    #[arg(long = "for", value_name = "TIME", value_parser = time, requires = "config", conflicts_with = "recordings")]
    time: Option<Duration>,
    /// Keep the scores in this file, whatever comes of them: to be given again with more footage.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Tell the threshold and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    engine: super::EngineArgs,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Calibrate.
pub fn run(args: &CalibrateArgs) -> Result<()> {
    let config = args.config.as_deref().map(check::read_config).transpose()?;
    let configured = config.as_ref().zip(args.config.as_deref());
    let bundle = match configured {
        Some((config, path)) => super::model_of(config, path)?,
        None => show::open_bundle(args.model.as_ref())?,
    };
    let over = config.as_ref().map_or_else(RuleOverrides::default, |config| RuleOverrides::from(&config.alarm));
    let footage = watch(args, config.as_ref(), &bundle, &over)?;
    if let Some(path) = &args.keep {
        scoring::keep(path, &footage)?;
    }
    let found = calibrate(&footage, &alarm_rule(&bundle.manifest, &over), args.false_alarms_per_day)?;
    let model = format!("{} {}", bundle.manifest.name, bundle.manifest.release);
    let calibration = found.provenance(model, date::day(date::clock()));
    let written = configured.filter(|_| !args.dry_run).map(|(_, path)| path);
    if let (Some(path), Some(config)) = (written, &config) {
        write(path, config, found.threshold, &calibration)?;
    }
    if args.json {
        return show::print_json(&as_json(&found, &calibration, written));
    }
    tell(&found, written);
    Ok(())
}

/// Scores of the footage that is meant.
fn watch(args: &CalibrateArgs, config: Option<&Config>, bundle: &Bundle, over: &RuleOverrides) -> Result<Footage> {
    let engines = config.map_or_else(|| args.engine.engines(), |config| Engines::new(config.model.engine));
    let segment_s = bundle.manifest.contract.input.as_ref().map_or(0.64, ClipContract::segment_seconds);
    let scoring = Scoring { bundle, engines: &engines, over, segment_s };
    match (config, args.time) {
        (Some(config), Some(time)) => scoring.cameras(&config.cameras, time),
        _ if args.recordings.is_empty() => Err(Error::invalid(
            "calibrate",
            "there is no footage",
            "name recordings in which nothing happens, or watch the cameras of a --config with --for 24h",
        )),
        _ => {
            // Scores and rows need no mask, and a config of several cameras may be given for them.
            let pixels = args.recordings.iter().any(|recording| !scoring::is_masked_already(recording));
            let mask = match config.filter(|_| pixels) {
                Some(config) => PrivacyMask::new(super::camera_of(config, args.camera.as_deref())?.into()),
                None => PrivacyMask::default(),
            };
            scoring.recordings(&args.recordings, &mask)
        }
    }
}

/// Put the threshold into the config, in the form that it has, with the rights that it has.
fn write(path: &Path, config: &Config, threshold: f32, calibration: &Calibration) -> Result<()> {
    let failed = |error: std::io::Error| {
        let problem = format!("cannot be written: {error}");
        let remedy = format!("write `threshold = {threshold}` under [alarm] by hand, or as who may");
        Error::failed(path.display().to_string(), problem, remedy)
    };
    // A link stays a link.
    let path = &fs::canonicalize(path).map_err(failed)?;
    let former = fs::metadata(path).map_err(failed)?;
    let bytes = fs::read(path).map_err(failed)?;
    if wire::is_config_blob(&bytes) {
        place::save_config(&RealDisk, path, &with_threshold(config, threshold, calibration.clone()))?;
    } else {
        let text = String::from_utf8_lossy(&bytes);
        let text = into_text(&text, config, threshold, calibration)?;
        files::write(path, text.as_bytes()).map_err(failed)?;
    }
    restore_rights(path, &former).map_err(failed)
}

/// A file that appears whole is a new one: whose it is, and who may read it, is as before.
fn restore_rights(path: &Path, former: &fs::Metadata) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let now = fs::metadata(path)?;
        if (now.uid(), now.gid()) != (former.uid(), former.gid()) {
            chown(path, Some(former.uid()), Some(former.gid()))?;
        }
    }
    fs::set_permissions(path, former.permissions())
}

fn as_json(found: &Calibrated, calibration: &Calibration, written: Option<&Path>) -> serde_json::Value {
    json!({
        "threshold": found.threshold,
        "false_alarms_per_day": found.rate,
        "low": found.low,
        "high": found.high,
        "segments": found.segments,
        "hours": found.hours,
        "seen": found.seen,
        "peaks": found.peaks,
        "shape": found.shape,
        "bunching": found.bunching,
        "model": calibration.model,
        "date": calibration.date,
        "written": written.map(|path| path.display().to_string()),
    })
}

fn tell(found: &Calibrated, written: Option<&Path>) {
    let Calibrated { threshold, rate, low, high, segments, hours, seen, peaks, bunching, .. } = found;
    println!(
        "threshold {threshold}: {rate} false alarms a day of one camera; with 95 % confidence {low:.2} to {high:.2}"
    );
    println!("from {hours:.1} hours ({segments} segments), which would have raised {seen}; {peaks} peaks fitted");
    if *bunching > 2.0 {
        println!("alarms come in bunches: some hours are much worse than others, and the range is the wider for it");
    }
    match written {
        Some(path) => println!("written into {}; it holds from the next start", path.display()),
        None => println!("not written: put `threshold = {threshold}` under [alarm] of a config"),
    }
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 10_000.0);
    rate.ok_or_else(|| "write a number above 0, such as 1 or 0.2".into())
}

/// `90m`, `24h`, `7d`.
fn time(text: &str) -> std::result::Result<Duration, String> {
    let unit = |ending: char, seconds: u64| text.strip_suffix(ending).map(|number: &str| (number, seconds));
    let found = unit('s', 1).or_else(|| unit('m', 60)).or_else(|| unit('h', 3600)).or_else(|| unit('d', 86_400));
    let seconds = found.and_then(|(number, unit)| number.parse::<u64>().ok()?.checked_mul(unit));
    let seconds = seconds.filter(|seconds| (1..=366 * 86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "write a time such as 90m, 24h or 7d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates() {
        assert_eq!(time("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(time("7d"), Ok(Duration::from_secs(604_800)));
        for text in ["", "h", "0h", "5", "-1h", "1w", "99999d"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "nan", "inf", "many"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_config_is_changed_in_its_form_and_keeps_its_rights() {
        use std::os::unix::fs::PermissionsExt as _;
        const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
        let text = format!(
            "# ours\n[[camera]]\nname = \"n\"\nsource = \"sim://\"\n[model]\nbundle = \"m\"\ntrusted_keys = [\"{KEY}\"]\n"
        );
        let config = Config::from_toml(&text).unwrap();
        let calibration = Calibration {
            false_alarms_per_day: 1.0,
            low: 0.5,
            high: 2.0,
            segments: 9,
            model: "m 1".into(),
            date: "2026-11-22".into(),
        };
        let folder = tempfile::tempdir().unwrap();
        for content in [text.into_bytes(), wire::encode(&config).unwrap()] {
            let path = folder.path().join("config");
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            write(&path, &config, 0.625, &calibration).unwrap();
            let found = check::read_config(&path).unwrap();
            assert_eq!(found, with_threshold(&config, 0.625, calibration.clone()));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
    }
}
