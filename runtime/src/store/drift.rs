//! How far apart two models' scores lie where it matters: both are set against their own thresholds, and counted at levels from
//! well below the threshold to well above. Scores come in, the largest difference of two shares goes out (the
//! Kolmogorov-Smirnov distance, on these levels). Fixed memory.
//!
//! Raw scores of two good models need not be alike: one may call a quiet road .02 and the other .1, each with a threshold to match.
//! A share of segments near or above the threshold is what alarms are made of, and what thresholds were calibrated for. So
//! the scale is logit(score) - logit(threshold), on which 0 is the threshold, and everything below the lowest level is quiet.

/// Levels at which scores are counted, in logits above the threshold: -2, -1.5, ... 5.5.
const LEVELS: usize = 16;
const LOWEST: f32 = -2.0;
const STEP: f32 = 0.5;

/// Scores of two models on the same segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drift {
    candidate: [u32; LEVELS],
    present: [u32; LEVELS],
    segments: u32,
    /// Range of each model's scores: one that never moves while the other does is stuck.
    ranges: [Option<(f32, f32)>; 2],
}

impl Drift {
    /// Count one segment's scores, each with its model's threshold; all between 0 and 1.
    pub fn count(&mut self, candidate: (f32, f32), present: (f32, f32)) {
        self.segments = self.segments.saturating_add(1);
        for (levels, range, (score, threshold)) in
            [(&mut self.candidate, 0, candidate), (&mut self.present, 1, present)]
        {
            let above = logit(score) - logit(threshold);
            for (n, count) in levels.iter_mut().enumerate() {
                *count = count.saturating_add(u32::from(above > LOWEST + STEP * n as f32));
            }
            let (low, high) = self.ranges[range].unwrap_or((score, score));
            self.ranges[range] = Some((low.min(score), high.max(score)));
        }
    }

    /// Segments counted.
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// The largest difference of the shares of segments above a level, 0..=1.
    pub fn distance(&self) -> f32 {
        let larger = |a: u32, (b, c): (&u32, &u32)| a.max(b.abs_diff(*c));
        self.candidate.iter().zip(&self.present).fold(0, larger) as f32 / self.segments.max(1) as f32
    }

    /// True when the candidate gives one and the same score whatever it sees, and the present model does not.
    pub fn stuck(&self) -> bool {
        matches!(self.ranges, [Some((low, high)), Some((other_low, other_high))] if low == high && other_low < other_high)
    }
}

fn logit(score: f32) -> f32 {
    let score = score.clamp(1e-6, 1.0 - 1e-6);
    (score / (1.0 - score)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(pairs: impl Iterator<Item = (f32, f32)>) -> Drift {
        let mut drift = Drift::default();
        pairs.for_each(|(candidate, present)| drift.count((candidate, 0.5), (present, 0.5)));
        drift
    }

    #[test]
    fn two_quiet_models_are_alike_however_low_they_score() {
        let drift = drift((0..100).map(|n| (0.001 + 1e-5 * n as f32, 0.08 + 1e-4 * n as f32)));
        assert_eq!((drift.distance(), drift.stuck()), (0.0, false));
    }

    #[test]
    fn a_share_of_alarms_is_the_distance() {
        let drift = drift((0..100).map(|n| (if n < 30 { 0.9 } else { 0.01 }, 0.02 + 1e-4 * n as f32)));
        assert_eq!(drift.distance(), 0.3);
    }

    #[test]
    fn each_is_set_against_its_own_threshold() {
        let mut drift = Drift::default();
        for _ in 0..10 {
            drift.count((0.8, 0.7), (0.31, 0.2));
        }
        // .54 and .59 logits above: the same levels.
        assert_eq!(drift.distance(), 0.0);
        drift.count((0.8, 0.7), (0.1, 0.2));
        assert_eq!(drift.distance(), 1.0 / 11.0);
    }

    #[test]
    fn one_that_never_moves_is_stuck() {
        assert!(drift((0..10).map(|n| (0.02, 0.01 * n as f32))).stuck());
        assert!(!drift((0..10).map(|_| (0.02, 0.03))).stuck());
        assert!(!Drift::default().stuck());
    }
}
