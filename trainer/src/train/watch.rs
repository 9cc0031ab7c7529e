//! Which segments of a few training videos DE-Net would erase, as training goes on (the paper's Fig. 4).
//!
//! In: the model at an assessment, with the weights that the run would end with. Out: lines of `RUN/erased.csv`. Training
//! erases by the scores of its own pass, with dropout; here there is none, so that lines differ by what was learned
//! alone. A model that erases nothing has no such file.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

use super::TrainingSet;
use crate::files::write_atomic;
use crate::model::denet::{DeNetConfig, Erasing, erasing};
use crate::model::{Batch, Detector, ModelConfig};

/// Abnormal videos watched, and as many normal ones that their completeness is assessed against.
const WATCHED: usize = 8;

/// One video at one assessment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchLine {
    /// Steps done.
    pub step: u64,
    /// The video.
    pub video: String,
    /// A digit for each segment: its score in tenths, rounded down, 9 at most.
    pub scores: String,
    /// `1` for each segment that would be erased (Eqs. 9 and 10), `0` for the others.
    pub erased: String,
}

/// The settings of a model that erases.
pub fn erases(model: &ModelConfig) -> Option<&DeNetConfig> {
    match model {
        ModelConfig::DeNet(config) if config.erasing != Erasing::Off => Some(config),
        _ => None,
    }
}

/// Lines of the model after `step` steps, the same videos each time.
pub fn look<B, M>(
    model: &M,
    set: &TrainingSet,
    config: &DeNetConfig,
    step: u64,
    device: &B::Device,
) -> Result<Vec<WatchLine>>
where
    B: Backend,
    M: Detector<B>,
{
    let segments = config.segments;
    let pairs = WATCHED.min(set.plan.abnormal.len());
    let abnormal = spread(&set.plan.abnormal, pairs);
    let mut windows = Vec::new();
    for &index in abnormal.iter().chain(&spread(&set.plan.normal, pairs)) {
        windows.extend(set.whole(index, segments)?);
    }
    let width = windows.len() / (2 * pairs * segments);
    let input = Tensor::from_data(TensorData::new(windows.clone(), [2 * pairs, segments, width]), device);
    let scores = model.scores(input).into_data().convert::<f32>().into_vec::<f32>().unwrap_or_default();
    let (rows, _) = erasing::select(&Batch { windows, pairs, segments, width }, &scores, config, |normal| normal);
    let line = |(i, (&index, scores)): (usize, (&usize, &[f32]))| WatchLine {
        step,
        video: set.name(index).to_owned(),
        scores: scores.iter().map(|score| char::from(b'0' + ((score * 10.0) as u8).min(9))).collect(),
        erased: (0..segments).map(|t| if rows.contains(&(i * segments + t)) { '1' } else { '0' }).collect(),
    };
    Ok(abnormal.iter().zip(scores.chunks(segments)).enumerate().map(line).collect())
}

/// `count` of all, at equal distances; again from the first where there are fewer.
fn spread(all: &[usize], count: usize) -> Vec<usize> {
    if all.len() < count {
        return all.iter().copied().cycle().take(count).collect();
    }
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

fn path(run: &Path) -> PathBuf {
    run.join("erased.csv")
}

/// The lines of a run's file, up to `step`; none where there is no file.
pub fn read(run: &Path, step: u64) -> Result<Vec<WatchLine>> {
    let path = path(run);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let corrupt = |error: csv::Error| Error::corrupt(path.display().to_string(), error.to_string(), "remove the file");
    let lines: Vec<WatchLine> = csv::Reader::from_path(&path)
        .map_err(corrupt)?
        .deserialize::<WatchLine>()
        .collect::<Result<_, _>>()
        .map_err(corrupt)?;
    Ok(lines.into_iter().filter(|line| line.step <= step).collect())
}

/// Write a run's file.
pub fn save(run: &Path, lines: &[WatchLine]) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Error::failed("erased.csv", error.to_string(), "report this");
    let mut csv = csv::Writer::from_writer(Vec::new());
    for line in lines {
        csv.serialize(line).map_err(|error| failed(&error))?;
    }
    write_atomic(&path(run), &csv.into_inner().map_err(|error| failed(&error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_up_to_a_step_with_their_leading_zeros() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path(), 9).unwrap().is_empty());
        let line = |step| WatchLine { step, video: "a, b".into(), scores: "0019".into(), erased: "0001".into() };
        save(folder.path(), &[line(5), line(10)]).unwrap();
        assert_eq!(read(folder.path(), 5).unwrap(), [line(5)]);
        assert_eq!(read(folder.path(), 10).unwrap(), [line(5), line(10)]);
    }

    #[test]
    fn videos_are_taken_from_the_whole_list() {
        let all: Vec<usize> = (100..120).collect();
        assert_eq!(spread(&all, 4), [100, 105, 110, 115]);
        assert_eq!(spread(&[7, 9], 3), [7, 9, 7]);
    }
}
