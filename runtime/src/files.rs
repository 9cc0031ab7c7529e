//! Files that appear whole: readers see the old file or the new one, never a half, whenever the power goes.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{BufWriter, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// Write `bytes` to `path`; see [`write_with`].
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// Let `content` write a file beside `path`, sync it, rename it to `path`, and sync the folder: only then is the rename
/// itself safe.
///
/// # Errors
/// When the disk refuses; `path` is then as it was, and nothing is left beside it.
pub fn write_with(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let aside = beside(path);
    put_in_place(path, &aside, content).inspect_err(|_| {
        // What is left of the attempt is of no use; the error that matters is the first.
        let _ = fs::remove_file(&aside);
    })
}

/// As [`write`], unless there is a `path` already, which stays as it is. Of several that do so at once, on whichever machines share the
/// folder, one wins (on a file system without hard links, the last); none leaves anything beside it.
///
/// # Errors
/// When the disk refuses.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = beside(path);
    let put = fill(&aside, |out| out.write_all(bytes)).and_then(|()| match fs::hard_link(&aside, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::rename(&aside, path),
    });
    // It is gone where it was renamed; the error that matters is the first.
    let _ = fs::remove_file(&aside);
    put?;
    File::open(folder_of(path))?.sync_all()
}

fn put_in_place(path: &Path, aside: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    fill(aside, content)?;
    fs::rename(aside, path)?;
    File::open(folder_of(path))?.sync_all()
}

fn fill(aside: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut out = BufWriter::new(File::create(aside)?);
    content(&mut out)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

/// A name that no other writer takes, on this machine or another that shares the folder: in containers all processes have the same
/// number, so it is random (the system's randomness, as std's hash maps draw it).
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:016x}.part", RandomState::new().build_hasher().finish()))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"old").unwrap();
        let refused = write_with(&path, |out| {
            out.write_all(b"half of the n")?;
            Err(std::io::Error::other("disk full"))
        });
        assert_eq!(refused.unwrap_err().to_string(), "disk full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn of_those_that_begin_a_file_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::thread::scope(|scope| {
            for i in 0..8 {
                let path = &path;
                scope.spawn(move || write_new(path, format!("written by {i}").as_bytes()).unwrap());
            }
        });
        let winner = fs::read(&path).unwrap();
        assert!(winner.starts_with(b"written by "));
        write_new(&path, b"later").unwrap();
        assert_eq!(fs::read(&path).unwrap(), winner);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn writers_of_one_file_do_not_meet_in_what_is_beside_it() {
        let path = Path::new("folder/a");
        let names: std::collections::HashSet<PathBuf> = (0..100).map(|_| beside(path)).collect();
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|name| name.starts_with("folder") && name.extension().is_some_and(|e| e == "part")));
    }
}
