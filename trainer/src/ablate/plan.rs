//! The runs of a study: cells and seeds in, each trained once and judged out.
//!
//! A run that is there already is kept if its settings, seed and data are those of the cell; it is refused if not, because a table
//! of runs that differ in more than it says would be wrong.

use std::collections::BTreeMap;
use std::path::Path;

use runtime::{Error, Result};

use super::cells::Cell;
use crate::dataset::{Dataset, Split, scan};
use crate::evaluate::command::{Judged, judge_run};
use crate::evaluate::seeds::joined;
use crate::evaluate::truth;
use crate::progress::bar;
use crate::seeds::folder;
use crate::train::{Device, Run, train};

/// What all runs of a study share.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The data set, with a test list.
    pub dataset: &'a Dataset,
    /// A run of each cell for each.
    pub seeds: &'a [u64],
    /// The folder of all.
    pub out: &'a Path,
    /// Where to train.
    pub device: Device,
    /// Whether to score as a camera does even where that takes long.
    pub streaming: bool,
    /// Frames a second of the recordings.
    pub fps: f64,
}

impl Plan<'_> {
    /// Each cell's runs, trained where they are not yet, as one; by the cell's name.
    pub fn judged(&self, cells: &[&Cell]) -> Result<BTreeMap<String, Judged>> {
        self.dataset.both_classes(Split::Test)?.iter().try_for_each(|video| truth(&video.entry).map(|_| ()))?;
        let (_, sha256) = scan(self.dataset.both_classes(Split::Train)?, |_| true, |_, _| ())?;
        // Before anything is trained: hours later is too late to learn that the first run was another study's.
        for (cell, seed) in cells.iter().flat_map(|cell| self.seeds.iter().map(move |&seed| (cell, seed))) {
            self.finished(cell, seed, &sha256)?;
        }
        let bar = bar((cells.len() * self.seeds.len()) as u64, "ablating");
        let mut judged = BTreeMap::new();
        for cell in cells {
            let mut runs = Vec::with_capacity(self.seeds.len());
            for &seed in self.seeds {
                let what = format!("{}, seed {seed}", cell.name);
                if bar.is_hidden() {
                    log::info!("run {} of {}: {what}", bar.position() + 1, cells.len() * self.seeds.len());
                }
                bar.set_message(what);
                let path = folder(&self.out.join(&cell.name), seed);
                if !self.finished(cell, seed, &sha256)? {
                    let going_on = path.join("run.json").exists();
                    train(self.dataset, &cell.settings, seed, self.device, &path, going_on)?;
                }
                runs.push(judge_run(&path, self.dataset, self.streaming, self.fps)?);
                bar.inc(1);
            }
            judged.insert(cell.name.clone(), joined(&runs, self.dataset)?);
        }
        bar.finish_and_clear();
        Ok(judged)
    }

    /// Whether a run is there and done; refused if it is another.
    fn finished(&self, cell: &Cell, seed: u64, sha256: &str) -> Result<bool> {
        let path = folder(&self.out.join(&cell.name), seed);
        if !path.join("run.json").exists() {
            return Ok(false);
        }
        let file = Run::open(&path)?.file;
        let refuse = |problem: &str| {
            Err(Error::invalid(path.display().to_string(), problem, "name another --out, or remove this run"))
        };
        if file.dataset.sha256 != sha256 {
            return refuse("was trained on other data");
        }
        if file.settings != cell.settings || file.seed != seed {
            return refuse("was trained with other settings");
        }
        Ok(file.finished())
    }
}
