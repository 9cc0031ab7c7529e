//! The frame around every binary form: a payload comes in, sealed bytes go out, and back.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic: which kind of thing this is |
//! | 2 | schema version, little endian |
//! | 4 | length of the payload, little endian |
//! | n | payload |
//! | 4 | CRC-32 (IEEE) of all that stands before it, little endian |
//!
//! Refused: another magic, an oversized length, missing or trailing bytes, a wrong checksum, a version that is not known.
//! The frame itself never changes; what the payload means follows from the version.

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 14;
/// Bytes after the payload.
pub const TRAILER_BYTES: usize = 4;

/// One kind of sealed thing.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// What the bytes begin with.
    pub magic: [u8; 8],
    /// The newest schema version that this build reads; versions count from 1.
    pub newest_version: u16,
    /// The longest payload that is accepted, in bytes.
    pub payload_bytes_max: usize,
}

/// Why sealed bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// it does not begin with the magic bytes
    #[error("it does not begin with `{0}`")]
    Magic(String),
    /// it is cut short
    #[error("it is cut short: {have} bytes of at least {want}")]
    Truncated {
        /// Bytes that are there.
        have: usize,
        /// Bytes that should be there.
        want: usize,
    },
    /// something follows its end
    #[error("{extra} bytes follow its end")]
    Trailing {
        /// How many bytes too many.
        extra: usize,
    },
    /// too large
    #[error("it claims {claimed} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Claimed length of the payload.
        claimed: usize,
        /// The limit.
        limit: usize,
    },
    /// its checksum is wrong
    #[error("its checksum is wrong: the bytes were damaged")]
    Checksum,
    /// a schema version that is not known
    #[error("its schema version is {found}; this build reads 1 to {newest}")]
    Version {
        /// The version found.
        found: u16,
        /// The newest version known.
        newest: u16,
    },
    /// the payload does not decode
    #[error("its content does not decode as schema version {version}")]
    Payload {
        /// The schema version.
        version: u16,
    },
}

impl Envelope {
    /// Seal `payload` as schema `version`.
    ///
    /// # Errors
    /// When the payload is larger than this kind allows.
    pub fn seal(&self, version: u16, payload: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.check_size(payload.len())?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + TRAILER_BYTES);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Ok(bytes)
    }

    /// The schema version and the payload of sealed bytes.
    ///
    /// # Errors
    /// See the module's list of what is refused.
    pub fn open<'a>(&self, bytes: &'a [u8]) -> Result<(u16, &'a [u8]), EnvelopeError> {
        let seen = bytes.len().min(self.magic.len());
        if bytes[..seen] != self.magic[..seen] {
            return Err(EnvelopeError::Magic(self.magic.escape_ascii().to_string()));
        }
        let smallest = HEADER_BYTES + TRAILER_BYTES;
        if bytes.len() < smallest {
            return Err(EnvelopeError::Truncated { have: bytes.len(), want: smallest });
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        let length = u32::from_le_bytes([bytes[10], bytes[11], bytes[12], bytes[13]]) as usize;
        self.check_size(length)?;
        let want = smallest + length;
        if bytes.len() < want {
            return Err(EnvelopeError::Truncated { have: bytes.len(), want });
        }
        if bytes.len() > want {
            return Err(EnvelopeError::Trailing { extra: bytes.len() - want });
        }
        let (body, checksum) = bytes.split_at(want - TRAILER_BYTES);
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return Err(EnvelopeError::Checksum);
        }
        // After the checksum, so that a damaged version is called damage.
        if version == 0 || version > self.newest_version {
            return Err(EnvelopeError::Version { found: version, newest: self.newest_version });
        }
        Ok((version, &body[HEADER_BYTES..]))
    }

    /// True when `bytes` begin like this kind.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.magic)
    }

    fn check_size(&self, claimed: usize) -> Result<(), EnvelopeError> {
        if claimed > self.payload_bytes_max {
            return Err(EnvelopeError::TooLarge { claimed, limit: self.payload_bytes_max });
        }
        Ok(())
    }
}

/// Decode a whole payload as `T`; bytes left over are refused.
///
/// # Errors
/// [`EnvelopeError::Payload`].
pub fn decode_payload<'a, T: serde::Deserialize<'a>>(version: u16, payload: &'a [u8]) -> Result<T, EnvelopeError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        _ => Err(EnvelopeError::Payload { version }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Envelope = Envelope { magic: *b"TADPOLEX", newest_version: 2, payload_bytes_max: 16 };

    #[test]
    fn golden_bytes() {
        let sealed = KIND.seal(1, b"frog").unwrap();
        assert_eq!(
            hex::encode(&sealed),
            "544144504f4c455801000400000066726f67".to_owned() + &hex::encode(&sealed[18..])
        );
        assert_eq!(sealed[18..], crc32fast::hash(&sealed[..18]).to_le_bytes());
        assert_eq!(KIND.open(&sealed).unwrap(), (1, &b"frog"[..]));
    }

    #[test]
    fn every_cut_flip_and_addition_is_refused() {
        let sealed = KIND.seal(2, b"0123456789abcdef").unwrap();
        for cut in 0..sealed.len() {
            assert!(matches!(KIND.open(&sealed[..cut]), Err(EnvelopeError::Truncated { .. })), "cut at {cut}");
        }
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut damaged = sealed.clone();
                damaged[at] ^= 1 << bit;
                assert!(KIND.open(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
        let mut longer = sealed;
        longer.push(0);
        assert_eq!(KIND.open(&longer), Err(EnvelopeError::Trailing { extra: 1 }));
    }

    #[test]
    fn oversized_and_future_are_refused_by_name() {
        assert_eq!(KIND.seal(1, &[0; 17]), Err(EnvelopeError::TooLarge { claimed: 17, limit: 16 }));
        let future = Envelope { newest_version: 9, ..KIND }.seal(3, b"").unwrap();
        assert_eq!(KIND.open(&future), Err(EnvelopeError::Version { found: 3, newest: 2 }));
        let other = Envelope { magic: *b"TADPOLEY", ..KIND }.seal(1, b"").unwrap();
        assert_eq!(KIND.open(&other), Err(EnvelopeError::Magic("TADPOLEX".into())));
    }
}
