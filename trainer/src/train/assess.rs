//! How good a model is on held-out training videos, by their labels alone.
//!
//! Three figures, each the AUC of something: of videos by their highest scores (what kind of video is it?), of segments with
//! their video's label, and of segments of composites (*where* is what does not belong?): a normal video of which a quarter,
//! at a random place, is an abnormal one thinned to as many segments. Only that quarter is positive; the rest and the normal
//! videos themselves are negative. A composite is no incident, and its seams may help; but the other two figures cannot
//! tell a model that finds incidents from one that knows what kind of video it sees.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::Rng as _;
use rand::seq::SliceRandom;
use runtime::Result;

use super::TrainingSet;
use crate::evaluate::metrics::{Curve, Observation};
use crate::model::Detector;
use crate::model::noise::{Stream, generator};

/// One composite in this many segments is of the abnormal video.
const PARTS: usize = 4;

/// Windows through the model at once.
const BATCH: usize = 64;

/// The figures; absent where there is nothing held out of one of the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validation {
    /// Of videos, each by its highest score.
    pub videos: Option<f64>,
    /// Of segments, each with its video's label.
    pub segments: Option<f64>,
    /// Of composites' segments.
    pub composite: Option<f64>,
}

/// A normal video with an abnormal one in it; indices of training videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Composite {
    normal: usize,
    abnormal: usize,
    /// The first segment that is the abnormal video's.
    start: usize,
}

/// Judge `model` on the videos that `set` holds out; `seed` decides which are put together, the same ones each time.
pub fn assess<B, M>(model: &M, set: &TrainingSet, segments: usize, seed: u64, device: &B::Device) -> Result<Validation>
where
    B: Backend,
    M: Detector<B>,
{
    let held_out = &set.plan.held_out;
    let scores = |windows: Vec<f32>, count: usize| {
        let width = windows.len() / (count * segments);
        let scores = model.scores(Tensor::from_data(TensorData::new(windows, [count, segments, width]), device));
        scores.into_data().convert::<f32>().into_vec::<f32>().unwrap_or_default()
    };
    let (mut videos, mut all, mut composed) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in held_out.chunks(BATCH) {
        let mut windows = Vec::new();
        for &index in chunk {
            windows.extend(set.whole(index, segments)?);
        }
        for (scores, &index) in scores(windows, chunk.len()).chunks(segments).zip(chunk) {
            let label = set.label(index);
            videos.push(Observation::of(scores.iter().copied().fold(0.0, f32::max), label));
            all.extend(scores.iter().map(|&score| Observation::of(score, label)));
            if !label {
                composed.extend(scores.iter().map(|&score| Observation::of(score, false)));
            }
        }
    }
    let composites = pairs(held_out, |index| set.label(index), segments, seed);
    for chunk in composites.chunks(BATCH) {
        let mut windows = Vec::new();
        for composite in chunk {
            let mut window = set.whole(composite.normal, segments)?;
            put(&mut window, &set.whole(composite.abnormal, segments)?, segments, composite.start);
            windows.extend(window);
        }
        for (scores, composite) in scores(windows, chunk.len()).chunks(segments).zip(chunk) {
            let inside = composite.start..composite.start + part(segments);
            composed.extend(scores.iter().enumerate().map(|(t, &score)| Observation::of(score, inside.contains(&t))));
        }
    }
    Ok(Validation {
        videos: Curve::new(videos).auc(),
        segments: Curve::new(all).auc(),
        composite: Curve::new(composed).auc(),
    })
}

/// Segments of a composite that are the abnormal video's.
fn part(segments: usize) -> usize {
    (segments / PARTS).max(1)
}

/// Each held-out abnormal video with a normal one (shuffled, and again from the first when they run out) and a place in it.
fn pairs(held_out: &[usize], label: impl Fn(usize) -> bool, segments: usize, seed: u64) -> Vec<Composite> {
    let mut rng = generator(seed, Stream::Composite, 0);
    let (abnormal, mut normal): (Vec<usize>, Vec<usize>) = held_out.iter().partition(|&&index| label(index));
    normal.shuffle(&mut rng);
    let places = (segments - part(segments) + 1) as u64;
    let with = |(abnormal, normal)| Composite { normal, abnormal, start: (rng.next_u64() % places) as usize };
    abnormal.into_iter().zip(normal.into_iter().cycle()).map(with).collect()
}

/// Replace a part of the window `[T, D]`, from segment `start` on, by every [`PARTS`]-th segment of `abnormal [T, D]`.
fn put(window: &mut [f32], abnormal: &[f32], segments: usize, start: usize) {
    let (width, part) = (window.len() / segments, part(segments));
    for i in 0..part {
        let from = (i * segments + segments / 2) / part;
        let to = (start + i) * width;
        window[to..to + width].copy_from_slice(&abnormal[from * width..(from + 1) * width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composite_is_a_normal_window_with_a_thinned_abnormal_one_in_it() {
        let (mut window, abnormal) = (vec![0.0; 8 * 2], (1..17).map(|i| i as f32).collect::<Vec<_>>());
        put(&mut window, &abnormal, 8, 3);
        let mut expected = vec![0.0; 16];
        // Segments 2 and 6 of the abnormal window.
        expected[6..10].copy_from_slice(&[5.0, 6.0, 13.0, 14.0]);
        assert_eq!(window, expected);
    }

    #[test]
    fn every_abnormal_video_is_put_somewhere_and_the_seed_decides_where() {
        let held_out: Vec<usize> = (10..60).collect();
        let label = |index: usize| index < 45;
        let all = pairs(&held_out, label, 64, 3);
        assert_eq!(all.iter().map(|c| c.abnormal).collect::<Vec<_>>(), (10..45).collect::<Vec<_>>());
        assert!(all.iter().all(|c| !label(c.normal) && c.start + 16 <= 64));
        let mut normal: Vec<usize> = all[..15].iter().map(|c| c.normal).collect();
        normal.sort_unstable();
        assert_eq!(normal, (45..60).collect::<Vec<_>>(), "each normal video once before one comes again");
        assert!(all.iter().any(|c| c.start > 40) && all.iter().any(|c| c.start < 8));
        assert_eq!(all, pairs(&held_out, label, 64, 3));
        assert_ne!(all, pairs(&held_out, label, 64, 4));
        assert!(pairs(&[1, 2], |_| true, 64, 0).is_empty(), "without a normal video there is nothing to put it in");
    }
}
