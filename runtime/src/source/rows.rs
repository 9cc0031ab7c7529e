//! Recorded feature rows (`features:///rows.npy`): one row per segment, out of the file's own `[T, D]` or
//! `[T, crops, D]` array, with the contract they were made under. They come as fast as they are taken, or with `?speed=60` sixty times
//! as fast as a camera would give them, and no faster.
//!
//! The contract is `contract.json` beside the file or in the folder above (data sets keep one for `train/` and
//! `test/`); without one the rows are of an external contract, of which only the width is known.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firmware_config::contract::FeatureContract;
use firmware_config::rows::RowsUri;

use super::npy::RowReader;
pub use super::npy::{Matrix, load_npy};
use crate::{Error, Result};

/// What a row stands for, in seconds: 16 frames at 25/s.
const SEGMENT_S: f64 = 0.64;

/// Feature rows, one after another.
#[derive(Debug)]
pub struct RowSource {
    path: PathBuf,
    reader: RowReader,
    contract: FeatureContract,
    pace: Option<Pace>,
}

/// When rows are due.
#[derive(Debug)]
struct Pace {
    /// From one row to the next, seconds.
    every_s: f64,
    begun: Option<Instant>,
    /// Rows so far.
    count: u64,
}

impl Pace {
    /// Wait until the next row's segment would be over. Who was late makes up for it: then nothing is waited for.
    fn wait(&mut self) {
        self.count += 1;
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let due = begun + Duration::from_secs_f64(self.count as f64 * self.every_s);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

impl RowSource {
    /// Open `features:///path/rows.npy` (or a relative `features://rows.npy`), with or without `?speed=N`.
    ///
    /// # Errors
    /// When the file is missing, damaged or not such an array, its contract is of another width, or the speed is none.
    pub fn open(uri: &str) -> Result<Self> {
        let RowsUri { path, speed } = RowsUri::parse(uri).map_err(|e| Error::invalid(uri, e.problem, e.remedy))?;
        let path = PathBuf::from(path);
        let reader = RowReader::open(&path)?;
        let width = reader.width() as u32;
        let contract = match find_contract(&path)? {
            None => FeatureContract::external(width),
            Some((_, contract)) if contract.feature_width == width => contract,
            Some((at, contract)) => {
                return Err(Error::invalid(
                    path.display().to_string(),
                    format!(
                        "has rows {width} wide, but {} says {} ({})",
                        at.display(),
                        contract.feature_width,
                        contract.name
                    ),
                    "put the file beside the contract.json that it was extracted under",
                ));
            }
        };
        let pace = speed.map(|speed| Pace { every_s: SEGMENT_S / speed, begun: None, count: 0 });
        Ok(Self { path, reader, contract, pace })
    }

    /// The contract that the rows were made under.
    pub fn contract(&self) -> &FeatureContract {
        &self.contract
    }

    /// Number of rows, T.
    pub fn rows(&self) -> usize {
        self.reader.rows()
    }

    /// Width of a row, D.
    pub fn width(&self) -> usize {
        self.reader.width()
    }

    /// Refuse rows that a model trained under `expected` must not see.
    ///
    /// # Errors
    /// When the contracts differ; where either is external, when the widths differ.
    pub fn check_contract(&self, expected: &FeatureContract) -> Result<()> {
        let name = self.path.display().to_string();
        let (have, want) = (&self.contract, expected);
        if have.feature_width != want.feature_width {
            return Err(Error::invalid(
                name,
                format!("has rows {} wide, the model takes {}", have.feature_width, want.feature_width),
                "choose the model that was trained on these features",
            ));
        }
        if have.input.is_some() && want.input.is_some() && have.hash() != want.hash() {
            return Err(Error::invalid(
                name,
                format!(
                    "was extracted under another contract ({}, {:.12}) than the model's ({}, {:.12})",
                    have.name,
                    have.hash(),
                    want.name,
                    want.hash()
                ),
                "extract the features again with the model's extractor",
            ));
        }
        Ok(())
    }

    /// Read the next row into `row` (cleared, then D values); false after the last.
    ///
    /// # Errors
    /// When the file fails or a value is not finite; the error names the row.
    pub fn next_row(&mut self, row: &mut Vec<f32>) -> Result<bool> {
        let found = self.reader.next_row(row)?;
        if let (true, Some(pace)) = (found, &mut self.pace) {
            pace.wait();
        }
        Ok(found)
    }
}

/// The contract of the rows at `path` and the file that it stands in, if there is one.
fn find_contract(path: &Path) -> Result<Option<(PathBuf, FeatureContract)>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    for folder in [folder.to_owned(), folder.join("..")] {
        let at = folder.join("contract.json");
        let name = at.display().to_string();
        match std::fs::read(&at) {
            Ok(bytes) => {
                let contract = serde_json::from_slice(&bytes).map_err(|e| {
                    Error::corrupt(&name, format!("is not a feature contract: {e}"), "copy it again, or remove it")
                })?;
                return Ok(Some((at, contract)));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Err(Error::unreadable(name, &e, "check its permissions"));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use npyz::WriterBuilder;

    /// `[3, 2]` f32 rows in `folder/test/v.npy`.
    fn rows(folder: &Path) -> String {
        let path = folder.join("test/v.npy");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&[3, 2]).writer(file).begin_nd().unwrap();
        writer.extend([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        writer.finish().unwrap();
        format!("features://{}", path.display())
    }

    fn contract(width: u32, sha: &str) -> FeatureContract {
        let input = firmware_config::contract::ClipContract {
            width: 160,
            height: 160,
            rate_hz: 25,
            clip_ticks: 16,
            ticks: vec![0, 5, 10, 15],
            extractor_sha256: sha.into(),
        };
        FeatureContract { name: "lite0-160".into(), feature_width: width, background_segments: 0, input: Some(input) }
    }

    #[test]
    fn rows_without_a_contract_are_external() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = RowSource::open(&rows(folder.path())).unwrap();
        assert_eq!((source.rows(), source.width()), (3, 2));
        assert_eq!(source.contract(), &FeatureContract::external(2));
        source.check_contract(&contract(2, "aa")).unwrap();
        let (mut row, mut all) = (Vec::new(), Vec::new());
        while source.next_row(&mut row).unwrap() {
            all.extend_from_slice(&row);
        }
        assert_eq!(all, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn rows_come_no_faster_than_they_are_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let uri = rows(folder.path());
        let (mut row, mut count) = (Vec::new(), 0);
        let mut source = RowSource::open(&format!("{uri}?speed=16")).unwrap();
        let begun = Instant::now();
        while source.next_row(&mut row).unwrap() {
            count += 1;
        }
        let took = begun.elapsed();
        // Three rows of 40 ms.
        assert!(count == 3 && took >= Duration::from_millis(120), "{count} in {took:?}");
        assert_eq!(RowSource::open(&format!("{uri}?speed=0")).unwrap_err().kind, ErrorKind::InvalidInput);
    }

    #[test]
    fn a_contract_in_the_folder_above_holds() {
        let folder = tempfile::tempdir().unwrap();
        let uri = rows(folder.path());
        let put = |c: &FeatureContract| {
            std::fs::write(folder.path().join("contract.json"), serde_json::to_vec(c).unwrap()).unwrap();
        };
        put(&contract(2, "aa"));
        let source = RowSource::open(&uri).unwrap();
        source.check_contract(&contract(2, "aa")).unwrap();
        let e = source.check_contract(&contract(2, "bb")).unwrap_err();
        assert!(e.to_string().contains("another contract"), "{e}");
        let e = source.check_contract(&contract(3, "aa")).unwrap_err();
        assert!(e.to_string().contains("2 wide, the model takes 3"), "{e}");
        put(&contract(5, "aa"));
        assert_eq!(RowSource::open(&uri).unwrap_err().kind, ErrorKind::InvalidInput);
        std::fs::write(folder.path().join("contract.json"), "{").unwrap();
        assert_eq!(RowSource::open(&uri).unwrap_err().kind, ErrorKind::Corrupt);
    }
}
