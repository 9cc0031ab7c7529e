//! A broker that is told whether this device is there, what it runs and how its cameras are, that has every alarm, and that rings when
//! something waits. A thread of its own; nothing but [`Bell`] leads from it to others.
//!
//! | file | what |
//! |---|---|
//! | here | the connection, made again for ever; this device's own topics |
//! | [`cameras`] | what is told of cameras, and to Home Assistant: pure |
//! | [`voice`] | what is said over one connection, and what of it was acknowledged |
//!
//! | topic | what | |
//! |---|---|---|
//! | `PREFIX/presence` | `online`, or by last will `offline` | retained |
//! | `PREFIX/model` | JSON: `id`, `name`, `release` and `stage` of the model that decides, `trial` of one beside it | retained |
//! | `PREFIX/doorbell` | any message: the hawkBit client asks its server now | subscribed |
//!
//! Alarms come from the [`Outbox`], one after another: the next is sent when the broker has acknowledged the one before. Of everything else,
//! what cannot be sent is not kept: after a connection is made again, it is all said anew.

pub mod cameras;
pub mod voice;

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use firmware_config::config::Mqtt;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use rumqttc::{TlsConfiguration, Transport};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::FAREWELL;
use super::bell::Bell;
use super::pace::Pace;
use crate::health::Health;
use crate::output::outbox::Outbox;
use crate::pipeline::watch::{Shared, lock};
use crate::{Error, Result};
use voice::Voice;

/// In logs and errors, and among the outbox's receivers.
pub const NAME: &str = "mqtt";
/// Messages that wait to be sent: all that is said of as many cameras as there may be.
const QUEUE: usize = 128;
/// The longest message that is taken or sent, in bytes.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// A connection without traffic is tried this often; the broker publishes the last will after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often it looks whether the run ends.
const GLANCE: Duration = Duration::from_millis(100);
/// How often it looks at model and health, in glances.
const LOOK_EVERY: u32 = 20;
/// How often scores are told, in glances.
const SCORE_EVERY: u32 = 50;

/// The cameras of a run, as soon as there are any.
pub type Cameras = Arc<OnceLock<Vec<Shared<Health>>>>;

/// A device's presence at a broker.
pub struct Presence {
    options: MqttOptions,
    prefix: String,
    /// What Home Assistant's topics begin with.
    discovery: Option<String>,
    pace: Pace,
    /// What `PREFIX/model` says now.
    model: Box<dyn Fn() -> String + Send>,
    /// Whether somebody waits for the doorbell.
    rings: bool,
    bell: Bell,
    said: Said,
    /// Glances so far.
    seen: u32,
    /// How many scores each camera had when its score was told last.
    scores: Vec<u64>,
}

/// What is told of cameras.
#[derive(Clone, Default)]
pub struct Said {
    /// The cameras.
    pub cameras: Cameras,
    /// Their alarms.
    pub outbox: Option<Outbox>,
}

impl Presence {
    /// For the broker of a config: `model` is what is to be said of it, `rings` whether the doorbell is heard, `said` what there is to say of
    /// cameras.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the broker's address is none.
    pub fn new(
        config: &Mqtt,
        password: Option<String>,
        tls: Option<Arc<rustls::ClientConfig>>,
        model: Box<dyn Fn() -> String + Send>,
        rings: bool,
        bell: Bell,
        said: Said,
    ) -> Result<Self> {
        let address = config.address().and_then(|(_, address)| address.rsplit_once(':'));
        let Some((host, Ok(port))) = address.map(|(host, port)| (host, port.parse())) else {
            let remedy = "write `mqtts://host:8883`";
            return Err(Error::invalid("output.mqtt.broker", "is no broker's address", remedy));
        };
        let prefix = config.topic.clone();
        let mut options = MqttOptions::new(&prefix, host.trim_matches(['[', ']']), port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX)
            .set_last_will(LastWill::new(presence(&prefix), "offline", QoS::AtLeastOnce, true));
        if let Some(user) = &config.user {
            options.set_credentials(user, password.unwrap_or_default());
        }
        if let Some(tls) = tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        }
        let (discovery, pace) = (config.discovery.clone(), Pace::of(&prefix));
        Ok(Self { options, pace, prefix, discovery, model, rings, bell, said, seen: 0, scores: Vec::new() })
    }

    /// Be there, until the run ends.
    pub fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                runtime.block_on(self.attend());
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
            }
            Err(error) => log::error!("{NAME}: no connection can be made: {error}"),
        }
    }

    async fn attend(&mut self) {
        let mut said = String::new();
        loop {
            let (client, mut events) = AsyncClient::new(self.options.clone(), QUEUE);
            let mut voice = Voice::new(client);
            let Some(error) = self.connection(&mut events, &mut voice).await else {
                return self.part(&mut voice, &mut events).await;
            };
            let text = error.to_string();
            if voice.connected || said != text {
                log::warn!("{NAME}: {text}; the connection is made again");
            }
            said = text;
            if self.pause().await {
                return;
            }
        }
    }

    /// One connection, until it fails; nothing when the run ends.
    async fn connection(&mut self, events: &mut EventLoop, voice: &mut Voice) -> Option<ConnectionError> {
        loop {
            match self.next(events, voice).await? {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    log::info!("{NAME}: connected");
                    self.pace.well(KEEP_ALIVE);
                    self.greet(voice);
                }
                Ok(Event::Incoming(Packet::Publish(message))) if message.topic == self.doorbell() => {
                    log::info!("{NAME}: the doorbell rings");
                    self.bell.ring();
                }
                Ok(event) => {
                    self.heard(&event, voice);
                    self.deliver(voice);
                }
                Err(error) => return Some(error),
            }
        }
    }

    /// The next event of the connection; none when the run ends. What is to be told is told meanwhile.
    async fn next(
        &mut self,
        events: &mut EventLoop,
        voice: &mut Voice,
    ) -> Option<std::result::Result<Event, ConnectionError>> {
        // Kept until it is done: a connection that is being made begins anew when its future is dropped.
        let mut event = pin!(events.poll());
        let mut glances = interval(GLANCE);
        glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = &mut event => return Some(event),
                _ = glances.tick() => {
                    if self.bell.over() {
                        return None;
                    }
                    self.glance(voice);
                }
            }
        }
    }

    /// Say what is new. An alarm is said at once, all else from time to time.
    fn glance(&mut self, voice: &mut Voice) {
        if !voice.connected {
            return;
        }
        self.deliver(voice);
        self.seen = self.seen.wrapping_add(1);
        if self.seen.is_multiple_of(LOOK_EVERY) {
            self.tell(voice);
        }
        if self.seen.is_multiple_of(SCORE_EVERY) {
            self.tell_scores(voice);
        }
    }

    /// A connection is there: say everything.
    fn greet(&mut self, voice: &mut Voice) {
        voice.connected = true;
        voice.keep(presence(&self.prefix), "online".into());
        if self.rings
            && let Err(error) = voice.client.try_subscribe(self.doorbell(), QoS::AtLeastOnce)
        {
            log::warn!("{NAME}: {error}");
        }
        self.tell(voice);
        self.deliver(voice);
    }

    /// Say what model there is and how the cameras are, if that is new.
    fn tell(&self, voice: &mut Voice) {
        voice.keep(format!("{}/model", self.prefix), (self.model)());
        for camera in self.said.cameras.get().into_iter().flatten() {
            let health = lock(camera).clone();
            for (topic, text) in
                self.discovery.iter().flat_map(|d| cameras::discovery(d, &self.prefix, health.camera()))
            {
                voice.keep(topic, text);
            }
            let (topic, text) = cameras::health(&self.prefix, &health);
            voice.keep(topic, text);
        }
    }

    fn tell_scores(&mut self, voice: &mut Voice) {
        let Some(healths) = self.said.cameras.get() else { return };
        self.scores.resize(healths.len(), 0);
        for (camera, before) in healths.iter().zip(&mut self.scores) {
            let camera = lock(camera).clone();
            let (topic, text) = cameras::score(&self.prefix, &camera, *before);
            *before = camera.counters().scores;
            voice.mention(&topic, &text);
        }
    }

    /// Send the next alarm, unless one is under way.
    fn deliver(&self, voice: &mut Voice) {
        let free = voice.connected && !voice.delivers();
        let Some(outbox) = self.said.outbox.as_ref().filter(|_| free) else { return };
        let Some(record) = outbox.next(NAME) else { return };
        let camera = record.message.alarm().map_or("", |alarm| alarm.camera.as_str());
        voice.deliver(&cameras::alarm_topic(&self.prefix, camera), &record.message.json(), record.seq);
    }

    /// What becomes of what was said.
    fn heard(&self, event: &Event, voice: &mut Voice) {
        match event {
            Event::Outgoing(Outgoing::Publish(packet)) => voice.put_out(*packet),
            Event::Incoming(Packet::PubAck(ack)) => {
                if let (Some(seq), Some(outbox)) = (voice.acknowledged(ack.pkid), &self.said.outbox) {
                    outbox.done(NAME, seq);
                }
            }
            _ => {}
        }
    }

    /// Wait before the connection is made again; true when the run ends.
    async fn pause(&mut self) -> bool {
        let until = Instant::now() + self.pace.failed();
        while Instant::now() < until && !self.bell.over() {
            sleep_until(until.min(Instant::now() + GLANCE)).await;
        }
        self.bell.over()
    }

    /// Say what is left to say, and goodbye: who leaves in order leaves no last will.
    async fn part(&self, voice: &mut Voice, events: &mut EventLoop) {
        let parting = async {
            let mut leaves = false;
            while voice.connected {
                if !leaves {
                    self.deliver(voice);
                }
                if !leaves && !voice.delivers() {
                    leaves = true;
                    voice.keep(presence(&self.prefix), "offline".into());
                    if voice.client.try_disconnect().is_err() {
                        return;
                    }
                }
                match events.poll().await {
                    Err(_) | Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
                    Ok(event) => self.heard(&event, voice),
                }
            }
        };
        // What comes too late is not lost: the broker tells the last will, and the outbox keeps alarms.
        let _ = tokio::time::timeout(FAREWELL.mul_f64(0.8), parting).await;
    }

    fn doorbell(&self) -> String {
        format!("{}/doorbell", self.prefix)
    }
}

fn presence(prefix: &str) -> String {
    format!("{prefix}/presence")
}
