//! The firmware's commands, one file each.

use clap::Args;
use firmware_config::config::EngineChoice;
use runtime::engine::Engines;

pub mod bench;
pub mod cameras;
pub mod check;
pub mod demo;
pub mod gpio;
pub mod model;
pub mod replay;
pub mod run;
mod show;

/// What computes, where no config says so.
#[derive(Args)]
pub struct EngineArgs {
    /// What computes the model: tract, onnxruntime, cuda, tensorrt, or auto for the fastest that is there.
    #[arg(long, default_value = "tract")]
    engine: EngineChoice,
}

impl EngineArgs {
    /// For recordings.
    fn engines(&self) -> Engines {
        Engines::new(self.engine)
    }
}
