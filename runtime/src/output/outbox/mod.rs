//! Alarms on their way to receivers that may be away: a broker, a web server. An alarm goes in by [`Output`] and waits for nothing; each
//! receiver's own thread takes messages out in order ([`Outbox::next`]) and says when its peer has acknowledged one ([`Outbox::done`]);
//! a thread of the outbox writes down what waits and who has what, so that neither lost links nor `kill -9` nor power cuts lose an alarm.
//!
//! | file | what | |
//! |---|---|---|
//! | here | [`Outbox`]: who waits for whom | threads |
//! | [`queue`] | what waits, who has what, what the file lacks | pure |
//! | [`record`] | a message, a line of the file | pure |
//! | [`file`] | the lines on a disk | |
//!
//! Once: a message that was acknowledged is never given to that receiver again, unless the process was killed between the acknowledgement and
//! the milliseconds later when the disk had it. Then the same message comes again with the same `event_id`, by which a receiver tells.
//!
//! Memory leads and the disk follows. A disk that is full, read-only, slow or gone is a fault that is said in health; messages go on
//! being delivered from memory, and the file is made good as soon as the disk takes it: nothing needs to be restarted.
//!
//! Refused: a second process on the same folder.

pub mod file;
pub mod queue;
pub mod record;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::{AlarmEvent, Event, Output};
use crate::health::date;
use crate::health::supervision::panics;
use crate::store::disk::Disk;
use crate::{Error, Result};
use file::File;
use queue::{Queue, Unsaved};
use record::{Message, Record};

/// In logs and health.
pub const NAME: &str = "outbox";
/// A disk that takes longer is a fault.
const SLOW: Duration = Duration::from_secs(5);
/// How long after a failure the disk is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A handle; clones are the same outbox.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// What the ids of this process begin with.
    run: String,
    /// This device's name.
    device: String,
}

struct State {
    queue: Queue,
    /// Messages of this process.
    count: u64,
    /// What the file holds.
    bytes: u64,
    /// What is wrong with the disk.
    fault: Option<String>,
    /// Since when the disk has been asked to take something.
    saving: Option<Instant>,
    /// The run ends.
    over: bool,
}

/// What was counted since the start, and what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of each receiver.
    pub receivers: Vec<ReceiverCounts>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Of one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// Its name.
    pub name: String,
    /// Messages that wait for it.
    pub waiting: usize,
    /// Messages that it acknowledged.
    pub delivered: u64,
    /// Messages that it will never have.
    pub dropped: u64,
}

/// The thread that writes, for the end of a run.
pub struct Writing(Outbox, JoinHandle<()>);

impl Outbox {
    /// The outbox in `folder`, which is made in one that is there, with these receivers and at most `events_max` messages that wait. A disk
    /// that refuses is no error but a fault.
    ///
    /// # Errors
    /// When another process uses the folder, or there is no thread.
    pub fn open(
        disk: Box<dyn Disk>,
        folder: &Path,
        events_max: usize,
        receivers: &[&str],
        device: &str,
    ) -> Result<(Self, Writing)> {
        let subject = folder.display().to_string();
        let (file, found) = File::open(disk, folder, events_max).map_err(|error| {
            Error::unavailable(
                &subject,
                error.to_string(),
                "end the other `tadpole run`, or name another `[outbox] path`",
            )
        })?;
        if let Some(problem) = &found.problem {
            log::warn!("{NAME}: {}: {problem}", file.path().display());
        }
        let mut queue = Queue::new(receivers, events_max);
        let whole = found.problem.is_none() && !found.absent && file.is_ours();
        queue.restore(found.lines, whole);
        for receiver in receivers {
            match queue.waiting(receiver) {
                0 => {}
                waiting => log::info!("{NAME}: {waiting} messages wait for `{receiver}`"),
            }
        }
        let mut run = [0; 8];
        getrandom::fill(&mut run)
            .map_err(|e| Error::failed(NAME, format!("the kernel gives no random bytes: {e}"), "check /dev/urandom"))?;
        let shared = Shared {
            state: Mutex::new(State { queue, count: 0, bytes: file.bytes(), fault: None, saving: None, over: false }),
            changed: Condvar::new(),
            run: hex::encode(run),
            device: device.to_owned(),
        };
        let outbox = Self(Arc::new(shared));
        let writer = outbox.clone();
        let write = move || {
            if let Err(panic) = panics::catch(|| writer.write(file)) {
                let error = panic.error(NAME);
                log::error!("{error}");
                writer.lock().fault = Some(error.to_string());
            }
        };
        let thread = Builder::new().name(NAME.into()).spawn(write);
        let thread =
            thread.map_err(|e| Error::failed(NAME, format!("no thread can be started: {e}"), "free some memory"))?;
        Ok((outbox.clone(), Writing(outbox, thread)))
    }

    /// Who puts alarms in.
    pub fn output(&self) -> impl Output + use<> {
        Slot(self.clone())
    }

    /// What a receiver is to have next, if anything.
    pub fn next(&self, receiver: &str) -> Option<Record> {
        self.lock().queue.next(receiver).cloned()
    }

    /// As [`Outbox::next`], and waits for `time` at most.
    pub fn wait(&self, receiver: &str, time: Duration) -> Option<Record> {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if let (Some(record), false) = (state.queue.next(receiver), state.over) {
                return Some(record.clone());
            }
            if left.is_zero() || state.over {
                return None;
            }
            state = self.sleep(state, left);
        }
    }

    /// A receiver's peer has acknowledged what [`Outbox::next`] gave, which has this number.
    pub fn done(&self, receiver: &str, seq: u64) {
        self.lock().queue.done(receiver, seq);
        self.0.changed.notify_all();
    }

    /// A receiver's peer refuses for good what [`Outbox::next`] gave, which has this number.
    pub fn set_aside(&self, receiver: &str, seq: u64) {
        self.lock().queue.set_aside(receiver, seq);
        self.0.changed.notify_all();
    }

    /// Messages that wait for a receiver, and those that it will never have.
    pub fn standing(&self, receiver: &str) -> (usize, u64) {
        let state = self.lock();
        (state.queue.waiting(receiver), state.queue.lost(receiver))
    }

    /// What was counted, and what there is.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        let queue = &state.queue;
        let of = |name: &str| ReceiverCounts {
            name: name.to_owned(),
            waiting: queue.waiting(name),
            delivered: queue.delivered(name),
            dropped: queue.lost(name),
        };
        Counts { receivers: queue.receivers().map(of).collect(), bytes: state.bytes }
    }

    /// This device's name.
    pub fn device(&self) -> &str {
        &self.0.device
    }

    /// What is wrong: with the disk, or with a receiver that was away for too long or refuses messages.
    pub fn fault(&self) -> Option<String> {
        let state = self.lock();
        let slow = state.saving.is_some_and(|since| since.elapsed() > SLOW);
        // The same words while it lasts: every change is told.
        let silent = || format!("the disk has not answered for {} s", SLOW.as_secs());
        state
            .fault
            .clone()
            .or_else(|| slow.then(silent))
            .or_else(|| state.queue.overflow())
            .or_else(|| state.queue.refusal())
    }

    fn put(&self, alarm: &AlarmEvent) {
        let mut state = self.lock();
        state.count += 1;
        let message = Message {
            event_id: format!("{}-{}", self.0.run, state.count),
            device: self.0.device.clone(),
            unix_s: date::clock(),
            interrupted: false,
            event: Event::Alarm(alarm.clone()),
        };
        state.queue.push(message);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Write down what the file lacks, until the run ends.
    fn write(&self, mut file: File) {
        let mut retry: Option<Instant> = None;
        loop {
            let (unsaved, over) = self.wait_for_work(retry);
            self.lock().saving = Some(Instant::now());
            let saved = unsaved.map_or(Ok(()), |unsaved| self.save(&mut file, &unsaved));
            let mut state = self.lock();
            state.saving = None;
            state.bytes = file.bytes();
            let fault = saved.err().map(|error| format!("{}: cannot be written: {error}", file.path().display()));
            retry = fault.as_ref().map(|_| Instant::now() + RETRY);
            match (&state.fault, &fault) {
                // Logged when it begins and when it ends.
                (None, Some(fault)) => log::error!("{NAME}: {fault}; alarms go on, and it is tried again"),
                (Some(_), None) => log::info!("{NAME}: is written again"),
                _ => {}
            }
            if fault.is_some() || file.has_grown() {
                state.queue.not_saved();
            }
            let failed = fault.is_some();
            state.fault = fault;
            if over && (failed || !state.queue.is_unsaved()) {
                return;
            }
        }
    }

    fn save(&self, file: &mut File, unsaved: &Unsaved) -> std::io::Result<()> {
        let late = if matches!(unsaved, Unsaved::All(_)) { file.read_late()? } else { Vec::new() };
        if late.is_empty() {
            return file.save(unsaved);
        }
        let mut state = self.lock();
        state.queue.adopt(late);
        // What was adopted is written with everything else.
        state.queue.not_saved();
        let all = state.queue.take_unsaved();
        drop(state);
        self.0.changed.notify_all();
        all.map_or(Ok(()), |all| file.save(&all))
    }

    /// Wait until there is something to write, not before `retry` unless the run ends.
    fn wait_for_work(&self, retry: Option<Instant>) -> (Option<Unsaved>, bool) {
        let mut state = self.lock();
        while !state.over {
            let left = retry.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
            if !state.queue.is_unsaved() {
                state = self.sleep(state, Duration::from_mins(1));
            } else if left.is_zero() {
                break;
            } else {
                state = self.sleep(state, left);
            }
        }
        (state.queue.take_unsaved(), state.over)
    }

    fn sleep<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.0.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    /// The run ends: what is not on the disk yet is written, and `time` waited for it at most. Nobody is given anything any more.
    pub fn end(self, time: Duration) {
        let Self(outbox, thread) = self;
        outbox.lock().over = true;
        outbox.0.changed.notify_all();
        let until = Instant::now() + time;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The end that alarms are put in by.
struct Slot(Outbox);

impl Output for Slot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        self.0.put(event);
        Ok(())
    }

    fn hears_quiet(&self) -> bool {
        false
    }

    fn fault(&self) -> Option<String> {
        self.0.fault()
    }
}

#[cfg(test)]
mod tests;
