//! Simulated scores of a road on which nothing happens: a slow wavering, and now and then something that looks a little like an
//! incident. What a calibration promises is held against much longer footage of the same road.

use super::*;
use crate::ErrorKind;

const SEGMENT_S: f64 = 0.64;
const RULE: AlarmRule =
    AlarmRule { threshold: 0.5, release: 0.4, min_length: 2, cool_down_ns: 30_000_000_000, min_segments: 8 };

/// Numbers 0..1 by Sebastiano Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Scores of `hours`; in the morning's rush, things happen `rush` times as often.
fn road(hours: f64, seed: u64, rush: f64) -> Footage {
    let mut random = Random(seed);
    let (mut wavering, mut left, mut height) = (0.0, 0, 0.0);
    let score = |n: u32| {
        let [a, b, c, d] = [(); 4].map(|()| random.next());
        let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        wavering = 0.9 * wavering + 0.19f64.sqrt() * normal;
        let hour = (f64::from(n) * SEGMENT_S / 3600.0) % 24.0;
        let an_hour = if (7.0..9.0).contains(&hour) { 20.0 * rush } else { 20.0 };
        if left == 0 && c < an_hour * SEGMENT_S / 3600.0 {
            (height, left) = (-(1.0 - d).ln(), 2 + (d * 1e6) as u32 % 14);
        }
        let mut logit = -3.0 + 0.7 * wavering;
        if left > 0 {
            logit += height;
            left -= 1;
        }
        levels::score(logit)
    };
    let scores = (0..(hours * 3600.0 / SEGMENT_S) as u32).map(score).collect();
    Footage { series: vec![Series { name: format!("road {seed}"), start_s: 0.0, scores }], segment_s: SEGMENT_S }
}

fn refused(footage: &Footage, rate: f64) -> String {
    let error = calibrate(footage, &RULE, rate).expect_err("refused");
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    error.to_string()
}

/// The promise: at 24 alarms a day, from a day of footage, the rate on 30 days of fresh footage lies in the range. One in twenty may
/// fall outside; of these eight, one does, and by little.
#[test]
fn the_rate_on_fresh_footage_lies_in_the_range_that_was_promised() {
    for (rush, least) in [(1.0, 7), (8.0, 8)] {
        let fresh = road(30.0 * 24.0, 1000 + u64::from(rush > 1.0), rush);
        let kept = |seed: u64| {
            let found = calibrate(&road(24.0, seed, rush), &RULE, 24.0).unwrap();
            let rate = levels::count(&fresh, &levels::at(&RULE, found.threshold)) as f64 / 30.0;
            println!("{rate:.1} a day on fresh footage: {found:?}");
            assert!((0.6 * 24.0..1.7 * 24.0).contains(&rate), "{rate}");
            assert!(found.low < 24.0 && 24.0 < found.high && found.seen.abs_diff(24) < 8, "{found:?}");
            (found.low..=found.high).contains(&rate)
        };
        let kept = (1..=8).filter(|seed| kept(*seed)).count();
        assert!(kept >= least, "{kept} of 8");
    }
}

#[test]
fn cameras_are_taken_together_and_bunches_widen_the_range() {
    let calm = calibrate(&road(24.0, 5, 1.0), &RULE, 24.0).unwrap();
    let mut two = road(12.0, 21, 1.0);
    two.series.extend(road(12.0, 22, 1.0).series);
    let two = calibrate(&two, &RULE, 24.0).unwrap();
    assert!((two.hours - 24.0).abs() < 0.01 && two.seen.abs_diff(24) < 8, "{two:?}");
    let bunched = calibrate(&road(24.0, 5, 8.0), &RULE, 24.0).unwrap();
    assert!(calm.bunching < 2.0 && bunched.bunching > 2.0, "{} and {}", calm.bunching, bunched.bunching);
    assert!(bunched.high / bunched.low > calm.high / calm.low);
}

#[test]
fn the_same_footage_gives_the_same_threshold() {
    let found = || calibrate(&road(24.0, 3, 1.0), &RULE, 24.0).unwrap();
    assert_eq!(found(), found());
}

#[test]
fn footage_that_does_not_tell_is_refused_with_the_reason() {
    let told = refused(&road(0.5, 1, 1.0), 24.0);
    assert!(told.contains("0.5 hours long"), "{told}");
    let told = refused(&road(8.0, 1, 1.0), 0.1);
    assert!(told.contains("too short for so few alarms") && told.contains("8.0 hours"), "{told}");
    let told = refused(&road(24.0, 1, 1.0), 2000.0);
    assert!(told.contains("run into each other"), "{told}");
    let mut flat = road(8.0, 1, 1.0);
    flat.series[0].scores.fill(0.1);
    let told = refused(&flat, 24.0);
    assert!(told.contains("separate peaks"), "{told}");
}

#[test]
fn scores_of_nearly_one_are_shown_and_no_threshold_is_made_of_them() {
    let mut footage = road(24.0, 1, 1.0);
    for peak in footage.series[0].scores.chunks_mut(2000) {
        peak[100..110].fill(1.0);
    }
    let told = refused(&footage, 24.0);
    assert!(told.contains("the highest: road 1 at 64 s (1.000)"), "{told}");
}

#[test]
fn a_level_is_where_the_rule_raises_so_many_alarms() {
    let footage = road(24.0, 4, 1.0);
    let levels = levels::levels(&footage, &RULE, 40);
    assert_eq!(levels.len(), 40);
    assert!(levels.is_sorted_by(|a, b| a >= b));
    for count in [5, 20, 39] {
        let between = f64::midpoint(levels[count - 1], levels[count]);
        let alarms = levels::count(&footage, &levels::at(&RULE, levels::score(between)));
        assert!(alarms.abs_diff(count) <= 1, "{alarms} alarms at the level of {count}");
    }
}

#[test]
fn a_tail_is_found_again() {
    for (scale, shape) in [(1.0, 0.0), (0.5, 0.3), (2.0, -0.3)] {
        let true_one = Tail { scale, shape };
        for share in [1e-4, 0.02, 0.5, 1.0] {
            assert!((true_one.survival(true_one.excess(share)) - share).abs() < 1e-9);
        }
        let through = Tail::through(true_one.excess(0.01), 0.01, shape);
        assert!((through.scale - scale).abs() < 1e-9);
        // Its own quantiles.
        let excesses: Vec<f64> = (0..1000).rev().map(|n| true_one.excess((f64::from(n) + 0.5) / 1000.0)).collect();
        let (found, _) = Tail::fit(&excesses);
        assert!((found.scale / scale - 1.0).abs() < 0.03 && (found.shape - shape).abs() < 0.03, "{found:?}");
        assert!(found.fit_p(&excesses[..]) > 0.9);
    }
    // Two kinds of excess are no tail of one law.
    let two: Vec<f64> =
        (0..100).map(|n| if n < 50 { 0.1 + f64::from(n) * 1e-4 } else { 5.0 + f64::from(n) * 1e-4 }).collect();
    assert!(Tail::fit(&two).0.fit_p(&two) < FIT_P_MIN);
}
