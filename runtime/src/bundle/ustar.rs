//! The one form of archive that is accepted: plain files, mode 0644, owner 0, time 0, nothing else. A name and a length
//! determine every byte of an entry's header, so a header is accepted when it equals the one that we would write: no
//! field is left in which anything could hide, and links, folders, sparse files and extensions need no rule of their own.

/// Archives are made of blocks of this many bytes.
pub const BLOCK: usize = 512;
/// Two blocks of zeros end an archive.
pub const END_BYTES: usize = 2 * BLOCK;
/// What USTAR writes in place of a version.
const MAGIC: &[u8] = b"ustar\x0000";

/// The header of the file `name` with `bytes` bytes.
///
/// Names have at most 100 bytes and lengths at most 33 bits: a manifest's limits see to both.
pub fn header(name: &str, bytes: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, MAGIC);
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Name and length of an entry; `None` when the header is not exactly the one that we would write.
pub fn parse(block: &[u8; BLOCK]) -> Option<(String, u64)> {
    let name = std::str::from_utf8(block[..100].split(|byte| *byte == 0).next()?).ok()?;
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    let bytes = u64::from_str_radix(digits, 8).ok()?;
    (!name.is_empty() && header(name, bytes) == *block).then(|| (name.to_owned(), bytes))
}

/// Bytes of zeros that fill an entry's last block.
pub fn padding(bytes: u64) -> usize {
    (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK
}

/// True when the bytes look like the beginning of a USTAR archive.
pub fn looks_like_ustar(bytes: &[u8]) -> bool {
    bytes.len() >= 262 && &bytes[257..262] == b"ustar"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same header as the `tar` crate writes, so that every tool reads it.
    #[test]
    fn headers_are_those_of_tar() {
        for (name, bytes) in [("manifest", 0), ("a", 511), ("head.onnx", 4 << 20), (&"n".repeat(100), 256 << 20)] {
            let mut theirs = tar::Header::new_ustar();
            theirs.set_path(name).unwrap();
            theirs.set_size(bytes);
            theirs.set_mode(0o644);
            theirs.set_entry_type(tar::EntryType::Regular);
            for set in [tar::Header::set_uid, tar::Header::set_gid, tar::Header::set_mtime] {
                set(&mut theirs, 0);
            }
            theirs.set_device_major(0).unwrap();
            theirs.set_device_minor(0).unwrap();
            theirs.set_cksum();
            let ours = header(name, bytes);
            // Checksums may be padded either way; the sum itself must agree.
            assert_eq!(ours[..148], theirs.as_bytes()[..148], "{name}");
            assert_eq!(ours[156..], theirs.as_bytes()[156..], "{name}");
            assert_eq!(tar::Header::from_byte_slice(&ours).cksum().unwrap(), theirs.cksum().unwrap());
            assert_eq!(parse(&ours), Some((name.to_owned(), bytes)));
        }
    }

    #[test]
    fn any_other_header_is_refused() {
        let good = header("head.onnx", 1234);
        for at in 0..BLOCK {
            for bit in 0..8 {
                let mut other = good;
                other[at] ^= 1 << bit;
                assert_eq!(parse(&other), None, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(parse(&[0; BLOCK]), None);
    }

    #[test]
    fn padding_fills_the_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
