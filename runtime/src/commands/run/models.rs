//! Which model a run runs: that of a bundle, for good; or the current one of a store, and whichever is activated there and stands
//! its trial.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firmware_config::config::Config;
use runtime::bundle::Bundle;
use runtime::engine::Engines;
use runtime::health::Clock as _;
use runtime::health::supervision::panics;
use runtime::output::{FaultEvent, Outputs};
use runtime::pipeline::RuleOverrides;
use runtime::pipeline::watch::{Shared, lock};
use runtime::store::judge::Limits;
use runtime::store::live::driver::engines;
use runtime::store::live::{Driver, Lead, Live, Told};
use runtime::store::{Store, Trust, is_store};
use runtime::{Error, ErrorKind, Result};

use super::camera::Site;

/// How often the driver looks.
const PERIOD: Duration = Duration::from_millis(500);
/// What journal and log call it.
pub const NAME: &str = "model";

/// The models of a run.
pub struct Models {
    /// What cameras run.
    pub live: Arc<Live>,
    /// Who tries others; none for a model that is a file.
    pub driver: Option<Driver>,
    /// What the start found.
    told: Vec<String>,
}

impl Models {
    /// Load what a config's `bundle` names.
    ///
    /// # Errors
    /// When there is no model that is trusted and whole.
    pub fn open(config: &Config, path: &Path) -> Result<Self> {
        let cameras = config.cameras.len();
        let choice = config.model.engine;
        if !is_store(path) {
            let bundle = Bundle::open(path, &config.trusted())?;
            bundle.require_extractor()?;
            let lead = lead(bundle, Engines::live(choice, path.with_extension("engines")), config);
            return Ok(Self { live: Arc::new(Live::new(lead, cameras)), driver: None, told: Vec::new() });
        }
        let (store, trust) = (Store::new(path), Trust { keys: config.trusted(), engine: choice });
        let limits = Limits::from(&config.trial);
        if let Some(model) = store.sow(&trust, &engines(choice, &store), &limits)? {
            log::info!("{NAME}: {} release {} is the first of {}", model.name, model.release, path.display());
        }
        let boot = store.boot(&trust)?;
        let lead = lead(boot.bundle, engines(choice, &store), config);
        let live = Arc::new(Live::new(lead, cameras));
        let driver =
            Driver::new(Arc::clone(&live), store, trust, RuleOverrides::from(&config.alarm), limits, &boot.state);
        Ok(Self { live, driver: Some(driver), told: boot.told })
    }

    /// Tell people what the start found.
    pub fn tell(&mut self, outputs: &Shared<Outputs>) {
        self.told.drain(..).for_each(|text| fault(outputs, text, None));
    }
}

/// Drive trials until the run is `done`.
///
/// # Errors
/// When the model before can only be had by a new start: the run ends, for systemd to start it again.
pub fn drive(mut driver: Driver, site: &Site, done: &AtomicBool) -> Result<()> {
    while !done.load(Ordering::Relaxed) && !site.stop.sleep(PERIOD) {
        let looked = panics::catch(|| driver.look(site.clock.now()));
        let mut restart = None;
        for told in looked.unwrap_or_else(|panic| vec![Told::Fault(panic.error(NAME).to_string())]) {
            match told {
                Told::News(text) => log::info!("{NAME}: {text}"),
                Told::Fault(text) => fault(&site.outputs, text, None),
                Told::Restart(text) => restart = Some(text),
            }
        }
        // After the reason for it, which the journal has then.
        if let Some(text) = restart {
            fault(&site.outputs, text.clone(), Some(0));
            site.stop.give_up(&site.outputs);
            return Err(Error::unavailable(NAME, text, "systemd starts it again, or start it by hand"));
        }
    }
    Ok(())
}

fn lead(bundle: Bundle, engines: Engines, config: &Config) -> Lead {
    log::info!("model {} {}, engine {}", bundle.manifest.name, &bundle.id[..12], config.model.engine);
    Lead { bundle: Arc::new(bundle), engines }
}

/// Tell log and outputs that something is wrong with a model.
pub fn fault(outputs: &Shared<Outputs>, reason: String, restart_s: Option<u64>) {
    log::error!("{NAME}: {reason}");
    let event = FaultEvent { camera: NAME.into(), kind: ErrorKind::Failed, reason, restart_s };
    lock(outputs).failed(&event).iter().for_each(|error| log::error!("{NAME}: {error}"));
}
