//! `train --seeds`: the same training for several seeds, one after the other, into `OUT/seed-N`.
//!
//! Where the data set has a test list, each run is judged on it once it is trained: no choice is made by that, neither of
//! weights nor of seeds. What it came to, with mean and sample deviation, is written to `OUT/seeds.json` and returned.
//! Refused before anything is trained: folders that hold runs already (unless they are gone on with), and test lists
//! without the truth that judging needs.

use std::path::Path;

use runtime::{Error, Result};
use serde_json::{Value, json};

use super::{Device, RunFile, Settings, train};
use crate::dataset::{Dataset, Split};
use crate::evaluate::command::{Judged, judge_run};
use crate::evaluate::seeds::{joined, spread};
use crate::evaluate::truth;
use crate::files::write_atomic;
use crate::seeds::folder;

/// Frames a second that recordings are taken to have where delays are reckoned beside a training.
const FPS: f64 = 25.0;

/// Train and judge a run for each seed. With `resume`, finished runs stay as they are, interrupted ones go on, missing ones begin.
pub fn train_seeds(
    dataset: &Dataset,
    settings: &Settings,
    seeds: &[u64],
    device: Device,
    out: &Path,
    resume: bool,
) -> Result<Value> {
    if let Some(there) = seeds.iter().map(|&seed| folder(out, seed)).find(|run| run.join("run.json").exists())
        && !resume
    {
        let remedy = "go on with --resume, or name another --out";
        return Err(Error::invalid(there.display().to_string(), "holds a run already", remedy));
    }
    let tested = dataset.has(Split::Test);
    if tested {
        dataset.both_classes(Split::Test)?.iter().try_for_each(|video| truth(&video.entry).map(|_| ()))?;
    }
    let (mut files, mut judged): (Vec<RunFile>, Vec<Judged>) = (Vec::new(), Vec::new());
    for (i, &seed) in seeds.iter().enumerate() {
        let path = folder(out, seed);
        log::info!("seed {seed}, {} of {}: {}", i + 1, seeds.len(), path.display());
        let going_on = resume && path.join("run.json").exists();
        files.push(train(dataset, settings, seed, device, &path, going_on)?.run.file);
        if tested {
            judged.push(judge_run(&path, dataset, false, FPS)?);
        }
    }
    let summary = summary(dataset, &files, &judged, out)?;
    write_atomic(&out.join("seeds.json"), format!("{summary:#}\n").as_bytes())?;
    Ok(summary)
}

/// `seeds.json`: each run, and the spread over them. The figures are those of `evaluate --seeds`.
fn summary(dataset: &Dataset, files: &[RunFile], judged: &[Judged], out: &Path) -> Result<Value> {
    let run = |(i, file): (usize, &RunFile)| {
        let mut run = json!({
            "seed": file.seed,
            "run": folder(out, file.seed),
            "steps": file.step,
            "seconds": file.seconds,
            "chosen_step": file.chosen_step,
            "stopped": file.stopped,
            "validation": file.validation,
        });
        for mode in ["offline", "streaming"] {
            if let Some(figures) = judged.get(i).map(|judged| &judged.json[mode]).filter(|figures| figures.is_object())
            {
                run[mode].clone_from(figures);
            }
        }
        run
    };
    let runs: Vec<Value> = files.iter().enumerate().map(run).collect();
    let mut summary =
        if judged.is_empty() { json!({ "dataset": dataset.root }) } else { joined(judged, dataset)?.json };
    let validation: Option<Vec<f64>> = files.iter().map(|file| file.validation).collect();
    let validation = validation.and_then(|values| spread(&values));
    summary["mean"]["validation"] = json!(validation.map(|(mean, _)| mean));
    summary["deviation"]["validation"] = json!(validation.and_then(|(_, deviation)| deviation));
    summary["out"] = json!(out);
    summary["seeds"] = json!(files.iter().map(|file| file.seed).collect::<Vec<_>>());
    summary["runs"] = json!(runs);
    if let Some(first) = files.first() {
        summary["model"] = json!(first.settings.model.name());
        summary["preset"] = json!(first.settings.preset);
        summary["dataset_sha256"] = json!(first.dataset.sha256);
    }
    Ok(summary)
}

/// The summary for people, a line for each run; the table of figures comes after it.
pub fn lines(summary: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_f64().map_or("-".to_owned(), |value| format!("{value:.4}"));
    let mut lines =
        vec![format!("{:>6} {:>8} {:>12} {:>12} {:>12}", "seed", "steps", "validation", "frame AUC", "video AUC")];
    for run in summary["runs"].as_array().into_iter().flatten() {
        lines.push(format!(
            "{:>6} {:>8} {:>12} {:>12} {:>12}",
            run["seed"].to_string(),
            run["steps"].to_string(),
            number(&run["validation"]),
            number(&run["offline"]["frame_auc"]),
            number(&run["offline"]["video_auc"]),
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_figures_has_a_dash() {
        let summary = json!({ "runs": [
            { "seed": 3, "steps": 600, "validation": 0.875, "offline": { "frame_auc": 0.75, "video_auc": 0.8 } },
            { "seed": 4, "steps": 600, "validation": null },
        ]});
        let words = |line: &String| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        let lines = lines(&summary);
        assert_eq!(words(&lines[1]), ["3", "600", "0.8750", "0.7500", "0.8000"]);
        assert_eq!(words(&lines[2]), ["4", "600", "-", "-", "-"]);
    }
}
