//! `tadpole bench`: how long each stage of a camera takes on this machine, and what it holds in memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use runtime::bench::stages::Times;
use runtime::bench::{Bench, Memory};
use runtime::source::Source as _;
use runtime::source::sim::{SimSource, SimSpec};
use runtime::{Error, Result};
use serde_json::json;

use super::show;

/// Time each stage of a camera on a simulated road, and its memory.
///
/// The first 64 segments, which fill the window, are not counted.
#[derive(Args)]
pub struct BenchArgs {
    /// Bundle to use instead of the shipped one; it must be signed by the demo's key.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Seconds of work, once the window is full.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    engine: super::EngineArgs,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Footage that outlasts any bench.
const ROAD: &str = "sim://?seed=1&seconds=86400";

/// Measure; `begun`: when `main` did.
pub fn run(args: &BenchArgs, begun: Instant) -> Result<()> {
    let mut bundle = show::open_bundle(args.model.as_ref())?;
    let mut bench = Bench::load(&bundle, &args.engine.engines())?;
    bundle.forget_contents();
    let start_ms = begun.elapsed().as_secs_f64() * 1e3;
    let engine = bench.engine().clone();
    let road = SimSource::new(SimSpec::parse(ROAD)?);
    let size = (road.info().width, road.info().height);
    let bar = show::progress(Some(args.seconds), "bench", "s");
    let Times { stages, segments } =
        bench.run(Box::new(road), Duration::from_secs(args.seconds), |past| bar.set_position(past.as_secs()))?;
    let memory = Memory::now();
    bar.finish_and_clear();
    if args.json {
        let stages = serde_json::to_value(stages)
            .map_err(|e| Error::failed("standard output", e.to_string(), "report this as a bug"))?;
        return show::print_json(&json!({
            "stages": stages,
            "resident_mb": memory.map(|memory| memory.resident_mb),
            "peak_mb": memory.map(|memory| memory.peak_mb),
            "start_ms": start_ms,
            "start_from": "main",
            "engine": engine.engine,
            "engine_version": engine.version,
            "provider": engine.provider.to_string(),
            "segments": segments,
            "seconds": args.seconds,
            "source": { "uri": ROAD, "width": size.0, "height": size.1 },
            "model": bundle.id,
        }));
    }
    println!("{engine}, {ROAD} ({} x {}), {segments} segments", size.0, size.1);
    println!("{:<10}{:>12}{:>12}", "stage", "median ms", "p99 ms");
    for (name, times) in stages.named() {
        println!("{name:<10}{:>12.4}{:>12.4}", times.median_ms, times.p99_ms);
    }
    match memory {
        Some(memory) => println!("memory    {:.1} MB resident, {:.1} MB at most", memory.resident_mb, memory.peak_mb),
        None => println!("memory    this system does not tell"),
    }
    println!("start     {start_ms:.0} ms from the start of main until the first score was possible");
    Ok(())
}
