//! The runs of several seeds, judged as one: their folders in; mean, deviation and each out.

use std::path::PathBuf;

use runtime::{Error, Result};
use serde_json::json;

use super::Figures;
use super::bootstrap::Draws;
use super::command::{Judged, Resampled, judge_run};
use crate::dataset::Dataset;

/// Judge runs that differ in their seed; the figures are their means, with the interval of the mean over videos.
pub fn judge_seeds(folders: &[PathBuf], dataset: &Dataset, streaming: bool, fps: f64) -> Result<Judged> {
    let runs: Vec<Judged> =
        folders.iter().map(|path| judge_run(path, dataset, streaming, fps)).collect::<Result<_>>()?;
    joined(&runs, dataset)
}

/// Runs judged already, as one.
pub fn joined(runs: &[Judged], dataset: &Dataset) -> Result<Judged> {
    let Some(first) = runs.first() else {
        return Err(Error::invalid("--seeds", "names no runs", "name at least one seed"));
    };
    let offline = mean(&runs.iter().map(|run| &run.offline).collect::<Vec<_>>());
    let mut json = json!({
        "videos": first.json["videos"],
        "frames": first.json["frames"],
        "dataset": dataset.root,
        "runs": runs.iter().map(|run| run.json.clone()).collect::<Vec<_>>(),
        "offline": offline.figures,
        "mean": { "offline": offline.figures },
        "deviation": { "offline": deviation(&offline.each) },
    });
    let streaming: Option<Vec<&Resampled>> = runs.iter().map(|run| run.streaming.as_ref()).collect();
    let streaming = streaming.map(|runs| {
        let mean = mean(&runs);
        json["streaming"] = json!(mean.figures);
        json["mean"]["streaming"] = json!(mean.figures);
        json["deviation"]["streaming"] = json!(deviation(&mean.each));
        mean
    });
    Ok(Judged { offline, streaming, json })
}

/// The mean of each figure, resample by resample too.
fn mean(all: &[&Resampled]) -> Resampled {
    let each: Vec<Figures> = all.iter().map(|one| one.figures.clone()).collect();
    let of = |figure: usize| Some(moments(&each, figure)?.0);
    let draws = Draws::mean(&all.iter().map(|one| &one.draws).collect::<Vec<_>>());
    let figures = draws.around(&Figures::of(std::array::from_fn(of)));
    // Scores of different runs are not of one scale: they have no mean.
    Resampled { figures, draws, each, scores: Vec::new() }
}

/// The sample deviation (n - 1) of each figure over runs; none of a single run, or of a figure that a run lacks.
pub fn deviation(each: &[Figures]) -> Figures {
    Figures::of(std::array::from_fn(|figure| moments(each, figure)?.1))
}

/// Mean and sample deviation of one figure.
fn moments(each: &[Figures], figure: usize) -> Option<(f64, Option<f64>)> {
    let values: Vec<f64> = each.iter().map(|figures| figures.values()[figure]).collect::<Option<_>>()?;
    spread(&values)
}

/// Mean and sample deviation (n - 1) of values; no deviation of a single one, nothing of none.
pub fn spread(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())))
}

/// How much more `one` has than `other`, figure by figure, with the interval of the difference by paired resampling.
pub fn difference(one: &Resampled, other: &Resampled) -> Figures {
    let (a, b) = (one.figures.values(), other.figures.values());
    let difference = std::array::from_fn(|figure| a[figure].zip(b[figure]).map(|(a, b)| a - b));
    one.draws.less(&other.draws).around(&Figures::of(difference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_a_sample() {
        let (mean, of_sample) = spread(&[0.70, 0.72, 0.77]).unwrap();
        // Squares .0009, .0001, .0016 about .73, over 2.
        assert!((mean - 0.73).abs() < 1e-12 && (of_sample.unwrap() - 0.0013_f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread(&[0.5]), Some((0.5, None)));
        assert_eq!(spread(&[]), None);
        let each = [Some(0.7), None].map(|ap| Figures::of([Some(0.6), ap, None, None]));
        assert_eq!(deviation(&each).values(), [Some(0.0), None, None, None]);
    }
}
