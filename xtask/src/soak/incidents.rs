//! The demo, over and over: how many incidents of each kind are alarmed inside the incident, how soon, and how many
//! alarms normal traffic raises. Writes the table of the model card to `target/soak/incidents.md`.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::run::{command, target};

/// Seeds from here on are for this table alone: no model is trained, chosen or calibrated on them.
pub const FIRST_SEED: u64 = 910_000;
/// Share of incidents that must be alarmed, and false alarms that may be raised, over the whole table.
const CAUGHT_MIN: f64 = 0.70;
const FALSE_MAX: usize = 2;
const KINDS: [&str; 7] =
    ["collision", "illegal-turn", "illegal-occupation", "wrong-way", "pedestrian-on-road", "spilled-load", "fire"];

struct Outcome {
    kind: &'static str,
    /// Seconds from onset to alarm, when the alarm fell inside the incident.
    delay_s: Option<f64>,
    /// Alarms outside an incident.
    false_alarms: usize,
    max_score: f64,
}

/// Run the table. Exit code 1 when the goal is missed.
pub fn run(seeds: u64, first: u64, model: Option<&str>) -> Result<u8> {
    crate::run::run(command("cargo").args(["build", "--package", "runtime", "--bin", "tadpole"]))?;
    let kinds = KINDS.iter().flat_map(|&kind| (0..seeds).map(move |_| kind));
    let normal = (0..7 * seeds).map(|_| "none");
    let jobs: Vec<_> = kinds.chain(normal).zip(first..).collect();
    let outcomes = work(&jobs, model)?;
    let table = table(&outcomes, seeds);
    println!("{table}");
    let file = target().join("soak/incidents.md");
    std::fs::create_dir_all(target().join("soak"))?;
    std::fs::write(&file, &table).with_context(|| format!("cannot write {}", file.display()))?;
    let caught = outcomes.iter().filter(|o| o.delay_s.is_some()).count();
    let false_alarms: usize = outcomes.iter().map(|o| o.false_alarms).sum();
    let reached = caught as f64 >= CAUGHT_MIN * (7 * seeds) as f64 && false_alarms <= FALSE_MAX;
    Ok(u8::from(!reached))
}

fn work(jobs: &[(&'static str, u64)], model: Option<&str>) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&(kind, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = demo(kind, seed, model);
                    if let Ok(o) = &outcome {
                        let delay = o.delay_s.map_or("-".into(), |d| format!("{d:.1} s"));
                        eprintln!(
                            "{kind:20} seed {seed}: {delay:>8}  false {}  highest {:.3}",
                            o.false_alarms, o.max_score
                        );
                    }
                    if let Ok(mut found) = found.lock() {
                        found.push(outcome);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter().collect()
}

fn demo(kind: &'static str, seed: u64, model: Option<&str>) -> Result<Outcome> {
    let mut demo = command(&target().join("debug/tadpole").display().to_string());
    demo.args(["demo", "--fast", "--json", "--incident", kind, "--seed", &seed.to_string()]);
    demo.args(model.iter().flat_map(|m| ["--model", m]));
    let out = demo.output().context("cannot start tadpole")?;
    let Ok(report) = serde_json::from_slice::<Value>(&out.stdout) else {
        bail!("{kind}, seed {seed}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    let span = &report["incident"];
    let (start, end) = (number(&span["start_s"]), number(&span["end_s"]));
    let (mut delay_s, mut false_alarms) = (None, 0);
    for alarm in report["alarms"].as_array().into_iter().flatten() {
        let at = number(&alarm["start_s"]);
        if at >= start && at <= end {
            delay_s.get_or_insert(at - start);
        } else {
            false_alarms += 1;
        }
    }
    Ok(Outcome { kind, delay_s, false_alarms, max_score: number(&report["max_score"]) })
}

fn table(outcomes: &[Outcome], seeds: u64) -> String {
    let mut text = String::from(
        "| kind | alarmed inside the incident | median delay, s | longest delay, s | false alarms |\n|---|---|---|---|---|\n",
    );
    for kind in KINDS.iter().chain(&["none"]) {
        let of_kind = || outcomes.iter().filter(|o| o.kind == *kind);
        let mut delays: Vec<f64> = of_kind().filter_map(|o| o.delay_s).collect();
        delays.sort_by(f64::total_cmp);
        let show = |d: Option<&f64>| d.map_or("-".into(), |d| format!("{d:.1}"));
        let caught = if *kind == "none" { "-".into() } else { format!("{} of {seeds}", delays.len()) };
        let wrong: usize = of_kind().map(|o| o.false_alarms).sum();
        let name = if *kind == "none" { "normal traffic" } else { kind };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {name} | {caught} | {} | {} | {wrong} |",
            show(delays.get(delays.len() / 2)),
            show(delays.last())
        );
    }
    let caught = outcomes.iter().filter(|o| o.delay_s.is_some()).count();
    let wrong: usize = outcomes.iter().map(|o| o.false_alarms).sum();
    let _ =
        writeln!(text, "| all | {caught} of {} | | | {wrong} in {} recordings of 90 s |", 7 * seeds, outcomes.len());
    text
}
