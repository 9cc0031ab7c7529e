//! A bundle to disk: a manifest, its files and a private key come in; a signed bundle stands at `path`, all of it or
//! none. The same input gives the same bytes.

use std::io::Write;
use std::path::Path;

use firmware_config::manifest::{self, FileEntry, Manifest};
use firmware_config::sign::{self, SigningKey};

use super::ustar;
use crate::{Error, Result, files};

/// Write the bundle of `manifest`, whose files' contents are `contents` in the manifest's order; returns the model's id.
///
/// The bundle is written beside `path`, synced, and renamed into place: a reader sees the old one or the new one.
///
/// # Errors
/// Of kind `InvalidInput` when the manifest is not valid or does not fit the contents, `Failed` when the disk refuses.
pub fn write(path: impl AsRef<Path>, manifest: &Manifest, contents: &[&[u8]], key: &SigningKey) -> Result<String> {
    let path = path.as_ref();
    let subject = path.display().to_string();
    let (manifest_bytes, signature) = seal(&subject, manifest, contents, key)?;
    let entries = entries(&manifest_bytes, &signature, manifest, contents);
    files::write_with(path, |out| archive(out, &entries)).map_err(|error| {
        Error::failed(&subject, format!("cannot be written: {error}"), "check the folder, its rights and free space")
    })?;
    Ok(manifest::id(&manifest_bytes))
}

/// The same bytes in memory.
///
/// # Errors
/// As [`write`], without a disk.
pub fn pack(manifest: &Manifest, contents: &[&[u8]], key: &SigningKey) -> Result<Vec<u8>> {
    let subject = manifest.name.as_str();
    let (manifest_bytes, signature) = seal(subject, manifest, contents, key)?;
    let mut bytes = Vec::new();
    archive(&mut bytes, &entries(&manifest_bytes, &signature, manifest, contents))
        .map_err(|error| Error::failed(subject, format!("cannot be packed: {error}"), "free some memory"))?;
    Ok(bytes)
}

/// The entries `manifest` and `manifest.sig`.
fn seal(subject: &str, manifest: &Manifest, contents: &[&[u8]], key: &SigningKey) -> Result<(Vec<u8>, Vec<u8>)> {
    let invalid = |problem: String| Error::invalid(subject, problem, "correct the manifest that is packaged");
    if manifest.files.len() != contents.len() {
        return Err(invalid(format!("{} files are named and {} given", manifest.files.len(), contents.len())));
    }
    for (file, content) in manifest.files.iter().zip(contents) {
        if FileEntry::of(&file.name, file.role, content) != *file {
            return Err(invalid(format!("`{}` is not the file that the manifest names", file.name)));
        }
    }
    let manifest = manifest.encode().map_err(|error| invalid(error.to_string()))?;
    let signature = sign::sign(&manifest, key).to_bytes().to_vec();
    Ok((manifest, signature))
}

fn entries<'a>(
    manifest_bytes: &'a [u8],
    signature: &'a [u8],
    manifest: &'a Manifest,
    contents: &[&'a [u8]],
) -> Vec<(&'a str, &'a [u8])> {
    let files = manifest.files.iter().map(|file| file.name.as_str()).zip(contents.iter().copied());
    [("manifest", manifest_bytes), ("manifest.sig", signature)].into_iter().chain(files).collect()
}

fn archive(out: &mut impl Write, entries: &[(&str, &[u8])]) -> std::io::Result<()> {
    for (name, content) in entries {
        out.write_all(&ustar::header(name, content.len() as u64))?;
        out.write_all(content)?;
        out.write_all(&[0; ustar::BLOCK][..ustar::padding(content.len() as u64)])?;
    }
    out.write_all(&[0; ustar::END_BYTES])
}
