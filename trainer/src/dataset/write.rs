//! Writes a data set folder: what `extract` and `import` produce. Files appear under their names only when whole; lists and
//! contract come last, so that an interrupted extraction is no data set.

use std::fs;
use std::path::{Path, PathBuf};

use firmware_config::FeatureContract;
use half::f16;
use npyz::WriterBuilder;
use runtime::{Error, Result};

use super::list::Line;
use super::npy::Element;
use super::{Entry, Header, Split};
use crate::files::write_atomic;

/// Write `rows` `[T, width]`, T at least 1, as a float32 array to `path`; its folder is made.
pub fn write_rows(path: &Path, width: usize, rows: &[f32]) -> Result<()> {
    let header = Header { rows: rows.len() / width.max(1), crops: 1, width };
    write_crops(path, &header, rows, Element::Float)
}

/// Write `[T, D]`, or with several crops `[T, crops, D]`, T at least 1, in float16 or float32; its folder is made.
pub(crate) fn write_crops(path: &Path, header: &Header, rows: &[f32], element: Element) -> Result<()> {
    let Header { rows: count, crops, width } = *header;
    if rows.is_empty() || rows.len() != count * crops * width {
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
    let [count, crops, width] = [count as u64, crops as u64, width as u64];
    let shape = if crops == 1 { vec![count, width] } else { vec![count, crops, width] };
    let bytes = if element == Element::Half {
        encoded(&shape, rows.iter().map(|&value| f16::from_f32(value)))
    } else {
        encoded(&shape, rows.iter().copied())
    };
    write_atomic(path, &bytes.map_err(failed)?)
}

/// An array of this shape, as a file.
fn encoded<T>(shape: &[u64], values: impl ExactSizeIterator<Item = T>) -> std::io::Result<Vec<u8>>
where
    T: npyz::AutoSerialize,
{
    let mut bytes = Vec::with_capacity(values.len() * size_of::<T>() + 128);
    let mut npy = npyz::WriteOptions::<T>::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd()?;
    npy.extend(values)?;
    npy.finish()?;
    Ok(bytes)
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

    /// Add one video of `[T, crops, D]`, written as `element` (float32 where that is not float16).
    pub(crate) fn add_crops(
        &mut self,
        split: Split,
        entry: Entry,
        (header, rows): (&Header, &[f32]),
        element: Element,
    ) -> Result<()> {
        let path = self.root.join(split.name()).join(format!("{}.npy", entry.video));
        write_crops(&path, header, rows, element)?;
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
