//! Where on a card each file system lies: their sizes come in, partitions go out, and the text that sfdisk reads.
//!
//! The table is the old one (MBR), which every Pi boots from. Three partitions, in this order: boot (FAT), root (ext4, never
//! written to), data (ext4). `tadpole-trainer provision` finds the data by that order and by its label.

use std::fmt::Write as _;

use anyhow::{Result, bail};

/// Cards erase in blocks of up to 4 MiB; a partition that shares one with another is worn by it.
const ALIGNMENT: u64 = 4 << 20;
/// What the table counts in.
const SECTOR: u64 = 512;
/// The table's numbers have 32 bits.
const CARD_MAX: u64 = SECTOR << 32;

/// FAT32 with 32-bit numbers.
const FAT: &str = "c";
/// Linux.
const LINUX: &str = "83";
/// What the partitions are, in their order.
const KINDS: [&str; 3] = [FAT, LINUX, LINUX];

/// Where everything lies, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where each partition starts.
    pub starts: [u64; 3],
    sizes: [u64; 3],
    /// How long the card must be.
    pub card: u64,
}

impl Layout {
    /// For file systems of these sizes, in bytes.
    ///
    /// # Errors
    /// When one is empty or no whole number of sectors, or all are too much for the table.
    pub fn of(sizes: [u64; 3]) -> Result<Self> {
        let mut starts = [0; 3];
        let mut end = SECTOR;
        for (start, size) in starts.iter_mut().zip(sizes) {
            if size == 0 || size % SECTOR != 0 {
                bail!("a file system of {size} bytes is no whole number of sectors of {SECTOR}");
            }
            *start = end.next_multiple_of(ALIGNMENT);
            end = start.saturating_add(size);
            if end > CARD_MAX {
                bail!("the file systems need more than the {CARD_MAX} bytes that a card's table can describe");
            }
        }
        Ok(Self { starts, sizes, card: end.next_multiple_of(ALIGNMENT) })
    }

    /// What sfdisk makes the table from.
    pub fn script(&self) -> String {
        let mut text = String::from("label: dos\nunit: sectors\n");
        for ((start, size), kind) in self.starts.iter().zip(self.sizes).zip(KINDS) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "start={}, size={}, type={kind}", start / SECTOR, size / SECTOR);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn partitions_start_at_the_cards_blocks_and_never_overlap() {
        let mib = 1 << 20;
        let layout = Layout::of([256 * mib, 701 * mib + 512, 3 * mib]).unwrap();
        assert_eq!(layout.starts, [4 * mib, 260 * mib, 964 * mib]);
        assert_eq!(layout.card, 968 * mib);
        assert_eq!(
            layout.script(),
            "label: dos\nunit: sectors\nstart=8192, size=524288, type=c\nstart=532480, size=1435649, type=83\n\
             start=1974272, size=6144, type=83\n"
        );
    }

    #[test]
    fn what_the_table_cannot_say_is_refused() {
        assert!(Layout::of([512, 513, 512]).unwrap_err().to_string().contains("513"));
        assert!(Layout::of([512, 0, 512]).is_err());
        assert!(Layout::of([512, CARD_MAX, 512]).unwrap_err().to_string().contains("table"));
        assert!(Layout::of([512, u64::MAX - 511, 512]).is_err());
    }
}
