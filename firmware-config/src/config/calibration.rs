//! Where a threshold is from, `[alarm.calibration]`: what `tadpole calibrate` promised when it wrote it. It changes nothing; it
//! is there for people, and for the page. Which values can be.

use serde::Deserialize;

use super::{Alarm, Problem};

/// What a calibrated threshold promises.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// False alarms a day of one camera that were asked for; above 0.
    pub false_alarms_per_day: f32,
    /// The rate that the threshold gives lies, with 95 % confidence, at or above this.
    pub low: f32,
    /// And at or below this.
    pub high: f32,
    /// Segments of normal footage that it is from.
    pub segments: u64,
    /// The model whose scores they were: name and release. Another model needs another calibration.
    pub model: String,
    /// The day it was made, `2026-11-22`, for people.
    pub date: String,
}

pub(super) fn problems(alarm: &Alarm, problems: &mut Vec<Problem>) {
    let Some(calibration) = &alarm.calibration else { return };
    let mut problem = |key: &str, problem: &str, remedy: &str| {
        problems.push(Problem::new(format!("alarm.calibration{key}"), problem, remedy));
    };
    if alarm.threshold.is_none() {
        problem("", "tells of a threshold that is not there", "remove it, or run `tadpole calibrate` again");
    }
    let Calibration { false_alarms_per_day: rate, low, high, model, date, .. } = calibration;
    let again = "`tadpole calibrate` writes it";
    if !(*rate > 0.0 && *rate <= 1e5) {
        problem(".false_alarms_per_day", "is no number above 0", again);
    }
    if !(*low >= 0.0 && low <= high && *high <= 1e6) {
        problem(".low", "is no range together with `high`", again);
    }
    if model.is_empty() || model.len() > 128 {
        problem(".model", "is no model's name", again);
    }
    let shaped = date.len() == 10
        && date.bytes().enumerate().all(|(n, b)| if matches!(n, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        problem(".date", "is no date such as `2026-11-22`", again);
    }
}
