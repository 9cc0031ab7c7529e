//! The hawkBit client: the server is asked, its deployment's bundle is fetched into the store and activated, and the server is told how its
//! trial ended: success when it was confirmed, failure with the reason when it was refused, dropped or reverted.
//!
//! Runs on a thread of its own. It and cameras meet in the store alone, where the driver of trials finds what was activated. What is
//! told follows from the store's record, so that a firmware that starts anew goes on where the one before stood.
//!
//! ```text
//! poll ─▶ cancelAction ─▶ granted before activation, rejected after it
//!     └─▶ deploymentBase ─▶ absent ─▶ fetched, installed ─▶ activated ─▶ on trial ─▶ confirmed: success
//!                             │              └ refused: failure            └ dropped, reverted: failure
//!                             └ server or network away: later, from where it stood
//! ```

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Device;
use super::bell::{Bell, Woken};
use super::ddi::client::Client;
use super::ddi::{Artifact, Deployment, Execution, Feedback, Finished, Link};
use super::pace::Pace;
use super::standing::{Note, Standing};
use crate::health::supervision::panics;
use crate::store::receive::RECEIVED_BYTES_MAX;
use crate::store::{Store, Trust};
use crate::{Error, ErrorKind, Result};

/// In logs and errors.
const NAME: &str = "hawkbit";
/// How often the store is looked at while a trial is on.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often a download looks whether it is still wanted.
const WANTED_EVERY: Duration = Duration::from_secs(20);
/// The least time between two polls, however often the doorbell rings.
const GAP: Duration = Duration::from_secs(1);
/// Asked for by a server that says no time.
const SLEEP: Duration = Duration::from_mins(5);
/// Bytes that are fetched and written at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A device that pulls its models.
pub struct Pull {
    client: Client,
    store: Store,
    trust: Trust,
    device: Device,
    bell: Bell,
    /// What the server was told last, and of which action.
    told: Option<(String, Feedback)>,
    /// The action whose end is waited for: its id, its bundle's SHA-256, where it stood.
    open: Option<(String, String, Standing)>,
}

/// What is there to be told of a deployment.
enum News {
    /// This.
    Tell(Feedback),
    /// Nothing: it is not wanted any more, or the run ends.
    Nothing,
}

impl Pull {
    /// One that has asked nothing yet.
    pub fn new(client: Client, store: Store, trust: Trust, device: Device, bell: Bell) -> Self {
        Self { client, store, trust, device, bell, told: None, open: None }
    }

    #[cfg(test)]
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    #[cfg(test)]
    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Ask again and again, until the run ends.
    pub fn run(mut self, mut pace: Pace) {
        let (mut wait, mut said) = (pace.first(), None);
        while !self.rest(wait) {
            wait = match panics::caught(NAME, || self.turn()) {
                Ok(asked) => {
                    if said.take().is_some() {
                        log::info!("{NAME}: the server answers again");
                    }
                    pace.well(asked)
                }
                Err(error) => {
                    let text = error.to_string();
                    if said.as_ref() != Some(&text) {
                        log::warn!("{text}");
                    }
                    said = Some(text);
                    pace.failed()
                }
            };
            if self.bell.pause(GAP) {
                return;
            }
        }
    }

    /// Wait: for the time to be over, the doorbell, or news of the trial. True when the run ends.
    fn rest(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.bell.wait(left.min(LOOK_EVERY)) {
                Woken::Over => return true,
                Woken::Time if left > LOOK_EVERY && !self.has_news() => {}
                Woken::Rung | Woken::Time => return false,
            }
        }
    }

    /// Whether the open deployment stands elsewhere than it did.
    pub(super) fn has_news(&self) -> bool {
        let Some((action, blob, stood)) = &self.open else { return false };
        self.standing(action, blob).is_ok_and(|stands| stands != *stood)
    }

    /// Ask the server and do what it wants; when it wants to be asked again.
    ///
    /// # Errors
    /// Of kind `Unavailable` when the server or the network is away.
    pub fn turn(&mut self) -> Result<Duration> {
        let poll = self.client.poll()?;
        self.open = None;
        if let Some(link) = &poll.links.cancel_action {
            self.cancel(link)?;
        } else if let Some(link) = &poll.links.deployment_base {
            self.deploy(link)?;
        }
        if poll.links.config_data.is_some() {
            self.client.attributes(&self.attributes())?;
        }
        Ok(poll.sleep().unwrap_or(SLEEP))
    }

    fn standing(&self, action: &str, blob: &str) -> Result<Standing> {
        Ok(Standing::of(&self.store.state()?, Note::read(&self.store).as_ref(), action, blob))
    }

    /// Bring a deployment as far as it goes now, and tell.
    fn deploy(&mut self, link: &Link) -> Result<()> {
        let deployment = self.client.deployment(link)?;
        let news = match self.bring(&deployment) {
            Err(error) if error.kind == ErrorKind::Unavailable => return Err(error),
            Err(error) => News::Tell(closed(Finished::Failure, error.to_string())),
            Ok(news) => news,
        };
        if let News::Tell(feedback) = news {
            self.tell(&deployment.id, feedback)?;
        }
        Ok(())
    }

    fn bring(&mut self, deployment: &Deployment) -> Result<News> {
        let bundle = deployment.bundle()?;
        let (action, blob) = (&deployment.id, bundle.sha256());
        let mut standing = self.standing(action, &blob)?;
        if standing == Standing::Absent {
            if bundle.size > RECEIVED_BYTES_MAX {
                let problem = format!("has {} bytes; a bundle has at most {RECEIVED_BYTES_MAX}", bundle.size);
                return Err(Error::invalid("deployment", problem, "deploy a `.tadpole` bundle"));
            }
            if !deployment.may_download() {
                return Ok(scheduled("waits for leave to download".into()));
            }
            if let Some(model) = self.store.state()?.on_trial() {
                return Ok(scheduled(format!("waits for the trial of {} release {}", model.name, model.release)));
            }
            self.tell(action, feedback(Execution::Download, "is being downloaded".into()))?;
            if !self.fetch(bundle, &blob)? {
                return Ok(News::Nothing);
            }
            standing = self.standing(action, &blob)?;
        }
        if let Standing::Installed(model) = &standing {
            if !deployment.may_update() {
                return Ok(scheduled("is installed and waits for leave to be activated".into()));
            }
            if !self.wanted()? {
                return Ok(News::Nothing);
            }
            Note { action: action.clone(), blob: blob.clone() }.write(&self.store)?;
            match self.store.activate(Some(&model.id), false, false) {
                Err(error) if error.kind == ErrorKind::Unavailable => return Ok(scheduled(format!("waits: {error}"))),
                activated => _ = activated?,
            }
            standing = self.standing(action, &blob)?;
        }
        let news = match &standing {
            Standing::OnTrial(model, stage) => {
                // Activated by whoever it was: its end is that of this deployment.
                let note = Note { action: action.clone(), blob: blob.clone() };
                if Note::read(&self.store).as_ref() != Some(&note) {
                    note.write(&self.store)?;
                }
                let text = format!("{} release {} is on trial: {}", model.name, model.release, stage.word());
                feedback(Execution::Proceeding, text)
            }
            Standing::Confirmed(model) => {
                closed(Finished::Success, format!("{} release {} is confirmed", model.name, model.release))
            }
            Standing::Ended(reason) => closed(Finished::Failure, reason.clone()),
            Standing::Absent | Standing::Installed(_) => {
                let problem = "is not where it was just put";
                return Err(Error::failed(&blob, problem, "does somebody else change the store? deploy it again"));
            }
        };
        self.open = Some((action.clone(), blob, standing));
        Ok(News::Tell(news))
    }

    /// Fetch a bundle into the store, from where an earlier attempt stood; false when it is not wanted any more.
    fn fetch(&self, bundle: &Artifact, blob: &str) -> Result<bool> {
        let mut incoming = self.store.receive(blob, bundle.size)?;
        let had = incoming.have();
        if had < bundle.size {
            let (begins, mut reader) = self.client.file(bundle.url()?, had)?;
            let mut skip = had.checked_sub(begins).ok_or_else(|| {
                Error::unavailable(
                    NAME,
                    format!("was asked for byte {had} and begins at {begins}"),
                    "it is asked again",
                )
            })?;
            let (mut piece, mut looked) = (vec![0; PIECE_BYTES], Instant::now());
            loop {
                let got = reader.read(&mut piece).map_err(|error| {
                    let have = incoming.have();
                    let problem = format!("the download was cut at {have} of {} bytes: {error}", bundle.size);
                    Error::unavailable(NAME, problem, "it is gone on with")
                })?;
                if got == 0 {
                    break;
                }
                let known = skip.min(got as u64);
                skip -= known;
                incoming.write(&piece[known as usize..got])?;
                if self.bell.over() {
                    return Ok(false);
                }
                if looked.elapsed() >= WANTED_EVERY {
                    looked = Instant::now();
                    if !self.wanted()? {
                        return Ok(false);
                    }
                }
            }
        }
        match incoming.finish(&self.trust) {
            // What lay there since an earlier attempt may have been damaged by a power cut; it is gone now.
            Err(error) if error.kind == ErrorKind::Corrupt && had > 0 => {
                Err(Error::unavailable(error.subject, error.problem, "it is fetched anew"))
            }
            finished => finished.map(|installed| {
                log::info!("{NAME}: {} release {} is installed", installed.model.name, installed.model.release);
                true
            }),
        }
    }

    /// Whether the server still wants the deployment that it told of.
    fn wanted(&self) -> Result<bool> {
        let links = self.client.poll()?.links;
        let wanted = links.cancel_action.is_none() && links.deployment_base.is_some();
        if !wanted {
            log::info!("{NAME}: the deployment is not wanted any more");
            self.bell.ring();
        }
        Ok(wanted)
    }

    /// Give a deployment up, if it was not activated yet.
    fn cancel(&mut self, link: &Link) -> Result<()> {
        let cancel = self.client.cancel(link)?;
        let note = Note::read(&self.store).filter(|note| note.action == cancel.action());
        let standing = note.map(|note| self.standing(&note.action, &note.blob)).transpose()?;
        let answer = match standing {
            None | Some(Standing::Absent | Standing::Installed(_)) => {
                closed(Finished::Success, "given up before it was activated".into())
            }
            Some(_) => feedback(
                Execution::Rejected,
                "it is activated: its trial decides; on the device, `tadpole model rollback` ends it".into(),
            ),
        };
        log::info!("{NAME}: action {} is to be cancelled: {}", cancel.action(), answer.detail);
        self.client.tell_cancel(&cancel.id, &answer)
    }

    /// Tell the server, unless that is what it was told last.
    fn tell(&mut self, action: &str, feedback: Feedback) -> Result<()> {
        let told = (action.to_owned(), feedback);
        if self.told.as_ref() == Some(&told) {
            return Ok(());
        }
        let (_, feedback) = &told;
        match feedback.finished {
            Finished::Failure => log::error!("{NAME}: deployment {action}: {}", feedback.detail),
            _ => log::info!("{NAME}: deployment {action}: {}", feedback.detail),
        }
        self.client.tell(action, feedback)?;
        // The end of an action is told until the server stops asking.
        self.told = (feedback.execution != Execution::Closed).then_some(told);
        Ok(())
    }

    /// What the device is, for the server's filters.
    fn attributes(&self) -> Value {
        let model = self.device.model(self.store.state().ok().as_ref());
        json!({
            "firmware": env!("CARGO_PKG_VERSION"),
            "engine": self.device.engine,
            "cameras": self.device.cameras.join(","),
            "model": model.name,
            "release": model.release.to_string(),
            "model_id": model.id,
        })
    }
}

fn feedback(execution: Execution, detail: String) -> Feedback {
    Feedback { execution, finished: Finished::None, detail }
}

fn closed(finished: Finished, detail: String) -> Feedback {
    Feedback { execution: Execution::Closed, finished, detail }
}

fn scheduled(detail: String) -> News {
    News::Tell(feedback(Execution::Scheduled, detail))
}
