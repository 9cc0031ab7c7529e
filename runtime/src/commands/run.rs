//! `tadpole run`: the cameras of a config, watched until told to stop.
//!
//! | file | what |
//! |---|---|
//! | here | config and model → cameras, each on a thread of its own, all of them supervised |
//! | [`camera`] | one camera, from its source to its alarms |
//! | [`control`] | the service that others reach it by |
//! | [`fleet`] | the update server and the broker |
//! | [`page`] | the live page |
//! | [`models`] | which model runs: that of a bundle, or the store's, with the trial of another |
//! | [`outbox`] | alarms on their way to broker and web server |
//! | [`recorder`] | what alarms looked like |
//! | [`watcher`] | tells outputs and systemd how the cameras are |
//! | [`stop`] | ends it all in time |

mod camera;
#[cfg(feature = "control")]
mod control;
mod fleet;
mod models;
mod outbox;
#[cfg(feature = "page")]
mod page;
mod recorder;
mod stop;
mod watcher;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;

use clap::Args;
use firmware_config::config::Config;
use runtime::alarm::duty::Arming;
use runtime::alarm::schedule::Schedule;
use runtime::health::calendar::Calendar;
use runtime::health::clock::{Clock as _, SystemClock};
use runtime::health::sensors::Sensors;
use runtime::health::supervision::{Stage, Supervisor};
use runtime::health::{Health, date, shedding};
use runtime::output::gpio::button::TestButton;
use runtime::output::gpio::open as gpio;
use runtime::output::journal::Journal;
use runtime::output::{AlarmEvent, Outputs, Phase};
use runtime::pipeline::RuleOverrides;
use runtime::pipeline::watch::{Shared, lock};
use runtime::source::mask::PrivacyMask;
use runtime::store::live::Driver;
use runtime::{Error, Result};

use super::page::View;
use camera::Site;
use models::Models;
#[cfg(feature = "page")]
use page::Page;
use stop::Stop;
use watcher::Watcher;

/// Where the date is kept, beside the store.
const DATE: &str = "date";

/// Watch the cameras of a config, until every recording among them is over or the process is told to stop.
///
/// Only models signed by a key in the config's `[model] trusted_keys` are loaded. If its `bundle` is a store, its current model is
/// loaded, and one that was activated there is tried beside it and takes its place if it stands that. At SIGTERM or SIGINT alarms end, the
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
    super::logging::start(&config.log, &config.cameras);
    let mut models = Models::open(&config, &beside(&args.config, &config.model.bundle))?;
    let clock = SystemClock::start();
    let (mut outputs, button) = outputs(&config, &args.config)?;
    let page = page(&config, &args.config, clock, &mut outputs)?;
    let outbox = outbox::open(&config, &args.config, &mut outputs)?;
    let (recorder, recording) = recorder::start(&config, &args.config, &mut outputs)?.unzip();
    let outputs = Arc::new(Mutex::new(outputs));
    let stop = Stop::on_signal(config.cameras.len(), &outputs)?;
    let schedule = config.schedule.as_ref().map(Schedule::new).transpose()?;
    if schedule.is_some() && date::set_clock().is_none() {
        log::warn!("the clock was never set: alarms are wanted until it is, whatever [schedule] says");
    }
    models.tell(&outputs);
    let calendar = Arc::new(Calendar::open(&beside(&args.config, &config.model.bundle).with_file_name(DATE)));
    let alarms = outbox.as_ref().map(|(outbox, _)| outbox);
    let fleet = fleet::start(&config, &args.config, &models, &calendar, alarms)?;
    let site = Site {
        live: &models.live,
        over: RuleOverrides::from(&config.alarm),
        masks: config.cameras.iter().map(|camera| PrivacyMask::new(camera.into())).collect(),
        view: page.as_ref().map_or_else(View::default, Page::view),
        outputs: Arc::clone(&outputs),
        arming: Arc::new(Mutex::new(Arming::new(schedule))),
        shed: shedding::start(Sensors::find(Path::new("/")), clock),
        clock,
        stop: &stop,
        recorder,
        #[cfg(feature = "page")]
        outbox: outbox.as_ref().map(|(outbox, _)| outbox.clone()),
        fleet: &fleet,
        #[cfg(feature = "control")]
        calendar,
    };
    let ended = supervise(&config, &args.config, &site, button, models.driver.take(), page);
    lock(&outputs).close();
    stop.ended();
    fleet::end(fleet);
    outbox::end(outbox);
    recorder::end(recording);
    ended
}

/// Start every camera and who looks after them, and see to it that they go on, until all have ended.
fn supervise(
    config: &Config,
    file: &Path,
    site: &Site,
    button: Option<TestButton>,
    driver: Option<Driver>,
    page: Option<Page>,
) -> Result<()> {
    // Everything is opened once here: what cannot be right is an error at the start, and not a retry.
    let opened =
        config.cameras.iter().enumerate().map(|(n, camera)| site.open(n, camera)).collect::<Result<Vec<_>>>()?;
    let health = |(camera, live): (_, bool)| Arc::new(Mutex::new(Health::new(camera, live, site.clock.now())));
    let names = config.cameras.iter().map(|camera| camera.name.as_str());
    let healths: Vec<Shared<Health>> = names.zip(opened.iter().map(|ready| ready.live)).map(health).collect();
    fleet::watch(site.fleet, &healths);
    let supervisor = Supervisor {
        clock: &site.clock,
        healths: &healths,
        outputs: &site.outputs,
        pause: &|time| site.stop.sleep(time),
        give_up: &|| site.stop.give_up(&site.outputs),
    };
    #[cfg(feature = "page")]
    let page = page.map(|page| page.service(config, file, site, &healths));
    #[cfg(feature = "page")]
    let pages = page.as_ref().map(page::Service::for_known);
    #[cfg(all(feature = "control", not(feature = "page")))]
    let pages = None;
    #[cfg(feature = "control")]
    let control = control::Service::of(config, file, site, &healths, pages)?;
    #[cfg(not(feature = "control"))]
    if config.control.is_some() {
        log::warn!("{}: [control] is not served: this build is without the cargo feature `control`", file.display());
    }
    let mut watcher = Watcher::new(&healths, &site.outputs, &site.shed, button);
    let done = AtomicBool::new(false);
    let (supervisor, healths, done) = (&supervisor, &healths, &done);
    let no_thread = |e: std::io::Error| {
        site.stop.give_up(&site.outputs);
        Error::failed("run", format!("no thread can be started: {e}"), "free some memory")
    };
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, (camera, ready)) in config.cameras.iter().zip(opened).enumerate() {
            let stage = Stage::Camera { number, live: ready.live };
            let mut first = Some(ready);
            let life = move || {
                let ready = first.take().map_or_else(|| site.open(number, camera), Ok)?;
                site.watch(number, camera, ready, &healths[number])
            };
            let named = Builder::new().name(camera.name.clone());
            threads.push(named.spawn_scoped(scope, move || supervisor.attend(stage, life)).map_err(no_thread));
        }
        let look = move || {
            watcher.watch(supervisor.clock, done);
            Ok(())
        };
        let named = Builder::new().name("watcher".into());
        let watching = named.spawn_scoped(scope, move || supervisor.attend(Stage::Watcher, look)).map_err(no_thread);
        let drive = |driver| move || models::drive(driver, site, done);
        let named = |driver| Builder::new().name("models".into()).spawn_scoped(scope, drive(driver)).map_err(no_thread);
        let driving = driver.map(named);
        #[cfg(feature = "control")]
        let serving = control.map(|service| {
            let named = Builder::new().name("control".into());
            named.spawn_scoped(scope, move || service.run(supervisor, site, done)).map_err(no_thread)
        });
        #[cfg(not(feature = "control"))]
        let serving = None;
        #[cfg(feature = "page")]
        let showing = page.map(|service| {
            let named = Builder::new().name("page".into());
            named.spawn_scoped(scope, move || service.run(supervisor, site, done)).map_err(no_thread)
        });
        #[cfg(not(feature = "page"))]
        let showing = page.and(None);
        let join = |thread: Result<std::thread::ScopedJoinHandle<'_, Result<()>>>| {
            thread?.join().map_err(|_| Error::failed("run", "a thread of it panicked", "report this, with the log"))?
        };
        let ended: Vec<_> = threads.into_iter().map(join).collect();
        done.store(true, Ordering::Relaxed);
        ended
            .into_iter()
            .chain([join(watching)])
            .chain(driving.map(join))
            .chain(serving.map(join))
            .chain(showing.map(join))
            .collect()
    })
}

/// A page, in firmware that has none.
#[cfg(not(feature = "page"))]
enum Page {}

#[cfg(not(feature = "page"))]
impl Page {
    /// As the one with the feature.
    fn view(&self) -> View {
        match *self {}
    }
}

/// The page of a config, if it wants one.
#[cfg(feature = "page")]
fn page(config: &Config, file: &Path, clock: SystemClock, outputs: &mut Outputs) -> Result<Option<Page>> {
    Page::of(config, file, clock, outputs)
}

/// As the one with the feature.
#[cfg(not(feature = "page"))]
fn page(config: &Config, file: &Path, _: SystemClock, _: &mut Outputs) -> Result<Option<Page>> {
    if config.page.is_some() {
        log::warn!("{}: [page] is not served: this build is without the cargo feature `page`", file.display());
    }
    Ok(None)
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

fn say(event: &AlarmEvent) {
    match event.phase {
        Phase::Started => {
            let manner = match (event.test, event.quiet) {
                (true, _) => "test ",
                (false, true) => "quiet ",
                (false, false) => "",
            };
            log::warn!(
                "{}: {manner}ALARM {} at {:.1} s, score {:.3}",
                event.camera,
                event.id,
                event.start_s,
                event.peak
            );
        }
        Phase::Ended => log::info!("{}: alarm {} over at {:.1} s", event.camera, event.id, event.end_s),
    }
}
