//! How far figures might move with other test videos: scored videos in, 95 % intervals out.
//!
//! A resample draws as many videos as there are, with replacement; whole videos, because frames of one video are not
//! independent. Which videos a resample holds depends on their number alone, so two models judged on the same videos are
//! judged on the same resamples, and the interval of their difference is a paired one.

use rand::Rng as _;
use runtime::Result;

use super::metrics::Observation;
use super::{Figures, Scored, observations};
use crate::model::noise::{Stream, generator};

/// Resamples.
pub const RESAMPLES: usize = 1000;

/// Of which an interval leaves out so many at either end, as a share.
const TAIL: f64 = 0.025;

/// The figures of each resample, in the order of [`Figures::values`].
#[derive(Clone, Debug, PartialEq)]
pub struct Draws(Vec<[Option<f64>; 4]>);

impl Draws {
    /// Draw them.
    pub fn of(scored: &[Scored<'_>]) -> Result<Self> {
        let (mut all, mut abnormal, mut videos) = (Vec::new(), Vec::new(), Vec::new());
        for (video, item) in scored.iter().enumerate() {
            let rows = observations(item)?;
            if item.video.entry.abnormal {
                abnormal.extend(rows.iter().map(|&row| (video, row)));
            }
            all.extend(rows.into_iter().map(|row| (video, row)));
            let highest = item.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            videos.push((video, Observation::of(highest, item.video.entry.abnormal)));
        }
        let (all, abnormal, videos) = (Ranked::new(all), Ranked::new(abnormal), Ranked::new(videos));
        let figures = |resample: u64| {
            let counts = counts(scored.len(), resample);
            let ((frame_auc, frame_ap), (abnormal_auc, _)) = (all.figures(&counts), abnormal.figures(&counts));
            [frame_auc, frame_ap, abnormal_auc, videos.figures(&counts).0]
        };
        Ok(Self((0..RESAMPLES as u64).map(figures).collect()))
    }

    /// Resample by resample, the mean of several models (of the runs of several seeds, say) judged on the same videos.
    pub fn mean(all: &[&Self]) -> Self {
        let mean = |resample: usize, figure: usize| -> Option<f64> {
            let values: Option<Vec<f64>> = all.iter().map(|draws| draws.0.get(resample)?[figure]).collect();
            values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self((0..RESAMPLES).map(|resample| std::array::from_fn(|figure| mean(resample, figure))).collect())
    }

    /// Resample by resample, this model's figures less those of `other`, judged on the same videos.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let less = |(a, b): (&[Option<f64>; 4], &[Option<f64>; 4])| {
            std::array::from_fn(|figure| a[figure].zip(b[figure]).map(|(a, b)| a - b))
        };
        Self(self.0.iter().zip(&other.0).map(less).collect())
    }

    /// The 95 % interval of each figure; none of one that most resamples do not have.
    pub fn intervals(&self) -> [Option<[f64; 2]>; 4] {
        std::array::from_fn(|figure| {
            let mut values: Vec<f64> = self.0.iter().filter_map(|draw| draw[figure]).collect();
            values.sort_by(f64::total_cmp);
            (values.len() * 2 >= RESAMPLES).then(|| [quantile(&values, TAIL), quantile(&values, 1.0 - TAIL)])
        })
    }

    /// `figures` with these draws' intervals.
    pub fn around(&self, figures: &Figures) -> Figures {
        Figures { intervals: self.intervals().into(), ..figures.clone() }
    }
}

/// The value below which a share of sorted values lies, between its neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// How often each of `videos` videos is in a resample.
fn counts(videos: usize, resample: u64) -> Vec<u64> {
    let mut rng = generator(0, Stream::Resample, resample);
    let mut counts = vec![0; videos];
    for _ in 0..videos {
        let drawn = (u128::from(rng.next_u64()) * videos as u128) >> 64;
        counts[drawn as usize] += 1;
    }
    counts
}

/// Observations by falling score, sorted once for all resamples.
struct Ranked(Vec<(usize, Observation)>);

impl Ranked {
    /// Sort; what one video has at one score becomes one.
    fn new(mut observations: Vec<(usize, Observation)>) -> Self {
        observations.sort_by(|(v, a), (w, b)| b.score.total_cmp(&a.score).then(v.cmp(w)));
        observations.dedup_by(|(v, next), (w, kept)| {
            let same = v == w && next.score == kept.score;
            if same {
                kept.positives += next.positives;
                kept.negatives += next.negatives;
            }
            same
        });
        Self(observations)
    }

    /// AUC and average precision where each video counts `counts` times; as [`super::metrics::Curve`] has them.
    fn figures(&self, counts: &[u64]) -> (Option<f64>, Option<f64>) {
        let (mut positives, mut negatives, mut doubled, mut precision) = (0_u64, 0_u64, 0_u128, 0.0);
        for tied in self.0.chunk_by(|(_, a), (_, b)| a.score == b.score) {
            let (mut p, mut n) = (0, 0);
            for (video, observation) in tied {
                p += counts[*video] * observation.positives;
                n += counts[*video] * observation.negatives;
            }
            doubled += u128::from(n) * u128::from(2 * positives + p);
            positives += p;
            negatives += n;
            if p > 0 {
                precision += p as f64 * positives as f64 / (positives + negatives) as f64;
            }
        }
        let pairs = 2.0 * positives as f64 * negatives as f64;
        let auc = (pairs > 0.0).then(|| doubled as f64 / pairs);
        (auc, (positives > 0).then(|| precision / positives as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Curve;
    use super::super::tests::video;
    use super::*;

    #[test]
    fn a_resample_is_judged_as_its_videos_written_out() {
        let observations: Vec<(usize, Observation)> = (0..160)
            .map(|i| {
                let score = (i * 7 % 13) as f32;
                (i % 6, Observation { score, positives: (i % 3) as u64, negatives: (i * 5 % 4) as u64 })
            })
            .collect();
        let ranked = Ranked::new(observations.clone());
        assert!(ranked.0.len() < observations.len(), "one video has some scores twice");
        for counts in [[1, 1, 1, 1, 1, 1], [0, 3, 1, 0, 2, 0]] {
            let written =
                observations.iter().flat_map(|&(video, o)| std::iter::repeat_n(o, counts[video] as usize)).collect();
            let curve = Curve::new(written);
            let (auc, ap) = ranked.figures(&counts);
            assert!((auc.unwrap() - curve.auc().unwrap()).abs() < 1e-12);
            assert!((ap.unwrap() - curve.average_precision().unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn resamples_hold_as_many_videos_and_are_the_same_each_time() {
        let mut times = [0; 8];
        for resample in 0..500 {
            let counts = counts(8, resample);
            assert_eq!((counts.iter().sum::<u64>(), &counts), (8, &super::counts(8, resample)));
            times.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        assert!(times.iter().all(|&n| (400..600).contains(&n)), "{times:?}");
    }

    #[test]
    fn intervals_hold_the_figure_and_a_pair_judged_alike_has_none_between_them() {
        let videos: Vec<_> =
            (0..40).map(|i| video(i % 2 == 1, 40, if i % 2 == 1 { &[(11, 20)] } else { &[] }, 4)).collect();
        // The second row is the event's; every fifth video is judged wrongly.
        let scored = |wrong: usize| -> Vec<Scored<'_>> {
            let scores = |i: usize| {
                let right = !i.is_multiple_of(wrong);
                let peak = if (i % 2 == 1) == right { 0.9 } else { 0.2 + i as f32 / 1000.0 };
                vec![0.1, peak, 0.1, 0.3]
            };
            videos.iter().enumerate().map(|(i, video)| Scored { video, scores: scores(i) }).collect()
        };
        let (one, other) = (Draws::of(&scored(5)).unwrap(), Draws::of(&scored(1)).unwrap());
        let figures = super::super::figures(&scored(5)).unwrap();
        for (value, interval) in figures.values().into_iter().zip(one.intervals()) {
            let ([low, high], value) = (interval.unwrap(), value.unwrap());
            assert!(low < value && value < high, "{low} {value} {high}");
        }
        assert_eq!(one.less(&one).intervals()[0], Some([0.0, 0.0]));
        let [low, high] = one.less(&other).intervals()[0].unwrap();
        assert!(low > 0.2 && high < 1.0, "on every resample it is better than one that is always wrong: {low} {high}");
        let mean = Draws::mean(&[&one, &other]).intervals()[0].unwrap();
        assert!(mean[0] < one.intervals()[0].unwrap()[0]);
        // One class alone has no AUC, nor an interval of it.
        assert_eq!(Draws::of(&scored(5)[..1]).unwrap().intervals(), [None; 4]);
    }
}
