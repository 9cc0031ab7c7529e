//! `import`: published features, lists and truth in, a data set out.
//!
//! ```text
//! import LAYOUT SOURCE... DIR
//!
//! features     NAME.npy [T, D], [T, crops, D] or [crops, T, D]; or [T, D] of each crop, NAME_0.npy or NAME__0.npy and on
//! lists        *.list, *.txt or *.csv, `test` or `val` in the test list's name; without lists, `train` and `test` in folders' names
//! truth        as the layout has it (layout.rs), or `gt*.npy`: the labels of all frames of the test list
//! ```
//! Everything is found in the sources by name, wherever it lies; `--train-list`, `--test-list` and `--truth` say what names do not. All
//! headers, lists and truth are checked before anything is written.
//!
//! Crops stay crops: training takes one at random, as the papers do; scoring takes their mean. Lengths that differ are cut by the rule
//! in `trim.rs`, and every cut is written down. Refused by name: missing files and crops, other widths, damage and NaN, videos in
//! both lists, abnormal test videos without an event and normal ones with one.

mod features;
mod folder;
mod layout;
mod lists;
mod names;
#[cfg(test)]
mod tests;
mod trim;
mod truth;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::FeatureContract;
use runtime::{Error, Result};

use self::features::{Axis, Source};
use self::folder::Found;
pub use self::layout::Layout;
use self::lists::List;
use self::trim::Kept;
use self::truth::{Spans, Truth};
use crate::dataset::{Entry, Split, Writer};
use crate::progress;

/// Arguments of `import`.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// The published layout.
    #[arg(value_enum)]
    layout: Layout,
    /// Folders (and files) with features, lists and truth, as published.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Folder of the data set to write.
    dir: PathBuf,
    /// The list of training videos, where names do not tell.
    #[arg(long, value_name = "FILE")]
    train_list: Option<PathBuf>,
    /// The list of test videos, where names do not tell.
    #[arg(long, value_name = "FILE")]
    test_list: Option<PathBuf>,
    /// The test list's frame truth, where names do not tell: a text of events, an array of all frames, or a folder of
    /// arrays.
    #[arg(long, value_name = "PATH")]
    truth: Option<PathBuf>,
    /// Put the features of the sound (`NAME__vggish.npy`) beside those of the pictures.
    #[arg(long)]
    audio: bool,
    /// Frames that a row of features stands for.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..))]
    frames_per_row: u64,
    /// Leave out listed videos that have no features, and say which.
    #[arg(long)]
    skip_missing: bool,
}

/// One video, checked, to be written.
#[derive(Debug)]
struct Planned {
    split: Split,
    video: String,
    abnormal: bool,
    source: Source,
}

/// Import.
///
/// # Errors
/// On the first thing that is missing, damaged or contradictory, naming it; nothing is written before all headers, lists and
/// truth agree.
pub fn run(args: &ImportArgs) -> Result<()> {
    let found = Found::new(&args.sources)?;
    let named: Vec<String> = args.sources.iter().map(|source| source.display().to_string()).collect();
    if found.videos.is_empty() {
        return Err(Error::invalid(
            named.join(" "),
            "holds no features",
            "name the folders of the features' .npy files",
        ));
    }
    let train = lists::choose(&found, Split::Train, args.train_list.as_deref())?;
    let test = lists::choose(&found, Split::Test, args.test_list.as_deref())?;
    if train.is_none() && test.is_none() {
        return Err(Error::invalid(
            named.join(" "),
            "holds features, but no list says which to learn from and which to judge by",
            "add the published lists to the sources, or name them with --train-list and --test-list",
        ));
    }
    let mut plan = Vec::new();
    for (split, list) in [(Split::Train, &train), (Split::Test, &test)] {
        if let Some(list) = list {
            plan.extend(planned(args, &found, split, list)?);
        } else {
            log::warn!("no {0} list found: the data set will have none; --{0}-list names one", split.name());
        }
    }
    apart(&plan)?;
    let axis = axis(&plan)?;
    let width = width(&plan)?;
    let mut truth = test.map(|list| Truth::find(args.layout, &found, &list, args.truth.as_deref())).transpose()?;
    let cut_to = plan
        .iter()
        .map(|planned| kept(planned, axis, args.frames_per_row, truth.as_mut()))
        .collect::<Result<Vec<_>>>()?;
    if let Some(truth) = &truth {
        truth.finish()?;
    }

    let mut writer = Writer::create(&args.dir, FeatureContract::external(width as u32))?;
    let bar = progress::bar(plan.len() as u64, "import");
    for (planned, (kept, _)) in plan.iter().zip(&cut_to) {
        let (header, rows) = planned.source.read(axis, kept.rows)?;
        let entry = Entry {
            video: planned.video.clone(),
            abnormal: planned.abnormal,
            frames: Some(kept.frames),
            events: kept.events.clone(),
        };
        writer.add_crops(planned.split, entry, (&header, &rows), planned.source.element())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let cuts: Vec<trim::Cut> = cut_to
        .iter()
        .zip(&plan)
        .filter_map(|((kept, truth), planned)| {
            trim::cut(planned.split.name(), &planned.video, planned.source.rows(axis), truth, kept)
        })
        .collect();
    trim::write(&args.dir, &cuts)?;
    writer.finish()?;
    report(args, &plan, width, &cuts);
    Ok(())
}

/// A list's videos with their files.
fn planned(args: &ImportArgs, found: &Found, split: Split, list: &List) -> Result<Vec<Planned>> {
    let mut plan = Vec::with_capacity(list.videos.len());
    let mut missing = Vec::new();
    for listed in &list.videos {
        let Some(files) = found.videos.get(&listed.video) else {
            missing.push(listed.video.as_str());
            continue;
        };
        let source = Source::open(&listed.video, files, found, args.audio)?;
        let abnormal = args.layout.abnormal(&listed.video, listed.label);
        plan.push(Planned { split, video: listed.video.clone(), abnormal, source });
    }
    if !missing.is_empty() && (!args.skip_missing || plan.is_empty()) {
        return Err(Error::invalid(
            list.path.display().to_string(),
            format!("lists {} videos without features, the first is {}", missing.len(), missing[0]),
            "add their .npy files to the sources, or leave such videos out with --skip-missing",
        ));
    }
    for video in missing {
        log::warn!("{}: {video} has no features, and is left out", list.path.display());
    }
    Ok(plan)
}

/// No video is learned from and judged by.
fn apart(plan: &[Planned]) -> Result<()> {
    let train: HashSet<&str> =
        plan.iter().filter(|planned| planned.split == Split::Train).map(|planned| planned.video.as_str()).collect();
    match plan.iter().find(|planned| planned.split == Split::Test && train.contains(planned.video.as_str())) {
        None => Ok(()),
        Some(both) => Err(Error::invalid(
            &both.video,
            "is in the training list and in the test list",
            "name the right lists with --train-list and --test-list",
        )),
    }
}

/// The axis of all stacks' crops: short videos have shapes that could be either, so all have the same.
fn axis(plan: &[Planned]) -> Result<Axis> {
    let on = |axis| plan.iter().find(|planned| planned.source.axis() == Some(axis));
    match (on(Axis::First), on(Axis::Second)) {
        (Some(first), Some(second)) => Err(Error::invalid(
            first.source.path().display().to_string(),
            format!("has its crops on the first axis, {} on the second", second.source.path().display()),
            "import features of one kind",
        )),
        (Some(_), None) => Ok(Axis::First),
        (None, _) => Ok(Axis::Second),
    }
}

/// The width of all rows.
fn width(plan: &[Planned]) -> Result<usize> {
    let first = plan.first().map_or(0, |planned| planned.source.width());
    match plan.iter().find(|planned| planned.source.width() != first) {
        None => Ok(first),
        Some(other) => Err(Error::invalid(
            other.source.path().display().to_string(),
            format!("has rows of width {}, others have {first}", other.source.width()),
            "extract it with the same extractor as the others",
        )),
    }
}

/// What is kept of a video, and its truth.
fn kept(planned: &Planned, axis: Axis, per_row: u64, truth: Option<&mut Truth>) -> Result<(Kept, Spans)> {
    let rows = planned.source.rows(axis);
    let spans = match truth {
        Some(truth) if planned.split == Split::Test => {
            truth.next(&planned.video, planned.abnormal, rows.0 as u64 * per_row)?
        }
        _ => Spans::default(),
    };
    let refused = |problem: String| {
        let remedy = "extract its features from the whole video, or take it off the list";
        Err(Error::invalid(planned.source.path().display().to_string(), problem, remedy))
    };
    match trim::trim(rows, per_row, &spans) {
        None => refused(format!("has no row that all of it has: {} frames by its truth", spans.frames.unwrap_or(0))),
        Some(kept) if kept.events.is_empty() && !spans.events.is_empty() => {
            refused(format!("ends at frame {}, before the video's first event", kept.frames))
        }
        Some(kept) => Ok((kept, spans)),
    }
}

fn report(args: &ImportArgs, plan: &[Planned], width: usize, cuts: &[trim::Cut]) {
    for cut in cuts.iter().filter(|cut| cut.notable(args.frames_per_row)) {
        let truth = cut.truth_frames.map_or(String::new(), |frames| format!(" and {frames} frames of truth"));
        log::warn!(
            "{}: {} rows of features{truth}: cut to {} rows, {} frames; of its events {} frames are gone",
            cut.video,
            cut.rows,
            cut.rows_kept,
            cut.frames_kept,
            cut.event_frames_cut
        );
    }
    let count = |split, abnormal| plan.iter().filter(|p| p.split == split && p.abnormal == abnormal).count();
    let [train, test] = [Split::Train, Split::Test].map(|split| {
        format!(
            "{} {} videos, {} of them abnormal",
            split.name(),
            count(split, true) + count(split, false),
            count(split, true)
        )
    });
    log::info!("{}: {train}; {test}; features of width {width}", args.dir.display());
    if !cuts.is_empty() {
        let csv: &Path = &args.dir.join("import.csv");
        log::info!("{} videos were cut to whole rows that features and truth both have: {}", cuts.len(), csv.display());
    }
}
