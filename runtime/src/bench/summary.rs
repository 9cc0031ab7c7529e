//! Many times in, two figures out. Pure.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Median and 99th percentile of some times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Median, milliseconds.
    pub median_ms: f64,
    /// 99th percentile, milliseconds.
    pub p99_ms: f64,
}

impl Summary {
    /// Of times in milliseconds, in any order; none: of nothing.
    pub fn of(times_ms: &[f64]) -> Option<Self> {
        let mut sorted = times_ms.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self { median_ms: percentile(&sorted, 50.0)?, p99_ms: percentile(&sorted, 99.0)? })
    }
}

/// The smallest of the sorted values that `percent` of them do not exceed (nearest rank); none: of nothing.
pub fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The times of `work`, milliseconds, one each, repeated for `span` and `least` times at least.
///
/// # Errors
/// The first of the work's.
pub fn repeat<E>(span: Duration, least: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<Vec<f64>, E> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < least || begun.elapsed() < span {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values_themselves() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(100.0));
        assert_eq!(percentile(&values, 99.0), Some(198.0));
        assert_eq!(percentile(&values, 100.0), Some(200.0));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
    }

    #[test]
    fn a_summary_needs_no_order_and_nothing_has_none() {
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]), Some(Summary { median_ms: 2.0, p99_ms: 3.0 }));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn work_is_repeated_often_enough_and_its_error_ends_it() {
        let mut runs = 0;
        let times = repeat(Duration::ZERO, 5, || {
            runs += 1;
            Ok::<(), ()>(())
        });
        assert_eq!((times.map(|times| times.len()), runs), (Ok(5), 5));
        assert_eq!(repeat(Duration::ZERO, 5, || Err("no")), Err("no"));
    }
}
