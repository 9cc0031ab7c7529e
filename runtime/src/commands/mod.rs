//! The firmware's commands, one file each.

use std::path::Path;

use clap::Args;
use firmware_config::config::{Camera, Config, EngineChoice};
use runtime::bundle::Bundle;
use runtime::engine::Engines;
use runtime::store::{Store, Trust, is_store};
use runtime::{Error, Result};

pub mod bench;
pub mod calibrate;
pub mod cameras;
pub mod check;
pub mod demo;
pub mod gpio;
pub mod logging;
pub mod model;
mod page;
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

/// The camera of a config that is meant: the one of this name, or the only one.
fn camera_of<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Camera> {
    let names: Vec<_> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    let found = match (name, config.cameras.as_slice()) {
        (Some(name), cameras) => cameras.iter().find(|camera| camera.name == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or_else(|| {
        let problem = name.map_or_else(|| "has several cameras".into(), |name| format!("has no camera `{name}`"));
        Error::invalid("the config", problem, format!("name one of {} with --camera", names.join(", ")))
    })
}

/// The model that a config runs: its bundle, or the current one of its store.
fn model_of(config: &Config, file: &Path) -> Result<Bundle> {
    let path = file.parent().unwrap_or(Path::new(".")).join(&config.model.bundle);
    if !is_store(&path) {
        return Bundle::open(&path, &config.trusted());
    }
    let store = Store::new(&path);
    let trust = Trust { keys: config.trusted(), engine: config.model.engine };
    match store.state()?.current {
        Some(current) => store.load(&current, &trust),
        None => Err(Error::unavailable(
            path.display().to_string(),
            "holds no model",
            "`tadpole model install` and `activate` put one there",
        )),
    }
}
