//! The event journal: one JSON line per event, appended to a file and flushed, by a thread of its own.
//!
//! An alarm never waits for it: when [`QUEUE_EVENTS`] events wait for a slow disk, further ones are dropped and counted.
//! When writing fails the fault is there to be read ([`Output::fault`]), the event is lost, and the next one is tried
//! anew on a freshly opened file; the first that succeeds clears the fault.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{AlarmEvent, Event, FaultEvent, HealthEvent, Output};
use crate::{Error, Result};

/// Events that may wait to be written.
pub const QUEUE_EVENTS: usize = 256;

/// Where events are written, and what is wrong with it.
pub struct Journal {
    path: PathBuf,
    sender: Option<SyncSender<Event>>,
    thread: Option<JoinHandle<()>>,
    fault: Arc<Mutex<Option<String>>>,
    dropped: u64,
}

impl Journal {
    /// Open `path` for appending, making the file and its folder where needed.
    ///
    /// # Errors
    /// When it cannot be opened: better said at the start than at the first alarm.
    pub fn open(path: &Path) -> Result<Self> {
        let file = append_to(path).map_err(|e| {
            Error::invalid(
                path.display().to_string(),
                format!("cannot be written: {e}"),
                "choose a writable journal file",
            )
        })?;
        let (sender, receiver) = sync_channel(QUEUE_EVENTS);
        let fault = Arc::new(Mutex::new(None));
        let writer = Writer { path: path.to_owned(), file: Some(file), fault: Arc::clone(&fault) };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|e| Error::failed("journal", format!("no thread can be started: {e}"), "free some memory"))?;
        Ok(Self { path: path.to_owned(), sender: Some(sender), thread: Some(thread), fault, dropped: 0 })
    }

    /// Events that were lost because the disk was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn put(&mut self, event: Event) -> Result<()> {
        let sent = self.sender.as_ref().map(|s| s.try_send(event));
        if matches!(sent, Some(Ok(()))) {
            return Ok(());
        }
        self.dropped += 1;
        let why = if matches!(sent, Some(Err(TrySendError::Full(_)))) {
            "the disk is too slow"
        } else {
            let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            "its thread has died".clone_into(fault.get_or_insert_default());
            "its thread has died"
        };
        Err(Error::failed(
            self.path.display().to_string(),
            format!("event lost, {} so far: {why}", self.dropped),
            "check the disk",
        ))
    }
}

impl Output for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        self.put(Event::Alarm(event.clone()))
    }

    fn health(&mut self, event: &HealthEvent) -> Result<()> {
        self.put(Event::Health(event.clone()))
    }

    fn failed(&mut self, event: &FaultEvent) -> Result<()> {
        self.put(Event::Fault(event.clone()))
    }

    fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Journal {
    /// Wait until everything queued is written.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has left nothing behind to clean up.
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    fault: Arc<Mutex<Option<String>>>,
}

impl Writer {
    fn run(mut self, events: &Receiver<Event>) {
        let mut line = Vec::new();
        for event in events {
            let written = self.write(&event, &mut line);
            let fault = written.as_ref().err().map(|e| format!("{}: {e}", self.path.display()));
            let mut shared = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            // Logged when it begins, not at every event.
            if let (None, Some(fault)) = (&*shared, &fault) {
                log::error!("journal: {fault}");
            }
            *shared = fault;
        }
    }

    fn write(&mut self, event: &Event, line: &mut Vec<u8>) -> std::io::Result<()> {
        line.clear();
        serde_json::to_writer(&mut *line, event)?;
        line.push(b'\n');
        let mut file = match self.file.take() {
            Some(file) => file,
            None => append_to(&self.path)?,
        };
        // One write per line, so that a line is whole or (with a full disk) visibly cut.
        file.write_all(line)?;
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::{ended, started};
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn events_are_appended_one_per_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log/events.jsonl");
        for id in 1..=2 {
            let mut journal = Journal::open(&path).unwrap();
            journal.alarm(&started("a", id)).unwrap();
            journal.alarm(&ended("a", id)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Event> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(events, [started("a", 1), ended("a", 1), started("a", 2), ended("a", 2)].map(Event::Alarm));
    }

    #[test]
    fn a_journal_that_cannot_be_opened_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let e = Journal::open(folder.path()).err().unwrap();
        assert!(e.to_string().contains(folder.path().to_str().unwrap()), "{e}");
    }

    #[test]
    fn a_full_disk_is_a_fault_and_alarms_go_on() {
        // A device that takes no byte, where there is one.
        let full = Path::new("/dev/full");
        if !full.exists() {
            eprintln!("SKIPPED: no /dev/full");
            return;
        }
        let mut journal = Journal::open(full).unwrap();
        journal.alarm(&started("a", 1)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while journal.fault().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(journal.fault().unwrap().contains("/dev/full"));
        journal.alarm(&ended("a", 1)).unwrap();
    }
}
