//! The data set that marks become. Lines of devices come in; a train list, feature rows and a contract go out, and beside them what is
//! needed to go on:
//!
//! ```text
//! DIR/train.csv, DIR/train/DEVICE-EVENT.npy, DIR/contract.json    a data set (crate::dataset)
//! DIR/collect.json                                                how far each device was read, and what each video is of
//! ```
//!
//! The newest line of an alarm holds: one that says otherwise changes a label, one that takes back removes the video. Rows are on disk before
//! lists name them, and lists before a device's place moves on: what was interrupted is done again, and comes to the same.
//! Refused: rows of another feature contract, and folders with a data set that is from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use firmware_config::FeatureContract;
use runtime::{Error, Result};

use super::mark::{Mark, Said, clip};
use super::state::{Kept, Place, State};
use crate::dataset::write::{write_contract, write_list, write_rows};
use crate::dataset::{Dataset, Entry, Split, read_contract};

/// What is in it.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    contract: Option<FeatureContract>,
    state: State,
}

/// What some lines came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Videos that are new, or are something else now.
    pub new: usize,
    /// Videos that were there and are no more: what was said of them was taken back.
    pub back: usize,
    /// Marks with rows of another contract, which were passed over.
    pub other: usize,
    /// Lines that are no mark, which were passed over.
    pub damaged: usize,
    /// Videos that were taken back, whether they were there or not.
    gone: Vec<String>,
}

impl Taken {
    /// Both together.
    #[must_use]
    pub fn and(&self, more: &Self) -> Self {
        Self {
            new: self.new + more.new,
            back: self.back + more.back,
            other: self.other + more.other,
            damaged: self.damaged + more.damaged,
            gone: Vec::new(),
        }
    }
}

/// What there is of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Videos of false alarms.
    pub normal: usize,
    /// Videos of true ones.
    pub abnormal: usize,
    /// Marks without rows so far.
    pub waiting: usize,
}

/// The folder; cameras are taken in from several threads.
pub struct Folder {
    root: PathBuf,
    /// Rows of other contracts are passed over.
    picky: bool,
    held: Mutex<Held>,
}

impl Folder {
    /// A new one, or one that an earlier collection made. With `like`, it takes in what has the contract of that data set, and nothing else.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when it holds another data set, or one of another contract than `like`; `Corrupt` when its state is damaged.
    pub fn open(root: &Path, like: Option<&Path>) -> Result<Self> {
        let name = root.display().to_string();
        let state = State::read(root)?;
        if state.is_none() && ["train.csv", "test.csv", "contract.json"].iter().any(|file| root.join(file).exists()) {
            let problem = "holds a data set that `collect` did not make";
            return Err(Error::invalid(name, problem, "name a folder of its own; `train --add` brings them together"));
        }
        let wanted = like.map(Dataset::open).transpose()?.map(|dataset| dataset.contract);
        let there = if state.is_some() { read_contract(root)? } else { None };
        if let (Some(wanted), Some(there)) = (&wanted, &there)
            && wanted != there
        {
            let problem = format!("holds features of contract {}, not {}", told(there), told(wanted));
            return Err(Error::invalid(name, problem, "collect into another folder"));
        }
        fs::create_dir_all(root)
            .map_err(|error| Error::failed(&name, format!("cannot be made: {error}"), "name another folder"))?;
        if state.is_none() {
            // What is interrupted from here on is known as ours.
            State::default().write(root)?;
        }
        let held = Held { contract: there.or(wanted), state: state.unwrap_or_default() };
        Ok(Self { root: root.to_owned(), picky: like.is_some(), held: Mutex::new(held) })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a device was read, if anything was.
    pub fn place(&self, device: &str) -> Option<Place> {
        self.held().state.devices.get(device).filter(|place| place.last_bytes > 0).cloned()
    }

    /// A device has begun another file; what is here of it stays.
    pub fn begin_anew(&self, device: &str) {
        self.held().state.devices.remove(device);
    }

    /// What there is of a device.
    pub fn totals(&self, device: &str) -> Totals {
        let held = self.held();
        let of = |abnormal| {
            held.state.videos.values().filter(|kept| kept.device == device && kept.abnormal == abnormal).count()
        };
        let waiting = held.state.devices.get(device).map_or(0, |place| place.waiting.len());
        Totals { normal: of(false), abnormal: of(true), waiting }
    }

    /// The contract of its rows, once there are any.
    pub fn contract(&self) -> Option<FeatureContract> {
        self.held().contract.clone()
    }

    /// Take in lines of a device, the first of which begins at byte `at` of its file. All of them, or nothing.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when rows are of another contract; `Failed` when the disk refuses.
    pub fn take(&self, device: &str, at: u64, lines: &[u8]) -> Result<Taken> {
        let mut held = self.held();
        let (mut next, mut taken, mut begin) = (held.clone(), Taken::default(), at);
        let mut last: &[u8] = &[];
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match Mark::parse(line) {
                Ok(mark) => self.take_one(&mut next, device, &mark, &mut taken)?,
                Err(problem) => {
                    taken.damaged += 1;
                    log::warn!("{device}: the mark at byte {begin} is passed over: {problem}");
                }
            }
            (begin, last) = (begin + line.len() as u64, line);
        }
        next.state.devices.entry(device.to_owned()).or_default().moves_on(begin, last);
        if next != *held {
            self.write(&next)?;
            *held = next;
        }
        for video in taken.gone.iter().filter(|video| !held.state.videos.contains_key(*video)) {
            // No list names it: whether it goes is of no consequence.
            let _ = fs::remove_file(self.rows_of(video));
        }
        Ok(taken)
    }

    fn take_one(&self, next: &mut Held, device: &str, mark: &Mark, taken: &mut Taken) -> Result<()> {
        let Some(video) = mark.video(device) else {
            taken.damaged += 1;
            return Ok(());
        };
        let place = next.state.devices.entry(device.to_owned()).or_default();
        let Some(said) = mark.mark else {
            place.waiting.remove(&video);
            taken.back += usize::from(next.state.videos.remove(&video).is_some());
            taken.gone.push(video);
            return Ok(());
        };
        let Some(rows) = &mark.rows else {
            if !next.state.videos.contains_key(&video) {
                place.waiting.insert(video);
            }
            return Ok(());
        };
        place.waiting.remove(&video);
        let contract = match &next.contract {
            Some(contract) => contract.clone(),
            None => made(device, mark)?,
        };
        if mark.contract.as_ref() != Some(&contract.hash()) {
            taken.other += 1;
            return if self.picky { Ok(()) } else { Err(self.mixed(device, mark, &contract)) };
        }
        if rows.width != contract.feature_width as usize {
            taken.damaged += 1;
            log::warn!(
                "{device}: {video} is passed over: its rows are {} wide, not {}",
                rows.width,
                contract.feature_width
            );
            return Ok(());
        }
        let abnormal = said == Said::True;
        let events = if abnormal { vec![mark.frames(rows, &contract)] } else { Vec::new() };
        let (ticks, _) = clip(&contract);
        let kept = Kept { device: device.to_owned(), abnormal, frames: rows.count() * ticks, events };
        let path = self.rows_of(&video);
        if next.state.videos.get(&video) != Some(&kept) || !path.is_file() {
            write_rows(&path, rows.width, &rows.values)?;
            taken.new += 1;
            next.state.videos.insert(video, kept);
        }
        next.contract = Some(contract);
        Ok(())
    }

    fn mixed(&self, device: &str, mark: &Mark, ours: &FeatureContract) -> Error {
        let theirs = mark.features.as_ref().map_or_else(|| "another".into(), told);
        let problem = format!(
            "its alarm {} has features of contract {theirs}; {} holds those of {}",
            mark.event,
            self.root.display(),
            told(ours)
        );
        let remedy = "name the data set that they are to join, `--like DATASET`: others are passed over then";
        Error::invalid(device, problem, remedy)
    }

    fn rows_of(&self, video: &str) -> PathBuf {
        self.root.join(Split::Train.name()).join(format!("{video}.npy"))
    }

    fn write(&self, held: &Held) -> Result<()> {
        let entry = |(video, kept): (&String, &Kept)| Entry {
            video: video.clone(),
            abnormal: kept.abnormal,
            frames: Some(kept.frames),
            events: kept.events.clone(),
        };
        let entries: Vec<Entry> = held.state.videos.iter().map(entry).collect();
        if let Some(contract) = &held.contract {
            write_contract(&self.root, contract)?;
        }
        let list = self.root.join("train.csv");
        if entries.is_empty() && list.exists() {
            fs::remove_file(&list).map_err(|error| {
                Error::failed(list.display().to_string(), format!("cannot be removed: {error}"), "remove it yourself")
            })?;
        }
        write_list(&self.root, Split::Train, &entries)?;
        held.state.write(&self.root)
    }
}

/// The contract that a mark's rows say they are of.
fn made(device: &str, mark: &Mark) -> Result<FeatureContract> {
    let features = mark.features.as_ref().filter(|features| mark.contract.as_ref() == Some(&features.hash()));
    features.cloned().ok_or_else(|| {
        let problem = format!("does not say how the rows of its alarm {} were made", mark.event);
        Error::invalid(device, problem, "name the data set that they are to join: `--like DATASET`")
    })
}

/// A contract, for people.
fn told(contract: &FeatureContract) -> String {
    format!("{} ({})", contract.name, &contract.hash()[..12])
}
