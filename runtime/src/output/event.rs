//! What outputs are told: an alarm began or ended, a camera is well or not, a stage has failed. One JSON object each, the
//! same in the journal, in replies and on the wire. Times are seconds of the source's own clock; the wall clock is no part of them.

use serde::{Deserialize, Serialize};

use crate::ErrorKind;

/// Whether an alarm begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The score held above the threshold long enough.
    Started,
    /// The score fell, or the stream broke.
    Ended,
}

/// An alarm of one camera, at its beginning or its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmEvent {
    /// Beginning or end.
    pub phase: Phase,
    /// The camera's name.
    pub camera: String,
    /// Number of the alarm, 1-based per camera, the same at its beginning and its end.
    pub id: u64,
    /// 0-based number of the segment that decided.
    pub segment: u64,
    /// Beginning of the alarm, seconds since the source's first frame.
    pub start_s: f64,
    /// End of the alarm so far, seconds.
    pub end_s: f64,
    /// First source frame of the alarm, 1-based.
    pub first_frame: u64,
    /// Last source frame of the alarm so far, included.
    pub last_frame: u64,
    /// Highest score so far.
    pub peak: f32,
    /// By schedule or muted: no relay closes and no message is sent. Left out of the JSON when it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quiet: bool,
    /// A test, by the button or in test mode. Left out when it is none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Whether a camera's scores can be relied upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Frames flow and are scored.
    Ok,
    /// They are, but fewer of them than usual, to spare the board.
    Reduced,
    /// They do not, or an output fails.
    Degraded,
}

/// A change of a camera's health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthEvent {
    /// The camera's name.
    pub camera: String,
    /// What it is now.
    pub state: HealthState,
    /// Why; empty when ok.
    pub reason: String,
}

/// A stage has failed: a camera's pipeline, or what looks after all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// The camera's name, or the stage's.
    pub camera: String,
    /// What sort of failure.
    pub kind: ErrorKind,
    /// What failed and why; of a panic, its message and its place in the source.
    pub reason: String,
    /// Seconds until it is started again; absent when it is not.
    pub restart_s: Option<u64>,
}

/// Any event, as one line of the journal: `{"event":"alarm",...}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An alarm.
    Alarm(AlarmEvent),
    /// A change of health.
    Health(HealthEvent),
    /// A failure.
    Fault(FaultEvent),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn started(camera: &str, id: u64) -> AlarmEvent {
        AlarmEvent {
            phase: Phase::Started,
            camera: camera.into(),
            id,
            segment: 20,
            start_s: 12.8,
            end_s: 13.44,
            first_frame: 321,
            last_frame: 336,
            peak: 0.75,
            quiet: false,
            test: false,
        }
    }

    pub(crate) fn ended(camera: &str, id: u64) -> AlarmEvent {
        AlarmEvent { phase: Phase::Ended, ..started(camera, id) }
    }

    #[test]
    fn the_form_on_the_wire_is_fixed() {
        let line = serde_json::to_string(&Event::Alarm(started("pole 3", 1))).unwrap();
        assert_eq!(
            line,
            r#"{"event":"alarm","phase":"started","camera":"pole 3","id":1,"segment":20,"start_s":12.8,"end_s":13.44,"first_frame":321,"last_frame":336,"peak":0.75}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), Event::Alarm(started("pole 3", 1)));
        let quiet = AlarmEvent { quiet: true, test: true, ..started("pole 3", 1) };
        let line = serde_json::to_string(&Event::Alarm(quiet.clone())).unwrap();
        assert!(line.ends_with(r#""peak":0.75,"quiet":true,"test":true}"#), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), Event::Alarm(quiet));
        let health = HealthEvent { camera: "a".into(), state: HealthState::Degraded, reason: "dark".into() };
        assert_eq!(
            serde_json::to_string(&Event::Health(health)).unwrap(),
            r#"{"event":"health","camera":"a","state":"degraded","reason":"dark"}"#
        );
        let kind = ErrorKind::Panicked;
        let fault = FaultEvent { camera: "a".into(), kind, reason: "panicked at x.rs:1:2: no".into(), restart_s: None };
        assert_eq!(
            serde_json::to_string(&Event::Fault(fault)).unwrap(),
            r#"{"event":"fault","camera":"a","kind":"panicked","reason":"panicked at x.rs:1:2: no","restart_s":null}"#
        );
    }
}
