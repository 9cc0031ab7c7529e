//! ROC AUC and average precision of weighted observations. Pure; equal to scikit-learn's `roc_auc_score` and
//! `average_precision_score` on the observations written out one by one.

/// A score shared by so many positives and negatives (the frames of a row, or one video).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The score.
    pub score: f32,
    /// Positives that have it.
    pub positives: u64,
    /// Negatives that have it.
    pub negatives: u64,
}

impl Observation {
    /// One positive or one negative.
    pub fn of(score: f32, positive: bool) -> Self {
        Self { score, positives: u64::from(positive), negatives: u64::from(!positive) }
    }
}

/// Observations by falling score, equal scores joined.
#[derive(Clone, Debug)]
pub struct Curve {
    steps: Vec<Observation>,
    positives: u64,
    negatives: u64,
}

impl Curve {
    /// Sort and join.
    pub fn new(mut observations: Vec<Observation>) -> Self {
        observations.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut steps: Vec<Observation> = Vec::with_capacity(observations.len());
        for next in observations {
            match steps.last_mut() {
                Some(last) if last.score == next.score => {
                    last.positives += next.positives;
                    last.negatives += next.negatives;
                }
                _ => steps.push(next),
            }
        }
        let positives = steps.iter().map(|step| step.positives).sum();
        let negatives = steps.iter().map(|step| step.negatives).sum();
        Self { steps, positives, negatives }
    }

    /// The observations by falling score, equal scores joined.
    pub fn steps(&self) -> &[Observation] {
        &self.steps
    }

    /// Area under the ROC curve; a tie counts half. `None` where one class is absent.
    pub fn auc(&self) -> Option<f64> {
        if self.positives == 0 || self.negatives == 0 {
            return None;
        }
        let mut above = 0_u128;
        let mut doubled = 0_u128;
        for step in &self.steps {
            let (positives, negatives) = (u128::from(step.positives), u128::from(step.negatives));
            doubled += negatives * (2 * above + positives);
            above += positives;
        }
        Some(doubled as f64 / (2.0 * self.positives as f64 * self.negatives as f64))
    }

    /// Average precision, `sum (R_n - R_{n-1}) P_n` over falling thresholds. `None` without positives.
    pub fn average_precision(&self) -> Option<f64> {
        if self.positives == 0 {
            return None;
        }
        let (mut found, mut false_alarms, mut sum) = (0_u64, 0_u64, 0.0);
        for step in &self.steps {
            found += step.positives;
            false_alarms += step.negatives;
            if step.positives > 0 {
                sum += step.positives as f64 * found as f64 / (found + false_alarms) as f64;
            }
        }
        Some(sum / self.positives as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(scores: &[f32], truth: &[u8]) -> Curve {
        Curve::new(scores.iter().zip(truth).map(|(&score, &truth)| Observation::of(score, truth == 1)).collect())
    }

    #[test]
    fn known_values() {
        // scikit-learn's own example: AUC 0.75, AP 0.8333...
        let example = curve(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]);
        assert_eq!(example.auc(), Some(0.75));
        assert!((example.average_precision().unwrap() - 0.833_333_333).abs() < 1e-9);
        // Ties count half.
        assert_eq!(curve(&[0.5, 0.5, 0.5, 0.5], &[0, 1, 0, 1]).auc(), Some(0.5));
        assert_eq!(curve(&[0.5, 0.5, 0.9], &[0, 1, 1]).auc(), Some(0.75));
        // Tied: recall 0.5 at precision 1, then 0.5 more at precision 2/3.
        let tied = curve(&[0.5, 0.5, 0.9], &[0, 1, 1]).average_precision().unwrap();
        assert!((tied - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(curve(&[0.1, 0.2], &[1, 1]).auc(), None);
        assert_eq!(curve(&[0.1, 0.2], &[0, 0]).average_precision(), None);
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_ordered_pairs(items in prop::collection::vec((0_u8..6, any::<bool>()), 2..40)) {
            let curve = Curve::new(items.iter().map(|&(s, truth)| Observation::of(f32::from(s), truth)).collect());
            let (mut doubled, mut pairs) = (0, 0);
            for (a, _) in items.iter().filter(|item| item.1) {
                for (b, _) in items.iter().filter(|item| !item.1) {
                    doubled += match a.cmp(b) { std::cmp::Ordering::Less => 0, std::cmp::Ordering::Equal => 1, std::cmp::Ordering::Greater => 2 };
                    pairs += 2;
                }
            }
            let expected = (pairs > 0).then(|| f64::from(doubled) / f64::from(pairs));
            prop_assert_eq!(curve.auc(), expected);
        }

        #[test]
        fn weights_stand_for_repetition(items in prop::collection::vec((0_u8..6, 0_u64..4, 0_u64..4), 1..20)) {
            let joined = Curve::new(items.iter().map(|&(s, positives, negatives)| Observation { score: f32::from(s), positives, negatives }).collect());
            let single = Curve::new(items.iter().flat_map(|&(s, p, n)| {
                let of = move |truth| Observation::of(f32::from(s), truth);
                std::iter::repeat_n(of(true), p as usize).chain(std::iter::repeat_n(of(false), n as usize))
            }).collect());
            prop_assert_eq!(joined.auc(), single.auc());
            prop_assert_eq!(joined.average_precision(), single.average_precision());
        }
    }
}
