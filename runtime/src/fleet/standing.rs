//! Where a deployment stands, from what the store knows: pure. A note beside the store says for which action a bundle was activated
//! last, so that a firmware that starts anew goes on telling of it, and a bundle that failed once may be deployed once more.
//!
//! The note is JSON, placed whole. One that is damaged is no note: the worst that follows is one trial more.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::store::disk::RealDisk;
use crate::store::state::{End, Model, Stage, State};
use crate::store::{Store, place};
use crate::{Error, Result};

/// The note's file, in the store's folder.
const FILE: &str = "fleet";
/// The longest note, in bytes.
const BYTES_MAX: usize = 1024;

/// For which action which bundle was activated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The server's id of the action.
    pub action: String,
    /// SHA-256 of the bundle, hexadecimal.
    pub blob: String,
}

/// Where a deployment stands on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its bundle is not here.
    Absent,
    /// Its bundle is here, and was not activated for it.
    Installed(Model),
    /// Its model is on trial.
    OnTrial(Model, Stage),
    /// Its model is the current one, confirmed.
    Confirmed(Model),
    /// It was activated, and is not the model: why.
    Ended(String),
}

impl Standing {
    /// Where the deployment `action` of the bundle whose SHA-256 is `blob` stands.
    pub fn of(state: &State, note: Option<&Note>, action: &str, blob: &str) -> Self {
        let is = |model: &&Model| model.blob == blob;
        if let (Some(trial), Some(model)) = (&state.trial, state.on_trial().filter(is)) {
            return Self::OnTrial(model.clone(), trial.stage);
        }
        if let Some(model) = state.current.as_ref().filter(is) {
            return Self::Confirmed(model.clone());
        }
        // What a trial ends is no candidate any more.
        if let Some(model) = state.candidate.as_ref().filter(is) {
            return Self::Installed(model.clone());
        }
        if note.is_some_and(|note| note.action == action && note.blob == blob) {
            return Self::Ended(how_it_ended(state, blob));
        }
        state.previous.as_ref().filter(is).map_or(Self::Absent, |model| Self::Installed(model.clone()))
    }
}

fn how_it_ended(state: &State, blob: &str) -> String {
    let last = state.past.iter().rev().find(|outcome| outcome.model.blob == blob);
    match last {
        Some(outcome) if outcome.end != End::Confirmed => {
            let Model { name, release, .. } = &outcome.model;
            format!("{name} release {release} was {}: {}", outcome.end.word(), outcome.reason)
        }
        _ => "another model was installed meanwhile".into(),
    }
}

impl Note {
    /// The store's note, if there is one that can be read.
    pub fn read(store: &Store) -> Option<Self> {
        let path = store.folder().join(FILE);
        let bytes = place::read(&RealDisk, &path, BYTES_MAX).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Take this down; when it returns, a power cut does not undo it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, store: &Store) -> Result<()> {
        let path = store.folder().join(FILE);
        let bytes = serde_json::to_vec(self).map_err(|error| refused(&path, &error.to_string()))?;
        place::place(&RealDisk, &path, &bytes).map_err(|error| refused(&path, &error.to_string()))
    }
}

fn refused(path: &Path, problem: &str) -> Error {
    Error::failed(
        path.display().to_string(),
        format!("cannot be written: {problem}"),
        "check the disk and its free space",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Event, Turn};

    const BLOB: &str = "b3";

    fn model(release: u64) -> Model {
        let (id, blob) = (format!("id{release}"), format!("b{release}"));
        Model { id, name: "road".into(), release, blob, bytes: 7 }
    }

    /// Release 2 is current, release 1 before it.
    fn state() -> State {
        State { current: Some(model(2)), previous: Some(model(1)), ..State::default() }
    }

    fn noted() -> Note {
        Note { action: "9".into(), blob: BLOB.into() }
    }

    fn standing(state: &State, note: Option<&Note>) -> Standing {
        Standing::of(state, note, "9", BLOB)
    }

    #[test]
    fn a_deployment_goes_from_absent_to_confirmed() {
        let (mut state, note) = (state(), noted());
        assert_eq!(standing(&state, None), Standing::Absent);
        state.install(model(3)).unwrap();
        assert_eq!(standing(&state, None), Standing::Installed(model(3)));
        assert_eq!(standing(&state, Some(&note)), Standing::Installed(model(3)), "cut between note and activation");
        state.activate(None, false, false).unwrap();
        assert_eq!(standing(&state, Some(&note)), Standing::OnTrial(model(3), Stage::Installed));
        state.trial.as_mut().unwrap().stage = Stage::Shadow;
        assert_eq!(state.advance(Event::Passed).unwrap(), Turn::Switched);
        assert_eq!(standing(&state, Some(&note)), Standing::OnTrial(model(3), Stage::Unconfirmed));
        assert_eq!(state.advance(Event::Passed).unwrap(), Turn::Confirmed);
        assert_eq!(standing(&state, Some(&note)), Standing::Confirmed(model(3)));
    }

    #[test]
    fn one_that_failed_is_over_for_its_action_and_may_be_deployed_once_more() {
        let (mut state, note) = (state(), noted());
        state.install(model(3)).unwrap();
        state.activate(None, false, false).unwrap();
        state.advance(Event::Failed("NaN".into())).unwrap();
        assert_eq!(standing(&state, Some(&note)), Standing::Ended("road release 3 was dropped: NaN".into()));
        assert_eq!(Standing::of(&state, Some(&note), "10", BLOB), Standing::Absent);
        assert_eq!(standing(&state, None), Standing::Absent);
    }

    #[test]
    fn what_an_operator_took_back_stays_back_and_what_was_replaced_says_so() {
        let (mut state, note) = (state(), noted());
        state.install(model(3)).unwrap();
        state.activate(None, false, false).unwrap();
        state.trial.as_mut().unwrap().stage = Stage::Unconfirmed;
        (state.previous, state.current) = (state.current.take(), state.candidate.take());
        state.advance(Event::Passed).unwrap();
        state.roll_back("too many alarms").unwrap();
        assert_eq!(
            standing(&state, Some(&note)),
            Standing::Ended("road release 3 was rolled back: too many alarms".into())
        );
        state.past.clear();
        state.previous = None;
        assert_eq!(standing(&state, Some(&note)), Standing::Ended("another model was installed meanwhile".into()));
    }

    #[test]
    fn a_note_is_read_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(Note::read(&store), None);
        noted().write(&store).unwrap();
        assert_eq!(Note::read(&store), Some(noted()));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(Note::read(&store), None);
    }
}
