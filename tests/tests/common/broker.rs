//! A real mosquitto, and who listens to everything there.

// Each test uses some of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A broker that is killed when this is dropped, and has then forgotten everything.
pub struct Broker(Child);

impl Broker {
    /// A real one; none without mosquitto, loudly.
    pub fn start(port: u16, folder: &Path) -> Option<Self> {
        Self::start_with(port, folder, "")
    }

    /// As [`Broker::start`], with more settings.
    pub fn start_with(port: u16, folder: &Path, more: &str) -> Option<Self> {
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
        let file = folder.join("mosquitto.conf");
        std::fs::write(&file, format!("{more}listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"))
            .unwrap();
        let mut command = Command::new("mosquitto");
        let started = command.arg("-c").arg(file).env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        if started.is_err() {
            eprintln!("SKIPPED: no mosquitto; run `cargo xtask setup`");
        }
        started.ok().map(Self)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Where.
    pub topic: String,
    /// What.
    pub text: String,
    /// It is what the broker had kept, and was not said just now.
    pub kept: bool,
}

/// Who listens to everything at a broker, for ever.
pub struct Ear {
    /// To speak there.
    pub client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
    listens: Arc<Mutex<u32>>,
}

impl Ear {
    /// At a broker of this machine.
    pub fn at(port: u16) -> Self {
        let mut options = MqttOptions::new("ear", "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut connection) = Client::new(options, 8);
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let listens: Arc<Mutex<u32>> = Arc::default();
        let (all, asks, times) = (Arc::clone(&heard), client.clone(), Arc::clone(&listens));
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => asks.try_subscribe("#", QoS::AtLeastOnce).unwrap(),
                    Ok(Event::Incoming(Packet::SubAck(_))) => *times.lock().unwrap() += 1,
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let text = String::from_utf8_lossy(&message.payload).into_owned();
                        all.lock().unwrap().push(Heard { topic: message.topic, text, kept: message.retain });
                    }
                    Ok(_) => {}
                    // The broker is away: the next turn connects again.
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
        Self { client, heard, listens }
    }

    /// Wait until it listens for the `count`th time.
    pub fn listens(&self, count: u32) {
        let begun = Instant::now();
        while *self.listens.lock().unwrap() < count {
            assert!(begun.elapsed() < PATIENCE, "no broker to listen at");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that was heard, in order.
    pub fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Wait until what a topic says last is something that `is` wanted.
    pub fn hears(&self, topic: &str, is: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let told = self.all().into_iter().rfind(|heard| heard.topic == topic).map(|heard| heard.text);
            match told {
                Some(told) if is(&told) => return told,
                told => assert!(begun.elapsed() < PATIENCE, "{topic} says {told:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Forget what was heard.
    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}
