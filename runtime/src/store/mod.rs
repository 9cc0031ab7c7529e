//! Models on the device's disk: a signed bundle comes in, and after a trial it is what `run` loads. At every instant a power
//! cut leaves a model to start with.
//!
//! | module | what |
//! |---|---|
//! | [`disk`] | the seam through which every file operation goes |
//! | [`place`] | small files that appear whole: the store's record, and configs |
//! | [`state`] | the record: pointers `current`, `candidate`, `previous`, the trial, the release counters |
//! | [`trial`] | the trial as moves of the record: pure |
//! | [`judge`], [`drift`] | whether a candidate stands its trial, from what was seen of it: pure |
//! | [`proof`] | a candidate's golden vectors, time and memory on this machine |
//! | [`receive`] | a bundle into the store: from a file, or piece by piece from a network |
//! | [`boot`] | what to load at a start, whatever happened before |
//! | [`report`] | what the store holds, for programs |
//! | [`seed`] | the first model of a new device |
//! | [`live`] | a trial beside running cameras |
//! | `collect` | room for new blobs: what no pointer names is removed |
//!
//! ```text
//! STORE/state          the record
//! STORE/blobs/SHA256   bundles, each under its SHA-256
//! STORE/incoming/      bundles that are not whole yet
//! STORE/lock           one process at a time changes anything
//! ```
//!
//! **Who drives a trial.** `run` starts with [`Store::boot`], and hands the store to a [`live::Driver`] on a thread of its own, which
//! finds candidates that were activated, proves them, lets each camera score with both models, judges, switches, and confirms
//! or reverts. Between it and a camera's thread stands [`live::Live`]; a camera never waits for a disk or for a model to
//! load. Each move is written by [`Store::advance`] before it is acted on. [`live`] tells the rest.
//!
//! Nothing unsigned comes past [`receive`], and nothing is loaded without its signature being checked again.
//! docs/design/store.md says why each step survives a power cut.

pub mod boot;
mod collect;
pub mod disk;
pub mod drift;
pub mod judge;
pub mod live;
pub mod place;
pub mod proof;
pub mod receive;
pub mod report;
pub mod seed;
pub mod state;
pub mod trial;

use std::io;
use std::path::{Path, PathBuf};

use firmware_config::TrustedKeys;
use firmware_config::config::EngineChoice;

use crate::bundle::Bundle;
use crate::{Error, ErrorKind, Result};
use disk::{Disk, Held, RealDisk};

pub use state::{Evidence, Model, Stage, State};
pub use trial::{Event, Turn};

/// Where a camera's store is, unless a config says otherwise.
pub const DEFAULT_FOLDER: &str = "/var/lib/tadpole/store";
/// What all blobs together may take, in bytes: four of the largest.
pub const QUOTA_BYTES: u64 = 4 * firmware_config::manifest::BUNDLE_BYTES_MAX;

/// What is said when the disk refuses.
const CHECK_DISK: &str = "check the disk, its free space and the folder's rights";

/// Whether what a config names as its bundle is a store: a folder, or a path without an ending where nothing is yet.
pub fn is_store(path: &Path) -> bool {
    path.is_dir() || !path.exists() && path.extension().is_none()
}

/// Whom a device believes, and what it computes with.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The keys whose bundles are run.
    pub keys: TrustedKeys,
    /// What the config has compute them.
    pub engine: EngineChoice,
}

/// The models of one device.
pub struct Store {
    disk: Box<dyn Disk>,
    root: PathBuf,
    quota_bytes: u64,
}

impl Store {
    /// The store in a folder of this machine. Nothing is touched yet; the folder is made when something is installed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on(Box::new(RealDisk), folder)
    }

    /// The store on another disk.
    pub fn on(disk: Box<dyn Disk>, folder: impl Into<PathBuf>) -> Self {
        Self { disk, root: folder.into(), quota_bytes: QUOTA_BYTES }
    }

    /// Let all blobs together take this many bytes.
    #[must_use]
    pub fn with_quota(self, quota_bytes: u64) -> Self {
        Self { quota_bytes, ..self }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Bytes that are free on its file system.
    ///
    /// # Errors
    /// When the disk does not tell.
    pub fn free_bytes(&self) -> Result<u64> {
        self.disk.free_bytes(&self.root).map_err(|error| failed(&self.root, "tells no free space", &error))
    }

    /// What it holds. A store that does not exist holds nothing.
    ///
    /// # Errors
    /// Of kind `Corrupt` when the record is damaged, `Failed` when it cannot be read.
    pub fn state(&self) -> Result<State> {
        let path = self.state_path();
        let bytes = place::read(self.disk.as_ref(), &path, state::STATE_BYTES_MAX + 64)
            .map_err(|error| failed(&path, "cannot be read", &error))?;
        bytes.map_or_else(
            || Ok(State::default()),
            |bytes| {
                State::decode(&bytes).map_err(|error| {
                    let remedy = "move the folder away, then `tadpole model install` and `activate` a bundle";
                    Error::corrupt(path.display().to_string(), error.to_string(), remedy)
                })
            },
        )
    }

    /// Put a model on trial; see [`State::activate`].
    ///
    /// # Errors
    /// Those of [`State::activate`], and when the disk refuses.
    pub fn activate(&self, id: Option<&str>, allow_downgrade: bool, by_hand: bool) -> Result<Model> {
        self.change(|state| state.activate(id, allow_downgrade, by_hand))
    }

    /// Move the trial by what happened. When this returns, a power cut does not undo it.
    ///
    /// # Errors
    /// Those of [`State::advance`], and when the disk refuses; nothing has moved.
    pub fn advance(&self, event: &Event) -> Result<Turn> {
        self.change(|state| state.advance(event.clone()))
    }

    /// Take back the model before, or end a trial; see [`State::roll_back`].
    ///
    /// # Errors
    /// Those of [`State::roll_back`], and when the disk refuses.
    pub fn roll_back(&self, reason: &str) -> Result<Turn> {
        self.change(|state| state.roll_back(reason))
    }

    /// A model of the store, every byte of it checked against its signature.
    ///
    /// # Errors
    /// As for [`Bundle::open`], and of kind `Corrupt` when the blob holds another model.
    pub fn load(&self, model: &Model, trust: &Trust) -> Result<Bundle> {
        let path = self.blob_path(&model.blob);
        let subject = path.display().to_string();
        let (reader, bytes) = self.disk.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::corrupt(&subject, "is not there", "install the bundle again"),
            _ => failed(&path, "cannot be read", &error),
        })?;
        let bundle = Bundle::from_reader(&subject, reader, bytes, &trust.keys)?;
        if bundle.id != model.id {
            return Err(Error::corrupt(subject, format!("is not the model {}", model.id), "install the bundle again"));
        }
        receive::check_fits(&subject, &bundle, trust)?;
        Ok(bundle)
    }

    /// Change the record, alone, on settled folders; it is saved when it differs. When this returns `Ok` it is durable.
    fn change<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let _held = self.settle()?;
        self.change_held(work)
    }

    /// As [`Store::change`], for those who hold the lock.
    fn change_held<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let before = self.state()?;
        let mut state = before.clone();
        let done = work(&mut state)?;
        if state != before {
            self.save(&state)?;
        }
        Ok(done)
    }

    fn save(&self, state: &State) -> Result<()> {
        let path = self.state_path();
        let refused = |problem: String| Error::failed(path.display().to_string(), problem, CHECK_DISK);
        if !state.is_sound() {
            return Err(refused("would contradict itself: this is a bug".into()));
        }
        let bytes = state.encode().map_err(|error| refused(error.to_string()))?;
        place::place(self.disk.as_ref(), &path, &bytes).map_err(|error| failed(&path, "cannot be written", &error))
    }

    /// Take the lock, and make durable what a process that was killed may have left between a rename and its sync: nothing
    /// is built on names that a power cut could still take.
    fn settle(&self) -> Result<Held> {
        let disk = self.disk.as_ref();
        let refused = |error: io::Error| {
            if error.kind() == io::ErrorKind::TimedOut {
                return Error::unavailable(self.root.display().to_string(), error.to_string(), "try again");
            }
            failed(&self.root, "cannot be used", &error)
        };
        disk.make_folder(&self.root).map_err(refused)?;
        let held = disk.lock(&self.root.join("lock")).map_err(refused)?;
        for folder in [self.blobs(), self.incoming()] {
            disk.make_folder(&folder).map_err(refused)?;
        }
        let parent = self.root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for folder in [parent, &self.root] {
            disk.sync_folder(folder).map_err(refused)?;
        }
        Ok(held)
    }

    fn state_path(&self) -> PathBuf {
        self.root.join("state")
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn blob_path(&self, blob: &str) -> PathBuf {
        self.blobs().join(blob)
    }

    fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoRoom,
        _ => ErrorKind::Failed,
    };
    Error::new(kind, path.display().to_string(), format!("{what}: {error}"), CHECK_DISK)
}

#[cfg(test)]
pub(crate) mod tests;
