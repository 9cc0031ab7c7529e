//! What to load at a start of the firmware, whatever happened before: the store comes in, a bundle that every check was passed by
//! goes out, with what people should be told.
//!
//! A start that finds a trial on counts; the second gives it up. A store that cannot be written cannot count: an unconfirmed
//! model is then not run, and the one before it is. A current model that cannot be loaded gives way to the one before: for good
//! when it was on trial, else for this run, since the next start may read what this one could not.

use super::trial::{Event, Turn};
use super::{Model, State, Store, Trust};
use crate::bundle::Bundle;
use crate::{Error, Result};

/// What a start found.
#[derive(Debug)]
pub struct Boot {
    /// The model to run.
    pub bundle: Bundle,
    /// How things stand; a trial in it is to be gone on with.
    pub state: State,
    /// What happened at this start, for journal and log: why a trial is over, or what could not be loaded.
    pub told: Vec<String>,
}

impl Store {
    /// Start with the current model.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the store is empty, `Corrupt` when its record is damaged; those of the current model when it
    /// cannot be loaded and there is none before it that can.
    pub fn boot(&self, trust: &Trust) -> Result<Boot> {
        let (mut state, mut told) = (self.state()?, Vec::new());
        if let Some(trial) = &state.trial {
            let switched = trial.stage.switched();
            match self.advance(&Event::Started) {
                Ok(turn) => {
                    told.extend(over(&state, &turn));
                    state = self.state()?;
                }
                // Not counted, so not run: or it could be started for ever.
                Err(error) if switched => {
                    let before = state.clone();
                    let turn = state.advance(Event::Failed(format!("its starts cannot be counted: {error}")))?;
                    told.extend(over(&before, &turn));
                }
                Err(error) => told.push(format!("the trial does not go on: {error}")),
            }
        }
        let Some(current) = &state.current else {
            return Err(Error::invalid(
                self.folder().display().to_string(),
                "this store holds no model to run",
                "install one: `tadpole model install FILE`, then `tadpole model activate`",
            ));
        };
        match self.load(current, trust) {
            Ok(bundle) => Ok(Boot { bundle, state, told }),
            Err(error) => self.fall_back(error, trust, state, told),
        }
    }

    /// Start with the model before, because the current one cannot be loaded.
    fn fall_back(&self, error: Error, trust: &Trust, mut state: State, mut told: Vec<String>) -> Result<Boot> {
        let loaded = state.previous.as_ref().map(|previous| self.load(previous, trust));
        let Some(Ok(bundle)) = loaded else {
            return Err(error);
        };
        let reason = format!("it cannot be loaded: {error}");
        if state.trial.as_ref().is_some_and(|trial| trial.stage.switched())
            && let Err(error) = self.advance(&Event::Failed(reason.clone()))
        {
            // The next start counts, or fails here again.
            told.push(error.to_string());
        }
        told.push(format!("the model before runs: {}", state.lose_current(reason)));
        Ok(Boot { bundle, state, told })
    }
}

/// What to tell of a trial that is over.
fn over(before: &State, turn: &Turn) -> Option<String> {
    let Model { name, release, .. } = before.on_trial()?;
    match turn {
        Turn::Dropped(reason) => Some(format!("{name} release {release} was dropped: {reason}")),
        Turn::Reverted(reason) => Some(format!("{name} release {release} was reverted: {reason}")),
        _ => None,
    }
}
