//! `tadpole bench`: how long each stage of a camera takes on this machine, and what it holds in memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use runtime::bench::{Bench, Memory, Stages};
use runtime::source::Source as _;
use runtime::source::sim::SimSource;
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
    /// Cameras, each on a thread and a road of its own; times are of the segments of all.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    cameras: u64,
    #[command(flatten)]
    engine: super::EngineArgs,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Footage that outlasts any bench, of camera `camera` from 1.
fn road(camera: u64) -> String {
    format!("sim://?seed={camera}&seconds=86400")
}

/// Measure; `begun`: when `main` did.
pub fn run(args: &BenchArgs, begun: Instant) -> Result<()> {
    let mut bundle = show::open_bundle(args.model.as_ref())?;
    let engines = args.engine.engines();
    let first = Bench::load(&bundle, &engines)?;
    let start_ms = begun.elapsed().as_secs_f64() * 1e3;
    let engine = first.engine().clone();
    let mut cameras = vec![(first, SimSource::open(&road(1))?)];
    for camera in 2..=args.cameras {
        cameras.push((Bench::load(&bundle, &engines)?, SimSource::open(&road(camera))?));
    }
    bundle.forget_contents();
    let size = (cameras[0].1.info().width, cameras[0].1.info().height);
    let bar = show::progress(Some(args.seconds), "bench", "s");
    let span = Duration::from_secs(args.seconds);
    let times = std::thread::scope(|scope| {
        let bar = &bar;
        let threads: Vec<_> = cameras
            .iter_mut()
            .map(|(bench, road)| scope.spawn(move || bench.run(road, span, |past| bar.set_position(past.as_secs()))))
            .collect();
        let mut all = Stages::<Vec<f64>>::default();
        for thread in threads {
            let panicked = |_| Error::failed("bench", "a camera's thread panicked", "report this, with what it said");
            all.extend(thread.join().map_err(panicked)??);
        }
        Ok::<_, Error>(all)
    })?;
    // While the cameras still hold what they work with.
    let memory = Memory::now();
    drop(cameras);
    bar.finish_and_clear();
    let segments = times.segments();
    let stages =
        times.summary().ok_or_else(|| Error::failed("bench", "no segment was timed", "give it more --seconds"))?;
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
            "cameras": args.cameras,
            "segments": segments,
            "seconds": args.seconds,
            "source": { "uri": road(1), "width": size.0, "height": size.1 },
            "model": bundle.id,
        }));
    }
    let rate = segments as f64 / args.seconds as f64;
    println!("{engine}, {} ({} x {})", road(1), size.0, size.1);
    println!("{} cameras, {segments} segments, {rate:.1} a second; a live camera needs 1.6", args.cameras);
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
