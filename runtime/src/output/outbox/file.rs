//! The outbox's file on a [`Disk`]: lines go behind it and are synced, and from time to time it is placed anew as a whole. A power cut leaves
//! what was synced, and perhaps half of a line behind it, which the next start cuts off.
//!
//! After any failure nobody knows what the file holds; only [`Unsaved::All`] makes it good again.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::queue::Unsaved;
use super::record::{self, Line};
use crate::store::disk::{Disk, Held};
use crate::store::place;

/// The file's name in the outbox's folder.
pub const NAME: &str = "messages";
/// Held by the process that uses the folder.
const LOCK: &str = "lock";
/// A file is not written anew before it has this many bytes.
const BYTES_FREE: u64 = 128 << 10;
/// It is written anew when it has become this many times as long as it was then.
const GROWTH: u64 = 4;
/// Of the longest file that is read: for each message that may wait, and besides.
const BYTES_EACH_MAX: u64 = GROWTH << 10;
const BYTES_BESIDES_MAX: u64 = 1 << 20;

/// An outbox's file.
pub struct File {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    /// Its length now, and when it was last written anew.
    bytes: u64,
    bytes_begun: u64,
    bytes_max: u64,
    held: Option<Held>,
    /// There may be one that could not be read yet.
    unread: bool,
}

/// What a file held.
#[derive(Debug, Default)]
pub struct Found {
    /// Its whole lines.
    pub lines: Vec<Line>,
    /// What is not as it should be, for people. The file is to be written anew.
    pub problem: Option<String>,
    /// There was no file.
    pub absent: bool,
}

impl File {
    /// The file in `folder`, in which at most `events_max` messages wait, and what it holds. A disk that does not answer is a problem of [`Found`].
    ///
    /// # Errors
    /// Of kind `TimedOut` when another process uses it.
    pub fn open(disk: Box<dyn Disk>, folder: &Path, events_max: usize) -> io::Result<(Self, Found)> {
        let mut file = Self {
            disk,
            folder: folder.to_owned(),
            bytes: 0,
            bytes_begun: 0,
            bytes_max: BYTES_EACH_MAX * events_max as u64 + BYTES_BESIDES_MAX,
            held: None,
            unread: false,
        };
        match file.take() {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
            // Said by whatever is written next.
            Err(_) | Ok(()) => {}
        }
        let found = match file.read() {
            Ok((lines, 0)) => Found { lines, problem: None, absent: false },
            Ok((lines, damaged)) => {
                let problem = format!("{damaged} damaged lines are left out; a power cut leaves one");
                Found { lines, problem: Some(problem), absent: false }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found { absent: true, ..Found::default() },
            Err(error) => {
                file.unread = true;
                Found { problem: Some(format!("cannot be read: {error}")), ..Found::default() }
            }
        };
        Ok((file, found))
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// How long it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it can be written on as it is: it was read, and no other process uses it.
    pub fn is_ours(&self) -> bool {
        self.held.is_some() && !self.unread
    }

    /// What it holds, if it could not be read when it was opened; to be asked before it is written anew.
    ///
    /// # Errors
    /// When it still cannot be read.
    pub fn read_late(&mut self) -> io::Result<Vec<Line>> {
        let lines = match self.unread.then(|| self.read()) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Some(Ok((lines, _))) => lines,
            _ => Vec::new(),
        };
        self.unread = false;
        Ok(lines)
    }

    /// Write; when it returns, a power cut does not undo it.
    ///
    /// # Errors
    /// When the disk refuses. What the file holds is then unknown: the next must be [`Unsaved::All`].
    pub fn save(&mut self, unsaved: &Unsaved) -> io::Result<()> {
        let mut bytes = Vec::new();
        let (Unsaved::More(lines) | Unsaved::All(lines)) = unsaved;
        lines.iter().for_each(|line| line.write(&mut bytes));
        if matches!(unsaved, Unsaved::More(_)) {
            self.disk.append(&self.path(), &bytes)?;
            self.disk.sync(&self.path())?;
            self.bytes += bytes.len() as u64;
            return Ok(());
        }
        self.take()?;
        place::place(self.disk.as_ref(), &self.path(), &bytes)?;
        self.bytes = bytes.len() as u64;
        self.bytes_begun = self.bytes;
        Ok(())
    }

    /// Whether most of it is likely to be of no use any more.
    pub fn has_grown(&self) -> bool {
        self.bytes > BYTES_FREE.max(GROWTH * self.bytes_begun)
    }

    /// Make the folder, and keep other processes out of it.
    fn take(&mut self) -> io::Result<()> {
        if self.held.is_none() {
            self.disk.make_folder(&self.folder)?;
            let above = self.folder.parent().filter(|above| !above.as_os_str().is_empty());
            self.disk.sync_folder(above.unwrap_or(Path::new(".")))?;
            self.held = Some(self.disk.lock(&self.folder.join(LOCK))?);
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<(Vec<Line>, usize)> {
        let (reader, _) = self.disk.open(&self.path())?;
        let mut bytes = Vec::new();
        reader.take(self.bytes_max).read_to_end(&mut bytes)?;
        (self.bytes, self.bytes_begun) = (bytes.len() as u64, bytes.len() as u64);
        Ok(record::lines(&bytes))
    }
}
