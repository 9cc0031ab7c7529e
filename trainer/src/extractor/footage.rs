//! Training videos in, pooled maps of randomly chosen clips out, through the runtime's own sources and clips.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use firmware_config::ClipContract;
use half::f16;
use indicatif::ProgressBar;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime::clip::{Clip, ClipReader, Next};
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Input};
use runtime::source::open::{Opened, open};
use runtime::{Error, Result};

use super::fit::CLIP_CELLS;
use super::selection::{Choice, Selected, clip_count};

/// Which clips to take, and with how many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Clips in all, spread evenly over the videos.
    pub clips: usize,
    /// Seed of the choice.
    pub seed: u64,
    /// Threads, each with an engine of its own. The result does not depend on it.
    pub threads: usize,
}

/// Runs `graph` (of [`super::graph::pooled_maps`]) over the chosen clips: `[clips, 4, 1280, 9]`, video by video. Fewer clips than
/// asked for come out when the videos are short.
///
/// # Errors
/// Of the first video that fails.
pub fn collect(
    videos: &[PathBuf],
    graph: &[u8],
    contract: &ClipContract,
    sampling: Sampling,
    bar: &ProgressBar,
) -> Result<Vec<f16>> {
    let chosen = shuffled(videos, sampling);
    let quota = sampling.clips.div_ceil(chosen.len().max(1));
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let slots: Vec<Mutex<Vec<f16>>> = chosen.iter().map(|_| Mutex::new(Vec::new())).collect();
    let work = || -> Result<()> {
        let mut engine = TractEngine::load(graph, "extractor")?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(video) = chosen.get(index) else { return Ok(()) };
            let seed = sampling.seed ^ (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let cells = clips_of(video, &mut engine, contract, quota, seed, bar)?;
            if let Ok(mut slot) = slots[index].lock() {
                *slot = cells;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..sampling.threads.max(1) {
            scope.spawn(|| {
                if let Err(error) = work() {
                    next.store(chosen.len(), Ordering::Relaxed);
                    if let Ok(mut failure) = failure.lock() {
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().ok().flatten() {
        return Err(error);
    }
    Ok(slots.into_iter().flat_map(|slot| slot.into_inner().unwrap_or_default()).collect())
}

/// The videos in random order; no more of them than clips are wanted.
fn shuffled(videos: &[PathBuf], sampling: Sampling) -> Vec<PathBuf> {
    let mut chosen = videos.to_vec();
    let mut rng = Pcg64Mcg::seed_from_u64(sampling.seed);
    for i in (1..chosen.len()).rev() {
        chosen.swap(i, rng.random_range(0..=i));
    }
    chosen.truncate(sampling.clips.max(1));
    chosen
}

fn clips_of(
    video: &Path,
    engine: &mut TractEngine,
    contract: &ClipContract,
    quota: usize,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<f16>> {
    let uri = video.display().to_string();
    let Opened::Frames(source) = open(&uri)? else {
        return Err(Error::invalid(uri, "holds no frames", "name a recording"));
    };
    let choice = Choice::new(clip_count(source.info(), contract), quota, seed);
    let mut source = Selected::new(source, choice.clone(), contract);
    let mut reader = ClipReader::new(contract.clone());
    let (mut clip, mut cells) = (Clip::default(), vec![0.0; CLIP_CELLS]);
    let mut all = Vec::with_capacity(quota * CLIP_CELLS);
    let mut ordinal = 0;
    while ordinal < choice.end() {
        match reader.next_clip(&mut source, &mut clip)? {
            Next::Clip => {
                if choice.wants(ordinal) {
                    engine.run(Input::U8(&clip.pixels), &mut cells)?;
                    all.extend(cells.iter().map(|&x| f16::from_f32(x)));
                    bar.inc(1);
                }
                ordinal += 1;
            }
            Next::Gap { reason } => log::warn!("{uri}: {reason}"),
            Next::End => break,
        }
    }
    Ok(all)
}
