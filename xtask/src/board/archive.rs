//! Files in, the archive out that a Linux kernel takes its first file system from (cpio, "newc").

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// An archive that is being written.
pub struct Archive<W: Write> {
    to: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    /// Nothing is in it.
    pub fn new(to: W) -> Self {
        Self { to, entries: 0 }
    }

    /// Add a folder.
    pub fn folder(&mut self, name: &str) -> Result<()> {
        self.entry(name, FOLDER, &[])
    }

    /// Add a file that may be run.
    pub fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.entry(name, FILE | 0o755, content)
    }

    /// Add all that lies in `folder`, under `prefix` (empty, or ending in `/`).
    pub fn tree(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let cannot = |path: &Path| format!("cannot read {}", path.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| cannot(folder))? {
            found.push(entry?.path());
        }
        found.sort();
        for path in found {
            let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = format!("{prefix}{own}");
            let meta = path.symlink_metadata().with_context(|| cannot(&path))?;
            if meta.is_symlink() {
                let to = fs::read_link(&path).with_context(|| cannot(&path))?;
                self.entry(&name, LINK, to.to_string_lossy().as_bytes())?;
            } else if meta.is_dir() {
                self.folder(&name)?;
                self.tree(&path, &format!("{name}/"))?;
            } else {
                let content = fs::read(&path).with_context(|| cannot(&path))?;
                self.entry(&name, FILE | (meta.permissions().mode() & 0o777), &content)?;
            }
        }
        Ok(())
    }

    /// Write the end.
    pub fn finish(mut self) -> Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.to.flush().context("cannot write the archive")?;
        Ok(self.to)
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).with_context(|| format!("{name} is too large"))?;
        // Number, mode, user, group, links, time, size, four numbers of devices, length of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut header = String::from("070701");
        for field in fields {
            // Writing to a string cannot fail.
            let _ = write!(header, "{field:08x}");
        }
        header += name;
        header.push('\0');
        self.padded(header.as_bytes()).and_then(|()| self.padded(content)).context("cannot write the archive")
    }

    /// Everything begins at a multiple of four bytes.
    fn padded(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.write_all(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn entries_are_as_the_kernel_reads_them() {
        let mut archive = Archive::new(Vec::new());
        archive.folder("bin").unwrap();
        archive.file("bin/a", b"hello").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let header = |at: usize, field: usize| {
            let digits = std::str::from_utf8(&bytes[at + 6 + 8 * field..][..8]).unwrap();
            u32::from_str_radix(digits, 16).unwrap()
        };
        assert!(bytes.starts_with(b"070701") && bytes[110..].starts_with(b"bin\0"));
        assert_eq!((header(0, 1), header(0, 11)), (0o040_755, 4));
        let second = 116;
        assert_eq!((header(second, 1), header(second, 6), header(second, 11)), (0o100_755, 5, 6));
        assert!(bytes[second + 110..].starts_with(b"bin/a\x00hello\x00\x00\x00070701"));
    }
}
