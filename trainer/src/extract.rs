//! `extract`: recordings in, a data set of segment features out, through the runtime's own pipeline.
//!
//! ```text
//! VIDEOS/train.csv  VIDEOS/train/VIDEO.{mp4,avi,mkv,mov,webm,sim}   ->   DIR/train.csv  DIR/train/VIDEO.npy  DIR/contract.json
//! ```
//! Interrupted, it goes on where it stopped: a video's rows appear under their name only when whole, and `DIR/extract.json`
//! says of which contract they are. The lists and `contract.json` come last: before, there is no data set.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use firmware_config::FeatureContract;
use indicatif::ProgressBar;
use runtime::engine::tract::TractEngine;
use runtime::features::{Extractor, Fed, Feed};
use runtime::source::open::{self, Opened};
use runtime::{Error, Result};

use crate::dataset::{self, Entry, Split};
use crate::{progress, recordings};

/// Arguments of `extract`.
#[derive(Args, Debug)]
pub struct ExtractArgs {
    /// Folder with train.csv and/or test.csv (video,label,frames,events) and train/VIDEO.mp4, .avi, .mkv, .mov, .webm or .sim.
    videos: PathBuf,
    /// Extractor graph, as `tadpole-trainer extractor` writes it, with its FILE.contract.json beside it.
    #[arg(long)]
    extractor: PathBuf,
    /// Folder of the data set to write (or to go on with).
    dir: PathBuf,
    /// Worker threads, one engine each.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, std::num::NonZero::get))]
    threads: usize,
}

struct Job {
    split: Split,
    entry: Entry,
    from: PathBuf,
    to: PathBuf,
}

/// Extract all videos of both lists.
///
/// # Errors
/// On the first video that cannot be read, naming it; what is done stays done.
pub fn run(args: &ExtractArgs) -> Result<()> {
    let graph = std::fs::read(&args.extractor).map_err(|e| {
        Error::unreadable(args.extractor.display().to_string(), &e, "build one with `tadpole-trainer extractor`")
    })?;
    let contract = crate::extractor::read_contract(&args.extractor, &graph)?;
    let jobs = jobs(args)?;
    claim(&args.dir, &contract)?;
    let bar = progress::bar(jobs.len() as u64, "extract");
    work(args.threads.max(1), &jobs, &graph, &contract, &bar)?;
    bar.finish_and_clear();
    finish(&args.dir, &jobs, &contract)?;
    log::info!("{}: {} videos, features of width {}", args.dir.display(), jobs.len(), contract.feature_width);
    Ok(())
}

fn jobs(args: &ExtractArgs) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for split in [Split::Train, Split::Test] {
        for (entry, from) in recordings::listed(&args.videos, split)? {
            let to = args.dir.join(split.name()).join(format!("{}.npy", entry.video));
            jobs.push(Job { split, entry, from, to });
        }
    }
    if jobs.is_empty() {
        return Err(recordings::nothing_listed(&args.videos, "no train.csv or test.csv lists a video"));
    }
    Ok(jobs)
}

/// Make `dir` ours for `contract`, or see that it already is.
fn claim(dir: &Path, contract: &FeatureContract) -> Result<()> {
    let marker = dir.join("extract.json");
    let ours = serde_json::json!({ "contract": contract.hash() }).to_string();
    match std::fs::read_to_string(&marker) {
        Ok(found) if found == ours => Ok(()),
        Ok(_) => Err(Error::invalid(
            dir.display().to_string(),
            "was begun with another extractor",
            "name another folder: features of different contracts never meet",
        )),
        Err(_) if dir.join("contract.json").exists() => {
            Err(Error::invalid(dir.display().to_string(), "holds a data set already", "name another folder"))
        }
        Err(_) => std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&marker, ours)).map_err(|e| {
            Error::failed(
                marker.display().to_string(),
                format!("cannot be written: {e}"),
                "check permissions and space",
            )
        }),
    }
}

fn work(threads: usize, jobs: &[Job], graph: &[u8], contract: &FeatureContract, bar: &ProgressBar) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let fail = |error: Error| {
        if let Ok(mut slot) = failure.lock() {
            slot.get_or_insert(error);
        }
        next.store(jobs.len(), Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut extractor = match load(graph, contract) {
                    Ok(extractor) => extractor,
                    Err(error) => return fail(error),
                };
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !job.to.is_file() {
                        extractor = match extract_one(job, extractor) {
                            Ok(extractor) => extractor,
                            Err(error) => return fail(error),
                        };
                    }
                    bar.inc(1);
                }
            });
        }
    });
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

fn load(graph: &[u8], contract: &FeatureContract) -> Result<Extractor> {
    let engine = TractEngine::load(graph, "extractor")?;
    Extractor::new(Box::new(engine), contract.clone())
}

/// Extract one video, and hand the extractor back for the next.
fn extract_one(job: &Job, extractor: Extractor) -> Result<Extractor> {
    let uri = job.from.display().to_string();
    let Opened::Frames(source) = open::open(&uri)? else {
        return Err(Error::invalid(uri, "holds no frames", "name a recording"));
    };
    let width = extractor.contract().feature_width as usize;
    let mut feed = Feed::frames(source, extractor)?;
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    loop {
        match feed.next_row(&mut row)? {
            Fed::Row(_) => rows.extend_from_slice(&row),
            Fed::Gap { reason } => log::warn!("{uri}: {reason}"),
            Fed::End => break,
        }
    }
    if rows.is_empty() {
        return Err(Error::invalid(
            uri,
            "is shorter than one segment (0.64 s)",
            "remove it from the list, or use a longer recording",
        ));
    }
    dataset::write::write_rows(&job.to, width, &rows)?;
    feed.into_extractor().ok_or_else(|| Error::failed(uri, "its extractor is gone", "report this"))
}

fn finish(dir: &Path, jobs: &[Job], contract: &FeatureContract) -> Result<()> {
    for split in [Split::Train, Split::Test] {
        let entries: Vec<_> = jobs.iter().filter(|j| j.split == split).map(|j| j.entry.clone()).collect();
        dataset::write::write_list(dir, split, &entries)?;
    }
    dataset::write::write_contract(dir, contract)
}
