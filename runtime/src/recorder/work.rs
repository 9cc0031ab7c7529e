//! The recorder's thread: notes come in, alarms are kept. It encodes pictures, fills each camera's reel, and from an alarm's beginning to its end and
//! the time after it writes what comes into a [`Take`].
//!
//! A stream that breaks ends what is being recorded: what follows has other times. A camera that falls silent after its alarm is waited for
//! [`SILENCE_MAX`] longer than the post-roll.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use firmware_config::FeatureContract;

use super::picture::{Picture, Printer};
use super::reel::{Looked, Reel};
use super::shelf::Shelf;
use super::take::Take;
use super::{NAME, Note, Settings, Shared};
use crate::health::date;
use crate::output::{AlarmEvent, Phase};
use crate::source::Frame;

/// How often it looks at what must end, and whether a disk is well again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a disk that refused is left alone.
const RETRY: Duration = Duration::from_secs(10);
/// How much longer than the post-roll a silent camera is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How many bytes of a clip are written between two looks at the room.
const ROOM_BYTES: u64 = 4 << 20;

/// What is done with notes.
pub struct Worker {
    settings: Settings,
    shared: Arc<Shared>,
    cameras: Vec<Camera>,
    /// None while the folder cannot be used.
    shelf: Option<Shelf>,
    /// When the disk is looked at again, while something is wrong.
    retry: Option<Instant>,
    looked: Instant,
}

struct Camera {
    name: String,
    reel: Reel,
    printer: Printer,
    contract: Option<Arc<FeatureContract>>,
    film: Option<Film>,
    /// A frame that could not be printed was told.
    told: bool,
}

/// What is being recorded.
struct Film {
    take: Take,
    path: std::path::PathBuf,
    /// Pictures up to this time belong to it, once its alarm has ended.
    until_ns: u64,
    /// When that was known.
    ended: Option<Instant>,
    /// The stream broke.
    lost: bool,
    /// Bytes of it when the room was looked at last.
    checked: u64,
}

impl Worker {
    pub(super) fn new(settings: Settings, cameras: &[&str], shared: Arc<Shared>) -> Self {
        let camera = |name: &&str| Camera {
            name: (*name).to_owned(),
            reel: Reel::new(settings.pre_roll.as_nanos() as u64),
            printer: Printer::default(),
            contract: None,
            film: None,
            told: false,
        };
        let cameras = cameras.iter().map(camera).collect();
        Self { cameras, settings, shared, shelf: None, retry: None, looked: Instant::now() }
    }

    /// Work until the run ends.
    pub(super) fn run(&mut self, notes: &Receiver<Note>) {
        self.open();
        loop {
            let note = notes.recv_timeout(LOOK_EVERY);
            self.shared.set_working(Some(Instant::now()));
            match note {
                Ok(Note::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(note) => self.take_in(note),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.looked.elapsed() >= LOOK_EVERY {
                self.look();
            }
            self.shared.set_working(None);
        }
        for n in 0..self.cameras.len() {
            self.finish(n, true);
        }
    }

    fn take_in(&mut self, note: Note) {
        match note {
            Note::Frame { camera, pts_ns, frame } => self.see(camera, pts_ns, frame),
            Note::Segment { camera, segment, score, row } => {
                let looked = Looked { segment, score, row };
                let camera = &mut self.cameras[camera];
                if let Some(film) = camera.film.as_mut().filter(|film| !film.lost) {
                    film.take.look(looked.clone());
                }
                camera.reel.look(looked);
            }
            Note::Contract { camera, contract } => {
                let camera = &mut self.cameras[camera];
                camera.reel.clear_segments();
                if let Some(film) = &mut camera.film {
                    film.take.contract(contract.clone());
                }
                camera.contract = contract;
            }
            Note::Gap { camera } => {
                self.cameras[camera].reel.clear();
                if let Some(film) = self.cameras[camera].film.as_mut().filter(|film| film.ended.is_none()) {
                    film.lost = true;
                    return;
                }
                self.finish(camera, true);
            }
            Note::Alarm(event) => {
                let Some(n) = self.cameras.iter().position(|camera| camera.name == event.camera) else { return };
                match event.phase {
                    Phase::Started => self.begin(n, event),
                    Phase::Ended => self.ended(n, event),
                }
            }
            Note::End => {}
        }
    }

    fn see(&mut self, n: usize, pts_ns: u64, frame: Frame) {
        let camera = &mut self.cameras[n];
        let printed = camera.printer.print(pts_ns, &frame);
        self.shared.cameras[n].waiting.fetch_sub(1, Ordering::Relaxed);
        self.shared.give_back(frame);
        let picture = match printed {
            Ok(picture) => picture,
            Err(error) => {
                if !std::mem::replace(&mut camera.told, true) {
                    log::warn!("{NAME}: {}: {error}", camera.name);
                }
                return;
            }
        };
        let over = camera.film.as_ref().is_some_and(|film| film.ended.is_some() && pts_ns > film.until_ns);
        if over {
            self.finish(n, false);
        } else {
            self.write(n, &picture);
        }
        self.cameras[n].reel.see(picture);
    }

    fn write(&mut self, n: usize, picture: &Picture) {
        let Some(film) = self.cameras[n].film.as_mut().filter(|film| !film.lost) else { return };
        let mut written = film.take.see(picture);
        let bytes = film.take.bytes();
        if written.is_ok() && bytes > film.checked + ROOM_BYTES {
            film.checked = bytes;
            written = self.room();
        }
        if let Err(error) = written {
            self.give_up(n, &error);
        }
    }

    fn begin(&mut self, n: usize, event: AlarmEvent) {
        self.finish(n, false);
        let from_ns = ((event.start_s * 1e9) as u64).saturating_sub(self.settings.pre_roll.as_nanos() as u64);
        let begun = self.room().and_then(|()| {
            let shelf = self.shelf.as_mut().ok_or_else(no_folder)?;
            let camera = &self.cameras[n];
            let path = shelf.next(&camera.name);
            let mut take = Take::begin(&path, event, date::clock())?;
            take.contract(camera.contract.clone());
            camera.reel.pictures_from(from_ns).try_for_each(|picture| take.see(picture))?;
            camera.reel.segments().for_each(|looked| take.look(looked.clone()));
            Ok(Film { checked: take.bytes(), take, path, until_ns: 0, ended: None, lost: false })
        });
        match begun {
            Ok(film) => self.cameras[n].film = Some(film),
            Err(error) => self.lose(&error),
        }
    }

    fn ended(&mut self, n: usize, event: AlarmEvent) {
        let Some(film) = &mut self.cameras[n].film else { return };
        film.until_ns = (event.end_s * 1e9) as u64 + self.settings.post_roll.as_nanos() as u64;
        film.ended = Some(Instant::now());
        film.take.ended(event);
        if film.lost {
            self.finish(n, true);
        }
    }

    /// End what is being recorded of a camera, if anything is.
    fn finish(&mut self, n: usize, cut: bool) {
        let Some(film) = self.cameras[n].film.take() else { return };
        match film.take.finish(cut || film.lost) {
            Ok(bytes) => {
                self.shared.kept.fetch_add(1, Ordering::Relaxed);
                log::info!("{NAME}: {}", film.path.display());
                let writing = self.writing();
                if let Some(shelf) = &mut self.shelf {
                    shelf.add(&film.path, bytes);
                    // Its end, and what is beside its pictures, were not looked at yet; it may be long until the next alarm.
                    if let Err(error) = shelf.make_room(writing) {
                        self.fault(&error);
                    }
                }
                self.count();
            }
            Err(error) => self.lose(&error),
        }
    }

    /// What is being recorded of a camera cannot be.
    fn give_up(&mut self, n: usize, error: &io::Error) {
        if let Some(film) = self.cameras[n].film.take() {
            film.take.abandon();
        }
        self.lose(error);
    }

    /// An alarm is not kept.
    fn lose(&mut self, error: &io::Error) {
        self.shared.given_up.fetch_add(1, Ordering::Relaxed);
        self.fault(error);
    }

    /// Tell whoever asks what is kept, and what went.
    fn count(&mut self) {
        let Some(shelf) = &mut self.shelf else { return };
        let (alarms, bytes) = shelf.held();
        self.shared.evicted.fetch_add(shelf.take_evicted(), Ordering::Relaxed);
        self.shared.alarms.store(alarms, Ordering::Relaxed);
        self.shared.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of what is being recorded.
    fn writing(&self) -> u64 {
        self.cameras.iter().filter_map(|camera| camera.film.as_ref()).map(|film| film.take.bytes()).sum()
    }

    /// Make room for what is being recorded.
    fn room(&mut self) -> io::Result<()> {
        let writing = self.writing();
        let shelf = self.shelf.as_mut().ok_or_else(no_folder)?;
        if shelf.make_room(writing)? {
            return Ok(());
        }
        let problem = "there is no room within quota and free space: nothing is recorded";
        Err(io::Error::new(io::ErrorKind::StorageFull, problem))
    }

    /// Time has passed.
    fn look(&mut self) {
        let passed = self.looked.elapsed();
        self.looked = Instant::now();
        let longest = self.settings.post_roll + SILENCE_MAX;
        for n in 0..self.cameras.len() {
            let film = self.cameras[n].film.as_ref();
            if film.and_then(|film| film.ended).is_some_and(|ended| ended.elapsed() > longest) {
                self.finish(n, true);
            }
        }
        if let Some(Err(error)) = self.shelf.as_mut().map(|shelf| shelf.pass(passed)) {
            self.fault(&error);
        }
        if self.retry.is_some_and(|at| Instant::now() >= at) {
            self.open();
        }
        self.count();
    }

    /// Use the folder, or use it again.
    fn open(&mut self) {
        // Its own parts must not be taken for what a power cut left.
        if self.shelf.is_none() || self.cameras.iter().all(|camera| camera.film.is_none()) {
            match Shelf::open(&self.settings.folder, self.settings.limits) {
                Ok(shelf) => {
                    // What went from the one before is not forgotten.
                    self.count();
                    self.shelf = Some(shelf);
                }
                Err(error) => return self.fault(&error),
            }
        }
        // A disk that is read-only lets everything be read.
        let probe = self.settings.folder.join(".probe");
        let works = std::fs::write(&probe, b"?").and_then(|()| std::fs::remove_file(&probe)).and_then(|()| self.room());
        match works {
            Ok(()) => {
                self.retry = None;
                if self.shared.fault().is_some() {
                    log::info!("{NAME}: alarms are recorded again");
                }
                self.shared.set_fault(None);
            }
            Err(error) => self.fault(&error),
        }
    }

    fn fault(&mut self, error: &io::Error) {
        let fault = format!("{}: {error}", self.settings.folder.display());
        if self.shared.fault().as_ref() != Some(&fault) {
            log::error!("{NAME}: {fault}");
        }
        self.shared.set_fault(Some(fault));
        self.retry = Some(Instant::now() + RETRY);
    }
}

fn no_folder() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "its folder cannot be used")
}
