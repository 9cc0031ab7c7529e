//! `tadpole demo`: a simulated road with an incident at 55 s, the shipped model, a relay in memory.

use std::path::PathBuf;

use clap::Args;
use runtime::engine::Engines;
use runtime::health::Clock as _;
use runtime::output::Outputs;
use runtime::output::gpio::{GpioRelay, MemoryPin, Polarity};
use runtime::pipeline::RuleOverrides;
use runtime::pipeline::watch::lock;
use runtime::source::open::Opened;
use runtime::source::paced::Paced;
use runtime::source::sim::{IncidentKind, SimSource, SimSpec};
use runtime::{Error, Result};
use serde_json::json;

use super::page::View;
use super::show::{self, Told};

mod page;

/// When the incident is set off, seconds.
const ONSET_S: f64 = 55.0;

/// Watch a simulated road on which something goes wrong after 55 s, with the shipped model and a relay in memory.
///
/// Exits 0 only if the first alarm began inside the incident, or, with --incident none, if there was no alarm.
#[derive(Args)]
pub struct DemoArgs {
    /// Length in seconds.
    #[arg(long, default_value_t = 90.0)]
    seconds: f64,
    /// Seed of the road, the weather and the traffic.
    #[arg(long, default_value_t = 800_001)]
    seed: u64,
    /// collision, illegal-turn, illegal-occupation, wrong-way, pedestrian-on-road, spilled-load, fire, or none.
    #[arg(long, default_value = "fire", value_parser = parse_incident)]
    incident: Choice,
    /// As fast as it goes, instead of at the speed of life.
    #[arg(long)]
    fast: bool,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Show the live page on this machine, at http://127.0.0.1:PORT/; 0 takes any free port.
    #[cfg(feature = "page")]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Bundle to use instead of the shipped one.
    #[arg(long)]
    model: Option<PathBuf>,
}

/// An incident or none: a type of its own, since clap reads an `Option` as an optional argument.
#[derive(Clone, Copy, Debug)]
struct Choice(Option<IncidentKind>);

fn parse_incident(text: &str) -> std::result::Result<Choice, String> {
    if text == "none" {
        return Ok(Choice(None));
    }
    text.parse().map(|kind| Choice(Some(kind))).map_err(|e: Error| e.to_string())
}

/// Run the demo; false when the alarm did not do its duty.
pub fn run(args: &DemoArgs) -> Result<bool> {
    let uri = match args.incident.0 {
        Some(kind) => format!("sim://?seed={}&seconds={}&incident={kind}&at={ONSET_S}", args.seed, args.seconds),
        None => format!("sim://?seed={}&seconds={}", args.seed, args.seconds),
    };
    let mut bundle = show::open_bundle(args.model.as_ref())?;
    let road = SimSource::new(SimSpec::parse(&uri)?);
    let truth = road.truth();
    let source: Opened =
        if args.fast { Opened::Frames(Box::new(road)) } else { Opened::Frames(Box::new(Paced::new(road))) };
    let pin = MemoryPin::new();
    let mut outputs = Outputs::default();
    outputs.push(GpioRelay::new(pin.clone(), Polarity::ActiveHigh)?);
    let told = Told::new("demo", outputs);
    #[cfg(feature = "page")]
    let page = args.port.map(|port| page::Page::start(port, &told, &bundle)).transpose()?;
    #[cfg(not(feature = "page"))]
    let page: Option<page::Page> = None;
    let (view, source) = match &page {
        Some(page) => (page.view(), page.over(source)),
        None => (View::default(), source),
    };
    if !args.json {
        println!("{uri}\nmodel {} ({})", bundle.manifest.name, &bundle.id[..12]);
    }
    let clock = told.clock;
    let watched = show::watch_as(
        &told,
        source,
        &mut bundle,
        &Engines::default(),
        &RuleOverrides::default(),
        |watch, segment, score, event| {
            view.segment(0, clock.now(), watch, segment, score);
            if !args.json {
                println!("{}", show::score_line(segment, score, watch.pipeline().alarm().rule().threshold, event));
            }
        },
    )?;
    lock(&told.outputs).close();
    let first = watched.alarms.first();
    let good = match (&truth, first) {
        (Some(truth), Some(alarm)) => alarm.start_s >= truth.start_s && alarm.start_s <= truth.end_s,
        (None, None) => true,
        _ => false,
    };
    if args.json {
        let mut report = watched.json();
        report["incident"] = truth
            .as_ref()
            .map_or(json!(null), |t| json!({ "start_s": t.start_s, "end_s": t.end_s, "kind": t.kind.to_string() }));
        report["relay_edges"] = json!(pin.edges());
        show::print_json(&report)?;
        return Ok(good);
    }
    if let Some(truth) = &truth {
        println!("incident: {} from {:.1} s to {:.1} s", truth.kind, truth.start_s, truth.end_s);
    }
    for alarm in &watched.alarms {
        println!("alarm:    from {:.1} s to {:.1} s, highest score {:.3}", alarm.start_s, alarm.end_s, alarm.peak);
    }
    println!("relay:    switched {} times, now {}", pin.edges(), if pin.level_is_high() { "closed" } else { "open" });
    println!("{}", verdict(good, truth.is_some(), first.is_some()));
    Ok(good)
}

fn verdict(good: bool, incident: bool, alarm: bool) -> &'static str {
    match (good, incident, alarm) {
        (true, true, _) => "good: the alarm began inside the incident, and none before it",
        (true, false, _) => "good: nothing happened, and no alarm was raised",
        (false, true, true) => "bad: the first alarm began outside the incident",
        (false, true, false) => "bad: the incident raised no alarm",
        (false, false, _) => "bad: an alarm, and nothing had happened",
    }
}
