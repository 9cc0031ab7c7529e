//! A threshold for a stated false-alarm rate: streaming scores of normal recordings in, the lowest threshold that
//! raises no more alarms than asked for out. The alarm is the camera's own, with its minimum length and cool-down.

use firmware_config::manifest::{AlarmDefaults, Threshold};
use runtime::alarm::{Alarm, AlarmRule, Decision};
use runtime::{Error, Result};

use crate::dataset::Video;
use crate::evaluate::{Mode, Scorer, score_all};

/// Nanoseconds of a segment: 16 frames at 25/s.
const SEGMENT_NS: u64 = 640_000_000;
/// Thresholds tried: the sigmoid of 0, 1/20, 2/20 .. 14, since scores crowd at their ends.
const STEPS: u16 = 280;

/// Find the threshold on `normal` recordings.
///
/// # Errors
/// When there is no recording, or the scorer fails.
pub fn calibrate(
    normal: &[Video],
    segments: usize,
    alarm: AlarmDefaults,
    min_segments: u32,
    false_alarms_per_hour: f32,
    scorer: &mut Scorer<'_>,
) -> Result<Threshold> {
    let scored = score_all(normal, segments, Mode::Streaming, scorer)?;
    let rows: usize = scored.iter().map(|s| s.scores.len()).sum();
    if rows == 0 {
        return Err(Error::invalid(
            "--calibrate",
            "no normal recording to calibrate the threshold on",
            "name a data set whose training list has normal recordings (label 0)",
        ));
    }
    let hours = rows as f32 * SEGMENT_NS as f32 / 3.6e12;
    let allowed = (false_alarms_per_hour * hours).floor() as usize;
    if allowed == 0 {
        log::warn!(
            "--calibrate: {:.1} min of normal footage are too little for {false_alarms_per_hour} false alarms an hour: the threshold is one that none \
             of it reaches, and may be out of an incident's reach too; give {:.1} min or more, or a higher rate",
            hours * 60.0,
            60.0 / false_alarms_per_hour
        );
    }
    let alarms = |threshold: f32| -> usize {
        let rule = AlarmRule {
            threshold,
            release: threshold * alarm.release_ratio,
            min_length: ((f64::from(alarm.min_length_s) / 0.64).round() as u32).max(1),
            cool_down_ns: (f64::from(alarm.cool_down_s) * 1e9) as u64,
            min_segments: min_segments as usize,
        };
        scored.iter().map(|s| raised(&s.scores, segments, rule)).sum()
    };
    // Alarms need not fall with every step of the threshold (a higher release ends one sooner, and a second may
    // begin), so the highest threshold that raises too many is looked for, from above.
    let value = (1..STEPS)
        .rev()
        .map(|step| 1.0 / (1.0 + (-f32::from(step) / 20.0).exp()))
        .take_while(|&threshold| alarms(threshold) <= allowed)
        .last()
        .unwrap_or(1.0 - f32::EPSILON);
    Ok(Threshold { value, false_alarms_per_hour: alarms(value) as f32 / hours, calibration_hours: hours })
}

fn raised(scores: &[f32], segments: usize, rule: AlarmRule) -> usize {
    let mut alarm = Alarm::new(rule);
    let decisions = scores
        .iter()
        .enumerate()
        .filter_map(|(t, &score)| alarm.judge(score, (t + 1).min(segments), (t as u64 + 1) * SEGMENT_NS));
    decisions.filter(|d| matches!(d, Decision::Raised { .. })).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_counted_as_a_camera_raises_them() {
        let rule = AlarmRule { threshold: 0.5, release: 0.25, min_length: 2, cool_down_ns: 0, min_segments: 3 };
        assert_eq!(raised(&[0.9, 0.9, 0.0, 0.6, 0.6, 0.3, 0.6, 0.1, 0.6, 0.0], 64, rule), 1);
        assert_eq!(raised(&[0.0, 0.0, 0.9, 0.9, 0.0, 0.9, 0.9], 64, rule), 2);
    }
}
