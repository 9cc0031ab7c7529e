//! What an outbox holds, and the lines of its file. A line is eight hexadecimal digits of the SHA-256 of what follows, a space, one JSON
//! object, and a line feed: people can read it, and a line that the power was cut within is told from a whole one. Pure.
//!
//! Refused: a line whose digits do not fit, or that lacks its end. It is left out, and counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::output::{AlarmEvent, Event, Phase};

/// What receivers are sent: an event, and what tells it from all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Never given to another event, also after a restart. Who gets two messages of one id drops the second.
    pub event_id: String,
    /// This device's name, for people.
    pub device: String,
    /// When it happened by this machine's clock, seconds since 1970; wrong as long as nobody has set that clock. For people.
    pub unix_s: u64,
    /// The firmware ended while this alarm was on, and nobody saw how it went on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Message {
    /// Its alarm, if it is about one.
    pub fn alarm(&self) -> Option<&AlarmEvent> {
        match &self.event {
            Event::Alarm(alarm) => Some(alarm),
            _ => None,
        }
    }

    /// The end of an alarm that nobody saw end; always the same for the same alarm.
    pub fn cut_off(&self) -> Option<Self> {
        let alarm = AlarmEvent { phase: Phase::Ended, ..self.alarm()?.clone() };
        let event_id = format!("{}-cut", self.event_id);
        Some(Self { event_id, interrupted: true, event: Event::Alarm(alarm), ..self.clone() })
    }

    /// As it is sent: one JSON object.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A message in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number in this outbox; those behind it have higher ones.
    pub seq: u64,
    /// The message.
    pub message: Arc<Message>,
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Numbers below this were given out.
    Next(u64),
    /// An alarm that was on, by the message of its beginning.
    On(#[serde(with = "shared")] Arc<Message>),
    /// A receiver has everything up to a number.
    Done(String, u64),
    /// A message with its number.
    Sent(u64, #[serde(with = "shared")] Arc<Message>),
}

/// A message that several hold, in the form of one that nobody shares.
mod shared {
    use super::{Arc, Deserialize, Message, Serialize as _};

    pub fn serialize<S: serde::Serializer>(message: &Arc<Message>, to: S) -> Result<S::Ok, S::Error> {
        message.as_ref().serialize(to)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<Message>, D::Error> {
        Message::deserialize(from).map(Arc::new)
    }
}

impl Line {
    /// Append it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Text, numbers and finite scores: it always has a form.
        let json = serde_json::to_string(self).unwrap_or_default();
        out.extend_from_slice(format!("{} {json}\n", digest(json.as_bytes())).as_bytes());
    }

    fn read(line: &[u8]) -> Option<Self> {
        let (found, json) = (line.get(..8)?, line.get(9..)?);
        let whole = line[8] == b' ' && found == digest(json).as_bytes();
        if whole { serde_json::from_slice(json).ok() } else { None }
    }
}

/// The lines of a file, and how many of them were left out.
pub fn lines(bytes: &[u8]) -> (Vec<Line>, usize) {
    let mut damaged = 0;
    let mut whole = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n").and_then(Line::read) {
            Some(line) => whole.push(line),
            None => damaged += 1,
        }
    }
    (whole, damaged)
}

fn digest(json: &[u8]) -> String {
    hex::encode(&Sha256::digest(json)[..4])
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;
    use super::*;

    fn file() -> (Vec<Line>, Vec<u8>, Vec<usize>) {
        let started = Arc::new(message("north", 1, Phase::Started));
        let lines = vec![
            Line::Next(3),
            Line::On(Arc::clone(&started)),
            Line::Done("mqtt".into(), 2),
            Line::Sent(3, started),
            Line::Sent(4, Arc::new(message("pole \"ü\"\n", 2, Phase::Ended))),
        ];
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for line in &lines {
            line.write(&mut bytes);
            ends.push(bytes.len());
        }
        (lines, bytes, ends)
    }

    #[test]
    fn the_form_of_a_message_and_of_a_line_is_fixed() {
        let message = message("north", 1, Phase::Started);
        assert_eq!(
            message.json(),
            r#"{"event_id":"r-1","device":"pole-12","unix_s":1790000000,"event":"alarm","phase":"started","camera":"north","id":1,"segment":20,"start_s":12.8,"end_s":13.44,"first_frame":321,"last_frame":336,"peak":0.75}"#
        );
        let end = message.cut_off().unwrap();
        assert!(
            end.json().contains(r#""event_id":"r-1-cut","device":"pole-12","unix_s":1790000000,"interrupted":true"#)
        );
        assert_eq!(serde_json::from_str::<Message>(&end.json()).unwrap(), end);
        let mut line = Vec::new();
        Line::Done("mqtt".into(), 2).write(&mut line);
        assert_eq!(String::from_utf8(line).unwrap(), "0ff3d919 {\"done\":[\"mqtt\",2]}\n");
    }

    #[test]
    fn cut_at_any_byte_the_whole_lines_before_are_there() {
        let (expected, bytes, ends) = file();
        for cut in 0..=bytes.len() {
            let (found, damaged) = lines(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(found, expected[..whole], "cut at {cut}");
            assert_eq!(damaged, usize::from(cut > 0 && !ends.contains(&cut)), "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_byte_costs_its_line_and_no_other() {
        let (expected, bytes, ends) = file();
        for at in 0..bytes.len() {
            for to in [0, b'\n', bytes[at] ^ 1] {
                let mut damaged = bytes.clone();
                damaged[at] = to;
                if damaged == bytes {
                    continue;
                }
                let (found, _) = lines(&damaged);
                let hit = ends.iter().position(|end| at < *end).unwrap();
                // A line feed that is gone joins two lines.
                let lost = if at + 1 == ends[hit] { hit..=(hit + 1).min(expected.len() - 1) } else { hit..=hit };
                let left: Vec<_> = expected
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| !lost.contains(n))
                    .map(|(_, line)| line.clone())
                    .collect();
                assert_eq!(found, left, "byte {at} became {to}");
            }
        }
    }
}
