//! `tadpole-trainer bench`: a training step of DE-Net on random features, timed on a device; with `--parity` compared with the CPU's first.
//!
//! With `--serve DIR` it is our side of `cargo xtask bench --train`: weights and batch of each case go into DIR, one line of JSON out, with the first
//! losses that the peer must have too; then each line on standard input is the name of a case and is answered with `{"ms": MEDIAN}`.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use runtime::bench::{Summary, summary};
use runtime::{Error, Result};
use serde_json::{Value, json};

use super::parity::{Parity, STEPS};
use super::step::{Training, Workload};
use crate::files::write_atomic;
use crate::progress::say;
use crate::train::{Device, Preset};

/// Time a training step of DE-Net on random features, of the presets `paper` and `edge`.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Where to train: cpu, ndarray (burn's reference backend), or cuda and cuda:N, an NVIDIA GPU, and cuda:N-M, several (they need a build with `--features cuda`).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// Before timing, take three steps without dropout on the CPU too, and fail where losses or gradients differ.
    #[arg(long)]
    parity: bool,
    /// How far they may differ: losses relative to themselves, gradients to the largest.
    #[arg(long, default_value_t = 1e-3)]
    tolerance: f64,
    /// Width of the features.
    #[arg(long, default_value_t = 256)]
    width: usize,
    /// Abnormal windows in a batch, and as many normal ones.
    #[arg(long, default_value_t = 32)]
    pairs: usize,
    /// Steps to time, after two that are not counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
    /// Folder for what the peer is given; then answer the names of cases on standard input.
    #[arg(long, value_name = "DIR", hide = true)]
    serve: Option<PathBuf>,
}

/// The least time that a case is repeated for one answer.
const SPAN: Duration = Duration::from_millis(300);
/// Steps that are not counted: caches are filled, and a GPU's kernels are compiled and tuned.
const WARM_UP: usize = 2;

/// Compare, time, tell.
///
/// # Errors
/// When the device cannot be had, fails, or differs from the CPU.
pub fn run(args: &BenchArgs) -> Result<()> {
    args.device.check()?;
    let workloads = [Preset::Paper, Preset::Edge]
        .into_iter()
        .map(|preset| Workload::new(preset, args.width, args.pairs))
        .collect::<Result<Vec<_>>>()?;
    if let Some(folder) = &args.serve {
        return serve(args, &workloads, folder);
    }
    let mut cases = Vec::new();
    for workload in &workloads {
        let parity = args.parity.then(|| Parity::of(workload, args.device, Device::Cpu)).transpose()?;
        if let Some(parity) = &parity {
            parity.check(&workload.name, args.device, args.tolerance)?;
        }
        let mut training = workload.begin(args.device)?;
        let times = times(training.as_mut(), args.steps)?;
        let ms = Summary::of(&times);
        cases.push(json!({ "name": workload.name, "step": ms, "parity": parity }));
    }
    let report = json!({ "device": args.device.to_string(), "pairs": args.pairs, "steps": args.steps, "cases": cases });
    say(&if args.json { report.to_string() } else { table(&report) })
}

/// Milliseconds of each step.
fn times(training: &mut dyn Training, steps: u32) -> Result<Vec<f64>> {
    for _ in 0..WARM_UP {
        training.step()?;
    }
    summary::repeat(Duration::ZERO, steps as usize, || training.step().map(|_| ()))
}

fn table(report: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let mut text = format!(
        "{}, {} + {} windows, {} steps",
        report["device"].as_str().unwrap_or_default(),
        report["pairs"],
        report["pairs"],
        report["steps"]
    );
    for case in report["cases"].as_array().into_iter().flatten() {
        let (step, parity) = (&case["step"], &case["parity"]);
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            text,
            "\n{:<18}{:>10.2} ms a step, p99 {:.2} ms",
            case["name"].as_str().unwrap_or_default(),
            number(&step["median_ms"]),
            number(&step["p99_ms"])
        );
        if parity.is_object() {
            let _ = write!(
                text,
                "; against the CPU: losses to {:.1e}, gradients to {:.1e}",
                number(&parity["loss"]),
                number(&parity["gradient"])
            );
        }
    }
    text
}

/// Write what the peer is given, say what we are, and answer until standard input ends.
fn serve(args: &BenchArgs, workloads: &[Workload], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| {
        Error::invalid(folder.display().to_string(), format!("cannot be made: {e}"), "choose a writable folder")
    })?;
    let (mut cases, mut trainings) = (Vec::new(), Vec::new());
    for workload in workloads {
        let mut plain = workload.without_dropout().begin(args.device)?;
        let (told, numbers) = workload.told(&plain.weights()?);
        write_atomic(&folder.join(format!("{}.json", workload.name)), told.to_string().as_bytes())?;
        write_atomic(&folder.join(format!("{}.f32", workload.name)), &numbers)?;
        let first = (0..STEPS).map(|_| plain.step()).collect::<Result<Vec<_>>>()?;
        cases.push(json!({
            "name": workload.name,
            "losses": first.iter().map(|done| done.loss).collect::<Vec<_>>(),
            "erased_windows": first.iter().map(|done| done.erased_windows).collect::<Vec<_>>(),
        }));
        trainings.push((workload.name.as_str(), workload.begin(args.device)?));
    }
    say(&json!({ "device": args.device.to_string(), "cases": cases }).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let name = line.map_err(|e| Error::failed("standard input", e.to_string(), "run cargo xtask bench again"))?;
        let Some((_, training)) = trainings.iter_mut().find(|(case, _)| *case == name) else {
            return Err(Error::invalid(name, "is no case", "name one of those in the first line's `cases`"));
        };
        let times = summary::repeat(SPAN, 1, || training.step().map(|_| ()))?;
        say(&json!({ "ms": Summary::of(&times).map(|summary| summary.median_ms) }).to_string())?;
    }
    Ok(())
}
