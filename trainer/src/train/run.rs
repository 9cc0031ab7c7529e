//! The RUN folder as seen by `train`, `evaluate` and `export`.

use std::path::{Path, PathBuf};

use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder};
use burn::tensor::backend::Backend;
use firmware_config::FeatureContract;
use runtime::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Device, Settings};
use crate::dataset::{Dataset, Statistics};
use crate::files::{read_parts, write_atomic, write_parts};
use crate::model::Detector;

/// The data that a run was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetMark {
    /// Its folder, as named then.
    pub path: String,
    /// The folders whose training videos were added to its own, as named then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// SHA-256 over the training videos' names, labels and numbers, hexadecimal.
    pub sha256: String,
    /// Training videos.
    pub videos: usize,
    /// Of which abnormal.
    pub abnormal: usize,
    /// Of which held out for validation.
    pub held_out: usize,
}

impl DatasetMark {
    /// Open it again, with what was added.
    ///
    /// # Errors
    /// When any of it is no longer there.
    pub fn open(&self) -> Result<Dataset> {
        Dataset::open(Path::new(&self.path))?.with_added(&self.added_folders())
    }

    /// The folders that were added.
    pub fn added_folders(&self) -> Vec<PathBuf> {
        self.added.iter().map(PathBuf::from).collect()
    }
}

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// Version of this file's form.
    pub format: u32,
    /// Version of the trainer.
    pub trainer: String,
    /// Version of burn.
    pub burn: String,
    /// Where it was trained.
    pub device: Device,
    /// The seed of everything random.
    pub seed: u64,
    /// All settings.
    pub settings: Settings,
    /// The data.
    pub dataset: DatasetMark,
    /// How its features were made.
    pub contract: FeatureContract,
    /// Steps done at the last checkpoint.
    pub step: u64,
    /// The step whose weights are in `model.bin`.
    pub chosen_step: u64,
    /// Video-level AUC of the chosen weights on held-out training videos; absent without held-out videos.
    pub validation: Option<f64>,
    /// Whether it ended before its steps, because validation no longer improved.
    #[serde(default)]
    pub stopped: bool,
    /// Seconds of training, resumptions added up.
    pub seconds: f64,
    /// The training set's mean and deviation, part of the model.
    pub statistics: Statistics,
}

impl RunFile {
    /// Whether there is nothing left to train.
    pub fn finished(&self) -> bool {
        self.stopped || self.step >= self.settings.steps
    }
}

/// The form of `run.json` that this version writes.
pub const FORMAT: u32 = 1;

/// A RUN folder.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its path.
    pub path: PathBuf,
    /// Its `run.json`.
    pub file: RunFile,
}

impl Run {
    /// Open an existing one.
    pub fn open(path: &Path) -> Result<Self> {
        let json = path.join("run.json");
        let name = json.display().to_string();
        let text = std::fs::read_to_string(&json)
            .map_err(|error| Error::unreadable(&name, &error, "name a folder that `tadpole-trainer train` made"))?;
        let file: RunFile = serde_json::from_str(&text).map_err(|error| {
            Error::corrupt(&name, format!("is no run of this version: {error}"), "train again with this version")
        })?;
        if file.format != FORMAT {
            return Err(Error::invalid(
                name,
                format!("has format {}, not {FORMAT}", file.format),
                "use the version of tadpole-trainer that wrote it",
            ));
        }
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Write `run.json`.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.file)
            .map_err(|error| Error::failed("run.json", error.to_string(), "report this"))?;
        write_atomic(&self.path.join("run.json"), text.as_bytes())
    }

    /// Width of one feature row.
    pub fn features(&self) -> usize {
        self.file.contract.feature_width as usize
    }

    /// Write `model.bin`.
    pub fn save_model(&self, weights: &[u8]) -> Result<()> {
        write_parts(&self.path.join("model.bin"), &[weights])
    }

    /// The chosen weights, in a model of type `M`.
    pub fn model<B: Backend, M: Detector<B>>(&self, config: &M::Config, device: &B::Device) -> Result<M> {
        let path = self.path.join("model.bin");
        let [weights] = read_parts(&path)?;
        let model = M::new(config, self.features(), self.file.seed, device);
        Ok(model.load_record(from_bytes(weights, &path, device)?))
    }
}

/// A record as bytes.
pub fn to_bytes<B: Backend, R: Record<B>>(record: R) -> Result<Vec<u8>> {
    NamedMpkBytesRecorder::<FullPrecisionSettings>::default()
        .record(record, ())
        .map_err(|error| Error::failed("weights", format!("cannot be written: {error}"), "report this"))
}

/// Bytes as a record.
pub fn from_bytes<B: Backend, R: Record<B>>(bytes: Vec<u8>, path: &Path, device: &B::Device) -> Result<R> {
    NamedMpkBytesRecorder::<FullPrecisionSettings>::default().load(bytes, device).map_err(|error| {
        Error::corrupt(
            path.display().to_string(),
            format!("holds other weights than run.json describes: {error}"),
            "train again",
        )
    })
}
