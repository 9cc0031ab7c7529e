//! Who vouches for a manifest. The bytes of a manifest and a private key come in, a [`SignatureBlock`] goes out; on
//! the camera the block is checked against the keys that its config trusts, before a word of the manifest is believed.
//!
//! The signature is ed25519 over a domain string and the whole manifest file, header included, so that it can never
//! be mistaken for a signature over something else. `manifest.sig` is 96 bytes: the public key that claims to have
//! signed (32), then the signature (64). The key is named only so that an error can tell a stranger from damage:
//! trust comes from the config alone.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

pub use ed25519_dalek::SigningKey;

/// What every signature is over, before the manifest's bytes.
pub const DOMAIN: &[u8] = b"tadpole manifest v1\0";
/// Length of `manifest.sig`.
pub const SIGNATURE_BLOCK_BYTES: usize = 96;
/// The most keys a camera trusts: the present one and the next, so that keys can be exchanged.
pub const TRUSTED_KEYS_MAX: usize = 2;

/// Why a key or a signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// not 64 hexadecimal digits
    #[error("a public key is 64 hexadecimal digits; this has {0} characters or other signs in it")]
    KeyText(usize),
    /// not a usable ed25519 public key
    #[error("these 64 digits are not a usable ed25519 public key")]
    KeyPoint,
    /// more keys than are allowed
    #[error("{0} keys are listed; at most {TRUSTED_KEYS_MAX} are allowed")]
    TooManyKeys(usize),
    /// a signature file of the wrong length
    #[error("its signature has {0} bytes instead of {SIGNATURE_BLOCK_BYTES}")]
    BlockLength(usize),
    /// a key that is not trusted
    #[error("it is signed with the key {0}, which is not among the trusted keys")]
    Stranger(PublicKey),
    /// a signature that does not fit
    #[error("its signature by the key {0} does not fit its manifest")]
    Wrong(PublicKey),
}

/// An ed25519 public key; 64 hexadecimal digits where people see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`SignError::KeyPoint`] when no ed25519 key has these bytes, or only one that anybody can sign for.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SignError> {
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            _ => Err(SignError::KeyPoint),
        }
    }

    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The first 8 digits, for tables.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl From<&SigningKey> for PublicKey {
    fn from(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

impl FromStr for PublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| SignError::KeyText(text.chars().count()))?;
        Self::from_bytes(bytes)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = SignError;

    fn try_from(text: String) -> Result<Self, SignError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The keys whose signatures are believed: none, one, or two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// Trust exactly `keys`.
    ///
    /// # Errors
    /// [`SignError::TooManyKeys`].
    pub fn new(keys: impl Into<Vec<PublicKey>>) -> Result<Self, SignError> {
        let keys = keys.into();
        if keys.len() > TRUSTED_KEYS_MAX {
            return Err(SignError::TooManyKeys(keys.len()));
        }
        Ok(Self(keys))
    }

    /// Trust one key.
    pub fn only(key: PublicKey) -> Self {
        Self(vec![key])
    }

    /// Is `key` trusted?
    pub fn contains(&self, key: PublicKey) -> bool {
        self.0.contains(&key)
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }
}

/// A signature and the key that claims to have made it: the content of `manifest.sig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureBlock {
    /// Who claims to have signed.
    pub key: PublicKey,
    /// The ed25519 signature.
    pub signature: [u8; 64],
}

impl SignatureBlock {
    /// The 96 bytes of `manifest.sig`.
    pub fn to_bytes(self) -> [u8; SIGNATURE_BLOCK_BYTES] {
        let mut bytes = [0; SIGNATURE_BLOCK_BYTES];
        bytes[..32].copy_from_slice(&self.key.0);
        bytes[32..].copy_from_slice(&self.signature);
        bytes
    }

    /// Read the 96 bytes of `manifest.sig`.
    ///
    /// # Errors
    /// [`SignError::BlockLength`], [`SignError::KeyPoint`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        let wrong = |_| SignError::BlockLength(bytes.len());
        let bytes: [u8; SIGNATURE_BLOCK_BYTES] = bytes.try_into().map_err(wrong)?;
        let (mut key, mut signature) = ([0; 32], [0; 64]);
        key.copy_from_slice(&bytes[..32]);
        signature.copy_from_slice(&bytes[32..]);
        Ok(Self { key: PublicKey::from_bytes(key)?, signature })
    }

    /// Does the signature fit the manifest? Says nothing about trust.
    pub fn fits(&self, manifest: &[u8]) -> bool {
        VerifyingKey::from_bytes(&self.key.0)
            .is_ok_and(|key| key.verify_strict(&message(manifest), &self.signature.into()).is_ok())
    }
}

/// Sign the bytes of a manifest file.
pub fn sign(manifest: &[u8], key: &SigningKey) -> SignatureBlock {
    SignatureBlock { key: key.into(), signature: key.sign(&message(manifest)).to_bytes() }
}

/// Check that the bytes of a manifest file are vouched for by one of the trusted keys; returns which.
///
/// # Errors
/// [`SignError::Stranger`] for a key that is not trusted, [`SignError::Wrong`] when a trusted key's signature does
/// not fit, and the errors of [`SignatureBlock::from_bytes`].
pub fn verify(manifest: &[u8], signature: &[u8], trusted: &TrustedKeys) -> Result<PublicKey, SignError> {
    let block = SignatureBlock::from_bytes(signature)?;
    if !trusted.contains(block.key) {
        return Err(SignError::Stranger(block.key));
    }
    if !block.fits(manifest) {
        return Err(SignError::Wrong(block.key));
    }
    Ok(block.key)
}

fn message(manifest: &[u8]) -> Vec<u8> {
    [DOMAIN, manifest].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn a_trusted_signature_is_believed_and_a_strangers_is_named() {
        let block = sign(b"promise", &key(1)).to_bytes();
        let ours = TrustedKeys::only((&key(1)).into());
        let theirs = TrustedKeys::only((&key(2)).into());
        assert_eq!(verify(b"promise", &block, &ours), Ok((&key(1)).into()));
        assert_eq!(verify(b"promise", &block, &theirs), Err(SignError::Stranger((&key(1)).into())));
        assert_eq!(verify(b"promise", &block, &TrustedKeys::default()), Err(SignError::Stranger((&key(1)).into())));
        assert_eq!(verify(b"premise", &block, &ours), Err(SignError::Wrong((&key(1)).into())));
        assert_eq!(verify(b"promise", &block[..95], &ours), Err(SignError::BlockLength(95)));
    }

    #[test]
    fn a_stranger_cannot_borrow_a_trusted_name() {
        let mut block = sign(b"promise", &key(2));
        block.key = (&key(1)).into();
        let ours = TrustedKeys::only((&key(1)).into());
        assert_eq!(verify(b"promise", &block.to_bytes(), &ours), Err(SignError::Wrong((&key(1)).into())));
    }

    #[test]
    fn the_domain_is_part_of_what_is_signed() {
        let bare = SignatureBlock { key: (&key(1)).into(), signature: key(1).sign(b"promise").to_bytes() };
        assert!(!bare.fits(b"promise"));
    }

    #[test]
    fn golden_signature() {
        // ed25519 is deterministic: the same key and bytes give the same signature for ever.
        insta::assert_snapshot!(hex::encode(sign(b"promise", &key(1)).to_bytes()), @"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cf125bdc9a70e9d8ae5f7efe711eb4497347d0527ff81ed222f188e5ad1fcacb7a408d11658d49afb1025a8ccd663a74108ff3471389937bf5bf1f8c06be0230d");
    }

    #[test]
    fn keys_are_read_strictly() {
        let text = PublicKey::from(&key(3)).to_string();
        assert_eq!(text.parse(), Ok(PublicKey::from(&key(3))));
        assert_eq!(text[..63].parse::<PublicKey>(), Err(SignError::KeyText(63)));
        assert_eq!("g".repeat(64).parse::<PublicKey>(), Err(SignError::KeyText(64)));
        // The neutral point: a key that anybody can sign for.
        assert_eq!(format!("01{}", "0".repeat(62)).parse::<PublicKey>(), Err(SignError::KeyPoint));
        assert_eq!(TrustedKeys::new([(&key(1)).into(); 3]), Err(SignError::TooManyKeys(3)));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(
            manifest in prop::collection::vec(any::<u8>(), 1..64), at in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let ours = TrustedKeys::only((&key(1)).into());
            let block = sign(&manifest, &key(1)).to_bytes();
            let mut all = [&manifest[..], &block].concat();
            let at = at.index(all.len());
            all[at] ^= 1 << bit;
            let (manifest, block) = all.split_at(manifest.len());
            prop_assert!(verify(manifest, block, &ours).is_err());
        }
    }
}
