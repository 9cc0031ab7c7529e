//! The one seam through which the store touches a disk: every operation that a power cut can fall upon is a method of
//! [`Disk`]. [`RealDisk`] is Linux; the tests have one that remembers what was synced and loses the rest.
//!
//! What callers may rely on after a power cut, and nothing more: bytes that [`Disk::sync`] returned for, and names that
//! [`Disk::sync_folder`] returned for. A rename is seen wholly or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may hold the lock before this one gives up.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Held until it is dropped.
pub struct Held(Option<File>);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file would do, but for a child process that is being started just now: it has it open until it runs its program.
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}

impl Held {
    /// For disks that one process alone uses.
    pub fn nothing() -> Self {
        Self(None)
    }
}

/// What the store asks of a disk.
pub trait Disk: Send + Sync {
    /// Make a folder in one that is there; one that is there already will do.
    ///
    /// # Errors
    /// When the disk refuses.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// The plain files of a folder, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// A file's bytes, from the disk and not from memory where that can be had, and how many they are.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    fn open(&self, file: &Path) -> io::Result<(Box<dyn Read>, u64)>;

    /// Make an empty file. One of that name is removed first, and not emptied: after a power cut it may go by another name too.
    ///
    /// # Errors
    /// When the disk refuses.
    fn create(&self, file: &Path) -> io::Result<()>;

    /// Write behind the end of a file that is there.
    ///
    /// # Errors
    /// When the disk refuses; some of the bytes may be there.
    fn append(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Return when all bytes of the file are on the medium.
    ///
    /// # Errors
    /// When that cannot be said.
    fn sync(&self, file: &Path) -> io::Result<()>;

    /// Give a file another name on the same file system, in the place of whatever had that name.
    ///
    /// # Errors
    /// When the disk refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Remove a file.
    ///
    /// # Errors
    /// When the disk refuses, or there is none.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Return when the names in a folder are on the medium.
    ///
    /// # Errors
    /// When that cannot be said.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Bytes that are free for this process on the folder's file system.
    ///
    /// # Errors
    /// When it does not tell.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;

    /// Keep every other process out that locks the same file, which is made where it is missing.
    ///
    /// # Errors
    /// Of kind `TimedOut` when another keeps it for too long.
    fn lock(&self, file: &Path) -> io::Result<Held>;

    /// Make a file that is there one's own until what is returned is dropped or the process ends; nothing when it is somebody else's, here
    /// or in another process. It stays one's own under another name.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn own(&self, file: &Path) -> io::Result<Option<Held>>;
}

/// The file systems of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => belong_to_owner_of_folder(folder),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_file() {
                entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), bytes: meta.len() });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn open(&self, file: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let file = File::open(file)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        // Pages that were synced leave memory, so that what is read is what the medium kept. A request, not a promise.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        Ok((Box::new(io::BufReader::new(file)), meta.len()))
    }

    fn create(&self, file: &Path) -> io::Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => File::create_new(file)?,
        };
        belong_to_owner_of_folder(file)
    }

    fn append(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(file)?.write_all(bytes)
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        OpenOptions::new().append(true).open(file)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let told = rustix::fs::statvfs(folder)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Held> {
        drop(OpenOptions::new().append(true).create(true).open(path)?);
        belong_to_owner_of_folder(path)?;
        // Read-only, which is enough: a lock that is held for long keeps nobody from making the file system read-only.
        let file = File::open(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held(Some(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= LOCK_WAIT => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process has been using it for long"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn own(&self, file: &Path) -> io::Result<Option<Held>> {
        let file = File::open(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held(Some(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// What root makes in the service's folder is the service's, or the service could not go on with it.
fn belong_to_owner_of_folder(path: &Path) -> io::Result<()> {
    let (Some(folder), ours) = (path.parent(), fs::metadata(path)?) else { return Ok(()) };
    let folder = fs::metadata(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    if ours.uid() == 0 && folder.uid() != 0 {
        chown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}
