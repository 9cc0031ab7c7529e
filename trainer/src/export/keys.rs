//! The key that signs bundles. [`keygen`] makes one; [`read_signing_key`] reads it back. The form is PKCS#8 PEM, which
//! openssl reads and writes too (`openssl genpkey -algorithm ed25519`).
//!
//! Refused: overwriting a key, a file that is no ed25519 private key, a public key in a private one's place.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use firmware_config::sign::{PublicKey, SigningKey};
use runtime::{Error, Result};

/// The longest key file, in bytes: a key has 200 or so.
const KEY_BYTES_MAX: u64 = 16 << 10;

/// Make a new key and write its private half to `path`, which must not exist; readable by its owner alone.
///
/// # Errors
/// Of kind `InvalidInput` when `path` exists or cannot be made, `Failed` when the system has no randomness to give.
pub fn keygen(path: &Path) -> Result<PublicKey> {
    let subject = path.display().to_string();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| {
        Error::failed(&subject, format!("the system gives no random numbers: {error}"), "try again")
    })?;
    let key = SigningKey::from_bytes(&seed);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| Error::failed(&subject, format!("the key cannot be encoded: {error}"), "report this"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || -> std::io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::invalid(
            &subject,
            "already exists, and a key is never overwritten: cameras may trust it",
            "name another file",
        ),
        _ => Error::invalid(&subject, format!("cannot be written: {error}"), "check the folder and its rights"),
    })?;
    Ok((&key).into())
}

/// What to tell whoever made a key: its public half, and the line that a camera's config needs.
pub fn keygen_message(path: &Path, key: PublicKey) -> String {
    format!(
        "The private key is in {path}: keep it safe and off the cameras. Its public half is\n\n    {key}\n\n\
         Cameras run what it signs once their config says, under [model]:\n\n    trusted_keys = [\"{key}\"]\n",
        path = path.display()
    )
}

/// Read a private key that [`keygen`] or openssl wrote.
///
/// # Errors
/// Of kind `InvalidInput` when the file is not there or is no ed25519 private key.
pub fn read_signing_key(path: &Path) -> Result<SigningKey> {
    let subject = path.display().to_string();
    let make = "make one with `tadpole-trainer keygen FILE`";
    let unreadable = |error: std::io::Error| Error::unreadable(&subject, &error, make);
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > KEY_BYTES_MAX {
        return Err(Error::invalid(&subject, format!("has {bytes} bytes and is no private key"), make));
    }
    let pem = fs::read_to_string(path).map_err(unreadable)?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| {
        let problem = if pem.contains("BEGIN PUBLIC KEY") {
            "is a public key; signing needs the private one".into()
        } else if pem.contains("ENCRYPTED PRIVATE KEY") {
            "is encrypted, which is not read here".into()
        } else if !pem.contains("BEGIN PRIVATE KEY") {
            "holds no `BEGIN PRIVATE KEY`, so it is no private key in PKCS#8 PEM form".into()
        } else {
            format!("is no ed25519 private key in PKCS#8 PEM form ({error})")
        };
        Error::invalid(&subject, problem, make)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let public = keygen(&path).unwrap();
        assert_eq!(PublicKey::from(&read_signing_key(&path).unwrap()), public);
        assert!(keygen_message(&path, public).contains(&format!("trusted_keys = [\"{public}\"]")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_ne!(keygen(&folder.path().join("other.pem")).unwrap(), public);
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, "precious").unwrap();
        let error = keygen(&path).unwrap_err();
        assert!(error.problem.contains("never overwritten"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn what_is_no_key_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let told = |content: &[u8]| {
            let path = folder.path().join("key.pem");
            fs::write(&path, content).unwrap();
            let error = read_signing_key(&path).unwrap_err();
            assert_eq!(error.kind, runtime::ErrorKind::InvalidInput);
            error.problem
        };
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAsvhZzoqUmo6UaZZzfF7WQYbZu1MxK8SUEMvZji9viZE=\n-----END PUBLIC KEY-----\n";
        let damaged =
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIDCwN6TrLED9ZbMCwO8QJ44g\n-----END PRIVATE KEY-----\n";
        assert!(told(public.as_bytes()).contains("is a public key"));
        assert!(told(damaged.as_bytes()).contains("no ed25519 private key"));
        assert!(told(b"hello").contains("holds no"));
        assert!(told(&[0xff; 9]).contains("cannot be read"));
        assert!(told(&vec![b'x'; 20_000]).contains("20000 bytes"));
        assert!(read_signing_key(&folder.path().join("none")).unwrap_err().problem.contains("cannot be read"));
    }

    #[test]
    fn the_demo_key_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/demo-signing-key.pem");
        let key = read_signing_key(Path::new(path)).unwrap();
        assert!(runtime::bundle::demo_key::is_demo_key((&key).into()));
    }
}
