//! How well footage knows the rate of a threshold: peaks come in, the rates go out that they do not speak against.
//!
//! The likelihood of the peaks as a Poisson process whose excesses are generalised Pareto, as a function of the rate beyond the
//! threshold, with everything else at its likeliest (profile likelihood; Coles, "An Introduction to Statistical Modeling of Extreme
//! Values", 2001, section 2.6.6). A rate is in the range when twice the log-likelihood that it costs is at most the 95 % point of
//! chi-squared, times the bunching of the peaks (quasi-likelihood: McCullagh and Nelder, "Generalized Linear Models", section 9.2).

use super::tail::{Tail, lowest, shapes};

/// Half of chi-squared's 95 % point, for one degree of freedom.
const CUT: f64 = 1.920_729;
/// A range does not go below a hundredth of the rate: that is none at all.
const LOW_MIN: f64 = 0.01;
/// Nor above a thousand times.
const HIGH_MAX: f64 = 1000.0;

/// The 95 % range of the rate a day at which peaks lie `beyond` the level that `excesses`, of `days` of footage, are over. `rate` is the
/// likeliest.
pub fn of_rate(excesses: &[f64], beyond: f64, rate: f64, days: f64, bunching: f64) -> (f64, f64) {
    let best = cost(excesses, beyond, rate * days);
    let out = |rate: f64| cost(excesses, beyond, rate * days) - best > CUT * bunching;
    let low = border(&out, rate, rate * LOW_MIN).unwrap_or(0.0);
    let high = border(&out, rate, rate * HIGH_MAX).unwrap_or(f64::INFINITY);
    (low, high)
}

/// Between a rate inside and one at most as far as `until`: the first that is out.
fn border(out: &impl Fn(f64) -> bool, inside: f64, until: f64) -> Option<f64> {
    let way = if until > inside { 1.0 } else { -1.0 };
    let (mut a, mut b, end) = (inside.ln(), inside.ln(), until.ln());
    let mut step = 0.1;
    while !out(b.exp()) {
        if (end - b) * way <= 0.0 {
            return None;
        }
        (a, b) = (b, b + way * step);
        step *= 1.15;
    }
    for _ in 0..16 {
        let middle = f64::midpoint(a, b);
        if out(middle.exp()) {
            b = middle;
        } else {
            a = middle;
        }
    }
    Some(f64::midpoint(a, b).exp())
}

/// The negative log-likelihood of the peaks when `alarms` lie beyond in all the footage, the rest at its likeliest.
fn cost(excesses: &[f64], beyond: f64, alarms: f64) -> f64 {
    let count = excesses.len() as f64;
    let spread = 5.0 / count.sqrt();
    let (low, high) = ((count.ln() - spread).max((alarms * 1.0001).ln()), count.ln() + spread);
    if low >= high {
        return f64::INFINITY;
    }
    let of_shape = |shape: f64| {
        let of_peaks = |log_peaks: f64| {
            let tail = Tail::through(beyond, alarms / log_peaks.exp(), shape);
            tail.cost(excesses) - (count * log_peaks - log_peaks.exp())
        };
        of_peaks(lowest(of_peaks, low, high, 20))
    };
    shapes().map(of_shape).fold(f64::INFINITY, f64::min)
}
