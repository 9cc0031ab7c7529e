//! A bundle from disk. The signature is checked before a word of the manifest is believed, and each file's length and
//! SHA-256 as it is read; lengths are bounded by what is left of the file before anything is set aside for them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use firmware_config::manifest::{self, MANIFEST_BYTES_MAX, Manifest, Version};
use firmware_config::sign::{self, PublicKey, SIGNATURE_BLOCK_BYTES, SignError, SignatureBlock, TrustedKeys};
use sha2::{Digest, Sha256};

use super::{Bundle, ustar};
use crate::{Error, ErrorKind, Result};

/// What is said of a damaged bundle, unless something better is known.
const FETCH_AGAIN: &str = "copy or export the bundle again";

/// What [`Bundle::inspect`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The model's id: SHA-256 of its manifest, hexadecimal.
    pub id: String,
    /// What the manifest says.
    pub manifest: Manifest,
    /// Whether the signature fits, and whose it claims to be.
    pub signature: SignatureStatus,
}

/// A signature, judged without any trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureStatus {
    /// It fits the manifest; whether to trust the key is for others to say.
    Fits(PublicKey),
    /// It does not fit the manifest.
    Wrong(PublicKey),
    /// It is no signature.
    Unreadable(SignError),
}

impl Bundle {
    /// Open a bundle, believing `trusted` alone.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is no such file or this firmware is too old for it, `Untrusted` when the
    /// signature is not by a trusted key or does not fit, `Corrupt` for all else.
    pub fn open(path: impl AsRef<Path>, trusted: &TrustedKeys) -> Result<Self> {
        let (subject, file, bytes) = open(path.as_ref())?;
        Self::from_reader(&subject, file, bytes, trusted)
    }

    /// As [`Bundle::open`], from anything that gives the `bytes` bytes of a bundle; `subject` names it in errors.
    ///
    /// # Errors
    /// As for [`Bundle::open`].
    pub fn from_reader(subject: &str, reader: impl Read, bytes: u64, trusted: &TrustedKeys) -> Result<Self> {
        let (content, signed_by) = read(Archive { subject, reader, left: bytes }, |manifest, signature| {
            sign::verify(manifest, signature, trusted).map_err(|error| untrusted(subject, &error))
        })?;
        let Unvouched { id, manifest, contents } = content;
        check_firmware(subject, &manifest)?;
        Ok(Self { id, signed_by, manifest, contents })
    }

    /// Read a bundle and report on its signature, trusting nobody. Nothing of it may be run.
    ///
    /// # Errors
    /// As for [`Bundle::open`], except that any signature will do.
    pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
        let (subject, reader, left) = open(path.as_ref())?;
        let (content, signature) = read(Archive { subject: &subject, reader, left }, |manifest, signature| {
            Ok(match SignatureBlock::from_bytes(signature) {
                Ok(block) if block.fits(manifest) => SignatureStatus::Fits(block.key),
                Ok(block) => SignatureStatus::Wrong(block.key),
                Err(error) => SignatureStatus::Unreadable(error),
            })
        })?;
        Ok(Inspection { id: content.id, manifest: content.manifest, signature })
    }
}

/// True when the bytes look like the beginning of a bundle.
pub fn looks_like_bundle(bytes: &[u8]) -> bool {
    ustar::looks_like_ustar(bytes)
}

/// A bundle's content, before anybody says who vouches for it.
struct Unvouched {
    id: String,
    manifest: Manifest,
    contents: Vec<Vec<u8>>,
}

/// Read a whole bundle; `judge` sees the bytes of `manifest` and `manifest.sig` before they are decoded.
fn read<T>(
    mut archive: Archive<'_, impl Read>,
    judge: impl FnOnce(&[u8], &[u8]) -> Result<T>,
) -> Result<(Unvouched, T)> {
    if archive.left == 0 {
        return Err(archive.corrupt("is empty".into()));
    }
    let manifest_bytes = archive.entry("manifest", None, MANIFEST_BYTES_MAX as u64)?;
    let signature = archive.entry("manifest.sig", None, SIGNATURE_BLOCK_BYTES as u64)?;
    let verdict = judge(&manifest_bytes, &signature)?;
    let manifest = Manifest::decode(&manifest_bytes).map_err(|error| archive.corrupt(error.to_string()))?;
    let mut contents = Vec::with_capacity(manifest.files.len());
    for file in &manifest.files {
        let content = archive.entry(&file.name, Some(file.bytes), file.bytes)?;
        if Sha256::digest(&content)[..] != file.sha256 {
            return Err(archive.corrupt(format!("`{}` differs from its SHA-256 in the manifest", file.name)));
        }
        contents.push(content);
    }
    archive.end()?;
    Ok((Unvouched { id: manifest::id(&manifest_bytes), manifest, contents }, verdict))
}

/// A bundle's file: its name, its bytes, and how many they are.
fn open(path: &Path) -> Result<(String, BufReader<File>, u64)> {
    let subject = path.display().to_string();
    let missing = |error: std::io::Error| {
        Error::invalid(&subject, format!("cannot be opened: {error}"), "name a `.tadpole` bundle")
    };
    let file = File::open(path).map_err(missing)?;
    let meta = file.metadata().map_err(missing)?;
    if !meta.is_file() {
        return Err(Error::invalid(subject, "is not a file", "name a `.tadpole` bundle"));
    }
    Ok((subject, BufReader::new(file), meta.len()))
}

/// The archive, read from front to back.
struct Archive<'s, R> {
    subject: &'s str,
    reader: R,
    /// Bytes that are left of it.
    left: u64,
}

impl<R: Read> Archive<'_, R> {
    /// The next entry, which must be `name` and have exactly `want` bytes, or at most `most`.
    fn entry(&mut self, name: &str, want: Option<u64>, most: u64) -> Result<Vec<u8>> {
        let quoted = format!("`{name}`");
        let mut block = [0; ustar::BLOCK];
        let header = if name == "manifest" { "its first header, or is no bundle" } else { &quoted };
        self.fill(&mut block, header)?;
        let Some((found, bytes)) = ustar::parse(&block) else {
            return Err(self.corrupt(match name {
                "manifest" => "is not a bundle: it does not begin with a plain `manifest`".into(),
                _ => format!("holds something else than a plain file in the place of `{name}`"),
            }));
        };
        if found != name {
            return Err(self.corrupt(format!("holds `{}` in the place of `{name}`", found.escape_debug())));
        }
        if want.is_some_and(|want| want != bytes) || bytes > most {
            let bound = if want.is_some() { "the" } else { "at most" };
            return Err(self.corrupt(format!("`{name}` has {bytes} bytes instead of {bound} {most} that it may have")));
        }
        if bytes > self.left {
            return Err(self.truncated(&quoted));
        }
        let mut content = vec![0; bytes as usize];
        self.fill(&mut content, &quoted)?;
        let mut padding = [0; ustar::BLOCK];
        let padding = &mut padding[..ustar::padding(bytes)];
        self.fill(padding, &quoted)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(self.corrupt(format!("something is hidden behind the end of `{name}`")));
        }
        Ok(content)
    }

    /// The end: two blocks of zeros, and nothing after.
    fn end(&mut self) -> Result<()> {
        let mut end = [0; ustar::END_BYTES];
        self.fill(&mut end, "its closing blocks")?;
        if end.iter().any(|byte| *byte != 0) {
            return Err(self.corrupt("holds more than its manifest names".into()));
        }
        if self.left > 0 {
            return Err(self.corrupt(format!("{} bytes follow its end", self.left)));
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8], what: &str) -> Result<()> {
        match self.reader.read_exact(buffer) {
            Ok(()) => {
                self.left = self.left.saturating_sub(buffer.len() as u64);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.truncated(what)),
            Err(error) => Err(Error::failed(
                self.subject,
                format!("cannot be read: {error}"),
                "check the disk or card that it lies on",
            )),
        }
    }

    fn truncated(&self, what: &str) -> Error {
        self.corrupt(format!("is cut short: it ends within {what}"))
    }

    fn corrupt(&self, problem: String) -> Error {
        Error::corrupt(self.subject, problem, FETCH_AGAIN)
    }
}

fn untrusted(subject: &str, error: &SignError) -> Error {
    let remedy = match error {
        SignError::Stranger(_) => "if you know this key, add it to `trusted_keys` of `[model]`",
        _ => "do not run it: get it again from whoever signed it",
    };
    Error::new(ErrorKind::Untrusted, subject, error.to_string(), remedy)
}

fn check_firmware(subject: &str, manifest: &Manifest) -> Result<()> {
    let ours: Version = env!("CARGO_PKG_VERSION").parse().unwrap_or_default();
    if manifest.minimum_firmware > ours {
        return Err(Error::invalid(
            subject,
            format!("needs firmware {} or newer, and this is {ours}", manifest.minimum_firmware),
            "update the firmware first",
        ));
    }
    Ok(())
}
