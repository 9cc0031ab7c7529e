//! The trial of a candidate, as moves of the [`State`]: what happened comes in, where things stand goes out. Pure: no disk,
//! no clock. [`Store`](super::Store) writes each move down before anybody acts on it.
//!
//! ```text
//!              Proved          ShadowBegun        Passed               Passed
//! Installed ────────▶ Proved ─────────────▶ Shadow ──────▶ Unconfirmed ──────▶ (confirmed)
//!     │                 │ └── ShadowSkipped ─────────────────▲  │
//!     └─────────────────┴──────────┴── Failed, 2nd start ▶ dropped └─ Failed, 2nd start ▶ reverted
//! ```
//!
//! Left of the switch the current model decides, whatever becomes of the candidate; right of it the candidate decides, and
//! `previous` is what it fell back to. A start of the firmware left of the switch begins with the proof again: engine and
//! machine may be others than they were. A candidate that has nothing before it is confirmed by its proof.

use super::state::{End, Evidence, Model, NAMES_MAX, Release, Stage, State, Trial};
use crate::{Error, ErrorKind, Result};

/// Starts that find a trial on before it is given up.
pub const STARTS_MAX: u32 = 2;

/// What happened to a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The firmware started.
    Started,
    /// The candidate computes here what its maker computed, within its budgets.
    Proved(Evidence),
    /// The candidate began to score beside the present model.
    ShadowBegun,
    /// An operator does without the shadow.
    ShadowSkipped,
    /// The stage's time is over and all was well.
    Passed,
    /// NaN, a panic, an overrun budget, a drift, or anything else that must not be.
    Failed(String),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing moved.
    None,
    /// The trial is at this stage now.
    At(Stage),
    /// The candidate is current from now on, unconfirmed.
    Switched,
    /// The trial is over: it stays current.
    Confirmed,
    /// The trial is over: it never became current.
    Dropped(String),
    /// The trial is over: the model before it is current again.
    Reverted(String),
}

impl State {
    /// A bundle was installed: it is the candidate, and the one before it is forgotten.
    ///
    /// # Errors
    /// Of kind `Unavailable` while another candidate is on trial.
    pub fn install(&mut self, model: Model) -> Result<()> {
        if let Some(trial) = self.trial.as_ref().filter(|trial| !trial.stage.switched())
            && self.candidate.as_ref().is_none_or(|known| known.id != model.id)
        {
            let problem = format!("another model, {}, is on trial ({})", self.trial_name(), trial.stage.word());
            return Err(Error::unavailable(model.id, problem, "wait for its end, or end it: `tadpole model rollback`"));
        }
        // The same manifest in another file is the same model under another signature: keys are exchanged so.
        for known in [&mut self.current, &mut self.candidate, &mut self.previous].into_iter().flatten() {
            if known.id == model.id {
                known.clone_from(&model);
            }
        }
        if self.current.as_ref() != Some(&model) {
            self.candidate = Some(model);
        }
        Ok(())
    }

    /// Put a model on trial: the one whose id begins with `id`, or the candidate. A trial `by_hand` is left alone by who
    /// runs cameras, until it is current.
    ///
    /// # Errors
    /// When there is no such model, one is on trial already, or its release is not above the counter and nobody on the device
    /// allowed that.
    pub fn activate(&mut self, id: Option<&str>, allow_downgrade: bool, by_hand: bool) -> Result<Model> {
        if let (Some(trial), Some(model)) = (&self.trial, self.on_trial()) {
            return Err(Error::unavailable(
                &model.id,
                format!("{} release {} is on trial already ({})", model.name, model.release, trial.stage.word()),
                "wait for its end, or end it: `tadpole model rollback`",
            ));
        }
        let is = |model: &&Model| id.is_none_or(|id| model.id.starts_with(id));
        if id.is_some() && self.current.as_ref().is_some_and(|model| is(&model)) {
            return Err(Error::invalid(
                id.unwrap_or_default(),
                "is the current model already",
                "look at `tadpole model list`",
            ));
        }
        let wanted = self.candidate.as_ref().filter(is);
        let wanted = wanted.or_else(|| self.previous.as_ref().filter(|model| id.is_some() && is(model)));
        let Some(model) = wanted.cloned() else {
            return Err(Error::invalid(
                id.unwrap_or("candidate"),
                "is not in the store",
                "install a bundle first: `tadpole model install FILE`",
            ));
        };
        if !allow_downgrade {
            self.check_release(&model)?;
        }
        self.candidate = Some(model.clone());
        self.trial = Some(Trial { stage: Stage::Installed, starts: 0, evidence: None, by_hand });
        Ok(model)
    }

    /// Whether a model's release is above the highest that was confirmed under its name, or is that very model.
    ///
    /// # Errors
    /// Of kind `Untrusted` when it is not.
    pub fn check_release(&self, model: &Model) -> Result<()> {
        match self.highest(&model.name) {
            Some(highest) if model.release < highest.release => Err(Error::new(
                ErrorKind::Untrusted,
                &model.id,
                format!("release {} of {} is older than release {}", model.release, model.name, highest.release),
                "send a newer one, or on the device: `tadpole model activate --allow-downgrade`",
            )),
            Some(highest) if model.release == highest.release && model.id != highest.id => Err(Error::new(
                ErrorKind::Untrusted,
                &model.id,
                format!("another model was confirmed as release {} of {}", model.release, model.name),
                "count its release up, or on the device: `tadpole model activate --allow-downgrade`",
            )),
            None if self.releases.len() >= NAMES_MAX => Err(Error::new(
                ErrorKind::Untrusted,
                &model.id,
                format!("{NAMES_MAX} names of models were confirmed here, there is no room for `{}`", model.name),
                "keep a model's name from release to release, or set the store up anew",
            )),
            _ => Ok(()),
        }
    }

    /// Move the trial by what happened; without a trial, nothing moves.
    ///
    /// # Errors
    /// Of kind `Failed` when that cannot happen at this stage; nothing has moved.
    pub fn advance(&mut self, event: Event) -> Result<Turn> {
        let Some(trial) = &mut self.trial else { return Ok(Turn::None) };
        match (trial.stage, event) {
            (stage, Event::Started) => {
                trial.starts += 1;
                if trial.starts >= STARTS_MAX {
                    return Ok(
                        self.give_up(format!("the firmware started {STARTS_MAX} times before its trial was over"))
                    );
                }
                if stage.switched() {
                    return Ok(Turn::None);
                }
                (trial.stage, trial.evidence, trial.by_hand) = (Stage::Installed, None, false);
                Ok(Turn::At(Stage::Installed))
            }
            (_, Event::Failed(reason)) => Ok(self.give_up(reason)),
            (Stage::Installed, Event::Proved(evidence)) => {
                (trial.stage, trial.evidence) = (Stage::Proved, Some(evidence));
                Ok(if self.current.is_none() { self.first() } else { Turn::At(Stage::Proved) })
            }
            (Stage::Proved, Event::ShadowBegun) => {
                trial.stage = Stage::Shadow;
                Ok(Turn::At(Stage::Shadow))
            }
            (Stage::Proved, Event::ShadowSkipped) | (Stage::Shadow, Event::Passed) => {
                (trial.stage, trial.starts) = (Stage::Unconfirmed, 0);
                self.previous = self.current.take();
                self.current = self.candidate.take();
                Ok(Turn::Switched)
            }
            (Stage::Unconfirmed, Event::Passed) => Ok(self.confirm()),
            (stage, event) => Err(Error::failed(
                self.trial_name(),
                format!("{event:?} cannot happen to a model that is {}", stage.word()),
                "report this as a bug",
            )),
        }
    }

    /// An operator wants the model before: a trial is ended, or a confirmed model left.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is none before.
    pub fn roll_back(&mut self, reason: &str) -> Result<Turn> {
        if self.trial.is_some() {
            return Ok(self.give_up(reason.into()));
        }
        if self.previous.is_none() {
            return Err(Error::invalid(
                "previous",
                "is no model: there is nothing to roll back to",
                "install and activate another: `tadpole model install FILE`",
            ));
        }
        // The one that is left stays at hand, so that the way forward is as short.
        std::mem::swap(&mut self.current, &mut self.previous);
        if let Some(left) = self.previous.clone() {
            self.remember(left, End::RolledBack, reason);
        }
        Ok(Turn::Reverted(reason.into()))
    }

    /// The current model cannot be loaded, and the one before takes its place; returns the reason.
    pub(super) fn lose_current(&mut self, reason: String) -> String {
        if self.trial.as_ref().is_some_and(|trial| trial.stage.switched()) {
            self.give_up(reason.clone());
        } else {
            self.current = self.previous.take();
        }
        reason
    }

    /// The trial is over, and was for nothing.
    fn give_up(&mut self, reason: String) -> Turn {
        let switched = self.trial.take().is_some_and(|trial| trial.stage.switched());
        if !switched {
            if let Some(model) = self.candidate.take() {
                self.remember(model, End::Dropped, &reason);
            }
            return Turn::Dropped(reason);
        }
        let failed = std::mem::replace(&mut self.current, self.previous.take());
        if let Some(model) = failed {
            self.remember(model, End::Reverted, &reason);
        }
        Turn::Reverted(reason)
    }

    /// There is nothing to go back to: the first model's proof is all its trial.
    fn first(&mut self) -> Turn {
        self.current = self.candidate.take();
        self.confirm()
    }

    fn confirm(&mut self) -> Turn {
        self.trial = None;
        if let Some(model) = self.current.clone() {
            let Model { name, release, id, .. } = model.clone();
            let room = self.releases.len() < NAMES_MAX;
            match self.releases.iter_mut().find(|known| known.name == name) {
                Some(known) if known.release < release => (known.release, known.id) = (release, id),
                None if room => self.releases.push(Release { name, release, id }),
                // With an operator's leave an older one is run, and a 65th name; neither is counted.
                Some(_) | None => {}
            }
            self.remember(model, End::Confirmed, "");
        }
        Turn::Confirmed
    }

    fn trial_name(&self) -> String {
        self.on_trial().map_or_else(|| "trial".into(), |model| format!("{} release {}", model.name, model.release))
    }
}
