//! Where a card's data partition lies: the beginning of a card or of a partition comes in, an offset in bytes goes out.
//!
//! Understood: the old partition table (MBR) whose third entry is Linux's, and a partition by itself. Believed: only a file
//! system whose label is `tadpole-data`.

use std::io::{self, Read, Seek, SeekFrom};

/// The label.
pub const LABEL: &[u8] = b"tadpole-data";

const SECTOR: u64 = 512;
/// The table's signature, at the end of the first sector.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// The third of the table's entries of 16 bytes.
const ENTRY: usize = 446 + 2 * 16;
/// What Linux's partitions are marked with.
const LINUX: u8 = 0x83;
/// Where a file system of the ext kind says what it is: magic and label, behind 1024 bytes of nothing.
const MAGIC_AT: usize = 0x38;
const MAGIC: [u8; 2] = [0x53, 0xef];
const LABEL_AT: usize = 0x78;
const LABEL_BYTES: usize = 16;

/// Where the data partition starts, in bytes; `None` where there is none.
///
/// # Errors
/// When the card cannot be read.
pub fn find(mut card: impl Read + Seek) -> io::Result<Option<u64>> {
    if is_data(&mut card, 0)? {
        return Ok(Some(0));
    }
    let mut first = [0; SECTOR as usize];
    card.seek(SeekFrom::Start(0))?;
    if !filled(&mut card, &mut first)? {
        return Ok(None);
    }
    let Some(start) = third(&first) else { return Ok(None) };
    Ok(is_data(&mut card, start)?.then_some(start))
}

/// Where the table in the first sector says that the third partition starts.
fn third(first: &[u8; SECTOR as usize]) -> Option<u64> {
    let entry: &[u8; 16] = first[ENTRY..].first_chunk()?;
    let sector = u32::from_le_bytes(*entry[8..].first_chunk()?);
    (first.ends_with(&SIGNATURE) && entry[4] == LINUX && sector > 0).then_some(u64::from(sector) * SECTOR)
}

/// Is a file system with our label at `start`?
fn is_data(card: &mut (impl Read + Seek), start: u64) -> io::Result<bool> {
    let mut block = [0; 1024];
    card.seek(SeekFrom::Start(start + 1024))?;
    if !filled(card, &mut block)? || block[MAGIC_AT..MAGIC_AT + 2] != MAGIC {
        return Ok(false);
    }
    let mut label = [0; LABEL_BYTES];
    label[..LABEL.len()].copy_from_slice(LABEL);
    Ok(block[LABEL_AT..LABEL_AT + LABEL_BYTES] == label)
}

/// Read all of `block`; false where the card ends before.
fn filled(card: &mut impl Read, block: &mut [u8]) -> io::Result<bool> {
    match card.read_exact(block) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A file system's first 2048 bytes, as far as they are looked at.
    fn file_system(label: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 2048];
        bytes[1024 + MAGIC_AT..][..2].copy_from_slice(&MAGIC);
        bytes[1024 + LABEL_AT..][..label.len()].copy_from_slice(label);
        bytes
    }

    fn card(kind: u8, sector: u32, file_system: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 8192];
        bytes[510..512].copy_from_slice(&SIGNATURE);
        bytes[ENTRY + 4] = kind;
        bytes[ENTRY + 8..][..4].copy_from_slice(&sector.to_le_bytes());
        bytes.extend_from_slice(file_system);
        bytes
    }

    fn found(bytes: Vec<u8>) -> Option<u64> {
        find(Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn the_third_partition_is_found_by_its_label() {
        assert_eq!(found(card(LINUX, 16, &file_system(LABEL))), Some(8192));
        assert_eq!(found(file_system(LABEL)), Some(0));
    }

    #[test]
    fn anything_else_is_none() {
        assert_eq!(found(card(LINUX, 16, &file_system(b"tadpole-root"))), None);
        assert_eq!(found(card(LINUX, 16, &file_system(b"tadpole-data2"))), None);
        assert_eq!(found(card(LINUX, 17, &file_system(LABEL))), None);
        assert_eq!(found(card(LINUX, u32::MAX, &file_system(LABEL))), None);
        assert_eq!(found(card(0x0c, 16, &file_system(LABEL))), None);
        assert_eq!(found(card(LINUX, 0, &file_system(LABEL))), None);
        assert_eq!(found(vec![0; 100]), None);
        let mut unsigned = card(LINUX, 16, &file_system(LABEL));
        unsigned[511] = 0;
        assert_eq!(found(unsigned), None);
    }
}
