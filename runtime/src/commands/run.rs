//! `tadpole run`: the cameras of a config, watched until told to stop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use firmware_config::config::{Camera, Config, GpioKind};
use runtime::bundle::Bundle;
use runtime::engine::Engines;
use runtime::health::Health;
use runtime::health::clock::{Clock as _, SystemClock};
use runtime::health::systemd::Systemd;
use runtime::output::gpio::{GpioRelay, MemoryPin, Polarity};
use runtime::output::journal::Journal;
use runtime::output::{AlarmEvent, HealthState, Outputs, Phase};
use runtime::pipeline::watch::{Seen, Shared, Watch, lock};
use runtime::pipeline::{Pipeline, RuleOverrides};
use runtime::source::open::{self, Opened};
use runtime::source::paced::Paced;
use runtime::source::sim::SimSource;
use runtime::{Error, Result};

/// How often health is looked at.
const HEALTH_PERIOD: Duration = Duration::from_millis(250);
/// Waits between attempts to start a camera again, the last one for ever.
const RETRY_S: [u64; 5] = [1, 2, 5, 10, 30];

/// Watch the cameras of a config, until every recording among them is over or the process is told to stop.
///
/// Only models signed by a key in the config's `[model] trusted_keys` are loaded.
#[derive(Args)]
pub struct RunArgs {
    /// The config, TOML (see docs/ref/config.md) or the blob that a board carries.
    #[arg(long)]
    config: PathBuf,
}

/// Run until all cameras are done.
pub fn run(args: &RunArgs) -> Result<()> {
    let config = super::check::read_config(&args.config)?;
    let bundle = Bundle::open(beside(&args.config, &config.model.bundle), &config.trusted())?;
    bundle.require_extractor()?;
    log::info!("model {} {}, engine {}", bundle.manifest.name, &bundle.id[..12], config.model.engine);
    let engines =
        Engines::live(config.model.engine, beside(&args.config, &config.model.bundle).with_extension("engines"));
    let outputs = Arc::new(Mutex::new(outputs(&config, &args.config)?));
    let clock = SystemClock::start();
    let over = RuleOverrides {
        threshold: config.alarm.threshold,
        release_ratio: config.alarm.release_ratio,
        min_length_s: config.alarm.min_length_s,
        cool_down_s: config.alarm.cool_down_s,
    };
    // Every source is opened once here, so that a name that cannot be right is an error at the start, not a retry.
    let cameras = config.cameras.iter().map(|c| Ok((c, open_live(&c.source)?))).collect::<Result<Vec<_>>>()?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut healths = Vec::new();
        let mut threads = Vec::new();
        for (camera, source) in cameras {
            let live = is_live(&source);
            let health = Arc::new(Mutex::new(Health::new(&camera.name, live, clock.now())));
            healths.push(Arc::clone(&health));
            let (outputs, bundle, engines, clock) = (Arc::clone(&outputs), &bundle, &engines, &clock);
            threads
                .push(scope.spawn(move || attend(camera, source, (bundle, engines), over, &outputs, &health, clock)));
        }
        let (watcher_outputs, watcher_clock, done) = (Arc::clone(&outputs), &clock, &done);
        scope.spawn(move || look_after(&healths, &watcher_outputs, watcher_clock, done));
        let results: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        for result in results {
            result.map_err(|_| Error::failed("camera", "its thread panicked", "report this, with the log"))??;
        }
        Ok(())
    })
}

fn beside(config: &Path, path: &str) -> PathBuf {
    config.parent().unwrap_or(Path::new(".")).join(path)
}

fn outputs(config: &Config, file: &Path) -> Result<Outputs> {
    let mut outputs = Outputs::default();
    match config.output.gpio.as_ref().map(|gpio| gpio.kind) {
        Some(GpioKind::Memory) => outputs.push(GpioRelay::new(MemoryPin::new(), Polarity::ActiveHigh)?),
        None => log::warn!("no [output.gpio]: alarms close no relay"),
    }
    if let Some(journal) = &config.output.journal {
        outputs.push(Journal::open(&beside(file, &journal.path))?);
    }
    Ok(outputs)
}

/// Open a source as a camera: simulated roads run at the speed of life.
fn open_live(uri: &str) -> Result<Opened> {
    if uri.starts_with("sim://") {
        return Ok(Opened::Frames(Box::new(Paced::new(SimSource::open(uri)?))));
    }
    open::open(uri)
}

fn is_live(source: &Opened) -> bool {
    matches!(source, Opened::Frames(frames) if frames.info().live)
}

/// One camera, from start to end; a live one that fails is started again, at a bounded rate.
fn attend(
    camera: &Camera,
    mut source: Opened,
    (bundle, engines): (&Bundle, &Engines),
    over: RuleOverrides,
    outputs: &Shared<Outputs>,
    health: &Shared<Health>,
    clock: &SystemClock,
) -> Result<()> {
    let live = is_live(&source);
    let mut failures = 0;
    loop {
        let pipeline = Pipeline::new(source, bundle, engines, &over)?;
        let mut watch = Watch::new(&camera.name, pipeline, Arc::clone(outputs), Arc::clone(health));
        let error = loop {
            match watch.step(clock.now()) {
                Ok((seen, event)) => {
                    if let Some(event) = event {
                        say(&event);
                    }
                    match seen {
                        Seen::Segment(..) => failures = 0,
                        Seen::Gap(reason) => log::warn!("{}: frames lost: {reason}", camera.name),
                        Seen::End => {
                            log::info!("{}: the recording is over", camera.name);
                            return Ok(());
                        }
                    }
                }
                Err(error) => break error,
            }
        };
        if !live {
            return Err(error);
        }
        source = loop {
            let wait = Duration::from_secs(RETRY_S[failures.min(RETRY_S.len() - 1)]);
            failures += 1;
            log::error!("{}: {error}; trying again in {} s", camera.name, wait.as_secs());
            std::thread::sleep(wait);
            match open_live(&camera.source) {
                Ok(source) => break source,
                Err(again) => lock(health).error(&again),
            }
        };
    }
}

fn say(event: &AlarmEvent) {
    match event.phase {
        Phase::Started => {
            log::warn!("{}: ALARM {} at {:.1} s, score {:.3}", event.camera, event.id, event.start_s, event.peak);
        }
        Phase::Ended => log::info!("{}: alarm {} over at {:.1} s", event.camera, event.id, event.end_s),
    }
}

/// Tell outputs, people and systemd when a camera's health changes.
fn look_after(healths: &[Shared<Health>], outputs: &Shared<Outputs>, clock: &SystemClock, done: &AtomicBool) {
    let mut systemd = Systemd::from_env(Duration::from_secs(RETRY_S[RETRY_S.len() - 1]));
    while !done.load(Ordering::Relaxed) {
        for health in healths {
            let change = lock(health).check(clock.now());
            if let Some(event) = change {
                match event.state {
                    HealthState::Ok => log::info!("{}: ok", event.camera),
                    HealthState::Degraded => log::error!("{}: degraded: {}", event.camera, event.reason),
                }
                for error in lock(outputs).health(&event) {
                    log::error!("{}: {error}", event.camera);
                }
            }
        }
        systemd.look(clock.now(), healths);
        std::thread::sleep(HEALTH_PERIOD);
    }
}
