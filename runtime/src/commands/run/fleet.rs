//! The update server and the broker of a config, for firmware that was built with the feature `fleet`; refused by firmware that was
//! built without.

use std::path::Path;
use std::sync::Arc;

use firmware_config::config::Config;
use runtime::Result;
use runtime::health::Health;
use runtime::health::calendar::Calendar;
use runtime::output::outbox::Outbox;
use runtime::pipeline::watch::Shared;

use super::models::Models;

#[cfg(feature = "fleet")]
pub use runtime::fleet::Fleet;
/// Nothing.
#[cfg(not(feature = "fleet"))]
pub struct Fleet;

/// Start what `config` names, which is the file `file`; servers are judged by `calendar`, alarms come from `outbox`.
///
/// # Errors
/// When a file that it names cannot be read.
#[cfg(feature = "fleet")]
pub fn start(
    config: &Config,
    file: &Path,
    models: &Models,
    calendar: &Arc<Calendar>,
    outbox: Option<&Outbox>,
) -> Result<Fleet> {
    use runtime::fleet::{Device, Running};
    use runtime::store::{Trust, is_store};

    let bundle = models.live.lead().bundle;
    let device = Device {
        engine: config.model.engine.to_string(),
        cameras: config.cameras.iter().map(|camera| camera.name.clone()).collect(),
        model: Running { id: bundle.id.clone(), name: bundle.manifest.name.clone(), release: bundle.manifest.release },
    };
    let path = super::beside(file, &config.model.bundle);
    let trust = Trust { keys: config.trusted(), engine: config.model.engine };
    let store = is_store(&path).then_some((path, trust));
    Fleet::start(config, |path| super::beside(file, path), &device, calendar, store, outbox)
}

/// As the one with the feature.
#[cfg(not(feature = "fleet"))]
pub fn start(
    config: &Config,
    _file: &Path,
    _models: &Models,
    _calendar: &Arc<Calendar>,
    _outbox: Option<&Outbox>,
) -> Result<Fleet> {
    let asked = [
        ("hawkbit", config.hawkbit.is_some()),
        ("output.mqtt", config.output.mqtt.is_some()),
        ("output.webhook", config.output.webhook.is_some()),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((key, _)) => Err(runtime::Error::invalid(
            *key,
            "is not in this firmware: it was built without the feature `fleet`",
            "take the section out of the config, or another build",
        )),
        None => Ok(Fleet),
    }
}

/// The run has these cameras.
pub fn watch(fleet: &Fleet, healths: &[Shared<Health>]) {
    #[cfg(feature = "fleet")]
    fleet.watch(healths);
    #[cfg(not(feature = "fleet"))]
    let _ = (fleet, healths);
}

/// The run ends: say goodbye, shortly.
pub fn end(fleet: Fleet) {
    #[cfg(feature = "fleet")]
    fleet.end();
    #[cfg(not(feature = "fleet"))]
    drop(fleet);
}
