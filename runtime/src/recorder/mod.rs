//! What an alarm looked like: for each alarm a clip with what came before and after, a thumbnail, scores and features, in a folder that is
//! bounded by quota, age and free space. Frames come in by [`Recorder::over`], segments by [`Recorder::segment`], alarms by an
//! [`Output`]; a thread of its own does the rest, and nobody waits for it.
//!
//! | file | what | |
//! |---|---|---|
//! | here | the handle, and what passes between threads | |
//! | [`eye`] | a camera's source, looked at | in the camera's thread |
//! | `work` | notes → pictures, and which of them belong to an alarm | the recorder's thread |
//! | [`picture`] | a frame → a JPEG | pure |
//! | [`reel`] | what a camera saw last | pure |
//! | [`avi`] | JPEGs → a file that every player shows | pure |
//! | [`take`] | one alarm's files | |
//! | [`shelf`] | all alarms: which go | |
//!
//! Pictures are those that everybody sees, behind a privacy mask. What is dropped because the recorder is behind is counted. A disk that is full,
//! read-only or gone is a fault that health says; recording begins again by itself when there is room.

pub mod avi;
pub mod eye;
pub mod picture;
pub mod reel;
pub mod shelf;
pub mod take;
mod work;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use firmware_config::FeatureContract;

use crate::features::Segment;
use crate::health::supervision::panics;
use crate::output::{AlarmEvent, Output};
use crate::pipeline::Pipeline;
use crate::source::Frame;
use crate::source::open::Opened;
use crate::{Error, Result};
use eye::Eye;
use shelf::Limits;
use work::Worker;

/// In logs and health.
pub const NAME: &str = "recorder";
/// Notes that may wait for the recorder.
const QUEUE: usize = 512;
/// A disk that takes longer for one note is a fault.
const SLOW: Duration = Duration::from_secs(5);
/// Frame buffers that are kept for use again.
const SPARE_MAX: usize = 16;

/// How alarms are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder.
    pub folder: PathBuf,
    /// What is kept from before an alarm.
    pub pre_roll: Duration,
    /// What is kept from after its end.
    pub post_roll: Duration,
    /// What the folder may hold.
    pub limits: Limits,
}

impl Settings {
    /// Those of a config, for a folder.
    pub fn of(config: &firmware_config::config::Recorder, folder: PathBuf) -> Self {
        let mb = |n: u32| u64::from(n) * 1_000_000;
        let limits = Limits {
            quota_bytes: mb(config.quota_mb),
            hours_max: u64::from(config.max_age_days) * 24,
            free_bytes: mb(config.free_mb),
        };
        let time = |seconds: f32| Duration::from_secs_f32(seconds.clamp(0.0, 60.0));
        Self { folder, pre_roll: time(config.pre_roll_s), post_roll: time(config.post_roll_s), limits }
    }
}

/// What the recorder is told.
enum Note {
    /// A frame, in a buffer that is to be given back.
    Frame {
        /// The camera's number.
        camera: usize,
        /// Its time.
        pts_ns: u64,
        /// The frame.
        frame: Frame,
    },
    /// A segment that was scored.
    Segment {
        /// The camera's number.
        camera: usize,
        /// Where it lies.
        segment: Segment,
        /// Its score.
        score: f32,
        /// Its features.
        row: Arc<[f32]>,
    },
    /// Rows are of this contract from now on.
    Contract {
        /// The camera's number.
        camera: usize,
        /// The contract; absent for rows that were made elsewhere.
        contract: Option<Arc<FeatureContract>>,
    },
    /// What follows is not contiguous with what came before.
    Gap {
        /// The camera's number.
        camera: usize,
    },
    /// An alarm began or ended.
    Alarm(AlarmEvent),
    /// The run ends.
    End,
}

/// A handle; clones are the same recorder.
#[derive(Clone)]
pub struct Recorder {
    sender: SyncSender<Note>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cameras: Vec<Seen>,
    spare: Mutex<Vec<Frame>>,
    /// Notes that were lost because the recorder was behind.
    dropped: AtomicU64,
    /// Alarms that were kept.
    kept: AtomicU64,
    /// Alarms that were not, or not whole, because the disk refused.
    given_up: AtomicU64,
    /// Alarms that went, for quota, age or free space.
    evicted: AtomicU64,
    /// Alarms in the folder, and their bytes.
    alarms: AtomicU64,
    bytes: AtomicU64,
    fault: Mutex<Option<String>>,
    /// Since when the recorder has been at work on one note; most of that is the disk's.
    working: Mutex<Option<Instant>>,
}

/// Of one camera.
#[derive(Default)]
struct Seen {
    /// Frames that wait.
    waiting: AtomicUsize,
    /// The contract that was told last.
    contract: Mutex<Option<FeatureContract>>,
}

/// What was counted since the start, and what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alarms that were kept.
    pub kept: u64,
    /// Alarms that were not, because the disk refused or had no room.
    pub given_up: u64,
    /// Alarms that went, for quota, age or free space.
    pub evicted: u64,
    /// Frames and segments that were dropped because the recorder was behind.
    pub dropped: u64,
    /// Alarms in the folder, a second ago at most.
    pub alarms: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The recorder's thread, for the end of a run.
pub struct Recording(Recorder, JoinHandle<()>);

impl Recorder {
    /// Record cameras of these names. A disk that refuses is no error but a fault.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(settings: Settings, cameras: &[&str]) -> Result<(Self, Recording)> {
        let (sender, notes) = sync_channel(QUEUE);
        let seen = cameras.iter().map(|_| Seen::default()).collect();
        let shared = Arc::new(Shared { cameras: seen, ..Shared::default() });
        let recorder = Self { sender, shared: Arc::clone(&shared) };
        let mut worker = Worker::new(settings, cameras, Arc::clone(&shared));
        let work = move || {
            if let Err(panic) = panics::catch(move || worker.run(&notes)) {
                let error = panic.error(NAME);
                log::error!("{error}");
                shared.set_fault(Some(error.to_string()));
            }
        };
        let thread = Builder::new().name(NAME.into()).spawn(work);
        let thread =
            thread.map_err(|e| Error::failed(NAME, format!("no thread can be started: {e}"), "free some memory"))?;
        Ok((recorder.clone(), Recording(recorder, thread)))
    }

    /// Look at the frames of camera number `camera`; recorded rows have none.
    pub fn over(&self, camera: usize, source: Opened) -> Opened {
        if camera < self.shared.cameras.len() { source.behind(|_| Eye::new(self.clone(), camera)) } else { source }
    }

    /// Camera number `camera` has scored a segment just now.
    pub fn segment(&self, camera: usize, segment: &Segment, score: f32, pipeline: &Pipeline) {
        let Some(seen) = self.shared.cameras.get(camera) else { return };
        let contract = pipeline.feed().clip().map(|(_, contract)| contract);
        let mut told = seen.contract.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != contract {
            *told = contract.cloned();
            self.send(Note::Contract { camera, contract: contract.cloned().map(Arc::new) });
        }
        drop(told);
        self.send(Note::Segment { camera, segment: *segment, score, row: pipeline.row().into() });
    }

    /// Who is told of alarms.
    pub fn output(&self) -> impl Output + use<> {
        Ear(self.clone())
    }

    /// What was counted, and what there is.
    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Shared { kept, given_up, evicted, dropped, alarms, bytes, .. } = &*self.shared;
        Counts {
            kept: of(kept),
            given_up: of(given_up),
            evicted: of(evicted),
            dropped: of(dropped),
            alarms: of(alarms),
            bytes: of(bytes),
        }
    }

    /// Tell the recorder, if it is not behind; true when it was told.
    fn send(&self, note: Note) -> bool {
        let sent = self.sender.try_send(note).is_ok();
        if !sent {
            self.shared.drop_one();
        }
        sent
    }
}

impl Shared {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// A buffer to be filled.
    fn spare(&self) -> Frame {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// A buffer that is no longer needed.
    fn give_back(&self, frame: Frame) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_MAX {
            spare.push(frame);
        }
    }

    fn set_fault(&self, fault: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn set_working(&self, since: Option<Instant>) {
        *self.working.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn fault(&self) -> Option<String> {
        let working = *self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = working.is_some_and(|since| since.elapsed() > SLOW);
        // The same words while it lasts: every change is told.
        let silent = || format!("the disk has not answered for {} s", SLOW.as_secs());
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fault.or_else(|| slow.then(silent))
    }
}

impl Recording {
    /// The run ends: alarms that are being recorded are finished, and `time` waited for it at most.
    pub fn end(self, time: Duration) {
        let Self(recorder, thread) = self;
        let until = Instant::now() + time;
        let mut told = false;
        while !thread.is_finished() && Instant::now() < until {
            // It may be behind.
            told = told || recorder.sender.try_send(Note::End).is_ok();
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The end that alarms come in by.
struct Ear(Recorder);

impl Output for Ear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        if self.0.send(Note::Alarm(event.clone())) {
            return Ok(());
        }
        Err(Error::failed(
            NAME,
            format!("alarm {} of {} is not kept: the disk is too slow", event.id, event.camera),
            "check the disk",
        ))
    }

    fn fault(&self) -> Option<String> {
        self.0.shared.fault()
    }
}

#[cfg(test)]
mod tests;
