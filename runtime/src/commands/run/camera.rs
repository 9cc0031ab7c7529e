//! One camera of a run: its source is opened, joined to the model and watched, until it ends, fails or is told to stop.
//! Whoever supervises it starts it again.

use std::sync::Arc;

use firmware_config::config::Camera;
use runtime::Result;
use runtime::alarm::duty::Arming;
#[cfg(feature = "control")]
use runtime::health::calendar::Calendar;
use runtime::health::shedding::Shed;
use runtime::health::{Clock as _, Health, SystemClock, date};
use runtime::output::Outputs;
#[cfg(feature = "page")]
use runtime::output::outbox::Outbox;
use runtime::pipeline::watch::{Seen, Shared, Watch, lock};
use runtime::pipeline::{Pipeline, RuleOverrides};
use runtime::recorder::Recorder;
use runtime::source::Stopper;
use runtime::source::mask::PrivacyMask;
use runtime::source::open::{self, Opened};
use runtime::store::live::Live;

use super::super::page::View;
use super::fleet::Fleet;
use super::stop::Stop;

/// What all cameras of a run share.
pub struct Site<'a> {
    /// The model, and whichever is tried beside it.
    pub live: &'a Arc<Live>,
    /// What the config says of its alarm rule.
    pub over: RuleOverrides,
    /// What of their pictures may be seen, one for each camera.
    pub masks: Vec<PrivacyMask>,
    /// Where they leave what the live page shows.
    pub view: View,
    /// Who is told.
    pub outputs: Shared<Outputs>,
    /// Schedule, mute and test mode.
    pub arming: Shared<Arming>,
    /// How many clips are looked at.
    pub shed: Shared<Shed>,
    /// The time.
    pub clock: SystemClock,
    /// Whether the run is to end.
    pub stop: &'a Stop,
    /// Who keeps what alarms looked like.
    pub recorder: Option<Recorder>,
    /// Alarms on their way.
    #[cfg(feature = "page")]
    pub outbox: Option<Outbox>,
    /// Who talks to servers.
    pub fleet: &'a Fleet,
    /// What certificates are judged by.
    #[cfg(feature = "control")]
    pub calendar: Arc<Calendar>,
}

/// A pipeline on its opened source.
pub struct Ready {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Whether the source has a now.
    pub live: bool,
    stopper: Stopper,
}

impl Site<'_> {
    /// Open the source of `camera`, which has this number, and join it to the model.
    ///
    /// # Errors
    /// Those of the source and of the model.
    pub fn open(&self, number: usize, camera: &Camera) -> Result<Ready> {
        self.live.begin(number);
        let lead = self.live.lead();
        let source = open::open_live(&camera.source)?;
        let source = self.masks[number].over(source);
        let source = match &self.recorder {
            Some(recorder) => recorder.over(number, source),
            None => source,
        };
        let source = self.view.of(number, source);
        let (live, stopper) = match &source {
            Opened::Frames(frames) => (frames.info().live, frames.stopper()),
            Opened::Rows(_) => (false, Stopper::default()),
        };
        Ok(Ready { pipeline: Pipeline::new(source, &lead.bundle, &lead.engines, &self.over)?, live, stopper })
    }

    /// Watch camera number `number` to its end.
    ///
    /// # Errors
    /// Those of the pipeline; an alarm that was on is over.
    pub fn watch(&self, number: usize, camera: &Camera, ready: Ready, health: &Shared<Health>) -> Result<()> {
        let Ready { pipeline, live, stopper } = ready;
        self.stop.reads(number, &stopper);
        let mut watch = Watch::new(&camera.name, pipeline, Shared::clone(&self.outputs), Shared::clone(health));
        // A camera that is away says so at every attempt; people are told once.
        let mut gap = String::new();
        loop {
            if self.stop.asked() {
                watch.interrupt().iter().for_each(super::say);
                return Ok(());
            }
            // A recording loses nothing.
            if live {
                watch.look_at_one_in(lock(&self.shed).one_in);
            }
            let duty = lock(&self.arming).duty(self.clock.now(), date::set_clock());
            watch.on_duty(duty).iter().for_each(super::say);
            self.live.obey(number, &mut watch)?;
            let stepped = watch.step(self.clock.now());
            let (seen, event) = stepped.inspect_err(|error| self.live.failed(&camera.name, error))?;
            event.iter().for_each(super::say);
            match seen {
                Seen::Segment(segment, score) => {
                    gap.clear();
                    if let Some(recorder) = &self.recorder {
                        recorder.segment(number, &segment, score, watch.pipeline());
                    }
                    self.view.segment(number, self.clock.now(), &watch, &segment, score);
                    self.live.segment(self.clock.now(), &camera.name, &mut watch, &segment, score);
                }
                Seen::Gap(reason) if reason == gap => {}
                Seen::Gap(reason) => {
                    log::warn!("{}: frames lost: {reason}", camera.name);
                    gap = reason;
                }
                Seen::End => {
                    let why = if self.stop.asked() { "stopped" } else { "the recording is over" };
                    log::info!("{}: {why}", camera.name);
                    return Ok(());
                }
            }
        }
    }
}
