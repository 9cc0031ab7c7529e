//! Do a config, a bundle and an image go together? What each says comes in; out goes the name that the bundle gets on the
//! board. Nothing is opened here but what the image says of itself.
//!
//! Refused: paths outside of what the board may write to, a board without the pins or the GPU that the config wants, a
//! firmware that is too old for the bundle.

use std::path::{Component, Path};

use firmware_config::Config;
use firmware_config::config::{EngineChoice, GpioKind, TLS_FOLDER};
use firmware_config::manifest::{Manifest, Version};
use runtime::store::seed;
use runtime::{Error, Result};
use serde::Deserialize;

use super::card::Card;

/// Where an image says what it is.
const FACTS: &str = "image";
/// The form of data partition that is understood.
const FORM: u32 = 1;
/// All that the board may write to.
const STATE: &str = "/var/lib/tadpole";

/// What an image says of itself.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// How its data partition is laid out.
    form: u32,
    /// What it is for: qemu, rpi3, rpi4.
    pub board: String,
    /// The version of its firmware.
    pub firmware: String,
}

impl Facts {
    /// What the image of this card says.
    ///
    /// # Errors
    /// When it says nothing, or nothing that is understood.
    pub fn of(card: &Card) -> Result<Self> {
        let again = "make the image with this version's `cargo xtask image`, or name a card that was";
        let text = card.read(FACTS)?.ok_or_else(|| {
            Error::invalid(card.subject(), format!("its data partition holds no file `{FACTS}`"), again)
        })?;
        let facts: Self = serde_json::from_slice(&text).map_err(|error| {
            Error::corrupt(card.subject(), format!("its file `{FACTS}` is damaged: {error}"), again)
        })?;
        if facts.form != FORM {
            let problem = format!("its data partition has the form {}, and this program knows {FORM}", facts.form);
            return Err(Error::invalid(card.subject(), problem, again));
        }
        Ok(facts)
    }
}

/// Check that they fit; the bundle's file name on the board. Where the config names a store, it is the one that an empty store takes.
///
/// # Errors
/// Of kind `InvalidInput`, naming the key or the version.
pub fn check(facts: &Facts, config: &Config, manifest: &Manifest) -> Result<String> {
    if let Some(journal) = &config.output.journal
        && name_below(&journal.path).is_none()
    {
        return Err(outside("output.journal.path", &journal.path, "events.jsonl"));
    }
    let name =
        name_below(&config.model.bundle).ok_or_else(|| outside("model.bundle", &config.model.bundle, "store"))?;
    if config.control.as_ref().is_some_and(|control| control.tls != TLS_FOLDER) {
        let problem = format!("is not {TLS_FOLDER}, where the board's certificates are put");
        return Err(Error::invalid("`control.tls`", problem, "leave it out"));
    }
    if config.output.journal.as_ref().is_some_and(|journal| journal.path == config.model.bundle) {
        return Err(Error::invalid("output.journal.path", "is the bundle's path too", "give the journal another"));
    }
    let rppal = config.output.gpio.as_ref().is_some_and(|gpio| gpio.kind == GpioKind::Rppal);
    if rppal && !facts.board.starts_with("rpi") {
        return Err(Error::invalid(
            "output.gpio.kind",
            format!("is \"rppal\", which drives a Raspberry Pi's pins; the image is for {}", facts.board),
            "write \"cdev\", or make an image with --board rpi4 or rpi3",
        ));
    }
    match config.model.engine {
        engine @ (EngineChoice::Cuda | EngineChoice::Tensorrt) => {
            return Err(Error::invalid(
                "model.engine",
                format!("is \"{engine}\"; the image is for {}, which has no NVIDIA GPU", facts.board),
                "write \"tract\", or leave it out",
            ));
        }
        EngineChoice::Onnxruntime => log::warn!("the config wants onnxruntime, which no image brings by itself"),
        EngineChoice::Auto | EngineChoice::Tract => {}
    }
    let version: Version = facts.firmware.parse().map_err(|_| {
        Error::corrupt("the image", format!("its firmware's version is `{}`", facts.firmware), "make it again")
    })?;
    if version < manifest.minimum_firmware {
        return Err(Error::invalid(
            &manifest.name,
            format!("needs firmware {}; the image has {}", manifest.minimum_firmware, facts.firmware),
            "make a newer image, or export the model with an older trainer",
        ));
    }
    let store = Path::new(name).extension().is_none();
    Ok(if store { seed::path(Path::new(name)).display().to_string() } else { name.to_owned() })
}

/// The name of a file that lies directly in what the board may write to.
fn name_below(path: &str) -> Option<&str> {
    let name = Path::new(path).strip_prefix(STATE).ok()?;
    let mut parts = name.components();
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else { return None };
    let name = name.to_str()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    name.bytes().all(plain).then_some(name)
}

fn outside(key: &str, path: &str, example: &str) -> Error {
    Error::invalid(
        format!("`{key}`"),
        format!("is `{path}`; all that the board may write to is {STATE}"),
        format!("write {STATE}/{example}, say"),
    )
}

/// A board's name must be one that a network takes.
///
/// # Errors
/// Of kind `InvalidInput` for another.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good =
        (1..=63).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') && !name.ends_with('-');
    if good {
        return Ok(());
    }
    Err(Error::invalid(
        format!("the board's name `{name}`"),
        "is none for a network",
        "give --name with 1 to 63 small letters, digits and `-`, such as pole-12",
    ))
}
