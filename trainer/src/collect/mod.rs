//! `tadpole-trainer collect`: the names of cameras come in; what people said of their alarms goes out as a data set, for `train --add`. A
//! false alarm becomes a normal video, a true one an abnormal one.
//!
//! | file | what |
//! |---|---|
//! | `mark` | a line of a device: an alarm, what was said of it, its rows |
//! | [`folder`] | the data set |
//! | `state` | how far each device was read, and what each video is of |
//! | [`camera`] | one device, from where an earlier collection ended |
//!
//! Running it again adds what is new. docs/ref/http.md tells what is asked of devices.

pub mod camera;
pub mod folder;
mod mark;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use firmware_config::FeatureContract;
use runtime::{Error, Result};
use serde_json::{Value, json};

use crate::progress::{bar, say};
use crate::push::camera::Patience;
use crate::push::link::{self, Dialled};
use crate::push::rollout::in_parallel;
use crate::push::targets::{self, Target};
use camera::gather;
use folder::{Folder, Taken, Totals};

/// Fetch what people said of alarms on cameras' live pages, as a data set for `train --add`.
///
/// A false alarm becomes a normal video, a true one an abnormal one; each holds the feature rows around the alarm, and no picture. Run it again
/// whenever you like: it adds what is new, changes what was said otherwise since, and removes what was taken back. Exits with 1 if any camera
/// could not be read to its end.
#[derive(Args, Clone, Debug)]
pub struct CollectArgs {
    /// Cameras: NAME, NAME=ADDRESS[:PORT], or @FILE with one of these a line. The name is that of the camera's certificate.
    #[arg(long, required = true, value_delimiter = ',', value_name = "CAMERA")]
    from: Vec<String>,
    /// The site's folder, as `tadpole-trainer site new` made it: whose cameras are believed, and who is asking.
    #[arg(long, value_name = "SITE")]
    site: PathBuf,
    /// Who is asking: a client of the site, with any role. The only one when absent.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The data set's folder: a new one, or one that `collect` made.
    dir: PathBuf,
    /// Take in what has the features of this data set alone, and pass over marks from before another extractor, or after.
    #[arg(long, value_name = "DATASET")]
    like: Option<PathBuf>,
    /// Cameras at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Seconds that a camera may be silent before it is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    silence: u32,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// What came of a camera, and why it is not all.
struct Told<'a> {
    target: &'a Target,
    taken: Taken,
    totals: Totals,
    fault: Option<String>,
}

/// Collect.
///
/// # Errors
/// Of kind `InvalidInput` or `Corrupt` when nothing can be asked or kept; `Failed` when a camera was not read to its end.
pub fn run(args: &CollectArgs) -> Result<()> {
    let targets = targets::read("--from", &args.from)?;
    let credentials = link::credentials(&args.site, args.client.as_deref())?;
    let folder = Folder::open(&args.dir, args.like.as_deref())?;
    let silence = Duration::from_secs(args.silence.into());
    let patience = Patience { silence, trial: Duration::ZERO, pause: Duration::from_secs(1) };
    let bar = bar(targets.len() as u64, "cameras");
    let ends = in_parallel(&targets, args.parallel.into(), &|target| {
        let mut why = String::new();
        let mut tell = |news: &str| {
            if why != news {
                log::info!("{}: {news}; trying again", target.name);
                bar.set_message(target.name.clone());
                news.clone_into(&mut why);
            }
        };
        let end = Dialled::new(&credentials, target)
            .and_then(|link| gather(&link, &target.name, &folder, patience, &mut tell));
        bar.inc(1);
        end
    });
    bar.finish_and_clear();
    let told = |(target, end): (_, Result<Taken>)| {
        let target: &Target = target;
        let totals = folder.totals(&target.name);
        match end {
            Ok(taken) => Told { target, taken, totals, fault: None },
            Err(error) => Told { target, taken: Taken::default(), totals, fault: Some(error.to_string()) },
        }
    };
    let told: Vec<Told<'_>> = targets.iter().zip(ends).map(told).collect();
    if args.json {
        say(&to_json(args, &folder, &told).to_string())?;
    } else {
        say(&table(&told))?;
        if told.iter().any(|told| told.totals.normal + told.totals.abnormal > 0) {
            say(&format!("Next: `tadpole-trainer train DATASET --add {} --out RUN`", args.dir.display()))?;
        }
    }
    let bad = told.iter().filter(|told| told.fault.is_some()).count();
    if bad == 0 {
        return Ok(());
    }
    Err(Error::failed(
        "collect",
        format!("{bad} of {} cameras were not read to their end", told.len()),
        "mend what the table says, and collect again: what has come stays",
    ))
}

/// What is to be known of a camera beside its numbers.
fn remarks(told: &Told<'_>) -> String {
    let Taken { back, other, damaged, .. } = told.taken;
    let several = [
        (back, "taken back"),
        (told.totals.waiting, "without features: mark them again"),
        (other, "of other features"),
        (damaged, "damaged"),
    ];
    let counted = several.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    told.fault.clone().into_iter().chain(counted).collect::<Vec<_>>().join("; ")
}

fn table(all: &[Told<'_>]) -> String {
    let width = all.iter().map(|told| told.target.name.len()).max().unwrap_or_default().max(6);
    let head = format!("{:width$}  {:>5}  {:>5}  {:>5}  remarks", "camera", "new", "false", "true");
    let row = |told: &Told<'_>| {
        let Totals { normal, abnormal, .. } = told.totals;
        let name = &told.target.name;
        let line = format!("{name:width$}  {:>5}  {normal:>5}  {abnormal:>5}  {}", told.taken.new, remarks(told));
        line.trim_end().to_owned()
    };
    std::iter::once(head).chain(all.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn to_json(args: &CollectArgs, folder: &Folder, all: &[Told<'_>]) -> Value {
    let camera = |told: &Told<'_>| {
        let (Taken { new, back, other, damaged, .. }, totals) = (&told.taken, told.totals);
        json!({
            "name": told.target.name, "address": told.target.address, "new": new, "false": totals.normal, "true": totals.abnormal,
            "taken_back": back, "without_features": totals.waiting, "other_features": other, "damaged": damaged,
            "fault": told.fault,
        })
    };
    json!({
        "dir": args.dir,
        "contract": folder.contract().as_ref().map(FeatureContract::hash),
        "cameras": all.iter().map(camera).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
