//! `extract`: recordings in, a data set of segment features out, through the runtime's own pipeline.
//!
//! ```text
//! VIDEOS/train.csv  VIDEOS/train/VIDEO.{mp4,avi,mkv,mov,webm,sim}   ->   DIR/train.csv  DIR/train/VIDEO.npy  DIR/contract.json
//! ```
//! Interrupted, it goes on where it stopped: a video's rows appear under their name only when whole, and `DIR/extract.json`
//! says of which contract they are. The lists and `contract.json` come last: before, there is no data set.
//!
//! Several jobs may write into one DIR at once, on whichever machines share it, each a share of the videos (`--shard`): none writes what
//! another reads half, and the lists are written by whoever finds all rows there, which the last to end does. All write the same bytes,
//! so a job may be run again, or run twice.

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
use crate::shard::Shard;
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
    /// Extract the I-th of N shares of the videos alone, I from 0 to N - 1, while other jobs extract the others into the same folder.
    /// The job that ends last writes the lists.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

#[derive(Debug)]
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
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let mine: Vec<&Job> = jobs.iter().enumerate().filter(|(i, _)| shard.holds(*i)).map(|(_, job)| job).collect();
    let bar = progress::bar(mine.len() as u64, "extract");
    work(args.threads.max(1), &mine, &graph, &contract, &bar)?;
    bar.finish_and_clear();
    let dir = args.dir.display();
    if args.shard.is_some() {
        log::info!("{dir}: shard {shard}, {} of {} videos", mine.len(), jobs.len());
    }
    match missing(&jobs) {
        0 => {
            finish(&args.dir, &jobs, &contract)?;
            log::info!("{dir}: {} videos, features of width {}", jobs.len(), contract.feature_width);
        }
        missing => log::info!("{dir}: no data set yet, {missing} of {} videos are still with other jobs", jobs.len()),
    }
    Ok(())
}

/// How many jobs' rows are not there. Others' files are looked for here for the first time, so that no network file system answers from
/// memory: of two jobs that end at once, the one whose last rows came later finds the other's.
fn missing(jobs: &[Job]) -> usize {
    jobs.iter().filter(|job| !job.to.is_file()).count()
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

/// Make `dir` ours for `contract`, or see that it already is. Of jobs that begin it at once, one does.
fn claim(dir: &Path, contract: &FeatureContract) -> Result<()> {
    let marker = dir.join("extract.json");
    let failed = |verb: &str, error: &std::io::Error| {
        let problem = format!("cannot be {verb}: {error}");
        Error::failed(marker.display().to_string(), problem, "check permissions and space")
    };
    let ours = serde_json::json!({ "contract": contract.hash() }).to_string();
    if !marker.exists() {
        if dir.join("contract.json").exists() {
            return Err(Error::invalid(dir.display().to_string(), "holds a data set already", "name another folder"));
        }
        std::fs::create_dir_all(dir)
            .and_then(|()| runtime::files::write_new(&marker, ours.as_bytes()))
            .map_err(|error| failed("written", &error))?;
    }
    let found = std::fs::read_to_string(&marker).map_err(|error| failed("read", &error))?;
    if found == ours {
        return Ok(());
    }
    Err(Error::invalid(
        dir.display().to_string(),
        "was begun with another extractor",
        "name another folder: features of different contracts never meet",
    ))
}

fn work(threads: usize, jobs: &[&Job], graph: &[u8], contract: &FeatureContract, bar: &ProgressBar) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_one_contract() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("features");
        let contract = FeatureContract::external(8);
        claim(&dir, &contract).unwrap();
        claim(&dir, &contract).unwrap();
        let error = claim(&dir, &FeatureContract::external(9)).unwrap_err();
        assert!(error.to_string().contains("another extractor"), "{error}");
        std::fs::remove_file(dir.join("extract.json")).unwrap();
        std::fs::write(dir.join("contract.json"), "{}").unwrap();
        let error = claim(&dir, &contract).unwrap_err();
        assert!(error.to_string().contains("holds a data set already"), "{error}");
    }

    #[test]
    fn rows_are_missing_until_every_job_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let job = |name: &str| Job {
            split: Split::Train,
            entry: Entry { video: name.into(), abnormal: false, frames: None, events: Vec::new() },
            from: folder.path().join(name).with_extension("sim"),
            to: folder.path().join("train").join(name).with_extension("npy"),
        };
        let jobs = [job("a"), job("b")];
        assert_eq!(missing(&jobs), 2);
        dataset::write::write_rows(&jobs[1].to, 2, &[0.0, 1.0]).unwrap();
        assert_eq!(missing(&jobs), 1);
        dataset::write::write_rows(&jobs[0].to, 2, &[0.0, 1.0]).unwrap();
        assert_eq!(missing(&jobs), 0);
    }
}
