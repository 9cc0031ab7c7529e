//! Files written so that an interruption leaves the old file or the new one, and read so that damage is an error with a
//! name.

use std::fs;
use std::path::Path;

use runtime::{Error, Result};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 16] = b"tadpole-parts-1\n";

/// Write `bytes`; a reader sees the old file or the new one.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    runtime::files::write(path, bytes).map_err(|error| {
        Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check space and permissions")
    })
}

/// Write several byte strings into one file, with their lengths and a checksum.
pub fn write_parts(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        body.extend_from_slice(&(part.len() as u64).to_le_bytes());
        body.extend_from_slice(part);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.append(&mut body);
    write_atomic(path, &bytes)
}

/// Read what [`write_parts`] wrote: exactly `N` parts.
pub fn read_parts<const N: usize>(path: &Path) -> Result<[Vec<u8>; N]> {
    let bytes = fs::read(path).map_err(|error| {
        Error::unreadable(
            path.display().to_string(),
            &error,
            "name the RUN folder of a training that came to its first checkpoint",
        )
    })?;
    parse(&bytes).ok_or_else(|| {
        Error::corrupt(
            path.display().to_string(),
            "is damaged (its checksum does not match)",
            "copy the RUN folder again, or train again",
        )
    })
}

fn parse<const N: usize>(bytes: &[u8]) -> Option<[Vec<u8>; N]> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (checksum, mut body) = rest.split_at_checked(32)?;
    if Sha256::digest(body).as_slice() != checksum {
        return None;
    }
    let mut parts = Vec::with_capacity(N);
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        parts.push(part.to_vec());
        body = rest;
    }
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        write_parts(&path, &[b"one", b"", b"three"]).unwrap();
        assert_eq!(read_parts::<3>(&path).unwrap(), [b"one".to_vec(), vec![], b"three".to_vec()]);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = read_parts::<3>(&path).unwrap_err();
        assert!(error.to_string().contains("model.bin: is damaged"), "{error}");
        fs::write(&path, &bytes[..20]).unwrap();
        assert!(read_parts::<3>(&path).is_err());
    }
}
