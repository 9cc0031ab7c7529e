//! `tadpole run`: the cameras of a config, watched until told to stop.

mod stop;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use firmware_config::config::{Camera, Config};
use runtime::bundle::Bundle;
use runtime::engine::Engines;
use runtime::health::Health;
use runtime::health::clock::{Clock as _, SystemClock};
use runtime::health::systemd::Systemd;
use runtime::output::gpio::button::TestButton;
use runtime::output::gpio::open as gpio;
use runtime::output::journal::Journal;
use runtime::output::{AlarmEvent, HealthState, Outputs, Phase};
use runtime::pipeline::watch::{Seen, Shared, Watch, lock};
use runtime::pipeline::{Pipeline, RuleOverrides};
use runtime::source::open::{self, Opened};
use runtime::source::paced::Paced;
use runtime::source::sim::SimSource;
use runtime::{Error, Result};

use stop::Stop;

/// How often health is looked at.
const HEALTH_PERIOD: Duration = Duration::from_millis(250);
/// Waits between attempts to start a camera again, the last one for ever.
const RETRY_S: [u64; 5] = [1, 2, 5, 10, 30];

/// Watch the cameras of a config, until every recording among them is over or the process is told to stop.
///
/// Only models signed by a key in the config's `[model] trusted_keys` are loaded. At SIGTERM or SIGINT alarms end, the
/// relay opens, and the process ends within two seconds.
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
    let (outputs, mut button) = outputs(&config, &args.config)?;
    let outputs = Arc::new(Mutex::new(outputs));
    let stop = Stop::on_signal(config.cameras.len(), &outputs)?;
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
    let ended = std::thread::scope(|scope| {
        let mut healths = Vec::new();
        let mut threads = Vec::new();
        for (number, (camera, source)) in cameras.into_iter().enumerate() {
            let live = is_live(&source);
            let health = Arc::new(Mutex::new(Health::new(&camera.name, live, clock.now())));
            healths.push(Arc::clone(&health));
            let (outputs, bundle, engines, clock) = (Arc::clone(&outputs), &bundle, &engines, &clock);
            let stop = (number, &stop);
            threads.push(
                scope.spawn(move || attend(camera, source, (bundle, engines), over, &outputs, &health, clock, stop)),
            );
        }
        let (watcher_outputs, watcher_clock, done) = (Arc::clone(&outputs), &clock, &done);
        scope.spawn(move || look_after(&healths, &watcher_outputs, button.as_mut(), watcher_clock, done));
        let results: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        for result in results {
            result.map_err(|_| Error::failed("camera", "its thread panicked", "report this, with the log"))??;
        }
        Ok(())
    });
    lock(&outputs).close();
    stop.ended();
    ended
}

fn beside(config: &Path, path: &str) -> PathBuf {
    config.parent().unwrap_or(Path::new(".")).join(path)
}

fn outputs(config: &Config, file: &Path) -> Result<(Outputs, Option<TestButton>)> {
    let mut outputs = Outputs::default();
    let mut button = None;
    match &config.output.gpio {
        Some(config) => button = gpio::open(config, &mut outputs)?,
        None => log::warn!("no [output.gpio]: alarms close no relay"),
    }
    if let Some(journal) = &config.output.journal {
        outputs.push(Journal::open(&beside(file, &journal.path))?);
    }
    Ok((outputs, button))
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
#[allow(clippy::too_many_arguments)] // Called once; a struct for them would be taken apart at once.
fn attend(
    camera: &Camera,
    mut source: Opened,
    (bundle, engines): (&Bundle, &Engines),
    over: RuleOverrides,
    outputs: &Shared<Outputs>,
    health: &Shared<Health>,
    clock: &SystemClock,
    (number, stop): (usize, &Stop),
) -> Result<()> {
    let live = is_live(&source);
    let mut failures = 0;
    // A camera that is away says so at every attempt; people are told once.
    let mut gap = String::new();
    loop {
        if let Opened::Frames(frames) = &source {
            stop.reads(number, &frames.stopper());
        }
        let pipeline = Pipeline::new(source, bundle, engines, &over)?;
        let mut watch = Watch::new(&camera.name, pipeline, Arc::clone(outputs), Arc::clone(health));
        let error = loop {
            if stop.asked() {
                watch.interrupt().iter().for_each(say);
                return Ok(());
            }
            match watch.step(clock.now()) {
                Ok((seen, event)) => {
                    if let Some(event) = event {
                        say(&event);
                    }
                    match seen {
                        Seen::Segment(..) => {
                            failures = 0;
                            gap.clear();
                        }
                        Seen::Gap(reason) if reason == gap => {}
                        Seen::Gap(reason) => {
                            log::warn!("{}: frames lost: {reason}", camera.name);
                            gap = reason;
                        }
                        Seen::End => {
                            let why = if stop.asked() { "stopped" } else { "the recording is over" };
                            log::info!("{}: {why}", camera.name);
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
            if stop.sleep(wait) {
                return Ok(());
            }
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

/// Tell outputs, people and systemd when a camera's health changes, keep the heartbeat going, and look at the test button.
fn look_after(
    healths: &[Shared<Health>],
    outputs: &Shared<Outputs>,
    mut button: Option<&mut TestButton>,
    clock: &SystemClock,
    done: &AtomicBool,
) {
    let mut systemd = Systemd::from_env(Duration::from_secs(RETRY_S[RETRY_S.len() - 1]));
    while !done.load(Ordering::Relaxed) {
        let fault = lock(outputs).fault();
        let mut well = true;
        for health in healths {
            let mut health = lock(health);
            health.outputs(fault.clone());
            let change = health.check(clock.now());
            well &= health.reason().is_none();
            drop(health);
            if let Some(event) = change {
                match event.state {
                    HealthState::Ok => log::info!("{}: ok", event.camera),
                    HealthState::Degraded => log::error!("{}: degraded: {}", event.camera, event.reason),
                }
                lock(outputs).health(&event).iter().for_each(|error| log::error!("{}: {error}", event.camera));
            }
        }
        lock(outputs).beat(well).iter().for_each(|error| log::error!("{error}"));
        match button.as_mut().map_or(Ok(None), |button| button.poll(clock.now())) {
            Ok(None) => {}
            Ok(Some(event)) => {
                say(&event);
                lock(outputs).alarm(&event).iter().for_each(|error| log::error!("{}: {error}", event.camera));
            }
            Err(error) => log::error!("{error}"),
        }
        systemd.look(clock.now(), healths);
        std::thread::sleep(HEALTH_PERIOD);
    }
}
