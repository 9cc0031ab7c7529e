//! What requests see and move of a run: the board and the book, health, the board's sensors, the model, the outputs; and the
//! [`Ear`] by which alarms come here.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firmware_config::FeatureContract;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::board::Board;
use super::book::Book;
use super::marks::Marks;
use super::picture::Pictures;
use super::session::Sessions;
use super::{NAME, keeper};
use crate::bench::memory::Memory;
use crate::health::sensors::{Reading, Sensors};
use crate::health::shedding::Shed;
use crate::health::{Clock, Health};
use crate::output::outbox::Outbox;
use crate::output::{AlarmEvent, Output, Outputs};
use crate::pipeline::watch::{Shared, lock};
use crate::recorder::Recorder;
use crate::source::mask::PrivacyMask;
use crate::store::Store;
use crate::store::disk::{Disk as _, RealDisk};
use crate::{Error, Result};

/// Alarms that may wait for the page.
const WAITING_MAX: usize = 64;
/// Events and moving pictures that may be followed at a time.
const STREAMS_MAX: usize = 12;
/// The camera that a test alarm of the page names; no real one can have a space in its name.
pub const TEST_CAMERA: &str = "test page";

/// The model that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// SHA-256 of its manifest.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its release.
    pub release: u64,
    /// How its features are made.
    pub contract: Option<FeatureContract>,
}

/// Silences alarms for a while.
pub trait Mute: Send + Sync {
    /// From now on for `time`; no longer when that is nothing.
    fn mute(&self, time: Duration);
    /// How long still.
    fn left(&self) -> Duration;
}

/// What the page is about; what is optional is not there in a demo.
pub struct Parts {
    /// The cameras' names.
    pub cameras: Vec<String>,
    /// Their masks.
    pub masks: Vec<PrivacyMask>,
    /// Their health.
    pub healths: Vec<Shared<Health>>,
    /// What they leave.
    pub board: Arc<Board>,
    /// The time since the start of the run.
    pub clock: Box<dyn Clock>,
    /// Who is told of a test alarm.
    pub outputs: Shared<Outputs>,
    /// Where alarms come from.
    pub alarms: Receiver<(Duration, AlarmEvent)>,
    /// The model that decides now.
    pub model: Box<dyn Fn() -> Model + Send + Sync>,
    /// How many clips are looked at.
    pub shed: Shared<Shed>,
    /// The board's sensors.
    pub sensors: Sensors,
    /// The store of models.
    pub store: Option<Store>,
    /// What people have to say to get in; nobody is asked when absent.
    pub password: Option<String>,
    /// Where marks are kept.
    pub marks: Option<Marks>,
    /// The config that masks are saved to.
    pub config: Option<PathBuf>,
    /// Silences alarms.
    pub mute: Option<Box<dyn Mute>>,
    /// Alarms on their way, to be counted.
    pub outbox: Option<Outbox>,
    /// What alarms looked like, to be counted.
    pub recorder: Option<Recorder>,
}

/// What requests see and move.
pub struct Desk {
    pub(super) inbox: Mutex<Inbox>,
    pub(super) healths: Vec<Shared<Health>>,
    pub(super) board: Arc<Board>,
    pub(super) book: Mutex<Book>,
    pub(super) clock: Box<dyn Clock>,
    pub(super) outputs: Shared<Outputs>,
    pub(super) model: Box<dyn Fn() -> Model + Send + Sync>,
    pub(super) sessions: Mutex<Sessions>,
    pub(super) marks: Option<Marks>,
    pub(super) config: Option<PathBuf>,
    pub(super) mute: Option<Box<dyn Mute>>,
    pub(super) outbox: Option<Outbox>,
    pub(super) recorder: Option<Recorder>,
    pub(super) cameras: Vec<String>,
    pub(super) masks: Vec<PrivacyMask>,
    pub(super) pictures: Pictures,
    pub(super) streams: Arc<Semaphore>,
    /// Test alarms so far.
    pub(super) tests: AtomicU64,
    /// One at a time.
    pub(super) testing: Arc<Semaphore>,
    /// How the machine was when it was last looked at.
    pub(super) machine: Mutex<Machine>,
    shed: Shared<Shed>,
    sensors: Sensors,
    store: Option<Store>,
}

/// Alarms that have come.
pub(super) struct Inbox(pub(super) Receiver<(Duration, AlarmEvent)>);

/// How the machine is.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Its sensors.
    pub reading: Reading,
    /// Memory of this process.
    pub memory: Option<Memory>,
    /// Free bytes where marks and models are kept.
    pub free_bytes: Option<u64>,
    /// What is on trial, for people.
    pub trial: Option<String>,
}

impl Desk {
    /// A desk with nothing going on.
    pub fn new(parts: Parts) -> Self {
        let cameras = parts.cameras.len();
        Self {
            inbox: Mutex::new(Inbox(parts.alarms)),
            healths: parts.healths,
            board: parts.board,
            book: Mutex::default(),
            clock: parts.clock,
            outputs: parts.outputs,
            model: parts.model,
            sessions: Mutex::new(Sessions::new(parts.password.as_deref())),
            marks: parts.marks,
            config: parts.config,
            mute: parts.mute,
            outbox: parts.outbox,
            recorder: parts.recorder,
            cameras: parts.cameras,
            masks: parts.masks,
            pictures: Pictures::new(cameras),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            tests: AtomicU64::new(0),
            testing: Arc::new(Semaphore::new(1)),
            machine: Mutex::default(),
            shed: parts.shed,
            sensors: parts.sensors,
            store: parts.store,
        }
    }

    /// The number of the camera of this name.
    pub(super) fn number(&self, camera: &str) -> Option<usize> {
        self.cameras.iter().position(|known| known == camera)
    }

    /// Camera number `camera` is masked otherwise from now on: what it left before is forgotten.
    pub(super) fn forget(&self, camera: usize) {
        self.board.frames(camera).into_iter().for_each(|frames| frames.forget());
        self.board.panel(camera).into_iter().for_each(|mut panel| panel.thumbs.clear());
    }

    /// Look at the machine; may wait for a disk or a sensor.
    pub(super) fn look(&self) {
        let trial = self.store.as_ref().and_then(|store| {
            let state = store.state().ok()?;
            let model = state.on_trial()?;
            Some(format!("release {} of {} is {}", model.release, model.name, state.trial.as_ref()?.stage.word()))
        });
        let folder = self.store.as_ref().map(|store| store.folder().to_owned());
        let folder = folder.or_else(|| self.marks.as_ref().map(|marks| marks.folder().to_owned()));
        let free_bytes = folder.and_then(|folder| RealDisk.free_bytes(&folder).ok());
        *lock(&self.machine) = Machine { reading: self.sensors.read(), memory: Memory::now(), free_bytes, trial };
    }

    /// How many clips are looked at.
    pub(super) fn one_in(&self) -> u32 {
        lock(&self.shed).one_in
    }

    /// `GET /api/device`: the machine and the model, in one object.
    pub(super) fn device(&self) -> Value {
        let Machine { reading, memory, free_bytes, trial } = lock(&self.machine).clone();
        let model = (self.model)();
        let panels = (0..self.healths.len()).filter_map(|camera| self.board.panel(camera));
        let (mut engine, mut took) = (String::new(), Duration::ZERO);
        for panel in panels {
            if engine.is_empty() {
                engine.clone_from(&panel.engine);
            }
            took = took.max(panel.last_took);
        }
        json!({
            "firmware": env!("CARGO_PKG_VERSION"),
            "uptime_s": self.clock.now().as_secs(),
            "model": { "id": model.id, "name": model.name, "release": model.release },
            "trial": trial,
            "engine": if engine.is_empty() { "none yet".into() } else { engine },
            "temperature": reading.hottest.map(|t| json!({ "zone": t.zone, "celsius": t.celsius, "limit_c": t.limit_c })),
            "undervoltage": reading.undervoltage,
            "throttled": reading.throttled,
            "one_in": self.one_in(),
            "segment_ms": (took > Duration::ZERO).then_some(took.as_secs_f64() * 1e3),
            "resident_mb": memory.map(|memory| memory.resident_mb),
            "peak_mb": memory.map(|memory| memory.peak_mb),
            "free_bytes": free_bytes,
            "can_mute": self.mute.is_some(),
            "muted_s": self.mute.as_ref().map_or(0, |mute| mute.left().as_secs()),
            "password": lock(&self.sessions).wants_password(),
        })
    }
}

/// An output that hands alarms to the page.
pub struct Ear {
    sender: SyncSender<(Duration, AlarmEvent)>,
    clock: Box<dyn Clock>,
}

impl Ear {
    /// An ear, and where what it hears comes out.
    pub fn new(clock: Box<dyn Clock>) -> (Self, Receiver<(Duration, AlarmEvent)>) {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        (Self { sender, clock }, receiver)
    }
}

impl Output for Ear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        let sent = self.sender.try_send((self.clock.now(), event.clone()));
        sent.map_err(|_| {
            let problem = format!("{WAITING_MAX} alarms wait to be shown, and this one is not");
            Error::failed(NAME, problem, "other outputs were told; see why the page is not served in the log")
        })
    }
}

/// How often the machine is looked at.
pub(super) const LOOK_EVERY: u32 = (Duration::from_secs(5).as_millis() / keeper::PERIOD.as_millis()) as u32;
