//! What a camera is told and what a model promises: types, validation, wire form. No I/O.
//!
//! | module | what |
//! |---|---|
//! | [`contract`] | how frames become one segment feature |
//! | [`config`] | what a camera is told, as people write it (TOML) |
//! | [`v4l`] | the URI of a local camera |
//! | [`rows`] | the URI of recorded feature rows |
//! | [`wire`] | the same as a board reads it: frozen structs in a sealed blob |
//! | [`manifest`] | what a model promises: contract, thresholds, files, golden vectors |
//! | [`golden`] | the seeded clip that every extractor is proved on |
//! | [`sign`] | who vouches for a manifest: ed25519 keys and signatures |
//! | [`envelope`] | magic, version, length, payload, CRC-32: the frame around both wire forms |

pub mod config;
pub mod contract;
pub mod envelope;
pub mod golden;
pub mod manifest;
pub mod rows;
pub mod sign;
pub mod v4l;
pub mod wire;

pub use config::{Config, ConfigError};
pub use contract::{ClipContract, FeatureContract};
pub use envelope::EnvelopeError;
pub use manifest::{Manifest, ManifestError};
pub use sign::{PublicKey, SignError, TrustedKeys};
