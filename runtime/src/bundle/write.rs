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
    let invalid = |problem: String| Error::invalid(&subject, problem, "correct the manifest that is packaged");
    if manifest.files.len() != contents.len() {
        return Err(invalid(format!("{} files are named and {} given", manifest.files.len(), contents.len())));
    }
    for (file, content) in manifest.files.iter().zip(contents) {
        if FileEntry::of(&file.name, file.role, content) != *file {
            return Err(invalid(format!("`{}` is not the file that the manifest names", file.name)));
        }
    }
    let manifest_bytes = manifest.encode().map_err(|error| invalid(error.to_string()))?;
    let signature = sign::sign(&manifest_bytes, key).to_bytes();
    let own = [("manifest", &manifest_bytes[..]), ("manifest.sig", &signature[..])];
    let files = manifest.files.iter().map(|file| file.name.as_str()).zip(contents.iter().copied());
    let entries: Vec<_> = own.into_iter().chain(files).collect();

    files::write_with(path, |out| archive(out, &entries)).map_err(|error| {
        Error::failed(&subject, format!("cannot be written: {error}"), "check the folder, its rights and free space")
    })?;
    Ok(manifest::id(&manifest_bytes))
}

fn archive(out: &mut impl Write, entries: &[(&str, &[u8])]) -> std::io::Result<()> {
    for (name, content) in entries {
        out.write_all(&ustar::header(name, content.len() as u64))?;
        out.write_all(content)?;
        out.write_all(&[0; ustar::BLOCK][..ustar::padding(content.len() as u64)])?;
    }
    out.write_all(&[0; ustar::END_BYTES])
}
