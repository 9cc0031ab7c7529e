//! `tadpole-trainer bench-heads`: our side of the benchmarks, which `cargo xtask bench` sets against onnxruntime.
//!
//! A folder comes in; graphs for the peer go into it (full windows of random weights in float32 and int8, `extractor.onnx` of
//! the shipped bundle), and one line of JSON out: the machine's best, and for each case its floor's figures. With `--serve`, each
//! further line on standard input is the name of a case and is answered with `{"ms": MEDIAN}` of one run, so that both sides
//! take turns on a machine whose load changes.
//!
//! Everything runs on one thread. Training steps are [`train`]'s business, on as many as a training takes.

mod head;
mod parameters;
mod parity;
mod step;
pub mod train;

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use firmware_config::golden;
use runtime::bench::{Summary, machine, summary, work};
use runtime::bundle::{Bundle, demo_keys, find};
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine as _, Input};
use runtime::window::SEGMENTS;
use runtime::{Error, Result};
use serde_json::{Value, json};

use crate::files::write_atomic;
use crate::progress;
use head::Stream;

/// Time DE-Nets of random weights, by the step and by the full window, and the shipped extractor.
#[derive(Args, Clone, Debug)]
pub struct BenchHeadsArgs {
    /// Folder for the graphs.
    #[arg(long)]
    dir: PathBuf,
    /// Widths D of the networks, multiples of 8.
    #[arg(long, value_delimiter = ',', default_values_t = [128, 256, 512, 1024])]
    widths: Vec<usize>,
    /// Bundle whose extractor is timed, instead of the shipped one.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else.
    #[arg(long)]
    json: bool,
    /// Stay, and time the cases that are named on standard input, one a line.
    #[arg(long)]
    serve: bool,
}

/// How long a case is repeated for one answer, and how often at least.
const SPAN: Duration = Duration::from_millis(300);
const RUNS_MIN: usize = 3;
/// The name of the case that is the extractor.
const EXTRACTOR: &str = "lite0_160";

/// Something that is timed, with what is known of it.
struct Case {
    name: String,
    work: Work,
    facts: Value,
}

enum Work {
    Step(Box<Stream>),
    Window { engine: Box<TractEngine>, rows: Vec<f32>, scores: Vec<f32> },
    Clip { engine: Box<TractEngine>, pixels: Vec<u8>, row: Vec<f32> },
}

impl Case {
    /// The median time of a run, milliseconds.
    fn time(&mut self) -> Result<f64> {
        let times = summary::repeat(SPAN, RUNS_MIN, || match &mut self.work {
            Work::Step(stream) => {
                std::hint::black_box(stream.push());
                Ok(())
            }
            Work::Window { engine, rows, scores } => engine.run(Input::F32(rows), scores),
            Work::Clip { engine, pixels, row } => engine.run(Input::U8(pixels), row),
        })?;
        Ok(Summary::of(&times).map_or(f64::NAN, |summary| summary.median_ms))
    }
}

/// Make the graphs, say what they are, time them.
///
/// # Errors
/// When a graph cannot be made, written, read or run.
pub fn run(args: &BenchHeadsArgs) -> Result<()> {
    std::fs::create_dir_all(&args.dir).map_err(|e| {
        Error::invalid(args.dir.display().to_string(), format!("cannot be made: {e}"), "choose a writable folder")
    })?;
    let bar = progress::bar(args.widths.len() as u64 + 1, "heads");
    let mut cases = Vec::new();
    for &width in &args.widths {
        cases.extend(head_cases(width, &args.dir)?);
        bar.inc(1);
    }
    cases.push(extractor_case(args.model.as_deref(), &args.dir)?);
    bar.finish_and_clear();
    if !args.serve {
        for case in &mut cases {
            case.facts["ms"] = json!(case.time()?);
        }
    }
    let facts = json!({
        "read_bytes_per_s": machine::read_bytes_per_s(),
        "multiply_adds_per_s": machine::multiply_adds_per_s(),
        "cases": cases.iter().map(|case| case.facts.clone()).collect::<Vec<_>>(),
    });
    progress::say(&if args.json || args.serve { facts.to_string() } else { table(&cases, &facts) })?;
    if args.serve { serve(&mut cases) } else { Ok(()) }
}

/// Answer until standard input ends.
fn serve(cases: &mut [Case]) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let name = line.map_err(|e| Error::failed("standard input", e.to_string(), "run cargo xtask bench again"))?;
        let Some(case) = cases.iter_mut().find(|case| case.name == name) else {
            return Err(Error::invalid(name, "is no case", "name one of those in the first line's `cases`"));
        };
        let ms = case.time()?;
        progress::say(&json!({ "ms": ms }).to_string())?;
    }
    Ok(())
}

/// Step and full window of one width, in float32 and in int8. The peer's side of a step is the full window in float32.
fn head_cases(width: usize, dir: &Path) -> Result<[Case; 4]> {
    let graphs = head::graphs(width)?;
    let (float, qdq) = (format!("window_f32_{width}.onnx"), format!("window_qdq_{width}.onnx"));
    write_atomic(&dir.join(&float), &graphs.window_f32)?;
    write_atomic(&dir.join(&qdq), &graphs.window_qdq)?;
    let step = |precision: &str, graph: &[u8]| -> Result<Case> {
        let mut stream = Stream::new(graph)?;
        let compared = stream.compare(&graphs.window_f32)?;
        let name = format!("step_{precision}_{width}");
        let facts = json!({
            "name": name,
            "graph": float,
            // All but a few kilobytes of the file are numbers, and a push reads each of them once.
            "bytes": graph.len(),
            "largest_difference": compared.largest_difference,
            "spread": compared.spread,
        });
        Ok(Case { name, work: Work::Step(Box::new(stream)), facts })
    };
    // The floor of int8 is float32's too: it is stated in float32's multiply-adds.
    let multiply_adds = work::multiply_adds(&graphs.window_f32, "head")?;
    let window = |precision: &str, graph: &[u8], peer: &str| -> Result<Case> {
        let name = format!("window_{precision}_{width}");
        let work = Work::Window {
            engine: Box::new(TractEngine::load(graph, "head")?),
            rows: head::random_rows(SEGMENTS, width),
            scores: vec![0.0; SEGMENTS],
        };
        let facts = json!({ "name": name, "graph": peer, "multiply_adds": multiply_adds });
        Ok(Case { name, work, facts })
    };
    Ok([
        step("f32", &graphs.step_f32)?,
        step("int8", &graphs.step_int8)?,
        window("f32", &graphs.window_f32, &float)?,
        window("int8", &graphs.window_int8, &qdq)?,
    ])
}

fn extractor_case(model: Option<&Path>, dir: &Path) -> Result<Case> {
    let path = model.map_or_else(find::shipped, |path| Ok(path.to_path_buf()))?;
    let bundle = Bundle::open(path, &demo_keys())?;
    let graph = bundle.require_extractor()?;
    write_atomic(&dir.join("extractor.onnx"), graph)?;
    let contract = &bundle.manifest.contract;
    let Some(clip) = &contract.input else {
        return Err(Error::invalid(&bundle.manifest.name, "its contract describes no clips", "use another bundle"));
    };
    let work = Work::Clip {
        engine: Box::new(TractEngine::load(graph, "extractor")?),
        pixels: golden::clip(1, clip),
        row: vec![0.0; contract.feature_width as usize],
    };
    let facts = json!({
        "name": EXTRACTOR,
        "graph": "extractor.onnx",
        "multiply_adds": work::multiply_adds(graph, "extractor")?,
    });
    Ok(Case { name: EXTRACTOR.into(), work, facts })
}

fn table(cases: &[Case], facts: &Value) -> String {
    let rate = |key: &str| facts[key].as_f64().unwrap_or(f64::NAN) / 1e9;
    let mut text = format!(
        "memory read {:.1} GB/s, product {:.1} G multiply-adds/s, one thread\n",
        rate("read_bytes_per_s"),
        rate("multiply_adds_per_s")
    );
    for case in cases {
        let ms = case.facts["ms"].as_f64().unwrap_or(f64::NAN);
        let difference = case.facts["largest_difference"].as_f64();
        let difference = difference.map_or(String::new(), |d| format!("  largest difference {d:.1e}"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<16}{ms:>10.4} ms{difference}", case.name);
    }
    text.trim_end().into()
}
