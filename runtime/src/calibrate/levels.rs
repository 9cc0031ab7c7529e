//! Peaks of footage as the alarm itself would separate them: scores and a rule come in, levels go out. The k-th level is the highest
//! threshold at which the rule raises k alarms; hysteresis, minimum length and cool-down are in it, since it is the rule that counts.
//!
//! Levels are logits of scores: a model's scores are squeezed into 0..1, where every tail has an end, and a tail is easier to know
//! where it was not squeezed.

use super::Footage;
use crate::alarm::{Alarm, AlarmRule, Decision};

/// Steps from the median score to the highest.
const STEPS: u32 = 600;
/// A level is of no use when alarms and what follows them take more than this share of the time: they hide each other.
const BUSY_MAX: f64 = 0.2;
/// Blocks of equal length, for how bunched the peaks are.
const BLOCKS: usize = 24;

/// Log-odds of a score.
pub fn logit(score: f32) -> f64 {
    // What a float cannot tell from 1 is as high as can be.
    let p = f64::from(score).clamp(1e-7, 1.0 - f64::from(f32::EPSILON) / 2.0);
    (p / (1.0 - p)).ln()
}

/// The score of log-odds.
pub fn score(logit: f64) -> f32 {
    (1.0 / (1.0 + (-logit).exp())) as f32
}

/// `rule` with another threshold; the release is the same share of it.
pub fn at(rule: &AlarmRule, threshold: f32) -> AlarmRule {
    AlarmRule { threshold, release: threshold * rule.release / rule.threshold, ..*rule }
}

/// The levels of the highest peaks, falling: `count` of them, or as many as can be told apart.
pub fn levels(footage: &Footage, rule: &AlarmRule, count: usize) -> Vec<f64> {
    let mut scores: Vec<f32> = footage.scores().collect();
    let Some(highest) = scores.iter().copied().max_by(f32::total_cmp) else { return Vec::new() };
    let middle = scores.len() / 2;
    let (_, median, _) = scores.select_nth_unstable_by(middle, f32::total_cmp);
    let (top, bottom) = (logit(highest), logit(*median));
    let step = (top - bottom) / f64::from(STEPS);
    let mut levels = Vec::new();
    for n in 0..=STEPS {
        let level = top - step * f64::from(n);
        let (alarms, busy) = run(footage, &at(rule, score(level)), |_, _| {});
        if busy > BUSY_MAX * footage.segments() as f64 || levels.len() >= count {
            break;
        }
        // Fewer alarms than at a higher threshold: they have run together, and the peaks are still there.
        let new = alarms.saturating_sub(levels.len());
        levels.extend((0..new).map(|i| level + step * (1.0 - (i as f64 + 0.5) / new as f64)));
    }
    levels.truncate(count);
    levels
}

/// Alarms that the rule raises.
pub fn count(footage: &Footage, rule: &AlarmRule) -> usize {
    run(footage, rule, |_, _| {}).0
}

/// How much more than independent ones the alarms of a rule vary from block to block of time: variance over mean, at least 1.
pub fn bunching(footage: &Footage, rule: &AlarmRule) -> f64 {
    let mut blocks = [0.0; BLOCKS];
    let segments = footage.segments().max(1) as usize;
    let mut begins = Vec::new();
    let mut before = 0;
    for series in &footage.series {
        begins.push(before);
        before += series.scores.len();
    }
    run(footage, rule, |series, n| blocks[((begins[series] + n) * BLOCKS / segments).min(BLOCKS - 1)] += 1.0);
    let mean = blocks.iter().sum::<f64>() / BLOCKS as f64;
    let variance = blocks.iter().map(|block| (block - mean).powi(2)).sum::<f64>() / (BLOCKS - 1) as f64;
    if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 }
}

/// Judge all footage by a rule; `raised` is told the series and the segment of each alarm. How many there are, and for how many segments
/// no other could have been raised.
fn run(footage: &Footage, rule: &AlarmRule, mut raised: impl FnMut(usize, usize)) -> (usize, f64) {
    let (mut alarms, mut busy) = (0, 0.0);
    let segment_ns = footage.segment_s * 1e9;
    let cooling = rule.cool_down_ns as f64 / segment_ns;
    for (s, series) in footage.series.iter().enumerate() {
        let mut alarm = Alarm::new(*rule);
        for (n, score) in series.scores.iter().enumerate() {
            match alarm.judge(*score, n + 1, ((n + 1) as f64 * segment_ns) as u64) {
                Some(Decision::Raised { .. }) => {
                    alarms += 1;
                    raised(s, n);
                }
                Some(Decision::Cleared { .. }) => busy += cooling,
                None => {}
            }
            if alarm.is_on() {
                busy += 1.0;
            }
        }
    }
    (alarms, busy)
}
