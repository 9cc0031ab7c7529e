//! What the store knows, in one record: which model is current, candidate and previous, the trial that is on, the
//! release counters, and how earlier trials ended. One record, so that a step which moves several of them is one rename.
//!
//! On disk it is the file `state`: postcard in an [`Envelope`]. A field added, moved or retyped is a new schema version
//! with a struct of its own. Refused: damage, and pointers that contradict the trial.

use firmware_config::envelope::{self, Envelope, EnvelopeError};
use serde::{Deserialize, Serialize};

/// The longest record, in bytes.
pub const STATE_BYTES_MAX: usize = 64 << 10;
/// Model names whose releases are counted.
pub const NAMES_MAX: usize = 64;
/// Ends of trials that are remembered.
pub const PAST_MAX: usize = 16;
/// The longest reason that is remembered, in characters.
const REASON_CHARS_MAX: usize = 400;

const ENVELOPE: Envelope = Envelope { magic: *b"TADPOLES", newest_version: 1, payload_bytes_max: STATE_BYTES_MAX };

/// The record (schema version 1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What `run` loads.
    pub current: Option<Model>,
    /// What was installed last and is not current.
    pub candidate: Option<Model>,
    /// What was current before, and is gone back to.
    pub previous: Option<Model>,
    /// The trial that is on.
    pub trial: Option<Trial>,
    /// The highest release of each model name that was ever confirmed here. They only rise.
    pub releases: Vec<Release>,
    /// How trials ended, the newest last.
    pub past: Vec<Outcome>,
}

/// A model in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its id: SHA-256 of its manifest, hexadecimal.
    pub id: String,
    /// Its manifest's name.
    pub name: String,
    /// Its manifest's release.
    pub release: u64,
    /// SHA-256 of the bundle, which is its file's name among the blobs, hexadecimal.
    pub blob: String,
    /// Length of the bundle in bytes.
    pub bytes: u64,
}

/// A candidate's way to being the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How far it has come.
    pub stage: Stage,
    /// Starts of the firmware since this stage's side of the switch was reached.
    pub starts: u32,
    /// What the proof gave.
    pub evidence: Option<Evidence>,
    /// An operator's command takes it through the stages; who runs cameras leaves it alone until a start finds it current.
    pub by_hand: bool,
}

/// How far a trial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// It lies in the store, and nothing of it was run.
    Installed,
    /// It computes here what its maker computed, fast enough and in little enough memory.
    Proved,
    /// It scores beside the present model, and decides nothing.
    Shadow,
    /// It decides. This is the trial flag: written before it does, and gone when it is confirmed.
    Unconfirmed,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Installed, Self::Proved, Self::Shadow, Self::Unconfirmed];

    /// True once the model on trial is the current one.
    pub fn switched(self) -> bool {
        self == Self::Unconfirmed
    }

    /// As a word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Installed => "to be proved",
            Self::Proved => "proved",
            Self::Shadow => "in shadow",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// What a proof on this machine gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The largest difference from a golden vector.
    pub difference: f32,
    /// What 7 of 8 timed segments stayed within, from clip to score, in milliseconds.
    pub segment_ms: f32,
    /// What it added to this process's resident memory, in megabytes of 10^6 bytes.
    pub memory_mb: f32,
}

/// The highest confirmed release of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The model's name.
    pub name: String,
    /// Its release.
    pub release: u64,
    /// The id of the model that raised it.
    pub id: String,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which model was on trial.
    pub model: Model,
    /// How.
    pub end: End,
    /// Why; empty when it was confirmed.
    pub reason: String,
}

/// Ways for a trial to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It is the model from now on.
    Confirmed,
    /// It never came to decide; the current model went on.
    Dropped,
    /// It decided, and the model before it was taken back.
    Reverted,
    /// An operator took the model before it back, after it had been confirmed.
    RolledBack,
}

impl End {
    /// As a word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Dropped => "dropped",
            Self::Reverted => "reverted",
            Self::RolledBack => "rolled back",
        }
    }
}

impl State {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When it is larger than a record may be.
    pub fn encode(&self) -> Result<Vec<u8>, EnvelopeError> {
        let payload = postcard::to_allocvec(self).map_err(|_| EnvelopeError::Payload { version: 1 })?;
        ENVELOPE.seal(1, &payload)
    }

    /// Read the bytes of the file.
    ///
    /// # Errors
    /// When they are damaged, of a version that is not known, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let (version, payload) = ENVELOPE.open(bytes)?;
        let state: Self = envelope::decode_payload(version, payload)?;
        if state.is_sound() { Ok(state) } else { Err(EnvelopeError::Payload { version }) }
    }

    /// The model on trial.
    pub fn on_trial(&self) -> Option<&Model> {
        let stage = self.trial.as_ref()?.stage;
        if stage.switched() { self.current.as_ref() } else { self.candidate.as_ref() }
    }

    /// What pointers name; collecting never touches these.
    pub fn named(&self) -> impl Iterator<Item = &Model> {
        [&self.current, &self.candidate, &self.previous].into_iter().flatten()
    }

    /// The highest release of `name` that was confirmed here.
    pub fn highest(&self, name: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.name == name)
    }

    /// Remember how a trial ended.
    pub(super) fn remember(&mut self, model: Model, end: End, reason: &str) {
        let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect();
        self.past.push(Outcome { model, end, reason });
        let surplus = self.past.len().saturating_sub(PAST_MAX);
        self.past.drain(..surplus);
    }

    /// Whether pointers and trial fit each other.
    pub(super) fn is_sound(&self) -> bool {
        let trial = match self.trial.as_ref().map(|trial| trial.stage) {
            None => true,
            Some(Stage::Unconfirmed) => self.current.is_some() && self.previous.is_some(),
            Some(_) => self.candidate.is_some(),
        };
        let hash = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        trial
            && (self.current.is_some() || self.previous.is_none())
            && self.named().all(|model| hash(&model.blob) && hash(&model.id))
            && self.releases.len() <= NAMES_MAX
            && self.past.len() <= PAST_MAX
    }
}
