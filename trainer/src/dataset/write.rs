//! Writes a data set folder: what `extract` and `import` produce. Files appear under their names only when whole; lists and
//! contract come last, so that an interrupted extraction is no data set.

use std::fs;
use std::path::{Path, PathBuf};

use firmware_config::FeatureContract;
use npyz::WriterBuilder;
use runtime::{Error, Result};

use super::list::Line;
use super::{Entry, Split};
use crate::files::write_atomic;

/// Write `rows` `[T, width]`, T at least 1, as a float32 array to `path`; its folder is made.
pub fn write_rows(path: &Path, width: usize, rows: &[f32]) -> Result<()> {
    if rows.is_empty() || !rows.len().is_multiple_of(width) {
        return Err(Error::invalid(
            path.display().to_string(),
            format!("would hold {} numbers, no whole rows of width {width}", rows.len()),
            "use a video of at least one clip",
        ));
    }
    let failed = |error: std::io::Error| {
        Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut bytes = Vec::with_capacity(rows.len() * 4 + 128);
    let mut npy = npyz::WriteOptions::<f32>::new()
        .default_dtype()
        .shape(&[(rows.len() / width) as u64, width as u64])
        .writer(&mut bytes)
        .begin_nd()
        .map_err(failed)?;
    npy.extend(rows.iter().copied()).map_err(failed)?;
    npy.finish().map_err(failed)?;
    write_atomic(path, &bytes)
}

/// Write the list of `split` in the data set `root`; nothing where there are no entries.
pub fn write_list(root: &Path, split: Split, entries: &[Entry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let path = root.join(split.name()).with_extension("csv");
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    for entry in entries {
        csv.serialize(Line::from(entry)).map_err(|error| failed(&error))?;
    }
    write_atomic(&path, &csv.into_inner().map_err(|error| failed(&error))?)
}

/// Write `contract.json` in the data set `root`.
pub fn write_contract(root: &Path, contract: &FeatureContract) -> Result<()> {
    let path = root.join("contract.json");
    let text = serde_json::to_string_pretty(contract)
        .map_err(|error| Error::failed(path.display().to_string(), error.to_string(), "report this"))?;
    write_atomic(&path, text.as_bytes())
}

/// A data set being written in one go.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    contract: FeatureContract,
    entries: Vec<(Split, Entry)>,
}

impl Writer {
    /// Begin a data set in `root`, which must not hold one already.
    pub fn create(root: &Path, contract: FeatureContract) -> Result<Self> {
        for file in ["train.csv", "test.csv", "contract.json"] {
            if root.join(file).exists() {
                return Err(Error::invalid(
                    root.display().to_string(),
                    format!("holds a data set already ({file})"),
                    "name another folder",
                ));
            }
        }
        Ok(Self { root: root.to_path_buf(), contract, entries: Vec::new() })
    }

    /// Add one video: `rows` is `[T, D]`, D the contract's width.
    pub fn add(&mut self, split: Split, entry: Entry, rows: &[f32]) -> Result<()> {
        let path = self.root.join(split.name()).join(format!("{}.npy", entry.video));
        write_rows(&path, self.contract.feature_width as usize, rows)?;
        self.entries.push((split, entry));
        Ok(())
    }

    /// Write the lists (those with videos) and the contract.
    pub fn finish(self) -> Result<()> {
        for wanted in [Split::Train, Split::Test] {
            let entries: Vec<Entry> =
                self.entries.iter().filter(|(split, _)| *split == wanted).map(|(_, entry)| entry.clone()).collect();
            write_list(&self.root, wanted, &entries)?;
        }
        write_contract(&self.root, &self.contract)
    }
}
