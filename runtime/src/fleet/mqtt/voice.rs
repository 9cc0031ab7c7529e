//! What is said over one connection to a broker, and which acknowledgement is whose. Texts that are kept by the broker are said when they are
//! new; an alarm is said once, and is had when the broker has acknowledged it.
//!
//! A voice ends with its connection: the next one knows nothing of what this one had still to say, and says everything itself. A client that
//! went on with what was under way would send alarms twice.

use std::collections::{HashMap, VecDeque};

use rumqttc::{AsyncClient, QoS};

/// One connection's.
pub struct Voice {
    /// Where messages are queued.
    pub client: AsyncClient,
    /// The broker has let us in.
    pub connected: bool,
    /// What topics say that the broker keeps.
    told: HashMap<String, String>,
    acks: Acks,
}

impl Voice {
    /// Of a connection that is not there yet.
    pub fn new(client: AsyncClient) -> Self {
        Self { client, connected: false, told: HashMap::new(), acks: Acks::default() }
    }

    /// Let a topic say `text` from now on, for whoever comes; nothing is sent when it says that already. What cannot be queued is said at the
    /// next call.
    pub fn keep(&mut self, topic: String, text: String) {
        if self.told.get(&topic) != Some(&text) && self.say(&topic, QoS::AtLeastOnce, true, &text, None) {
            self.told.insert(topic, text);
        }
    }

    /// Say something that is of use now or never.
    pub fn mention(&mut self, topic: &str, text: &str) {
        self.say(topic, QoS::AtMostOnce, false, text, None);
    }

    /// Say something that must arrive, and whose number [`Voice::acknowledged`] gives back then. The broker keeps the newest.
    pub fn deliver(&mut self, topic: &str, text: &str, seq: u64) {
        self.say(topic, QoS::AtLeastOnce, true, text, Some(seq));
    }

    /// Whether something that must arrive is under way.
    pub fn delivers(&self) -> bool {
        self.acks.waits()
    }

    /// A message was put on the wire, in this packet.
    pub fn put_out(&mut self, packet: u16) {
        self.acks.put_out(packet);
    }

    /// The broker has acknowledged a packet: what was delivered with it, if that must arrive.
    pub fn acknowledged(&mut self, packet: u16) -> Option<u64> {
        self.acks.acknowledged(packet)
    }

    fn say(&mut self, topic: &str, qos: QoS, retain: bool, text: &str, seq: Option<u64>) -> bool {
        let queued = self.client.try_publish(topic, qos, retain, text.to_owned()).is_ok();
        if queued {
            self.acks.queued(seq);
        }
        queued
    }
}

/// Packets get their numbers when they are put out, in the order in which they were queued.
#[derive(Default)]
struct Acks {
    queued: VecDeque<Option<u64>>,
    out: Option<(u16, u64)>,
}

impl Acks {
    fn queued(&mut self, seq: Option<u64>) {
        self.queued.push_back(seq);
    }

    fn put_out(&mut self, packet: u16) {
        if let Some(Some(seq)) = self.queued.pop_front() {
            self.out = Some((packet, seq));
        }
    }

    fn acknowledged(&mut self, packet: u16) -> Option<u64> {
        self.out.take_if(|(out, _)| *out == packet).map(|(_, seq)| seq)
    }

    fn waits(&self) -> bool {
        self.out.is_some() || self.queued.iter().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_that_of_its_own_packet() {
        let mut acks = Acks::default();
        for seq in [None, Some(7), None] {
            acks.queued(seq);
        }
        assert!(acks.waits());
        acks.put_out(1);
        assert_eq!(acks.acknowledged(1), None, "of a text");
        acks.put_out(2);
        acks.put_out(0);
        assert_eq!((acks.acknowledged(3), acks.acknowledged(0)), (None, None));
        assert!(acks.waits());
        assert_eq!(acks.acknowledged(2), Some(7));
        assert_eq!((acks.acknowledged(2), acks.waits()), (None, false), "once");
    }
}
