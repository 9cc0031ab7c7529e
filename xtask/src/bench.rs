//! `cargo xtask bench`: our times against onnxruntime's and against the machine's floors, in one run.
//!
//! Both sides take turns, a fraction of a second each, round after round, so that a machine's changing load falls on both
//! alike; figures are medians over the rounds. Prints the table, or with `--json` one object, and writes the table into
//! `docs/design/performance.md`. With `--train`, a training step against PyTorch's instead ([`train`]).

mod machine;
mod page;
mod report;
mod side;
mod train;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::run::{command, root, run as run_shown, target};
use crate::setup;

use report::{Report, Row};
use side::Side;

/// Arguments of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// A training step of DE-Net against PyTorch's, which is installed beside the judges, and nothing else.
    #[arg(long)]
    train: bool,
    /// Where training steps are timed, ours and PyTorch's: cpu, or cuda:N, which builds with CUDA and installs PyTorch with it. A GPU's figures are
    /// printed and not written.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", requires = "train")]
    device: String,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Build what is measured as it ships, which compiles everything once more; otherwise as it is tested, with debug
    /// assertions on.
    #[arg(long)]
    release: bool,
    /// Seconds of `tadpole bench`, for each number of cameras.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Turns that each side takes in each case.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Numbers of cameras that one board watches.
const CAMERAS: [u64; 4] = [1, 2, 3, 4];

/// Where the table goes.
const PAGE: &str = "docs/design/performance.md";

/// Measure, print, write.
pub fn run(args: &BenchArgs) -> Result<u8> {
    setup::everything()?;
    if args.train {
        return train::run(args);
    }
    let programs = built(args.release, &[])?;
    let tadpole = programs.join("tadpole").display().to_string();
    let cameras = CAMERAS.map(|cameras| stages(&tadpole, cameras, args.seconds)).into_iter().collect::<Result<_>>()?;
    let (rows, ours, peer) = duel(&programs.join("tadpole-trainer").display().to_string(), args.rounds)?;
    let report = Report {
        rows,
        ours,
        peer,
        cameras,
        machine: machine::describe(),
        commit: commit(),
        profile: if args.release { "release" } else { "dev" },
        rounds: args.rounds,
    };
    if args.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    page::write(PAGE, "bench", &report.markdown())?;
    Ok(0)
}

/// Where the programs that are measured lie, built, with these arguments more.
fn built(release: bool, more: &[&str]) -> Result<PathBuf> {
    let mut build = command("cargo");
    build.args(["build", "--workspace", "--bins"]).args(more);
    if release {
        build.arg("--release");
    }
    run_shown(&mut build)?;
    Ok(target().join(if release { "release" } else { "debug" }))
}

/// Both sides in turns: the median of ours and of the peer's, milliseconds.
fn turns(ours: &mut Side, peer: &mut Side, case: &str, rounds: u32) -> Result<(f64, f64)> {
    eprintln!("{case}, {rounds} rounds");
    // A round that is not counted: pages are touched and caches filled on both sides.
    ours.time(case)?;
    peer.time(case)?;
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(ours.time(case)?);
        peer_times.push(peer.time(case)?);
    }
    Ok((report::median(&mut our_times), report::median(&mut peer_times)))
}

/// What `tadpole bench --json` says.
fn stages(tadpole: &str, cameras: u64, seconds: u64) -> Result<Value> {
    eprintln!("tadpole bench, {cameras} cameras, {seconds} s");
    let out = command(tadpole)
        .args(["bench", "--json", "--seconds", &seconds.to_string(), "--cameras", &cameras.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start tadpole bench")?;
    if !out.status.success() {
        bail!("tadpole bench ended with {}", out.status);
    }
    serde_json::from_slice(&out.stdout).context("tadpole bench printed no JSON")
}

/// Ours against the peer in every case; with both sides' first lines.
fn duel(trainer: &str, rounds: u32) -> Result<(Vec<Row>, Value, Value)> {
    let folder = target().join("bench");
    let mut ours =
        Side::start("tadpole-trainer", command(trainer).arg("bench-heads").arg("--serve").arg("--dir").arg(&folder))?;
    let cases = ours.facts["cases"].as_array().cloned().unwrap_or_default();
    let text = |case: &Value, key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let graphs = cases.iter().map(|case| format!("{}={}", text(case, "name"), text(case, "graph")));
    let mut python = command(&setup::python().display().to_string());
    let mut peer = Side::start("peer.py", python.arg(root().join("xtask/peer.py")).arg(&folder).args(graphs))?;
    let mut rows = Vec::new();
    for case in &cases {
        let name = text(case, "name");
        let (ours_ms, peer_ms) = turns(&mut ours, &mut peer, &name, rounds)?;
        rows.push(Row {
            floor_ms: report::floor_ms(case, &ours.facts, &peer.facts),
            largest_difference: case["largest_difference"].as_f64(),
            ours_ms,
            peer_ms,
            name,
        });
    }
    Ok((rows, ours.facts.clone(), peer.facts.clone()))
}

/// The commit that is measured, if git knows.
fn commit() -> Option<String> {
    let out = command("git").args(["describe", "--always", "--dirty", "--exclude", "*"]).output().ok()?;
    let text = String::from_utf8(out.stdout).ok().filter(|_| out.status.success())?;
    Some(text.trim().to_owned())
}
