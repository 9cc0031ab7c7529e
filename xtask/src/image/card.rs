//! A card in one file: the files of its partitions come in, the card goes out. What is empty takes no room here.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::layout::Layout;
use crate::run::sbin;

/// How much is looked at at a time, and left out if nothing is in it.
const BLOCK: usize = 1 << 20;

/// Write the card `to` of `parts`: boot, root, data.
pub fn write(parts: &[PathBuf; 3], to: &Path) -> Result<()> {
    let mut sizes = [0; 3];
    for (size, part) in sizes.iter_mut().zip(parts) {
        *size = fs::metadata(part).with_context(|| format!("cannot find {}", part.display()))?.len();
    }
    let layout = Layout::of(sizes)?;
    let cannot = || format!("cannot write {}", to.display());
    let mut card = File::create(to).with_context(cannot)?;
    card.set_len(layout.card).with_context(cannot)?;
    table(&layout, to)?;
    for (part, start) in parts.iter().zip(layout.starts) {
        let from = File::open(part).with_context(|| format!("cannot read {}", part.display()))?;
        copy(from, &mut card, start).with_context(cannot)?;
    }
    card.sync_all().with_context(cannot)
}

/// The partition table.
fn table(layout: &Layout, card: &Path) -> Result<()> {
    let mut make = sbin("sfdisk");
    make.args(["--quiet", "--no-reread", "--no-tell-kernel"]).arg(card).stdin(Stdio::piped());
    let mut making = make.spawn().context("cannot start sfdisk")?;
    if let Some(mut script) = making.stdin.take() {
        script.write_all(layout.script().as_bytes()).context("sfdisk does not listen")?;
    }
    let status = making.wait().context("sfdisk cannot be waited for")?;
    if !status.success() {
        bail!("sfdisk ended with {status} over:\n{}", layout.script());
    }
    Ok(())
}

/// Copy `from` to `start`, where nothing is yet.
fn copy(mut from: impl Read, card: &mut File, start: u64) -> io::Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    let mut at = start;
    loop {
        block.clear();
        let read = from.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if read == 0 {
            return Ok(());
        }
        if block.iter().any(|byte| *byte != 0) {
            card.seek(SeekFrom::Start(at))?;
            card.write_all(&block)?;
        }
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::run::target;

    #[test]
    fn what_is_empty_takes_no_room_and_the_rest_is_where_it_belongs() {
        let folder = target().join("tmp");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("card-{}.img", std::process::id()));
        let mut card = File::create(&path).unwrap();
        card.set_len(64 << 20).unwrap();
        let mut part = vec![0; 40 << 20];
        part[(20 << 20) + 7] = 9;
        copy(part.as_slice(), &mut card, 4 << 20).unwrap();
        let written = fs::read(&path).unwrap();
        let taken = fs::metadata(&path).unwrap().blocks() * 512;
        fs::remove_file(&path).unwrap();
        assert_eq!(written.iter().position(|byte| *byte != 0), Some((24 << 20) + 7));
        assert_eq!(written.len(), 64 << 20);
        assert!(taken <= 2 << 20, "{taken} bytes");
    }
}
