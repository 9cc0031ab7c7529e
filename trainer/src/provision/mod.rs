//! `tadpole-trainer provision`: what makes one board of an image that all boards share. A config, a bundle and a card come
//! in; the card's data partition goes out with the board's name, the config as a blob, the bundle, its certificate and the keys of those
//! who may log in. What was written is read back and judged as the board will judge it.
//!
//! | file | what |
//! |---|---|
//! | [`fit`] | do config, bundle and image go together? |
//! | [`card`] | the data partition: in an image, on a card, or mounted |
//! | [`partition`] | where it lies |
//!
//! Refused, before anything is written: what does not fit, such as a bundle that the config's keys do not vouch for.

mod card;
mod fit;
mod partition;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::config::{CONFIG_BYTES_MAX, PASSWORD_BYTES_MIN};
use firmware_config::{Config, wire};
use runtime::bundle::{Bundle, demo_key};
use runtime::{Error, Result};

use crate::progress::say;
use crate::site::authority::{self, Authority};
use card::{Card, Put};
use fit::Facts;
pub use fit::check_name;

/// The board's name, for its network.
const NAME: &str = "name";
/// What becomes /etc/tadpole/config.
const CONFIG: &str = "etc/config";
/// What becomes /var/lib/tadpole.
const STATE: &str = "lib";
/// What becomes /etc/tadpole/tls.
const TLS: &str = "etc/tls";
/// What becomes /etc/tadpole/page-password.
const PASSWORD: &str = "etc/page-password";
/// Where it is then.
const PASSWORD_ON_BOARD: &str = "/etc/tadpole/page-password";
/// Who may log in.
const KEYS: &str = "ssh/authorized_keys";
/// The longest file of keys, in bytes.
const KEYS_BYTES_MAX: u64 = 64 << 10;
/// The longest file with a password, in bytes.
const PASSWORD_FILE_BYTES_MAX: u64 = 1 << 10;

/// Put a board's name, config, model and keys on its card, or into the image of one.
///
/// The image is what `cargo xtask image` made. It may be provisioned again: events and the board's own keys stay.
#[derive(Args, Debug)]
pub struct ProvisionArgs {
    /// The image, before it is written to a card.
    #[arg(long, value_name = "FILE", required_unless_present = "device", conflicts_with = "device")]
    image: Option<PathBuf>,
    /// A card instead: its device, such as /dev/sdX, or the folder where its data partition is mounted.
    #[arg(long, value_name = "PATH")]
    device: Option<PathBuf>,
    /// What the board is told, TOML or a config blob.
    #[arg(long)]
    config: PathBuf,
    /// The bundle that it runs. If the config names a store, it is the store's first.
    #[arg(long)]
    bundle: PathBuf,
    /// The site whose clients may ask it and push models to it: see `tadpole-trainer site`. The board's certificate is made if it has none.
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// A file with the password of its live page, which the config then names as /etc/tadpole/page-password.
    #[arg(long, value_name = "FILE")]
    page_password: Option<PathBuf>,
    /// The board's name, for its network; the config's file name when absent: pole-12 for pole-12.toml.
    #[arg(long)]
    name: Option<String>,
    /// Public SSH keys of those who may log in as root, as ssh-keygen writes them. Without it nobody new may.
    #[arg(long, value_name = "FILE")]
    authorized_keys: Option<PathBuf>,
}

/// Provision.
///
/// # Errors
/// Of kind `InvalidInput`, `Corrupt` or `Untrusted` when something does not fit; `Unavailable` when e2fsprogs are not
/// installed; `Failed` when the card refuses or does not hold what was written.
pub fn run(args: &ProvisionArgs) -> Result<()> {
    let config = read_config(&args.config)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => args.config.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    fit::check_name(&name)?;
    let keys = args.authorized_keys.as_deref().map(read_keys).transpose()?;
    let password = args.page_password.as_deref().map(|path| read_password(path, &config)).transpose()?;
    let bundle = Bundle::open(&args.bundle, &config.trusted())?;
    bundle.require_extractor()?;

    // One of them is there: clap sees to it.
    let path = args.image.as_ref().or(args.device.as_ref()).map_or(Path::new(""), PathBuf::as_path);
    let card = Card::open(path)?;
    let facts = Facts::of(&card)?;
    let model = format!("{STATE}/{}", fit::check(&facts, &config, &bundle.manifest)?);
    warn(&config);
    let tls = papers(args.site.as_deref(), &name)?;
    let names = authority::DEVICE_FILES.map(|file| format!("{TLS}/{file}"));

    let blob = wire::encode(&config)
        .map_err(|error| Error::invalid(args.config.display().to_string(), error.to_string(), "correct the config"))?;
    let content = fs::read(&args.bundle).map_err(|error| unreadable(&args.bundle, &error))?;
    let mut puts = vec![
        Put { to: NAME, content: format!("{name}\n").into_bytes(), mode: 0o644 },
        Put { to: CONFIG, content: blob, mode: 0o640 },
        Put { to: &model, content, mode: 0o644 },
    ];
    puts.extend(names.iter().zip(tls).map(|(to, content)| Put { to, content, mode: 0o640 }));
    puts.extend(password.map(|content| Put { to: PASSWORD, content, mode: 0o640 }));
    puts.extend(keys.map(|content| Put { to: KEYS, content, mode: 0o600 }));
    card.put(&puts)?;
    check(&card, &puts, &model, &bundle)?;

    let cameras: Vec<_> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    say(&format!(
        "{}: {name} (image for {}, firmware {}) watches {} with model {} release {}, signed with a key that it trusts; \
         written and read back",
        path.display(),
        facts.board,
        facts.firmware,
        cameras.join(", "),
        bundle.manifest.name,
        bundle.manifest.release
    ))?;
    match (&config.control, card.read(&names[0])?.is_some()) {
        (Some(_), false) => {
            say("nobody can reach its control service: it has no certificate; --site DIR gives it one")?;
        }
        (None, true) => say("it has a certificate, and its config no [control]: nobody can reach it")?,
        _ => {}
    }
    let named = config.page.as_ref().and_then(|page| page.password_file.as_deref());
    if named == Some(PASSWORD_ON_BOARD) && card.read(PASSWORD)?.is_none() {
        say("its live page has no password, and the firmware will not start; --page-password FILE gives it one")?;
    }
    if card.read(KEYS)?.is_none() {
        say("nobody may log in to it; --authorized-keys FILE says who may")?;
    }
    Ok(())
}

/// A device's certificate, its key and its clients' authority; nothing without a site.
fn papers(site: Option<&Path>, name: &str) -> Result<Vec<Vec<u8>>> {
    let Some(site) = site else { return Ok(Vec::new()) };
    let authority = Authority::open(site)?;
    let folder = authority.device_folder(name);
    if !folder.is_dir() {
        authority.device(name, &[])?;
    }
    let read = |file| fs::read(folder.join(file)).map_err(|error| unreadable(&folder.join(file), &error));
    authority::DEVICE_FILES.map(read).into_iter().collect()
}

/// Does the card hold what was written, and does it do by itself?
fn check(card: &Card, puts: &[Put<'_>], model: &str, bundle: &Bundle) -> Result<()> {
    let differs = |to: &str| {
        Error::failed(
            card.subject(),
            format!("does not hold what was written to /{to}"),
            "is its data partition full, or the card worn out? Write the image again, or take another card",
        )
    };
    for put in puts {
        if card.read(put.to)?.as_ref() != Some(&put.content) {
            return Err(differs(put.to));
        }
    }
    let blob = card.read(CONFIG)?.ok_or_else(|| differs(CONFIG))?;
    let config =
        wire::decode(&blob).map_err(|error| Error::corrupt(card.subject(), error.to_string(), "write it again"))?;
    let found = card.with_file(model, |path| Bundle::open(path, &config.trusted()))?;
    if found.id == bundle.id { Ok(()) } else { Err(differs(model)) }
}

/// What may be, and is seldom meant.
fn warn(config: &Config) {
    if config.model.trusted_keys.iter().any(|key| demo_key::is_demo_key(*key)) {
        log::warn!(
            "the config trusts the demo's key, whose private half is public: anybody can sign a model for this board"
        );
    }
    if config.output.gpio.is_none() {
        log::warn!("the config has no [output.gpio]: alarms close no relay");
    }
}

/// A config, of text or a blob.
fn read_config(path: &Path) -> Result<Config> {
    let subject = path.display().to_string();
    // A blob's frame is a little larger than its payload.
    let bytes = read_at_most(path, CONFIG_BYTES_MAX as u64 + 64, "name a config")?;
    if wire::is_config_blob(&bytes) {
        return wire::decode(&bytes)
            .map_err(|error| Error::corrupt(subject, error.to_string(), "write the blob again from its TOML"));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Error::invalid(subject, "is neither text nor a config blob", "name a config"));
    };
    Config::from_toml(&text).map_err(|error| {
        Error::invalid(subject, "has settings that will not do", format!("correct each of them:\n{error}"))
    })
}

/// Public keys for SSH.
fn read_keys(path: &Path) -> Result<Vec<u8>> {
    let name = "name a file of public keys, such as ~/.ssh/id_ed25519.pub";
    let bytes = read_at_most(path, KEYS_BYTES_MAX, name)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("PRIVATE KEY") {
        return Err(Error::invalid(path.display().to_string(), "holds a private key, which belongs on no card", name));
    }
    let known = ["ssh-", "ecdsa-", "sk-"];
    if !text.split_whitespace().any(|word| known.iter().any(|kind| word.starts_with(kind))) {
        return Err(Error::invalid(path.display().to_string(), "holds no public SSH key", name));
    }
    Ok(bytes)
}

/// The password of the live page, which the config must name.
fn read_password(path: &Path, config: &Config) -> Result<Vec<u8>> {
    let named = config.page.as_ref().and_then(|page| page.password_file.as_deref());
    if named != Some(PASSWORD_ON_BOARD) {
        let problem = "is the live page's password, and the config names another file or none";
        let remedy = format!("set `password_file = \"{PASSWORD_ON_BOARD}\"` under [page]");
        return Err(Error::invalid(path.display().to_string(), problem, remedy));
    }
    let bytes = read_at_most(path, PASSWORD_FILE_BYTES_MAX, "name a file with a password")?;
    let length = String::from_utf8(bytes.clone()).map(|text| text.trim_end_matches(['\r', '\n']).len());
    if length.is_ok_and(|length| length >= PASSWORD_BYTES_MIN) {
        return Ok(bytes);
    }
    let problem = format!("holds no password of at least {PASSWORD_BYTES_MIN} bytes");
    Err(Error::invalid(path.display().to_string(), problem, "write one line of text"))
}

fn read_at_most(path: &Path, most: u64, remedy: &str) -> Result<Vec<u8>> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !meta.is_file() || meta.len() > most {
        return Err(Error::invalid(path.display().to_string(), format!("is no file of at most {most} bytes"), remedy));
    }
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::unreadable(path.display().to_string(), error, "check the name and its rights")
}

#[cfg(test)]
mod tests;
