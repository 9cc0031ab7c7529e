//! The first model of a store: a bundle that lies beside it, put there when the device was made. An empty store and that file come in;
//! its model is current when this returns.
//!
//! The file of the store `/var/lib/tadpole/store` is `/var/lib/tadpole/store.tadpole`. It stays: should the store ever be moved away, the
//! next start has a model again. A power cut at any point leaves an empty store, or one with a current model.

use std::path::{Path, PathBuf};

use super::judge::Limits;
use super::{Event, proof};
use super::{Evidence, Model, Store, Trust};
use crate::Result;
use crate::engine::Engines;

/// Where the first bundle of a store lies.
pub fn path(store: &Path) -> PathBuf {
    store.with_extension("tadpole")
}

impl Store {
    /// Let an empty store have the bundle beside it, if there is one: installed, proved on this machine, and thereby confirmed. The
    /// model that it has now, if it was empty.
    ///
    /// # Errors
    /// Those of [`Store::install`] and of the proof.
    pub fn sow(&self, trust: &Trust, engines: &Engines, limits: &Limits) -> Result<Option<Model>> {
        let (file, state) = (path(self.folder()), self.state()?);
        if state.current.is_some() || !file.is_file() {
            return Ok(None);
        }
        if state.trial.is_some() {
            // Of a start that was cut short.
            self.roll_back("its proof was cut short")?;
        }
        self.install(&file, trust)?;
        let model = self.activate(None, false, true)?;
        self.prove(&model, trust, engines, limits)?;
        Ok(Some(model))
    }

    /// Prove a model that is on trial, and write down what came of it.
    ///
    /// # Errors
    /// When it fails, and then its trial is over.
    pub fn prove(&self, model: &Model, trust: &Trust, engines: &Engines, limits: &Limits) -> Result<Evidence> {
        let proved = self.load(model, trust).and_then(|bundle| proof::gather(&bundle, engines, limits));
        let event = match &proved {
            Ok(evidence) => Event::Proved(*evidence),
            Err(error) => Event::Failed(error.to_string()),
        };
        self.advance(&event)?;
        proved
    }
}
