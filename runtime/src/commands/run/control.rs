//! The control service of a run: `[control]` of a config and what the run holds come in, a supervised thread goes out. A service that fails
//! is started again for ever and ends no run: alarms need no network.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firmware_config::config::Config;
use runtime::control::{Desk, NAME, Pages, Settings, serve};
use runtime::health::Health;
use runtime::health::supervision::{Stage, Supervisor};
use runtime::pipeline::watch::Shared;
use runtime::store::{Store, Trust, is_store};
use runtime::{Error, Result};

use super::camera::Site;
use super::{beside, models};

/// A service that is to be.
pub struct Service {
    settings: Settings,
    desk: Arc<Desk>,
}

impl Service {
    /// What a config asks for, with the live page if there is one; nothing when it has no `[control]`.
    ///
    /// # Errors
    /// Of kind `InvalidInput` for an address that is none.
    pub fn of(
        config: &Config,
        file: &Path,
        site: &Site,
        healths: &[Shared<Health>],
        pages: Option<Pages>,
    ) -> Result<Option<Self>> {
        let Some(control) = &config.control else { return Ok(None) };
        let listen = control.listen.parse().map_err(|error| {
            Error::invalid("control.listen", format!("is no address with a port: {error}"), "write `0.0.0.0:8443`")
        })?;
        let bundle = beside(file, &config.model.bundle);
        let folder = bundle.parent().unwrap_or(Path::new(".")).to_owned();
        let settings = Settings { listen, tls: beside(file, &control.tls), calendar: Arc::clone(&site.calendar) };
        let engine = config.model.engine;
        let store = is_store(&bundle).then(|| (Store::new(bundle), Trust { keys: config.trusted(), engine }));
        let (clock, live) = (Box::new(site.clock), Arc::clone(site.live));
        let desk = Desk::new(healths.to_vec(), clock, live, engine, store, folder).with_pages(pages);
        Ok(Some(Self { settings, desk: Arc::new(desk) }))
    }

    /// Serve until the run is `done`.
    ///
    /// # Errors
    /// When a request wants the run to start anew, for systemd to start it again.
    pub fn run(self, supervisor: &Supervisor<'_>, site: &Site, done: &AtomicBool) -> Result<()> {
        let stopped = || done.load(Ordering::Relaxed) || site.stop.asked();
        let mut restart = None;
        supervisor.attend(Stage::Aside(NAME), || {
            restart = serve(&self.settings, &self.desk, &stopped)?;
            Ok(())
        })?;
        let Some(why) = restart else { return Ok(()) };
        models::fault(&site.outputs, why.clone(), Some(0));
        site.stop.give_up(&site.outputs);
        Err(Error::unavailable(models::NAME, why, "systemd starts it again, or start it by hand"))
    }
}
