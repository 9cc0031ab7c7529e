//! `tadpole model list | install | activate | rollback`: this device's store, by hand. A config says where it is, which keys
//! are trusted and what computes; a bundle, a command of an operator, or nothing comes in; what became of it goes out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::config::Config;
use runtime::engine::Engines;
use runtime::store::judge::Limits;
use runtime::store::report::report;
use runtime::store::state::{Model, Outcome, State, Trial};
use runtime::store::{Event, Store, Trust, Turn, is_store};
use runtime::{Error, Result};

use crate::commands::check::read_config;

/// Where the config of a board is.
const CONFIG: &str = "/etc/tadpole/config";

/// Which device's store.
#[derive(Args)]
struct Where {
    /// The config that names the store as the `bundle` of its `[model]`, its trusted keys and its engine.
    #[arg(long, value_name = "CONFIG", default_value = CONFIG)]
    config: PathBuf,
}

impl Where {
    fn open(&self) -> Result<(Config, Store)> {
        let config = read_config(&self.config)?;
        let folder = self.config.parent().unwrap_or(Path::new(".")).join(&config.model.bundle);
        if !is_store(&folder) {
            return Err(Error::invalid(
                self.config.display().to_string(),
                format!("`bundle` names the file {}, and no store", folder.display()),
                format!("set it to a folder, such as \"{}\"", runtime::store::DEFAULT_FOLDER),
            ));
        }
        Ok((config, Store::new(folder)))
    }
}

/// List the models of this device's store, the trial that is on, and how trials ended.
#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    at: Where,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Copy a bundle into this device's store, as the candidate to be activated. Nothing of it is run.
///
/// It must be signed by a key of the config, made for the config's engine and for this firmware or an older one, and have an
/// extractor. A candidate that was there before is forgotten.
#[derive(Args)]
pub struct InstallArgs {
    /// The bundle, `NAME.tadpole`.
    file: PathBuf,
    #[command(flatten)]
    at: Where,
}

/// Put the candidate on trial. It becomes the model of this device if it stands it.
///
/// `tadpole run` does the rest, now or when it starts: it proves the candidate (golden vectors, time and memory on this machine),
/// lets it score beside the present model for ten minutes, switches to it without losing a frame, and confirms it after ten
/// minutes more. A score that is none, a panic, a budget that is overrun, scores that drift from the present model's, or a second
/// start before the end: the model before is kept or taken back. `tadpole model list` shows how far it is, and why it ended.
///
/// The first model of a store has none beside it: it is proved here, at once, and confirmed by that.
///
/// Releases of one name only rise: what is older than one that was confirmed here is refused.
#[derive(Args)]
pub struct ActivateArgs {
    /// Id of the model, or how it begins: of the candidate, or of the previous one. The candidate if absent.
    id: Option<String>,
    /// Activate an older release than was confirmed here before.
    #[arg(long)]
    allow_downgrade: bool,
    /// Do without the shadow: prove it here, and let the next start of `tadpole run` take it, unconfirmed.
    #[arg(long)]
    at_start: bool,
    #[command(flatten)]
    at: Where,
}

/// End a trial, or go back to the previous model. The next start of `tadpole run` loads it.
#[derive(Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    at: Where,
    /// Why; kept in the store's list.
    #[arg(long, default_value = "rolled back by the operator")]
    reason: String,
}

/// Print what the store holds.
pub fn list(args: &ListArgs) -> Result<()> {
    let (_, store) = args.at.open()?;
    let state = store.state()?;
    if args.json {
        println!("{:#}", report(&state));
    } else {
        print!("{}", table(&state));
    }
    Ok(())
}

/// Copy a bundle into the store.
pub fn install(args: &InstallArgs) -> Result<()> {
    let (config, store) = args.at.open()?;
    let installed = store.install(&args.file, &trust(&config))?;
    let state = store.state()?;
    let model = installed.model;
    if state.current.as_ref() == Some(&model) {
        println!("{} is the current model already", title(&model));
        return Ok(());
    }
    println!("{} is the candidate, id {}", title(&model), model.id);
    if let Err(error) = state.check_release(&model) {
        println!("it will not be activated: {}; {}", error.problem, error.remedy);
    }
    Ok(())
}

/// Put the candidate on trial, or prove it here and make it current.
pub fn activate(args: &ActivateArgs) -> Result<()> {
    let (config, store) = args.at.open()?;
    let trust = trust(&config);
    let by_hand = args.at_start || store.state()?.current.is_none();
    let model = store.activate(args.id.as_deref(), args.allow_downgrade, by_hand)?;
    if !by_hand {
        println!(
            "{} is on trial: `tadpole run` proves it, now or when it starts; see `tadpole model list`",
            title(&model)
        );
        return Ok(());
    }
    let evidence = store.prove(&model, &trust, &Engines::new(trust.engine), &Limits::from(&config.trial))?;
    println!(
        "{} is proved: largest difference {:e}, 7 of 8 segments within {:.0} ms, {:.0} MB",
        title(&model),
        evidence.difference,
        evidence.segment_ms,
        evidence.memory_mb
    );
    if store.state()?.trial.is_none() {
        println!("it is the first, so it is confirmed; `tadpole run` loads it at its next start");
        return Ok(());
    }
    store.advance(&Event::ShadowSkipped)?;
    println!("it is current, unconfirmed; `tadpole run` loads it at its next start, and confirms it or reverts");
    Ok(())
}

/// Go back.
pub fn roll_back(args: &RollbackArgs) -> Result<()> {
    let (_, store) = args.at.open()?;
    match (store.roll_back(&args.reason)?, store.state()?.current) {
        (Turn::Dropped(_), _) => println!("the trial is over; the current model stays"),
        (_, Some(model)) => println!("{} is current; `tadpole run` loads it at its next start", title(&model)),
        (_, None) => println!("no model is current"),
    }
    Ok(())
}

fn trust(config: &Config) -> Trust {
    Trust { keys: config.trusted(), engine: config.model.engine }
}

fn title(model: &Model) -> String {
    format!("{} release {}", model.name, model.release)
}

fn table(state: &State) -> String {
    let mut out = String::new();
    let pointers = [("current", &state.current), ("candidate", &state.candidate), ("previous", &state.previous)];
    for (pointer, model) in pointers {
        let _ = match model {
            Some(model) => writeln!(out, "{pointer:<10} {:<28} {} {:>9} bytes", title(model), model.id, model.bytes),
            None => writeln!(out, "{pointer:<10} -"),
        };
    }
    if let (Some(Trial { stage, starts, .. }), Some(model)) = (&state.trial, state.on_trial()) {
        let _ = writeln!(out, "trial      {:<28} {}, starts {starts}", title(model), stage.word());
    }
    for release in &state.releases {
        let _ = writeln!(out, "counter    {} {}", release.name, release.release);
    }
    for Outcome { model, end, reason } in &state.past {
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let _ = writeln!(out, "past       {:<28} {}{because}", title(model), end.word());
    }
    out
}

#[cfg(test)]
mod tests {
    use runtime::store::state::{End, Evidence, Release, Stage};
    use serde_json::Value;

    use super::*;

    fn model(release: u64) -> Model {
        Model { id: format!("{release:016x}"), name: "roadside".into(), release, blob: String::new(), bytes: 17 << 20 }
    }

    fn state() -> State {
        State {
            current: Some(model(3)),
            candidate: None,
            previous: Some(model(2)),
            trial: Some(Trial {
                stage: Stage::Unconfirmed,
                starts: 1,
                evidence: Some(Evidence { difference: 0.0, segment_ms: 32.0, memory_mb: 41.0 }),
                by_hand: false,
            }),
            releases: vec![Release { name: "roadside".into(), release: 2, id: model(2).id }],
            past: vec![
                Outcome { model: model(2), end: End::Confirmed, reason: String::new() },
                Outcome { model: model(9), end: End::Dropped, reason: "it gave NaN, which is no score".into() },
            ],
        }
    }

    #[test]
    fn the_table_for_people() {
        insta::assert_snapshot!(table(&state()), @r"
        current    roadside release 3           0000000000000003  17825792 bytes
        candidate  -
        previous   roadside release 2           0000000000000002  17825792 bytes
        trial      roadside release 3           unconfirmed, starts 1
        counter    roadside 2
        past       roadside release 2           confirmed
        past       roadside release 9           dropped: it gave NaN, which is no score
        ");
    }

    #[test]
    fn the_object_for_programs_has_no_null_where_something_is() {
        let json = report(&state());
        assert_eq!(json["current"]["release"], 3);
        assert_eq!(json["candidate"], Value::Null);
        assert_eq!(json["trial"]["segment_ms"], 32.0);
        assert_eq!(json["past"][1]["reason"], "it gave NaN, which is no score");
    }
}
