//! Room for new blobs. What a pointer of the record names is never touched: blobs are removed only after reading the record, under
//! the lock that every change of it takes.

use std::path::Path;

use super::receive::RECEIVED_BYTES_MAX;
use super::{CHECK_DISK, Store, failed};
use crate::{Error, ErrorKind, Result};

/// Bytes that stay free for everything else on the file system, such as the journal.
pub const FREE_BYTES_MIN: u64 = 32 << 20;

impl Store {
    /// Remove blobs that no pointer names; returns how many bytes they had.
    ///
    /// # Errors
    /// When the record is damaged or the disk refuses.
    pub fn collect(&self) -> Result<u64> {
        let _held = self.settle()?;
        self.collect_held()
    }

    /// As [`Store::collect`], for those who hold the lock.
    pub(super) fn collect_held(&self) -> Result<u64> {
        let state = self.state()?;
        self.remove_others(&self.blobs(), |name| state.named().any(|model| model.blob == name))
    }

    /// Remove what is left in `incoming/` of bundles that nobody receives now, but for those to `keep`. For those who hold the lock.
    pub(super) fn sweep(&self, keep: impl Fn(&str) -> bool) -> Result<()> {
        let folder = self.incoming();
        // What cannot be told apart from a part in use is kept: another sweep will come.
        let free = |name: &str| matches!(self.disk.own(&folder.join(name)), Ok(Some(_)));
        self.remove_others(&folder, |name| keep(name) || !free(name)).map(|_| ())
    }

    /// Remove all files of a folder but those to `keep`; returns how many bytes they had.
    fn remove_others(&self, folder: &Path, keep: impl Fn(&str) -> bool) -> Result<u64> {
        let mut freed = 0;
        let entries = self.disk.list(folder).map_err(|error| failed(folder, "cannot be listed", &error))?;
        for entry in entries.into_iter().filter(|entry| !keep(&entry.name)) {
            let file = folder.join(&entry.name);
            self.disk.remove(&file).map_err(|error| failed(&file, "cannot be removed", &error))?;
            freed += entry.bytes;
        }
        Ok(freed)
    }

    /// See to it that `bytes` more fit into quota and disk, at the expense of what nobody names, parts of other bundles than `part`
    /// that nobody receives among it, and then of a candidate that is not on trial.
    pub(super) fn make_room(&self, subject: &str, bytes: u64, part: &Path) -> Result<()> {
        if bytes > RECEIVED_BYTES_MAX {
            let problem = format!("has {bytes} bytes, more than the {RECEIVED_BYTES_MAX} that a bundle may have");
            return Err(Error::new(ErrorKind::InvalidInput, subject, problem, "name a `.tadpole` bundle"));
        }
        if self.lack(bytes)?.is_none() {
            return Ok(());
        }
        self.sweep(|name| part.ends_with(name))?;
        self.collect_held()?;
        if self.lack(bytes)?.is_some() && self.state()?.trial.is_none_or(|trial| trial.stage.switched()) {
            self.change_held(|state| {
                state.candidate = None;
                Ok(())
            })?;
            self.collect_held()?;
        }
        match self.lack(bytes)? {
            None => Ok(()),
            Some(problem) => Err(Error::new(ErrorKind::NoRoom, subject, problem, CHECK_DISK)),
        }
    }

    /// What keeps `bytes` more from being stored.
    fn lack(&self, bytes: u64) -> Result<Option<String>> {
        let mut used = 0;
        for folder in [self.blobs(), self.incoming()] {
            let entries = self.disk.list(&folder).map_err(|error| failed(&folder, "cannot be listed", &error))?;
            used += entries.iter().map(|entry| entry.bytes).sum::<u64>();
        }
        if used + bytes > self.quota_bytes {
            let quota = self.quota_bytes;
            return Ok(Some(format!("has {bytes} bytes, and {used} of the {quota} of the store are taken")));
        }
        let free =
            self.disk.free_bytes(&self.root).map_err(|error| failed(&self.root, "tells no free space", &error))?;
        if bytes.saturating_add(FREE_BYTES_MIN) > free {
            return Ok(Some(format!("has {bytes} bytes, {free} are free, and {FREE_BYTES_MIN} must stay so")));
        }
        Ok(None)
    }
}
