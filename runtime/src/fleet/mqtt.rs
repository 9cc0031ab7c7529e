//! A broker that is told whether this device is there and what it runs, and that rings when something waits. A thread of its own;
//! nothing but [`Bell`] leads from it to others, and an alarm never passes here.
//!
//! | topic | what | |
//! |---|---|---|
//! | `PREFIX/presence` | `online`, or by last will `offline` | retained |
//! | `PREFIX/model` | JSON: `id`, `name`, `release` and `stage` of the model that decides, `trial` of one beside it | retained |
//! | `PREFIX/doorbell` | any message: the hawkBit client asks its server now | subscribed |
//!
//! What cannot be sent is not kept: after a connection is made again, everything is said anew.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use firmware_config::config::Mqtt;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use rumqttc::{TlsConfiguration, Transport};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::FAREWELL;
use super::bell::Bell;
use super::pace::Pace;
use crate::{Error, Result};

/// In logs and errors.
const NAME: &str = "mqtt";
/// Messages that wait to be sent.
const QUEUE: usize = 8;
/// The longest message that is taken or sent, in bytes.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// A connection without traffic is tried this often; the broker publishes the last will after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often it looks whether the run ends.
const GLANCE: Duration = Duration::from_millis(100);
/// How often it looks at the model, in glances.
const MODEL_EVERY: u32 = 20;

/// A device's presence at a broker.
pub struct Presence {
    options: MqttOptions,
    prefix: String,
    pace: Pace,
    /// What `PREFIX/model` says now.
    model: Box<dyn Fn() -> String + Send>,
    /// Whether somebody waits for the doorbell.
    rings: bool,
    bell: Bell,
}

/// What is said over one connection.
struct Voice {
    client: AsyncClient,
    connected: bool,
    /// What was said of the model last.
    told: Option<String>,
}

impl Presence {
    /// For the broker of a config: `model` is what is to be said of it, `rings` whether the doorbell is heard.
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
        Ok(Self { options, pace: Pace::of(&prefix), prefix, model, rings, bell })
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
        let (client, mut events) = AsyncClient::new(self.options.clone(), QUEUE);
        let mut voice = Voice { client, connected: false, told: None };
        let mut said = None;
        while let Some(event) = self.next(&mut events, &mut voice).await {
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    log::info!("{NAME}: connected");
                    said = None;
                    self.pace.well(KEEP_ALIVE);
                    self.greet(&mut voice);
                }
                Ok(Event::Incoming(Packet::Publish(message))) if message.topic == self.doorbell() => {
                    log::info!("{NAME}: the doorbell rings");
                    self.bell.ring();
                }
                Ok(_) => {}
                Err(error) => {
                    voice.connected = false;
                    let text = error.to_string();
                    if said.as_ref() != Some(&text) {
                        log::warn!("{NAME}: {text}; the connection is made again");
                    }
                    said = Some(text);
                    if self.pause().await {
                        return;
                    }
                }
            }
        }
        if voice.connected {
            self.part(&voice, &mut events).await;
        }
    }

    /// The next event of the connection; none when the run ends. What is to be told of the model is told meanwhile.
    async fn next(
        &self,
        events: &mut EventLoop,
        voice: &mut Voice,
    ) -> Option<std::result::Result<Event, ConnectionError>> {
        // Kept until it is done: a connection that is being made begins anew when its future is dropped.
        let mut event = pin!(events.poll());
        let mut glances = interval(GLANCE);
        glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = 0u32;
        loop {
            tokio::select! {
                event = &mut event => return Some(event),
                _ = glances.tick() => {
                    if self.bell.over() {
                        return None;
                    }
                    seen += 1;
                    if seen.is_multiple_of(MODEL_EVERY) {
                        self.tell_model(voice);
                    }
                }
            }
        }
    }

    /// A connection is there: say everything.
    fn greet(&self, voice: &mut Voice) {
        (voice.connected, voice.told) = (true, None);
        let mut sent = voice.client.try_publish(presence(&self.prefix), QoS::AtLeastOnce, true, "online");
        if self.rings {
            sent = sent.and_then(|()| voice.client.try_subscribe(self.doorbell(), QoS::AtLeastOnce));
        }
        if let Err(error) = sent {
            log::warn!("{NAME}: {error}");
        }
        self.tell_model(voice);
    }

    /// Say what the model is, if that is new.
    fn tell_model(&self, voice: &mut Voice) {
        let model = (self.model)();
        if !voice.connected || voice.told.as_ref() == Some(&model) {
            return;
        }
        let topic = format!("{}/model", self.prefix);
        // A full queue is tried again.
        if voice.client.try_publish(topic, QoS::AtLeastOnce, true, model.clone()).is_ok() {
            voice.told = Some(model);
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

    /// Say goodbye: who leaves in order leaves no last will.
    async fn part(&self, voice: &Voice, events: &mut EventLoop) {
        let sent = voice.client.try_publish(presence(&self.prefix), QoS::AtLeastOnce, true, "offline");
        if sent.and_then(|()| voice.client.try_disconnect()).is_err() {
            return;
        }
        let parting =
            async { while !matches!(events.poll().await, Err(_) | Ok(Event::Outgoing(Outgoing::Disconnect))) {} };
        let _ = tokio::time::timeout(FAREWELL.mul_f64(0.8), parting).await;
    }

    fn doorbell(&self) -> String {
        format!("{}/doorbell", self.prefix)
    }
}

fn presence(prefix: &str) -> String {
    format!("{prefix}/presence")
}
