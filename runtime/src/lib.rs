//! The Tadpole firmware as a library: camera frames in, alarms out.
//!
//! Frames flow through the folders in this order:
//! `source` → `clip` → `engine` (extractor) → `features` → `window` → `score` → `alarm` → `output`.
//! `pipeline` joins them for one camera. `window`, `score`'s arithmetic and `alarm` are pure: no clock, no file,
//! no thread.

pub mod alarm;
pub mod bench;
pub mod bundle;
pub mod calibrate;
#[cfg(any(feature = "control", feature = "fleet"))]
mod certificates;
pub mod clip;
#[cfg(feature = "control")]
pub mod control;
pub mod engine;
pub mod error;
pub mod features;
pub mod files;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod health;
pub mod jpeg;
pub mod memory;
pub mod output;
#[cfg(feature = "page")]
pub mod page;
pub mod pipeline;
pub mod recorder;
pub mod replay;
pub mod score;
pub mod source;
pub mod store;
pub mod window;

pub use error::{Error, ErrorKind, Result};
