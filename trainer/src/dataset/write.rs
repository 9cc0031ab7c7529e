//! Writes a data set folder: what `extract` and `import` produce. Lists and contract are written last, so that an
//! interrupted extraction is no data set.

use std::fs;
use std::path::{Path, PathBuf};

use firmware_config::FeatureContract;
use npyz::WriterBuilder;
use runtime::{Error, Result};

use super::list::Line;
use super::{Entry, Split};

/// A data set being written.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    contract: FeatureContract,
    lists: [(Split, Vec<Entry>); 2],
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
        Ok(Self {
            root: root.to_path_buf(),
            contract,
            lists: [(Split::Train, Vec::new()), (Split::Test, Vec::new())],
        })
    }

    /// Add one video: `rows` is `[T, D]`, T at least 1, D the contract's width.
    pub fn add(&mut self, split: Split, entry: Entry, rows: &[f32]) -> Result<()> {
        let width = self.contract.feature_width as usize;
        let path = self.root.join(split.name()).join(format!("{}.npy", entry.video));
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
        fs::write(&path, bytes).map_err(failed)?;
        for (list, entries) in &mut self.lists {
            if *list == split {
                entries.push(entry.clone());
            }
        }
        Ok(())
    }

    /// Write the lists (those with videos) and the contract.
    pub fn finish(self) -> Result<()> {
        for (split, entries) in &self.lists {
            if entries.is_empty() {
                continue;
            }
            let path = self.root.join(split.name()).with_extension("csv");
            let failed = |error: &dyn std::fmt::Display| {
                Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
            };
            let mut csv = csv::Writer::from_path(&path).map_err(|error| failed(&error))?;
            for entry in entries {
                csv.serialize(Line::from(entry)).map_err(|error| failed(&error))?;
            }
            csv.flush().map_err(|error| failed(&error))?;
        }
        let path = self.root.join("contract.json");
        let text = serde_json::to_string_pretty(&self.contract)
            .map_err(|error| Error::failed(path.display().to_string(), error.to_string(), "report this"))?;
        fs::write(&path, text).map_err(|error| {
            Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
        })
    }
}
