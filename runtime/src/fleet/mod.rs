//! One camera among thousands: models are pulled from a server, a broker is told whether the camera is there and of its alarms, and rings
//! when something waits. In: `[hawkbit]`, `[output.mqtt]` and `[output.webhook]` of a config, and alarms of the outbox. Out: a bundle in the
//! store, activated, and what servers are told.
//!
//! | file | what |
//! |---|---|
//! | here | [`Fleet`]: the threads of both; what they tell of this [`Device`] |
//! | [`pull`] | the hawkBit client: poll, fetch, activate, tell how the trial ended |
//! | [`standing`] | where a deployment stands, from what the store knows: pure |
//! | [`ddi`] | hawkBit's API: what is said, and HTTP |
//! | [`mqtt`] | presence, the present model, cameras and their alarms, the doorbell |
//! | [`webhook`] | alarms to a web server, signed |
//! | [`pace`] | how long to wait before asking again: pure |
//! | [`bell`] | a doorbell between threads |
//! | [`tls`] | whose certificates are believed, and by what date |
//! | [`https`] | requests over it |
//!
//! No camera's thread comes here, and nothing here waits for one: a server that hangs holds up its own thread alone, and the end of
//! the run waits for neither longer than [`FAREWELL`]. What is fetched goes through the store like any other bundle.

pub mod bell;
pub mod ddi;
mod https;
pub mod mqtt;
pub mod pace;
pub mod pull;
pub mod standing;
pub mod tls;
pub mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use firmware_config::Config;

use crate::health::Health;
use crate::health::calendar::{self, Calendar};
use crate::health::supervision::panics;
use crate::output::outbox::Outbox;
use crate::pipeline::watch::Shared;
use crate::store::state::{Stage, State};
use crate::store::{Store, Trust};
use crate::{Error, Result};
use bell::Bell;
use ddi::client::Client;
use mqtt::{Cameras, Presence, Said};
use pace::Pace;
use pull::Pull;
use webhook::Webhook;

/// How long the end of a run waits for goodbyes.
pub const FAREWELL: Duration = Duration::from_millis(400);
/// The longest token or password, in bytes.
const SECRET_BYTES_MAX: usize = 4096;

/// What servers are told of a device.
#[derive(Clone, Debug)]
pub struct Device {
    /// What the config has compute its models.
    pub engine: String,
    /// Its cameras' names.
    pub cameras: Vec<String>,
    /// The model that was loaded at the start.
    pub model: Running,
}

/// A model as servers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its release counter.
    pub release: u64,
}

/// The threads that talk to servers.
pub struct Fleet {
    bell: Bell,
    cameras: Cameras,
    threads: Vec<JoinHandle<()>>,
}

impl Device {
    /// The model that decides: of the store's record, else the one of the start.
    fn model(&self, state: Option<&State>) -> Running {
        let current = state.and_then(|state| state.current.as_ref());
        current.map_or_else(
            || self.model.clone(),
            |model| Running { id: model.id.clone(), name: model.name.clone(), release: model.release },
        )
    }
}

impl Fleet {
    /// Start what a config names; nothing is started when it names none. Paths of the config are found `beside` it; servers' certificates are
    /// judged by `calendar`; alarms come from the `outbox`.
    ///
    /// # Errors
    /// When a token, password or authority cannot be read, when `[hawkbit]` finds no `store`, or there is no thread.
    pub fn start(
        config: &Config,
        beside: impl Fn(&str) -> PathBuf,
        device: &Device,
        calendar: &Arc<Calendar>,
        store: Option<(PathBuf, Trust)>,
        outbox: Option<&Outbox>,
    ) -> Result<Self> {
        let mut fleet = Self { bell: Bell::default(), cameras: Cameras::default(), threads: Vec::new() };
        let tls = |ca: &Option<String>| {
            let authority = ca.as_ref().map(|ca| tls::authority(&beside(ca))).transpose()?;
            tls::client(authority, calendar)
        };
        let folder = store.as_ref().map(|(folder, _)| folder.clone());
        if let Some(hawkbit) = &config.hawkbit {
            let Some((folder, trust)) = store else {
                let remedy = "let `[model] bundle` name a folder: docs/guide/fleet.md";
                return Err(Error::invalid("hawkbit", "needs a store to put models into", remedy));
            };
            let token = secret(&beside(&hawkbit.token_file))?;
            let client = Client::new(hawkbit, &token, &tls(&hawkbit.ca)?);
            let pull = Pull::new(client, Store::new(folder), trust, device.clone(), fleet.bell.clone());
            let pace = Pace::of(&hawkbit.device);
            fleet.spawn("hawkbit", move || pull.run(pace))?;
        }
        if let Some(mqtt) = &config.output.mqtt {
            let password = mqtt.password_file.as_ref().map(|file| secret(&beside(file))).transpose()?;
            let encrypted = mqtt.address().is_some_and(|(encrypted, _)| encrypted);
            let tls = if encrypted { Some(tls(&mqtt.ca)?) } else { None };
            let device = device.clone();
            let store = folder.map(Store::new);
            let model = Box::new(move || model_line(&device, store.as_ref()));
            let said = Said { cameras: Arc::clone(&fleet.cameras), outbox: outbox.cloned() };
            let rings = config.hawkbit.is_some();
            let presence = Presence::new(mqtt, password, tls, model, rings, fleet.bell.clone(), said)?;
            fleet.spawn(mqtt::NAME, move || presence.run())?;
        }
        if let (Some(webhook), Some(outbox)) = (&config.output.webhook, outbox) {
            let secret = secret(&beside(&webhook.secret_file))?;
            let tls = tls(&webhook.ca)?;
            let webhook = Webhook::new(&webhook.url, &secret, &tls, outbox.clone(), fleet.bell.clone())?;
            fleet.spawn(webhook::NAME, move || webhook.run())?;
        }
        if !fleet.threads.is_empty() {
            let (calendar, bell) = (Arc::clone(calendar), fleet.bell.clone());
            fleet.spawn("date", move || keep(&calendar, &bell))?;
        }
        Ok(fleet)
    }

    /// The run has these cameras.
    pub fn watch(&self, healths: &[Shared<Health>]) {
        // Once a run.
        let _ = self.cameras.set(healths.to_vec());
    }

    /// Say goodbye, and leave behind what does not end in [`FAREWELL`].
    pub fn end(self) {
        self.bell.end();
        let until = Instant::now() + FAREWELL;
        while !self.threads.iter().all(JoinHandle::is_finished) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn spawn(&mut self, name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let guarded = move || {
            if let Err(panic) = panics::catch(work) {
                log::error!("{}", panic.error(name));
            }
        };
        let thread = Builder::new().name(name.into()).spawn(guarded);
        let thread =
            thread.map_err(|e| Error::failed(name, format!("no thread can be started: {e}"), "free some memory"))?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Read the tokens, passwords and authorities that a config names and that are on this machine; those that are not come back.
///
/// # Errors
/// As [`Fleet::start`] would refuse them, with the file and the config's key.
pub fn check(config: &Config, beside: impl Fn(&str) -> PathBuf) -> Result<Vec<PathBuf>> {
    type Check = fn(&Path) -> Result<()>;
    let is_secret: Check = |file| secret(file).map(|_| ());
    let signs: Check = |file| webhook::check_secret(&secret(file)?);
    let is_authority: Check = |file| tls::roots(Some(tls::authority(file)?)).map(|_| ());
    let (hawkbit, mqtt, webhook) =
        (config.hawkbit.as_ref(), config.output.mqtt.as_ref(), config.output.webhook.as_ref());
    let named = [
        ("hawkbit.token_file", hawkbit.map(|hawkbit| &hawkbit.token_file), is_secret),
        ("hawkbit.ca", hawkbit.and_then(|hawkbit| hawkbit.ca.as_ref()), is_authority),
        ("output.mqtt.password_file", mqtt.and_then(|mqtt| mqtt.password_file.as_ref()), is_secret),
        ("output.mqtt.ca", mqtt.and_then(|mqtt| mqtt.ca.as_ref()), is_authority),
        ("output.webhook.secret_file", webhook.map(|webhook| &webhook.secret_file), signs),
        ("output.webhook.ca", webhook.and_then(|webhook| webhook.ca.as_ref()), is_authority),
    ];
    let mut absent = Vec::new();
    for (key, file, check) in named {
        let Some(file) = file.map(|file| beside(file)) else { continue };
        if matches!(file.try_exists(), Ok(false)) {
            absent.push(file);
            continue;
        }
        check(&file).map_err(|error| Error {
            subject: file.display().to_string(),
            problem: format!("`{key}` {}", error.problem),
            ..error
        })?;
    }
    Ok(absent)
}

/// Keep the date from time to time, until the run ends.
fn keep(calendar: &Calendar, bell: &Bell) {
    loop {
        calendar.keep();
        if bell.pause(calendar::LOOK_EVERY) {
            return;
        }
    }
}

/// The model that decides, and the one that is on trial, as one JSON object.
fn model_line(device: &Device, store: Option<&Store>) -> String {
    let state = store.and_then(|store| store.state().ok());
    let model = device.model(state.as_ref());
    let trial = state.as_ref().and_then(|state| Some((state.on_trial()?, state.trial.as_ref()?.stage)));
    let unconfirmed = trial.is_some_and(|(_, stage)| stage == Stage::Unconfirmed);
    let beside = trial.filter(|_| !unconfirmed).map(|(model, stage)| {
        serde_json::json!({ "id": model.id, "name": model.name, "release": model.release, "stage": stage.word() })
    });
    let stage = if unconfirmed { Stage::Unconfirmed.word() } else { "confirmed" };
    let Running { id, name, release } = model;
    serde_json::json!({ "id": id, "name": name, "release": release, "stage": stage, "trial": beside }).to_string()
}

/// A token or password: a file's text without the white space around it.
fn secret(file: &Path) -> Result<String> {
    let subject = file.display().to_string();
    let remedy = "write the secret into it, in one line, readable by the service";
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Error::unreadable(&subject, &error, remedy))?;
    let text = text.trim();
    if text.is_empty() || text.len() > SECRET_BYTES_MAX || text.contains(char::is_control) {
        return Err(Error::invalid(subject, "holds no secret of one line", remedy));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
