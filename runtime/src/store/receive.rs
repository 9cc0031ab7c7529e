//! A bundle into the store: its bytes come in, from a file or piece by piece from a network, and a candidate lies there,
//! durable and vouched for. Nothing of it is run.
//!
//! In order: room is made; the bytes go to `incoming/`; they are synced and hashed again from the disk; signature, files,
//! firmware version and engine are checked on what the disk gave; the file is renamed to its hash among the blobs and the folder synced; only
//! then does the record name it.
//!
//! Refused: more bytes than were announced or than a bundle may have; another hash than announced; whatever
//! [`Bundle::open`] refuses; bundles without an extractor or for another engine; more than quota or disk hold.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use firmware_config::config::EngineChoice;
use firmware_config::manifest::{BUNDLE_BYTES_MAX, Manifest, TargetEngine};
use sha2::{Digest as _, Sha256};

use super::disk::Held;
use super::{CHECK_DISK, Model, Store, Trust, failed};
use crate::bundle::Bundle;
use crate::{Error, Result};

/// The longest bundle with manifest and headers, in bytes.
pub const RECEIVED_BYTES_MAX: u64 = BUNDLE_BYTES_MAX + (8 << 20);
/// Bytes that are read, written and hashed at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Where a local file is copied to; an upload's part has its hash for a name.
const LOCAL: &str = "local.part";

/// A bundle that was installed.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// As the store names it.
    pub model: Model,
    /// What it promises.
    pub manifest: Manifest,
}

/// A bundle that arrives piece by piece; what has arrived stays when this is dropped, and is gone on with. Until then nobody else writes
/// or removes it.
pub struct Incoming<'s> {
    store: &'s Store,
    part: PathBuf,
    /// Keeps others off the part.
    _own: Held,
    sha256: String,
    bytes: u64,
    have: u64,
}

impl Store {
    /// Copy a bundle into the store as its candidate.
    ///
    /// # Errors
    /// See the module's list of what is refused; the store is then as it was.
    pub fn install(&self, file: &Path, trust: &Trust) -> Result<Installed> {
        let subject = file.display().to_string();
        let unreadable = |error: io::Error| Error::unreadable(&subject, &error, "name a `.tadpole` bundle");
        let source = File::open(file).map_err(unreadable)?;
        let meta = source.metadata().map_err(unreadable)?;
        if !meta.is_file() {
            return Err(Error::invalid(subject, "is not a file", "name a `.tadpole` bundle"));
        }
        self.install_from(&subject, source, meta.len(), trust)
    }

    /// As [`Store::install`], from a reader of `bytes` bytes that errors call `subject`.
    ///
    /// # Errors
    /// As [`Store::install`].
    pub fn install_from(&self, subject: &str, mut source: impl Read, bytes: u64, trust: &Trust) -> Result<Installed> {
        let _held = self.settle()?;
        let part = self.incoming().join(LOCAL);
        let refused = |error: io::Error| failed(&part, "cannot be written", &error);
        self.disk.create(&part).map_err(refused)?;
        let done = self
            .make_room(subject, bytes, &part)
            .and_then(|()| copy(&mut source, bytes, |piece| self.disk.append(&part, piece).map_err(refused)))
            .and_then(|hash| self.adopt(subject, &part, &hash, None, trust));
        if done.is_err() {
            // Nobody goes on with it.
            let _ = self.disk.remove(&part);
        }
        done
    }

    /// Begin or go on to receive the bundle of `bytes` bytes whose SHA-256 is `sha256`, hexadecimal. What is left of others is removed,
    /// if nobody receives it now: a push and a download may go on beside each other, in one process or in several.
    ///
    /// # Errors
    /// When that is no hash, there is no room, or the disk refuses; of kind `Unavailable` while somebody else receives the same bundle.
    pub fn receive(&self, sha256: &str, bytes: u64) -> Result<Incoming<'_>> {
        if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::invalid(sha256, "is no SHA-256", "send 64 small hexadecimal digits"));
        }
        let _held = self.settle()?;
        let part = self.incoming().join(format!("{sha256}.part"));
        let entries = self.disk.list(&self.incoming());
        let entries = entries.map_err(|error| failed(&self.incoming(), "cannot be listed", &error))?;
        let lies = entries.iter().find(|entry| part.ends_with(&entry.name)).map(|part| part.bytes);
        // Owned before anything is removed, and others are asked only by those who hold the lock: it cannot vanish in between.
        let own = lies.map(|_| self.own(sha256, &part)).transpose()?;
        let have = lies.filter(|have| *have <= bytes);
        // A longer one than the bundle is of no use to anyone.
        let own = have.and(own);
        self.sweep(|name| name == LOCAL || have.is_some() && part.ends_with(name))?;
        self.make_room(sha256, bytes - have.unwrap_or(0), &part)?;
        let own = if let Some(own) = own {
            own
        } else {
            self.disk.create(&part).map_err(|error| failed(&part, "cannot be made", &error))?;
            self.own(sha256, &part)?
        };
        Ok(Incoming { store: self, part, _own: own, sha256: sha256.into(), bytes, have: have.unwrap_or(0) })
    }

    /// Make a part one's own; `subject` is its bundle.
    fn own(&self, subject: &str, part: &Path) -> Result<Held> {
        let own = self.disk.own(part).map_err(|error| failed(part, "cannot be locked", &error))?;
        own.ok_or_else(|| Error::unavailable(subject, "is being received by somebody else", "try again in a while"))
    }

    /// How many bytes of the bundle with this SHA-256 have arrived so far, without touching anything.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn arrived(&self, sha256: &str) -> Result<u64> {
        match self.disk.list(&self.incoming()) {
            Ok(entries) => {
                let part = format!("{sha256}.part");
                Ok(entries.iter().find(|entry| entry.name == part).map_or(0, |part| part.bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed(&self.incoming(), "cannot be listed", &error)),
        }
    }

    /// Make a file of `incoming/` the candidate, if it is what it should be; with an `id`, that model and no other.
    fn adopt(&self, subject: &str, part: &Path, sha256: &str, id: Option<&str>, trust: &Trust) -> Result<Installed> {
        self.disk.sync(part).map_err(|error| failed(part, "cannot be synced", &error))?;
        let unreadable = |error: io::Error| failed(part, "cannot be read back", &error);
        let (mut reader, bytes) = self.disk.open(part).map_err(unreadable)?;
        if copy(&mut reader, bytes, |_| Ok(()))? != sha256 {
            let problem = format!("lies on the disk with another SHA-256 than {sha256}");
            return Err(Error::corrupt(subject, problem, "send it again; if that does not help, check the disk"));
        }
        let (reader, bytes) = self.disk.open(part).map_err(unreadable)?;
        let bundle = Bundle::from_reader(subject, reader, bytes, &trust.keys)?;
        check_fits(subject, &bundle, trust)?;
        if let Some(wanted) = id
            && bundle.id != wanted
        {
            let problem = format!("is the model {}, and not {wanted}", bundle.id);
            return Err(Error::invalid(subject, problem, "send it under its own id: `tadpole model show` tells it"));
        }
        let Bundle { id, manifest, .. } = bundle;
        let (name, release) = (manifest.name.clone(), manifest.release);
        let model = Model { id, name, release, blob: sha256.into(), bytes };
        // What the record would refuse never becomes a blob.
        self.state()?.install(model.clone())?;
        let blob = self.blob_path(sha256);
        self.disk.rename(part, &blob).map_err(|error| failed(&blob, "cannot be named", &error))?;
        self.disk.sync_folder(&self.blobs()).map_err(|error| failed(&self.blobs(), "cannot be synced", &error))?;
        self.change_held(|state| state.install(model.clone()))?;
        // The candidate before it, if there was one. It can wait, if the disk does not want to.
        if let Err(error) = self.collect_held() {
            log::warn!("{error}");
        }
        Ok(Installed { model, manifest })
    }
}

impl Incoming<'_> {
    /// Bytes that are there already: the next piece begins behind them.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// Write the next piece.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when it is more than was announced, `Failed` when the disk refuses.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let have = self.have + piece.len() as u64;
        if have > self.bytes {
            let problem = format!("sends more than the {} bytes that were announced", self.bytes);
            return Err(Error::invalid(&self.sha256, problem, "send it again"));
        }
        self.store.disk.append(&self.part, piece).map_err(|error| failed(&self.part, "cannot be written", &error))?;
        self.have = have;
        Ok(())
    }

    /// All has arrived: make it the candidate.
    ///
    /// # Errors
    /// When something is missing, and then more may be sent; else as [`Store::install`], and it must be sent anew.
    pub fn finish(self, trust: &Trust) -> Result<Installed> {
        self.finish_as(None, trust)
    }

    /// As [`Incoming::finish`], and it must be the model with this id.
    ///
    /// # Errors
    /// As [`Incoming::finish`], and of kind `InvalidInput` when it is another.
    pub fn finish_as(self, id: Option<&str>, trust: &Trust) -> Result<Installed> {
        if self.have < self.bytes {
            let problem = format!("{} of {} bytes have arrived", self.have, self.bytes);
            return Err(Error::unavailable(self.sha256, problem, "send the rest"));
        }
        let _held = self.store.settle()?;
        let done = self.store.adopt(&self.sha256, &self.part, &self.sha256, id, trust);
        if done.is_err() {
            let _ = self.store.disk.remove(&self.part);
        }
        done
    }
}

/// Whether a trusted bundle is for this device.
///
/// # Errors
/// Of kind `InvalidInput` when it has no extractor, or its graphs are made for an engine that the config does not allow.
pub(super) fn check_fits(subject: &str, bundle: &Bundle, trust: &Trust) -> Result<()> {
    bundle.require_extractor()?;
    // Graphs for tract are plain ONNX, and every engine runs those. Graphs for TensorRT are quantised in a form that tract runs
    // silently wrong.
    let tract = match trust.engine {
        EngineChoice::Tract => true,
        EngineChoice::Auto => !cfg!(feature = "onnxruntime"),
        _ => false,
    };
    let fits = bundle.manifest.engine == TargetEngine::Tract || !tract;
    if fits {
        return Ok(());
    }
    Err(Error::invalid(
        subject,
        format!("is made for {}, and this device computes with {}", bundle.manifest.engine, trust.engine),
        "export it with `--target tract`, or set `engine` under [model] in the config",
    ))
}

/// Read exactly `bytes` bytes, hand each piece on, and return the SHA-256 of all.
fn copy(source: &mut impl Read, bytes: u64, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<String> {
    let (mut hash, mut left, mut buffer) = (Sha256::new(), bytes, vec![0; PIECE_BYTES]);
    while left > 0 {
        let want = (PIECE_BYTES as u64).min(left) as usize;
        source
            .read_exact(&mut buffer[..want])
            .map_err(|error| Error::failed("bundle", format!("cannot be read to its end: {error}"), CHECK_DISK))?;
        hash.update(&buffer[..want]);
        piece(&buffer[..want])?;
        left -= want as u64;
    }
    Ok(hex::encode(hash.finalize()))
}
