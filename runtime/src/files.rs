//! Files that appear whole: readers see the old file or the new one, never a half, whenever the power goes.

use std::fs::{self, File};
use std::io::{BufWriter, Result, Write};
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

fn put_in_place(path: &Path, aside: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut out = BufWriter::new(File::create(aside)?);
    content(&mut out)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(aside, path)?;
    File::open(folder_of(path))?.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
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
}
