//! Figures that say that something is wrong with the model or with its data: figures in, plain words out.
//!
//! An AUC of a half is what scores without meaning have. Clearly below it they have a meaning, the opposite one: most
//! often labels or events were swapped.

use super::Figures;
use super::table::COLUMNS;

/// What is wrong with figures of videos scored `how` (offline, streaming); nothing, as a rule.
pub fn warnings(how: &str, figures: &Figures) -> Vec<String> {
    let mut found = Vec::new();
    for (i, (name, key)) in COLUMNS.iter().enumerate().filter(|(_, (_, key))| key.ends_with("_auc")) {
        let Some(value) = figures.values()[i].filter(|value| *value < 0.5) else { continue };
        let of_frames = *key == "frame_auc" || *key == "abnormal_auc";
        let inverted = figures.intervals.values()[i].is_some_and(|[_, high]| high < 0.5);
        found.push(if inverted {
            let check = if of_frames { "and that events are frames of something abnormal" } else { "in train.csv and test.csv" };
            format!(
                "{how}, the {name} is {value:.3}, below .5 on other videos too: what is normal scores higher than what is not. Check \
                 that label 1 means abnormal, {check}"
            )
        } else {
            format!("{how}, the {name} is {value:.3}, below .5: it tells no more than tossing a coin would")
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Intervals;

    #[test]
    fn an_auc_below_a_half_is_said_plainly() {
        let figures = |auc: f64, interval: [f64; 2]| Figures {
            intervals: Intervals { video_auc_interval: Some(interval), ..Intervals::default() },
            ..Figures::of([Some(0.7), Some(0.1), None, Some(auc)])
        };
        assert!(warnings("offline", &figures(0.5, [0.3, 0.7])).is_empty(), "a low precision is no sign of anything");
        let unsure = warnings("offline", &figures(0.45, [0.3, 0.6]));
        assert!(unsure.len() == 1 && unsure[0].contains("offline, the video AUC is 0.450, below .5: it tells no more"));
        let swapped = warnings("streaming", &figures(0.1, [0.05, 0.2]));
        assert!(swapped[0].contains("Check that label 1 means abnormal"), "{swapped:?}");
    }
}
