//! Which windows a step sees. All of it depends on (seed, step) alone.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use runtime::Result;

use super::Settings;
use crate::dataset::{Dataset, Rows, Split, Statistics, Video, scan, stretch, to_segments};
use crate::model::Batch;
use crate::model::noise::{Stream, generator};

/// Numbers kept in memory at most, 1 GiB; larger training sets are read from disk batch by batch.
const CACHED_MAX: usize = 1 << 28;

/// The training videos: which are learned from, which are held out, and their rows.
#[derive(Debug)]
pub struct TrainingSet {
    videos: Vec<Video>,
    cache: Option<Vec<Rows>>,
    /// Mean and deviation of the videos learned from.
    pub statistics: Statistics,
    /// SHA-256 of the training data, hexadecimal.
    pub sha256: String,
    /// Which video is for what.
    pub plan: Plan,
}

/// Indices of training videos, by purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Abnormal videos to learn from.
    pub abnormal: Vec<usize>,
    /// Normal videos to learn from.
    pub normal: Vec<usize>,
    /// Videos held out.
    pub held_out: Vec<usize>,
}

impl Plan {
    /// Hold out `share` of each class (rounded; at least one video of each class stays to learn from).
    pub fn new(labels: &[bool], share: f64, seed: u64) -> Self {
        let mut rng = generator(seed, Stream::Validation, 0);
        let mut held_out = Vec::new();
        let mut rest = [Vec::new(), Vec::new()];
        for class in [false, true] {
            let mut indices: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
            indices.shuffle(&mut rng);
            let out = ((indices.len() as f64 * share).round() as usize).min(indices.len().saturating_sub(1));
            held_out.extend_from_slice(&indices[..out]);
            rest[usize::from(class)] = indices.split_off(out);
            rest[usize::from(class)].sort_unstable();
        }
        held_out.sort_unstable();
        let [normal, abnormal] = rest;
        Self { abnormal, normal, held_out }
    }
}

impl TrainingSet {
    /// Read the training list of `dataset` once, for its statistics and (if it fits) to keep.
    pub fn load(dataset: &Dataset, settings: &Settings, seed: u64) -> Result<Self> {
        let videos = dataset.both_classes(Split::Train)?.to_vec();
        let labels: Vec<bool> = videos.iter().map(|video| video.entry.abnormal).collect();
        let plan = Plan::new(&labels, settings.validation_share, seed);
        let numbers: usize = videos.iter().map(|v| v.header.rows * v.header.crops * v.header.width).sum();
        let mut cache = (numbers <= CACHED_MAX).then(Vec::new);
        let (statistics, sha256) = scan(
            &videos,
            |index| plan.held_out.binary_search(&index).is_err(),
            |_, rows| {
                if let Some(cache) = &mut cache {
                    cache.push(rows);
                }
            },
        )?;
        Ok(Self { videos, cache, statistics, sha256, plan })
    }

    /// Videos in all.
    pub fn len(&self) -> usize {
        self.videos.len()
    }

    /// Whether there are none (never, once loaded).
    pub fn is_empty(&self) -> bool {
        self.videos.is_empty()
    }

    /// Abnormal videos in all.
    pub fn abnormal(&self) -> usize {
        self.videos.iter().filter(|video| video.entry.abnormal).count()
    }

    /// The label of a video.
    pub fn label(&self, index: usize) -> bool {
        self.videos[index].entry.abnormal
    }

    /// The name of a video.
    pub fn name(&self, index: usize) -> &str {
        &self.videos[index].entry.video
    }

    fn rows(&self, index: usize) -> Result<std::borrow::Cow<'_, Rows>> {
        Ok(match &self.cache {
            Some(cache) => std::borrow::Cow::Borrowed(&cache[index]),
            None => std::borrow::Cow::Owned(self.videos[index].read()?),
        })
    }

    /// A whole video, mean of crops, as `[T, D]`, standardised: how it is scored.
    pub fn whole(&self, index: usize, segments: usize) -> Result<Vec<f32>> {
        let rows = self.rows(index)?;
        let mut window = to_segments(&rows.mean_crop(), rows.header.width, segments);
        self.statistics.apply(&mut window);
        Ok(window)
    }

    /// The batch of step `step` (from 0).
    pub fn batch(&self, settings: &Settings, seed: u64, step: u64) -> Result<Batch> {
        let segments = settings.model.segments();
        let width = self.statistics.mean.len();
        let contiguous = settings.window_every > 0 && step % settings.window_every == settings.window_every - 1;
        let mut rng = generator(seed, Stream::Windows, step);
        let mut windows = Vec::with_capacity(2 * settings.pairs * segments * width);
        for (class, videos) in [(0, &self.plan.abnormal), (1, &self.plan.normal)] {
            for i in 0..settings.pairs as u64 {
                let draw = step * settings.pairs as u64 + i;
                let rows = self.rows(videos[drawn(seed, class, draw, videos.len())])?;
                let crop = below(&mut rng, rows.header.crops);
                let start = windows.len();
                if contiguous {
                    let all = rows.crop(crop);
                    let range = contiguous_range(rows.header.rows, settings.window_rows_min, segments, &mut rng);
                    windows.resize(start + segments * width, 0.0);
                    stretch(&all[range.start * width..range.end * width], width, segments, &mut windows[start..]);
                } else {
                    windows.extend(to_segments(&rows.crop(crop), width, segments));
                }
            }
        }
        self.statistics.apply(&mut windows);
        Ok(Batch { windows, pairs: settings.pairs, segments, width })
    }
}

/// The `draw`-th video of a class: shuffled decks of all its videos, one after another, so that each is seen equally often.
fn drawn(seed: u64, class: u64, draw: u64, count: usize) -> usize {
    let deck = draw / count as u64;
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut generator(seed, Stream::Order, deck * 2 + class));
    order[(draw % count as u64) as usize]
}

/// A run of `least` to `most` consecutive rows of `rows` (all of them where there are fewer than `least`).
fn contiguous_range(rows: usize, least: usize, most: usize, rng: &mut Pcg64Mcg) -> std::ops::Range<usize> {
    let least = least.min(rows);
    let length = least + below(rng, most.min(rows) - least + 1);
    let start = below(rng, rows - length + 1);
    start..start + length
}

/// A whole number below `n`, uniform to 2^-32.
fn below(rng: &mut Pcg64Mcg, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deck_holds_every_video_once_and_decks_differ() {
        let deck = |from: u64| (from..from + 10).map(|draw| drawn(3, 0, draw, 10)).collect::<Vec<_>>();
        let mut first = deck(0);
        assert_ne!(first, deck(10));
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn held_out_videos_are_of_both_classes_and_not_learned_from() {
        let labels: Vec<bool> = (0..50).map(|i| i % 5 == 0).collect();
        let plan = Plan::new(&labels, 0.2, 1);
        assert_eq!(plan.held_out.len(), 10);
        assert_eq!(plan.held_out.iter().filter(|&&i| labels[i]).count(), 2);
        let mut all = [plan.abnormal.clone(), plan.normal.clone(), plan.held_out.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert_ne!(plan, Plan::new(&labels, 0.2, 2));
        assert_eq!(Plan::new(&[true, false], 0.5, 1).held_out.len(), 0);
    }

    #[test]
    fn contiguous_windows_stay_inside_the_video() {
        let mut rng = generator(1, Stream::Windows, 0);
        for rows in [1, 5, 16, 40, 64, 300] {
            for _ in 0..200 {
                let range = contiguous_range(rows, 16, 64, &mut rng);
                assert!(range.end <= rows && range.len() >= rows.min(16) && range.len() <= 64, "{rows} {range:?}");
            }
        }
    }
}
