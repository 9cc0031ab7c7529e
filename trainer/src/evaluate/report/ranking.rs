//! How well scores rank frames: ROC and precision-recall curves.

use runtime::Result;

use super::page::{Key, Section, figure, paragraph, plots};
use super::plot::{Axis, Plot};
use super::{Way, working_point};
use crate::evaluate::metrics::{Curve, Observation};
use crate::evaluate::{Scored, observations};

/// Of each way of scoring, its frames by falling score.
fn frames(scored: &[Scored<'_>]) -> Result<Vec<Observation>> {
    let all: Vec<Vec<Observation>> = scored.iter().map(observations).collect::<Result<_>>()?;
    Ok(all.concat())
}

/// Frames in events and elsewhere whose score is above each score that there is, from the highest down; begins with none.
fn counts(curve: &Curve) -> Vec<(f32, f64, f64)> {
    let (mut found, mut wrong) = (0_u64, 0_u64);
    let mut counts = vec![(f32::INFINITY, 0.0, 0.0)];
    for step in curve.steps() {
        found += step.positives;
        wrong += step.negatives;
        counts.push((step.score, found as f64, wrong as f64));
    }
    counts
}

/// `(false positive rate, true positive rate)`, from the strictest threshold to none.
fn roc(counts: &[(f32, f64, f64)]) -> Vec<(f64, f64)> {
    let (positives, negatives) = counts.last().map_or((0.0, 0.0), |last| (last.1, last.2));
    counts.iter().map(|(_, found, wrong)| (wrong / negatives.max(1.0), found / positives.max(1.0))).collect()
}

/// `(recall, precision)`, from the strictest threshold to none.
fn precision_recall(counts: &[(f32, f64, f64)]) -> Vec<(f64, f64)> {
    let positives = counts.last().map_or(0.0, |last| last.1);
    let of = |(_, found, wrong): &(f32, f64, f64)| (found / positives.max(1.0), found / (found + wrong).max(1.0));
    counts.iter().skip(1).map(of).collect()
}

/// The section.
pub fn section(ways: &[Way<'_>]) -> Result<Section> {
    let mut first = Plot::new(
        Axis::share("share of other frames scored as high"),
        Axis::share("share of event frames found"),
        300.0,
    );
    let mut second = Plot::new(Axis::share("recall: share of event frames found"), Axis::share("precision"), 300.0);
    first.line("chance", &[(0.0, 0.0), (1.0, 1.0)]);
    let (mut keys, mut keys_second, mut prevalence) = (Vec::new(), Vec::new(), 0.0);
    let mut working = String::new();
    for way in ways {
        let counts = counts(&Curve::new(frames(&way.scored)?));
        let (roc, precision_recall) = (roc(&counts), precision_recall(&counts));
        first.line(way.class, &roc);
        second.line(way.class, &precision_recall);
        if let Some(&(_, found, wrong)) = counts.last() {
            prevalence = found / (found + wrong).max(1.0);
        }
        if let Some(point) = &way.working {
            // The last threshold above the working one: what scores over it.
            let over = counts.iter().rposition(|(score, ..)| *score > point.threshold).unwrap_or(0);
            first.dot(way.class, roc[over]);
            if over > 0 {
                second.dot(way.class, precision_recall[over - 1]);
            }
            if working.is_empty() {
                let (wrong, found) = roc[over];
                working = format!(
                    " The circle is where the normal videos give {} false alarms an hour at most: {:.0} % of event frames and {:.1} % \
                     of the others score higher.",
                    super::WORKING_RATE,
                    100.0 * found,
                    100.0 * wrong,
                );
            }
        }
        let value = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        keys.push((Key::Line(way.class), format!("{} (AUC {})", way.name, value(way.judged.figures.frame_auc))));
        keys_second.push((Key::Line(way.class), format!("{} (AP {})", way.name, value(way.judged.figures.frame_ap))));
    }
    second.level("chance", prevalence);
    if let Some(way) = ways.iter().find(|way| way.working.is_some()) {
        for keys in [&mut keys, &mut keys_second] {
            keys.push((Key::Dot(way.class), working_point()));
        }
    }
    keys.push((Key::Line("chance"), "chance".into()));
    keys_second.push((Key::Line("chance"), format!("chance ({prevalence:.3})")));
    let captions = [
        format!(
            "The steeper the rise at the left, the fewer other frames score as high as events do. Area 1: every event frame \
             outranks every other; 0.5: the scores say nothing.{working}"
        ),
        "Of the frames over a threshold, how many lie in events (up), against how many of all event frames those are (right). \
         Events are rare, so this falls far below the other curve; compare it with chance, their share of all frames."
            .to_owned(),
    ];
    let figures = [
        figure("ROC, by frames", &first.svg("ROC curve over all test frames"), &keys, &captions[0]),
        figure(
            "Precision and recall, by frames",
            &second.svg("Precision-recall curve over all test frames"),
            &keys_second,
            &captions[1],
        ),
    ];
    let intro = paragraph("Whether frames inside events score higher than all others, whatever the threshold.");
    Ok(Section { id: "ranking", title: "Ranking", html: intro + &plots(&figures) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_of_four_frames() {
        let observations = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        let counts = counts(&Curve::new(observations.iter().map(|&(s, truth)| Observation::of(s, truth)).collect()));
        assert_eq!(roc(&counts), [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!(precision_recall(&counts), [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)]);
    }
}
