//! The event journal: one JSON line per event, appended to a file and flushed, by a thread of its own.
//!
//! An alarm never waits for it. When writing fails, or the disk has not answered for [`SLOW`], the fault is there to be read
//! ([`Output::fault`]); what could not be written waits in memory, is tried again every [`RETRY`] and at every further event, and the
//! fault is gone when all of it is on the disk. [`QUEUE_EVENTS`] events may wait for a slow disk, and as many for one that
//! refuses; what goes beyond is lost, and counted.
//!
//! The file is opened for each event: it may be moved away by whoever keeps logs short, and an idle journal keeps no file system busy.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{AlarmEvent, Event, FaultEvent, HealthEvent, Output};
use crate::{Error, Result};

/// Events that may wait to be written.
pub const QUEUE_EVENTS: usize = 256;
/// A disk that takes longer for one event is a fault.
pub const SLOW: Duration = Duration::from_secs(5);
/// How long after a failure the disk is tried again, if nothing happens meanwhile.
pub const RETRY: Duration = Duration::from_secs(2);

/// Where events are written, and what is wrong with it.
pub struct Journal {
    path: PathBuf,
    sender: Option<SyncSender<Event>>,
    thread: Option<JoinHandle<()>>,
    standing: Arc<Mutex<Standing>>,
    dropped: u64,
}

/// How it stands with the disk.
#[derive(Default)]
struct Standing {
    /// What is wrong. Its words stay the same while it lasts: every change is an event of health, which is written here too.
    fault: Option<String>,
    /// Since when the disk has been asked to take a line.
    writing: Option<Instant>,
}

impl Journal {
    /// Open `path` for appending, making the file and its folder where needed.
    ///
    /// # Errors
    /// When it cannot be opened: better said at the start than at the first alarm.
    pub fn open(path: &Path) -> Result<Self> {
        append_to(path).map_err(|e| {
            Error::invalid(
                path.display().to_string(),
                format!("cannot be written: {e}"),
                "choose a writable journal file",
            )
        })?;
        Self::on(path, Lines { path: path.to_owned(), whole: None })
    }

    /// A journal on `medium`, which is called `path`.
    fn on(path: &Path, medium: impl Medium + 'static) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE_EVENTS);
        let standing = Arc::new(Mutex::new(Standing::default()));
        let writer = Writer {
            path: path.to_owned(),
            medium,
            waiting: VecDeque::new(),
            lost: 0,
            standing: Arc::clone(&standing),
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|e| Error::failed("journal", format!("no thread can be started: {e}"), "free some memory"))?;
        Ok(Self { path: path.to_owned(), sender: Some(sender), thread: Some(thread), standing, dropped: 0 })
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
        let slow = matches!(sent, Some(Err(TrySendError::Full(_))));
        let why = if slow { "the disk is too slow, and events are lost" } else { "its thread has died" };
        lock(&self.standing).fault.get_or_insert_with(|| format!("{}: {why}", self.path.display()));
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
        let standing = lock(&self.standing);
        let slow = standing.writing.is_some_and(|since| since.elapsed() > SLOW);
        let silent = || format!("{}: the disk has not answered for {} s", self.path.display(), SLOW.as_secs());
        standing.fault.clone().or_else(|| slow.then(silent))
    }
}

impl Drop for Journal {
    /// Wait until everything queued is written, or was refused.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has left nothing behind to clean up.
            let _ = thread.join();
        }
    }
}

/// What lines are put on.
trait Medium: Send {
    /// Return when a line is on the disk.
    ///
    /// # Errors
    /// When the disk refuses. The line is to be put again; nothing is left of this attempt then.
    fn put(&mut self, line: &[u8]) -> io::Result<()>;
}

/// The file.
struct Lines {
    path: PathBuf,
    /// After a failure, the length up to which its lines are whole.
    whole: Option<u64>,
}

impl Medium for Lines {
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let mut file = append_to(&self.path)?;
        let length = file.metadata()?.len();
        let whole = self.whole.map_or(length, |whole| whole.min(length));
        if whole < length {
            file.set_len(whole)?;
        }
        self.whole = Some(whole);
        file.write_all(line)?;
        file.sync_data()?;
        self.whole = None;
        Ok(())
    }
}

struct Writer<M> {
    path: PathBuf,
    medium: M,
    /// Lines that the disk has not taken yet.
    waiting: VecDeque<Vec<u8>>,
    /// Lines that went since the disk refuses.
    lost: u64,
    standing: Arc<Mutex<Standing>>,
}

impl<M: Medium> Writer<M> {
    fn run(mut self, events: &Receiver<Event>) {
        loop {
            let event = match events.try_recv() {
                Ok(event) => Ok(event),
                Err(TryRecvError::Empty) if self.waiting.is_empty() => {
                    self.well();
                    events.recv().map_err(|_| RecvTimeoutError::Disconnected)
                }
                Err(TryRecvError::Empty) => events.recv_timeout(RETRY),
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(event) => self.enqueue(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.save(),
            }
            self.save();
        }
    }

    fn enqueue(&mut self, event: &Event) {
        let mut line = match serde_json::to_vec(event) {
            Ok(line) => line,
            Err(error) => return log::error!("journal: an event has no form: {error}"),
        };
        line.push(b'\n');
        if self.waiting.len() == QUEUE_EVENTS {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(line);
    }

    /// Write what waits, until the disk refuses.
    fn save(&mut self) {
        while let Some(line) = self.waiting.front() {
            lock(&self.standing).writing = Some(Instant::now());
            let put = self.medium.put(line);
            let mut standing = lock(&self.standing);
            standing.writing = None;
            if let Err(error) = put {
                let fault = format!("{}: {error}", self.path.display());
                // Logged when it begins, not at every event.
                if standing.fault.is_none() {
                    log::error!("journal: {fault}; alarms go on, and it is tried again");
                }
                standing.fault = Some(fault);
                return;
            }
            drop(standing);
            self.waiting.pop_front();
        }
    }

    /// The disk has everything.
    fn well(&mut self) {
        let fault = lock(&self.standing).fault.take();
        if fault.is_some() {
            log::info!("journal: is written again; {} events were lost", std::mem::take(&mut self.lost));
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::{ended, started};
    use super::*;
    use crate::output::Outputs;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// How long a thread may take on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn eventually(what: &str, is: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn events(text: &str) -> Vec<Event> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

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
        eventually("the fault is said", || journal.fault().is_some());
        assert!(journal.fault().unwrap().contains("/dev/full"));
        journal.alarm(&ended("a", 1)).unwrap();
    }

    #[test]
    fn what_a_disk_refused_is_written_when_it_takes_it_and_the_fault_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, before) = (folder.path().join("log/events.jsonl"), folder.path().join("before"));
        let mut journal = Journal::open(&path).unwrap();
        journal.alarm(&started("a", 1)).unwrap();
        eventually("it is written", || std::fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n')));
        std::fs::rename(&path, &before).unwrap();
        // A folder takes no line, whoever asks.
        std::fs::create_dir(&path).unwrap();
        journal.alarm(&ended("a", 1)).unwrap();
        eventually("the fault is said", || journal.fault().is_some());
        journal.alarm(&started("a", 2)).unwrap();
        std::fs::remove_dir(&path).unwrap();
        // Without any further event.
        eventually("the fault is gone", || journal.fault().is_none());
        let written = |path| events(&std::fs::read_to_string(path).unwrap());
        assert_eq!(written(before), [Event::Alarm(started("a", 1))]);
        assert_eq!(written(path), [ended("a", 1), started("a", 2)].map(Event::Alarm));
    }

    #[test]
    fn half_a_line_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{}\n{\"hal").unwrap();
        let mut lines = Lines { path: path.clone(), whole: Some(3) };
        lines.put(b"[]\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n[]\n");
        // A file that was exchanged meanwhile is left as it is.
        std::fs::write(&path, "1\n").unwrap();
        let mut lines = Lines { path: path.clone(), whole: Some(99) };
        lines.put(b"2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n");
    }

    /// A disk that takes its time until it is told to hurry.
    struct Slow {
        hurry: Arc<AtomicBool>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Medium for Slow {
        fn put(&mut self, line: &[u8]) -> io::Result<()> {
            let begun = Instant::now();
            while !self.hurry.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.taken.lock().unwrap().extend_from_slice(line);
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_slow_disk_which_is_said_and_forgotten_when_it_has_caught_up() {
        let (hurry, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let medium = Slow { hurry: Arc::clone(&hurry), taken: Arc::clone(&taken) };
        let mut outputs = Outputs::default();
        outputs.push(Journal::on(Path::new("/slow/events.jsonl"), medium).unwrap());
        let begun = Instant::now();
        // One is being written, and as many as may wait: no more are taken.
        let count = QUEUE_EVENTS as u64 + 10;
        let failures: usize = (1..=count).map(|id| outputs.alarm(&started("a", id)).len()).sum();
        assert!(begun.elapsed() < SLOW, "nobody waits: {:?}", begun.elapsed());
        assert!((9..=10).contains(&failures), "{failures} were lost");
        assert!(outputs.fault().unwrap().contains("too slow"));
        hurry.store(true, Ordering::SeqCst);
        eventually("it has caught up", || outputs.fault().is_none());
        let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        assert_eq!(events(&text).len() as u64, count - failures as u64);
    }

    #[test]
    fn a_disk_that_does_not_answer_is_said_before_anything_is_lost() {
        let hurry = Arc::new(AtomicBool::new(false));
        let medium = Slow { hurry: Arc::clone(&hurry), taken: Arc::default() };
        let mut journal = Journal::on(Path::new("/slow/events.jsonl"), medium).unwrap();
        journal.alarm(&started("a", 1)).unwrap();
        eventually("it is said", || journal.fault().is_some());
        assert!(journal.fault().unwrap().contains("not answered"));
        hurry.store(true, Ordering::SeqCst);
        eventually("it is forgotten", || journal.fault().is_none());
    }
}
