//! The driver of a trial beside running cameras. It looks about twice a second, on a thread of its own, and may take as
//! long as proving and loading a model takes.
//!
//! Before the switch a move is written first and then acted on; after it the model before is taken back first and then written:
//! what cannot be written is tried again, and a start meanwhile counts.

use std::sync::Arc;
use std::time::Duration;

use firmware_config::config::EngineChoice;

use super::super::judge::{Judge, Limits, Verdict};
use super::super::state::{Model, Stage, State};
use super::super::trial::{Event, Turn};
use super::super::{Store, Trust, proof};
use super::{Change, Lead, Live, Watched};
use crate::Result;
use crate::bench::memory::Memory;
use crate::engine::Engines;
use crate::memory;
use crate::pipeline::RuleOverrides;
use crate::pipeline::second::{Second, check_same_clips};
use crate::pipeline::watch::lock;

/// How often it reads the store.
const READ_EVERY: Duration = Duration::from_secs(2);

/// What people should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A trial gets on.
    News(String),
    /// A trial has failed, or cannot get on; for the journal.
    Fault(String),
    /// The model before is to be loaded by a new start: it is not at hand here.
    Restart(String),
}

/// Takes candidates through their trials.
pub struct Driver {
    live: Arc<Live>,
    store: Store,
    trust: Trust,
    over: RuleOverrides,
    limits: Limits,
    /// The candidate before the switch, the model before after it: whichever scores along.
    other: Option<Lead>,
    /// A move that could not be written yet.
    owed: Option<Event>,
    read_at: Option<Duration>,
    /// The last fault that was told: what stays wrong is told once.
    fault: Option<String>,
}

impl Driver {
    /// A driver for cameras that run what [`Store::boot`] gave; `state` is what it found.
    pub fn new(
        live: Arc<Live>,
        store: Store,
        trust: Trust,
        over: RuleOverrides,
        limits: Limits,
        state: &State,
    ) -> Self {
        // Only a trial that was found at the start is of the model that runs.
        if let (Some(trial), Some(model)) = (&state.trial, &state.current)
            && trial.stage.switched()
        {
            let judge = Judge::new(limits.clone());
            *lock(&live.trial) = Some(Watched { stage: Stage::Unconfirmed, id: model.id.clone(), judge });
        }
        Self { live, store, trust, over, limits, other: None, owed: None, read_at: None, fault: None }
    }

    /// Where a trial's engines put what they compile.
    fn engines(&self) -> Engines {
        engines(self.trust.engine, &self.store)
    }

    /// Look at the trial, or for one, at `now`.
    pub fn look(&mut self, now: Duration) -> Vec<Told> {
        let mut told = Vec::new();
        let reads = self.read_at.is_none_or(|at| now.saturating_sub(at) >= READ_EVERY);
        if reads {
            self.read_at = Some(now);
            if let Some(event) = self.owed.take() {
                self.write(event, &mut told);
            }
        }
        let done = match self.stage() {
            None if reads && self.owed.is_none() => self.find(&mut told),
            None => Ok(()),
            Some((stage, id)) => self.go_on(stage, &id, reads, &mut told),
        };
        if let Err(error) = done {
            told.push(Told::Fault(error.to_string()));
        }
        told.retain(|told| match told {
            Told::Fault(text) if self.fault.as_ref() == Some(text) => false,
            Told::Fault(text) => {
                self.fault = Some(text.clone());
                true
            }
            _ => true,
        });
        told
    }

    /// A candidate to begin with?
    fn find(&mut self, told: &mut Vec<Told>) -> Result<()> {
        let state = self.store.state()?;
        let (Some(trial), Some(candidate)) = (&state.trial, &state.candidate) else { return Ok(()) };
        if trial.stage != Stage::Installed || trial.by_hand {
            return Ok(());
        }
        let name = title(candidate);
        told.push(Told::News(format!("{name} is being proved")));
        match self.begin(candidate) {
            Ok(()) => told.push(Told::News(format!("{name} scores in shadow"))),
            Err(error) => self.fail(Stage::Installed, error.to_string(), told),
        }
        Ok(())
    }

    /// Prove a candidate and bring it to the cameras.
    fn begin(&mut self, candidate: &Model) -> Result<()> {
        let bundle = self.store.load(candidate, &self.trust)?;
        check_same_clips(&self.live.lead().bundle.manifest.contract, &bundle.manifest.contract)?;
        let lead = Lead { bundle: Arc::new(bundle), engines: self.engines() };
        let evidence = proof::gather(&lead.bundle, &lead.engines, &self.limits)?;
        self.store.advance(&Event::Proved(evidence))?;
        let seconds: Result<Vec<Second>> = self.live.seats.iter().map(|_| self.second(&lead)).collect();
        self.store.advance(&Event::ShadowBegun)?;
        self.watch(Stage::Shadow, &candidate.id);
        for (seat, second) in self.live.seats.iter().zip(seconds?) {
            let mut seat = lock(seat);
            (seat.second, seat.alone) = (Some(Change::Join(Box::new(second))), false);
        }
        self.other = Some(lead);
        Ok(())
    }

    /// What does the judge say?
    fn go_on(&mut self, stage: Stage, id: &str, reads: bool, told: &mut Vec<Told>) -> Result<()> {
        if reads && let Some(why) = self.ended_by_others(stage, id)? {
            told.push(Told::News(why));
            self.leave(stage, told);
            return Ok(());
        }
        let verdict = match &mut *lock(&self.live.trial) {
            Some(watched) => match Memory::now().filter(|_| reads) {
                Some(memory) => watched.judge.memory(memory.resident_mb as f32),
                None => watched.judge.verdict(),
            },
            None => Verdict::Wait,
        };
        match verdict {
            Verdict::Wait => self.join_those_alone(),
            Verdict::Failed(reason) => {
                self.fail(stage, reason, told);
                Ok(())
            }
            Verdict::Passed if reads => self.pass(stage, id, told),
            Verdict::Passed => Ok(()),
        }
    }

    /// A stage's time is over and all was well.
    fn pass(&mut self, stage: Stage, id: &str, told: &mut Vec<Told>) -> Result<()> {
        self.store.advance(&Event::Passed)?;
        let name = self.name(id);
        if stage == Stage::Shadow {
            self.exchange();
            self.watch(Stage::Unconfirmed, id);
            told.push(Told::News(format!("{name} decides from now on, unconfirmed")));
            return Ok(());
        }
        told.push(Told::News(format!("{name} is confirmed")));
        self.let_go();
        Ok(())
    }

    /// It has failed: the model before goes on, or is taken back.
    fn fail(&mut self, stage: Stage, reason: String, told: &mut Vec<Told>) {
        self.leave(stage, told);
        self.write(Event::Failed(reason), told);
    }

    /// End the trial here: after the switch the model before decides again.
    fn leave(&mut self, stage: Stage, told: &mut Vec<Told>) {
        if stage.switched() {
            if self.other.is_none() {
                *lock(&self.live.trial) = None;
                told.push(Told::Restart("the model before is loaded by a new start".into()));
                return;
            }
            self.exchange();
        }
        self.let_go();
    }

    /// Write a move down; what cannot be written is owed.
    fn write(&mut self, event: Event, told: &mut Vec<Told>) {
        let on_trial = self.store.state().ok().and_then(|state| state.on_trial().map(title));
        let name = on_trial.unwrap_or_else(|| "the model on trial".into());
        match self.store.advance(&event) {
            Ok(Turn::Dropped(reason)) => told.push(Told::Fault(format!("{name} was dropped: {reason}"))),
            Ok(Turn::Reverted(reason)) => told.push(Told::Fault(format!("{name} was reverted: {reason}"))),
            Ok(_) => {}
            Err(error) => {
                told.push(Told::Fault(error.to_string()));
                self.owed = Some(event);
            }
        }
    }

    /// An operator, or a push, may have ended the trial.
    fn ended_by_others(&self, stage: Stage, id: &str) -> Result<Option<String>> {
        let state = self.store.state()?;
        let goes_on = state.trial.as_ref().is_some_and(|trial| trial.stage == stage)
            && state.on_trial().is_some_and(|model| model.id == id);
        let why = state.past.last().map_or("", |end| end.reason.as_str());
        Ok((!goes_on).then(|| format!("the trial of {} was ended: {why}", self.name(id))))
    }

    /// A camera that started during the trial takes part in it again.
    fn join_those_alone(&self) -> Result<()> {
        let Some(other) = &self.other else { return Ok(()) };
        for seat in &self.live.seats {
            if lock(seat).alone {
                let second = self.second(other)?;
                let mut seat = lock(seat);
                (seat.second, seat.alone) = (Some(Change::Join(Box::new(second))), false);
            }
        }
        Ok(())
    }

    /// The two models change places, at every camera between two segments.
    fn exchange(&mut self) {
        let Some(other) = &mut self.other else { return };
        let mut lead = lock(&self.live.lead);
        std::mem::swap(&mut *lead, other);
        let id = lead.bundle.id.clone();
        drop(lead);
        self.live.seats.iter().for_each(|seat| lock(seat).lead = Some(id.clone()));
    }

    /// The trial is over; one model is left.
    fn let_go(&mut self) {
        *lock(&self.live.trial) = None;
        self.other = None;
        memory::give_back();
        self.live.seats.iter().for_each(|seat| lock(seat).second = Some(Change::Leave));
    }

    fn watch(&self, stage: Stage, id: &str) {
        *lock(&self.live.trial) = Some(Watched { stage, id: id.into(), judge: Judge::new(self.limits.clone()) });
    }

    fn stage(&self) -> Option<(Stage, String)> {
        lock(&self.live.trial).as_ref().map(|watched| (watched.stage, watched.id.clone()))
    }

    fn second(&self, lead: &Lead) -> Result<Second> {
        Second::new(&lead.bundle, &lead.engines, &self.over)
    }

    fn name(&self, id: &str) -> String {
        let lead = self.live.lead();
        let known = [Some(&lead), self.other.as_ref()].into_iter().flatten().find(|lead| lead.bundle.id == id);
        known.map_or_else(
            || id.to_owned(),
            |lead| format!("{} release {}", lead.bundle.manifest.name, lead.bundle.manifest.release),
        )
    }
}

/// Engines for live cameras that keep what they compile in the store's folder.
pub fn engines(choice: EngineChoice, store: &Store) -> Engines {
    Engines::live(choice, store.folder().join("engines"))
}

fn title(model: &Model) -> String {
    format!("{} release {}", model.name, model.release)
}
