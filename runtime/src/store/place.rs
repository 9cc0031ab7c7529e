//! A small file that appears whole or not at all, through the [`Disk`]: written aside, synced, read back, renamed,
//! its folder synced. The store's record is written so, and configs are.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use firmware_config::{Config, wire};

use super::disk::Disk;
use crate::{Error, Result};

/// Put `bytes` at `path`.
///
/// # Errors
/// When the disk refuses; `path` is then as it was, or, if only the last sync failed, new.
pub fn place(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = beside(path);
    let written = write_aside(disk, &aside, bytes).and_then(|()| disk.rename(&aside, path));
    if let Err(error) = written {
        // Of no use to anyone; the error that matters is the first.
        let _ = disk.remove(&aside);
        return Err(error);
    }
    disk.sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// A file that [`place`] put there; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or has more than `bytes_max` bytes.
pub fn read(disk: &dyn Disk, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let (reader, bytes) = match disk.open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    reader.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > bytes_max || bytes != content.len() as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has {bytes} bytes of at most {bytes_max}")));
    }
    Ok(Some(content))
}

/// Save a config as the blob that a board reads. The config is checked first and the blob read back: a board never finds
/// one that it cannot use.
///
/// # Errors
/// Of kind `InvalidInput` when its settings will not do, `Failed` when the disk refuses; the former config is then there still.
pub fn save_config(disk: &dyn Disk, path: &Path, config: &Config) -> Result<()> {
    let subject = path.display().to_string();
    config.validate().map_err(|error| Error::invalid(&subject, error.to_string(), "correct the settings"))?;
    let blob =
        wire::encode(config).map_err(|error| Error::invalid(&subject, error.to_string(), "use fewer cameras"))?;
    if wire::decode(&blob).as_ref() != Ok(config) {
        return Err(Error::invalid(&subject, "does not survive its own blob", "report this, with the config"));
    }
    place(disk, path, &blob).map_err(|error| {
        Error::failed(&subject, format!("cannot be saved: {error}"), "check the folder, its rights and free space")
    })
}

fn write_aside(disk: &dyn Disk, aside: &Path, bytes: &[u8]) -> io::Result<()> {
    disk.create(aside)?;
    disk.append(aside, bytes)?;
    disk.sync(aside)?;
    let kept = read(disk, aside, bytes.len())?;
    if kept.as_deref() == Some(bytes) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the disk kept something else than was written"))
}

/// One name for whoever writes: what a power cut left there is overwritten by the next.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}
