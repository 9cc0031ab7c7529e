//! A model in one file. `NAME.tadpole` comes in, a [`Bundle`] whose every byte is vouched for goes out; and back.
//!
//! | module | what |
//! |---|---|
//! | [`read`] | [`Bundle::open`] for those who run it, [`Bundle::inspect`] for those who look at it |
//! | [`write`] | the same bytes from the same model, put in place in one step |
//! | `ustar` | the one form of archive that is accepted |
//! | [`demo_key`] | the public half of the key that signs the shipped model |
//!
//! The archive is an uncompressed USTAR: `manifest`, `manifest.sig`, then exactly the manifest's files in its order.
//! Refused: a signature that is absent, wrong or a stranger's; a file that differs from what the manifest names in
//! length or SHA-256; any entry that is not a plain file; anything missing and anything more.
//! docs/ref/bundle.md tells the form to the byte.

pub mod demo_key;
pub mod find;
pub mod read;
mod ustar;
pub mod write;

use firmware_config::manifest::{FileRole, Manifest};
use firmware_config::sign::PublicKey;

use crate::{Error, Result};

pub use demo_key::demo_keys;
pub use read::{Inspection, SignatureStatus};
pub use write::{pack, write};

/// A model whose every byte is vouched for by a trusted key.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The model's id: SHA-256 of its manifest, hexadecimal.
    pub id: String,
    /// Who signed it.
    pub signed_by: PublicKey,
    /// What it promises.
    pub manifest: Manifest,
    /// The content of the manifest's files, in its order.
    pub contents: Vec<Vec<u8>>,
}

impl Bundle {
    /// The graph over the full window.
    pub fn head(&self) -> &[u8] {
        self.content(FileRole::Head).unwrap_or_default()
    }

    /// The graph from a clip to a feature row; a head-only bundle has none.
    pub fn extractor(&self) -> Option<&[u8]> {
        self.content(FileRole::Extractor)
    }

    /// The extractor, for those who cannot work without.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the bundle is head-only.
    pub fn require_extractor(&self) -> Result<&[u8]> {
        self.extractor().ok_or_else(|| {
            Error::invalid(
                &self.manifest.name,
                "this bundle has no extractor, so it cannot watch frames",
                "use it with `features://` rows, or export it again with `--extractor`",
            )
        })
    }

    /// Give the files' bytes back, once the graphs in them are loaded: they would double what a model takes in memory.
    pub fn forget_contents(&mut self) {
        self.contents = Vec::new();
        crate::memory::give_back();
    }

    /// The first file of this role.
    pub fn content(&self, role: FileRole) -> Option<&[u8]> {
        let at = self.manifest.files.iter().position(|file| file.role == role)?;
        self.contents.get(at).map(Vec::as_slice)
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let at = self.manifest.files.iter().position(|file| file.name == name)?;
        self.contents.get(at).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
