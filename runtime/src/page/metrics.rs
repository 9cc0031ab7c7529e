//! `GET /metrics`: what was counted and what is now, in Prometheus's text format, by its naming. Written by hand: all of it is counted
//! elsewhere, and a registry would hold it twice.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::board::{BUCKETS_S, Histogram};
use super::desk::{Desk, Machine};
use crate::health::Counters;
use crate::output::HealthState;
use crate::output::outbox::{self, Outbox};
use crate::pipeline::watch::lock;
use crate::recorder::{self, Recorder};

/// What one camera counts.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: HealthState,
    /// What was counted.
    pub counters: Counters,
    /// The newest score.
    pub score: Option<f32>,
    /// Its alarm threshold.
    pub threshold: Option<f32>,
    /// Whether an alarm is on.
    pub alarm: bool,
    /// How long segments took.
    pub took: Histogram,
    /// Segments that the page knows nothing of.
    pub missed: u64,
}

/// What the whole device counts.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Name, release and id of the model.
    pub model: (String, u64, String),
    /// One clip in so many is looked at.
    pub one_in: u32,
    /// How the machine is.
    pub machine: Machine,
    /// Alarms are silenced for so long still, seconds.
    pub muted_s: f64,
    /// Alarms on their way.
    pub outbox: Option<outbox::Counts>,
    /// What alarms looked like.
    pub recorder: Option<recorder::Counts>,
}

/// Answer.
pub async fn get(State(desk): State<Arc<Desk>>) -> Response {
    let cameras = desk.cameras.iter().enumerate().filter_map(|(number, name)| {
        let health = lock(desk.healths.get(number)?).clone();
        let panel = desk.board.panel(number)?;
        Some(Camera {
            name: name.clone(),
            state: health.state(),
            counters: *health.counters(),
            score: health.last_score(),
            threshold: panel.threshold,
            alarm: panel.alarm,
            took: panel.took,
            missed: desk.board.missed(number),
        })
    });
    let cameras: Vec<_> = cameras.collect();
    let model = (desk.model)();
    let device = Device {
        uptime_s: desk.clock.now().as_secs_f64(),
        model: (model.name, model.release, model.id),
        one_in: desk.one_in(),
        machine: lock(&desk.machine).clone(),
        muted_s: desk.mute.as_ref().map_or(0.0, |mute| mute.left().as_secs_f64()),
        outbox: desk.outbox.as_ref().map(Outbox::counts),
        recorder: desk.recorder.as_ref().map(Recorder::counts),
    };
    let mut response = text(&cameras, &device).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The families, one after another.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begin a family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of it.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A family of one sample.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All of it.
pub fn text(cameras: &[Camera], device: &Device) -> String {
    let mut page = Page::default();
    counters(&mut page, cameras);
    gauges(&mut page, cameras);
    histogram(&mut page, cameras);
    device.outbox.iter().for_each(|counts| on_their_way(&mut page, counts));
    device.recorder.iter().for_each(|counts| recorded(&mut page, *counts));
    machine(&mut page, device);
    page.0
}

fn counters(page: &mut Page, cameras: &[Camera]) {
    type Count = fn(&Camera) -> u64;
    let families: [(&str, &str, Count); 7] = [
        ("tadpole_segments_scored_total", "Segments scored.", |c| c.counters.scores),
        ("tadpole_segments_held_total", "Segments scored that were not looked at, to shed load.", |c| {
            c.counters.segments_held
        }),
        ("tadpole_frames_dropped_total", "Frames that a live source dropped.", |c| c.counters.frames_dropped),
        ("tadpole_gaps_total", "Gaps in a camera's stream.", |c| c.counters.gaps),
        ("tadpole_alarms_total", "Alarms.", |c| c.counters.alarms),
        ("tadpole_scores_not_finite_total", "Scores that were no numbers.", |c| c.counters.scores_not_finite),
        ("tadpole_page_segments_missed_total", "Segments that the live page knows nothing of.", |c| c.missed),
    ];
    for (name, help, count) in families {
        page.family(name, "counter", help);
        cameras.iter().for_each(|camera| page.sample(name, &[("camera", &camera.name)], count(camera)));
    }
    let name = "tadpole_errors_total";
    page.family(name, "counter", "Failures of a camera's pipeline, by kind.");
    for camera in cameras {
        // The counters are a struct of one field for each kind.
        let kinds = serde_json::to_value(camera.counters.errors).unwrap_or_default();
        for (kind, count) in kinds.as_object().into_iter().flatten() {
            page.sample(name, &[("camera", &camera.name), ("kind", kind)], count.as_u64().unwrap_or_default());
        }
    }
}

fn gauges(page: &mut Page, cameras: &[Camera]) {
    page.family("tadpole_camera_health", "gauge", "1 for the state that a camera is in.");
    for camera in cameras {
        for state in [HealthState::Ok, HealthState::Reduced, HealthState::Degraded] {
            let is = u8::from(camera.state == state);
            let Ok(Value::String(name)) = serde_json::to_value(state) else { continue };
            page.sample("tadpole_camera_health", &[("camera", camera.name.as_str()), ("state", &name)], is);
        }
    }
    page.family("tadpole_score", "gauge", "Score of the newest segment, 0 to 1; NaN when it is none.");
    for camera in cameras {
        camera.score.into_iter().for_each(|score| page.sample("tadpole_score", &[("camera", &camera.name)], score));
    }
    page.family("tadpole_threshold", "gauge", "Score from which on an alarm may be raised.");
    for camera in cameras {
        let labels = [("camera", camera.name.as_str())];
        camera.threshold.into_iter().for_each(|threshold| page.sample("tadpole_threshold", &labels, threshold));
    }
    page.family("tadpole_alarm_active", "gauge", "1 while an alarm is on.");
    for camera in cameras {
        page.sample("tadpole_alarm_active", &[("camera", &camera.name)], u8::from(camera.alarm));
    }
}

fn histogram(page: &mut Page, cameras: &[Camera]) {
    let name = "tadpole_segment_duration_seconds";
    page.family(name, "histogram", "Time that the model took for a segment, from clip to score.");
    for Camera { name: camera, took, .. } in cameras {
        let mut count = 0;
        for (end, more) in BUCKETS_S.iter().zip(took.counts) {
            count += more;
            page.sample(&format!("{name}_bucket"), &[("camera", camera), ("le", &end.to_string())], count);
        }
        page.sample(&format!("{name}_bucket"), &[("camera", camera), ("le", "+Inf")], took.count);
        page.sample(&format!("{name}_sum"), &[("camera", camera)], took.sum_s);
        page.sample(&format!("{name}_count"), &[("camera", camera)], took.count);
    }
}

fn on_their_way(page: &mut Page, counts: &outbox::Counts) {
    type Count = fn(&outbox::ReceiverCounts) -> u64;
    let families: [(&str, &str, &str, Count); 3] = [
        ("tadpole_outbox_waiting", "gauge", "Messages that wait for a receiver.", |r| r.waiting as u64),
        ("tadpole_outbox_delivered_total", "counter", "Messages that a receiver acknowledged.", |r| r.delivered),
        ("tadpole_outbox_dropped_total", "counter", "Messages that went before a receiver had them.", |r| r.dropped),
    ];
    for (name, kind, help, count) in families {
        page.family(name, kind, help);
        counts.receivers.iter().for_each(|of| page.sample(name, &[("receiver", &of.name)], count(of)));
    }
    page.single("tadpole_outbox_bytes", "gauge", "Bytes of the outbox's file.", counts.bytes);
}

fn recorded(page: &mut Page, counts: recorder::Counts) {
    let recorder::Counts { kept, given_up, evicted, dropped, alarms, bytes } = counts;
    page.single("tadpole_recorder_kept_total", "counter", "Alarms that were recorded.", kept);
    page.single("tadpole_recorder_given_up_total", "counter", "Alarms that the disk did not take.", given_up);
    page.single("tadpole_recorder_evicted_total", "counter", "Alarms that made room, or were too old.", evicted);
    page.single("tadpole_recorder_dropped_total", "counter", "Frames and segments that came too fast.", dropped);
    page.single("tadpole_recorder_alarms", "gauge", "Alarms in the recorder's folder.", alarms);
    page.single("tadpole_recorder_bytes", "gauge", "Their bytes.", bytes);
}

fn machine(page: &mut Page, device: &Device) {
    let (name, release, id) = &device.model;
    page.family("tadpole_build_info", "gauge", "The firmware.");
    page.sample("tadpole_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("tadpole_model_info", "gauge", "The model that decides.");
    page.sample("tadpole_model_info", &[("name", name), ("release", &release.to_string()), ("id", id)], 1);
    page.single("tadpole_uptime_seconds", "gauge", "Time since the start.", device.uptime_s);
    page.single("tadpole_clips_per_look", "gauge", "One clip in so many is looked at.", device.one_in);
    page.single("tadpole_muted_seconds", "gauge", "Alarms are silenced for so long still.", device.muted_s);
    let Machine { reading, memory, free_bytes, trial } = &device.machine;
    if let Some(t) = &reading.hottest {
        let labels = [("zone", t.zone.as_str())];
        page.family("tadpole_temperature_celsius", "gauge", "The zone that is nearest to its limit.");
        page.sample("tadpole_temperature_celsius", &labels, t.celsius);
        page.family("tadpole_temperature_limit_celsius", "gauge", "Its limit.");
        page.sample("tadpole_temperature_limit_celsius", &labels, t.limit_c);
    }
    page.single("tadpole_undervoltage", "gauge", "1 while the supply is too weak.", u8::from(reading.undervoltage));
    page.single(
        "tadpole_throttled",
        "gauge",
        "1 while the board slows the processor down.",
        u8::from(reading.throttled),
    );
    page.single("tadpole_model_trial", "gauge", "1 while another model is tried.", u8::from(trial.is_some()));
    if let Some(memory) = memory {
        let bytes = memory.resident_mb * 1e6;
        page.single("process_resident_memory_bytes", "gauge", "Resident memory.", bytes);
    }
    if let Some(free) = free_bytes {
        page.single("tadpole_free_bytes", "gauge", "Free on the disk of models and marks.", free);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::Health;
    use crate::{Error, ErrorKind};

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut took = Histogram { count: 3, sum_s: 1.5, ..Histogram::default() };
        (took.counts[3], took.counts[4]) = (1, 1);
        let counters = Counters { scores: 7, frames_dropped: 2, ..Counters::default() };
        let camera = Camera {
            name: "north".into(),
            state: HealthState::Reduced,
            counters,
            score: Some(0.25),
            threshold: Some(0.5),
            alarm: true,
            took,
            missed: 0,
        };
        let text = text(&[camera], &Device { uptime_s: 12.5, one_in: 2, ..Device::default() });
        for line in [
            "# TYPE tadpole_segments_scored_total counter",
            "tadpole_segments_scored_total{camera=\"north\"} 7",
            "tadpole_errors_total{camera=\"north\",kind=\"panicked\"} 0",
            "tadpole_camera_health{camera=\"north\",state=\"reduced\"} 1",
            "tadpole_camera_health{camera=\"north\",state=\"ok\"} 0",
            "tadpole_score{camera=\"north\"} 0.25",
            "tadpole_segment_duration_seconds_bucket{camera=\"north\",le=\"0.1\"} 1",
            "tadpole_segment_duration_seconds_bucket{camera=\"north\",le=\"0.64\"} 2",
            "tadpole_segment_duration_seconds_bucket{camera=\"north\",le=\"+Inf\"} 3",
            "tadpole_segment_duration_seconds_sum{camera=\"north\"} 1.5",
            "tadpole_uptime_seconds 12.5",
            "tadpole_clips_per_look 2",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in:\n{text}");
        }
        let families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let names: std::collections::HashSet<_> =
            families.iter().filter_map(|family| family.split(' ').next()).collect();
        assert_eq!(names.len(), families.len(), "each family is told once");
    }

    #[test]
    fn every_kind_of_error_is_counted_under_its_name() {
        let mut health = Health::new("north", true, Duration::ZERO);
        for (n, kind) in ErrorKind::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| health.failed(&Error::new(kind, "a", "b", "c")));
        }
        let camera = Camera {
            name: "north".into(),
            state: health.state(),
            counters: *health.counters(),
            score: None,
            threshold: None,
            alarm: false,
            took: Histogram::default(),
            missed: 0,
        };
        let text = text(&[camera], &Device::default());
        let found: Vec<_> = text.lines().filter(|line| line.starts_with("tadpole_errors_total{")).collect();
        assert_eq!(found.len(), ErrorKind::ALL.len());
        for (n, kind) in ErrorKind::ALL.into_iter().enumerate() {
            let Value::String(name) = serde_json::to_value(kind).unwrap() else { panic!("{kind:?} has no name") };
            let line = format!("tadpole_errors_total{{camera=\"north\",kind=\"{name}\"}} {}", n + 1);
            assert!(found.contains(&line.as_str()), "`{line}` is not in {found:?}");
        }
    }

    #[test]
    fn outbox_and_recorder_are_counted_where_there_are_any() {
        let receiver = outbox::ReceiverCounts { name: "webhook".into(), waiting: 3, delivered: 5, dropped: 1 };
        let outbox = Some(outbox::Counts { receivers: vec![receiver], bytes: 4096 });
        let recorder = Some(recorder::Counts { kept: 7, given_up: 2, evicted: 4, dropped: 0, alarms: 3, bytes: 9000 });
        let found = text(&[], &Device { outbox, recorder, ..Device::default() });
        for line in [
            "# TYPE tadpole_outbox_waiting gauge",
            "tadpole_outbox_waiting{receiver=\"webhook\"} 3",
            "tadpole_outbox_delivered_total{receiver=\"webhook\"} 5",
            "tadpole_outbox_dropped_total{receiver=\"webhook\"} 1",
            "tadpole_outbox_bytes 4096",
            "# TYPE tadpole_recorder_kept_total counter",
            "tadpole_recorder_kept_total 7",
            "tadpole_recorder_given_up_total 2",
            "tadpole_recorder_evicted_total 4",
            "tadpole_recorder_bytes 9000",
        ] {
            assert!(found.lines().any(|told| told == line), "`{line}` is not in {found}");
        }
        let without = text(&[], &Device::default());
        assert!(!without.contains("outbox") && !without.contains("recorder"), "{without}");
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
