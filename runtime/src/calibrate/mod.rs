//! A threshold for a stated rate of false alarms: scores of footage in which nothing happened come in, a threshold and the range in
//! which its rate lies go out. Refused, with the reason: footage that is too short for the rate, or whose highest scores follow no
//! law that could be believed. Pure but for the config that [`write`] changes the text of.
//!
//! Peaks over threshold (Davison and Smith, "Models for exceedances over high thresholds", J. R. Stat. Soc. B 52, 1990): what is
//! counted is alarms and not segments, so the alarm's own rule makes the peaks ([`levels`]); how far they reach beyond a level is
//! fitted with the generalised Pareto distribution ([`tail`]), which gives the threshold; and how well the footage knows the rate is
//! the profile likelihood of it ([`range`]), widened where alarms come in bunches. docs/design/calibration.md tells why so.

pub mod footage;
pub mod levels;
pub mod range;
pub mod tail;
pub mod write;

use crate::alarm::AlarmRule;
use crate::{Error, Result};
pub use footage::{Footage, Series};
use tail::Tail;

/// The shortest footage, in hours: whatever the rate, an hour shows too little of a road.
const HOURS_MIN: f64 = 1.0;
/// The fewest peaks that a tail is fitted to.
const PEAKS_MIN: usize = 30;
/// As many as are wanted.
const PEAKS_WANTED: usize = 50;
/// As many as are wanted, in alarms that the footage should hold: the rate then lies within what was seen.
const PEAKS_PER_ALARM: f64 = 2.5;
/// A fit at which so few samples of itself lie as badly is no fit.
const FIT_P_MIN: f64 = 0.05;
/// The rate may be so many times what was asked for, before it is no promise.
const HIGH_MAX: f64 = 5.0;
/// What is told of the highest scores.
const HIGHEST: usize = 5;

/// What footage tells of a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    /// A score above this raises an alarm.
    pub threshold: f32,
    /// False alarms a day of one camera that were asked for.
    pub rate: f64,
    /// The rate lies, with 95 % confidence, between this
    pub low: f64,
    /// and this.
    pub high: f64,
    /// Segments of footage.
    pub segments: u64,
    /// Hours of footage, of all cameras together.
    pub hours: f64,
    /// Alarms that the footage would have raised.
    pub seen: usize,
    /// Peaks that the tail was fitted to.
    pub peaks: usize,
    /// The shape of the tail: above 0 heavy, below 0 with an end.
    pub shape: f64,
    /// How bunched the peaks are: 1 when they are independent.
    pub bunching: f64,
}

/// The threshold at which `rule` raises `rate` false alarms a day of one camera.
///
/// # Errors
/// Of kind `InvalidInput` when the footage does not tell it.
pub fn calibrate(footage: &Footage, rule: &AlarmRule, rate: f64) -> Result<Calibrated> {
    let days = footage.days();
    let refuse = |problem: String, remedy: String| Err(Error::invalid("the footage", problem, remedy));
    if days * 24.0 < HOURS_MIN {
        return refuse(
            format!("is {:.1} hours long: too short for any threshold", days * 24.0),
            format!("give at least {HOURS_MIN} hour of it, and rather a day: night and rush hour score differently"),
        );
    }
    // Alarms of this rate in footage of this length.
    let alarms = rate * days;
    let wanted = PEAKS_WANTED.max((PEAKS_PER_ALARM * alarms).ceil() as usize);
    let least = PEAKS_MIN.max((1.2 * alarms).ceil() as usize);
    let levels = levels::levels(footage, rule, wanted + 1);
    let there = levels.len().saturating_sub(1);
    if there < least && least > PEAKS_MIN {
        return refuse(
            format!("shows {there} separate peaks, fewer than {least}: at this rate alarms would run into each other"),
            "ask for fewer false alarms a day".into(),
        );
    }
    if there < least {
        return refuse(
            format!(
                "shows {there} separate peaks, fewer than the {least} that a tail is fitted to, in {:.1} hours",
                days * 24.0
            ),
            "give longer footage".into(),
        );
    }
    let (tail, over, excesses, p) = fitting(&levels, wanted.min(there), least);
    let peaks = excesses.len();
    if p < FIT_P_MIN {
        return refuse(
            format!("has highest scores that follow no law (p = {p:.2}){}", highest(footage)),
            "look at these moments: cut out what is an incident, and give longer footage".into(),
        );
    }
    let beyond = tail.excess(alarms / peaks as f64);
    let threshold = levels::score(over + beyond);
    if !(threshold > 0.0 && threshold < 1.0 - f32::EPSILON) {
        return refuse(
            format!("has scores of nearly 1 more often than {rate} times a day{}", highest(footage)),
            "look at these moments; ask for more false alarms a day, or train the model on this view".into(),
        );
    }
    let bunching = levels::bunching(footage, &levels::at(rule, levels::score(over)));
    let (low, high) = range::of_rate(&excesses, beyond, rate, days, bunching);
    if high > HIGH_MAX * rate {
        return refuse(
            format!(
                "is too short for so few alarms: {:.1} hours leave open a rate of {low:.2} to {high:.1} a day",
                days * 24.0
            ),
            format!("give about {:.0} hours, or ask for more false alarms a day", (days * 24.0 * 2.0).ceil()),
        );
    }
    let seen = levels::count(footage, &levels::at(rule, threshold));
    let (segments, hours) = (footage.segments(), days * 24.0);
    Ok(Calibrated { threshold, rate, low, high, segments, hours, seen, peaks, shape: tail.shape, bunching })
}

/// The largest number of peaks, from `most` to `least`, to which a tail fits: the tail, the level that they are over, by how much
/// (rising), and how well it fits.
fn fitting(levels: &[f64], most: usize, least: usize) -> (Tail, f64, Vec<f64>, f64) {
    let mut peaks = most;
    loop {
        let over = levels[peaks];
        // A level of several peaks is no excess of 0, which would be likelier than anything.
        let excesses: Vec<f64> = levels[..peaks].iter().rev().map(|level| (level - over).max(1e-9)).collect();
        let (tail, _) = Tail::fit(&excesses);
        let p = tail.fit_p(&excesses);
        if p >= FIT_P_MIN || peaks == least {
            return (tail, over, excesses, p);
        }
        peaks = least.max(peaks * 3 / 4);
    }
}

/// Where the highest scores are, for people.
fn highest(footage: &Footage) -> String {
    let moments: Vec<_> = footage
        .highest(HIGHEST)
        .iter()
        .map(|(name, at_s, score)| format!("{name} at {at_s:.0} s ({score:.3})"))
        .collect();
    format!("; the highest: {}", moments.join(", "))
}

#[cfg(test)]
mod tests;
