//! Which settings can be. Each problem says its key, what is wrong, and what to do.

use std::collections::HashMap;

use super::{CAMERAS_MAX, Config, Problem, calibration, picture};
use crate::rows::RowsUri;
use crate::sign::TRUSTED_KEYS_MAX;
use crate::v4l::V4lUri;

/// The schemes of source URIs, and what follows each.
const SCHEMES: [(&str, &str); 6] = [
    ("file", "file:///path/video.mp4"),
    ("v4l", "v4l:///dev/video0"),
    ("rtsp", "rtsp://host/stream"),
    ("tcp", "tcp://host:port"),
    ("sim", "sim://?seed=1"),
    ("features", "features:///path/rows.npy"),
];

impl Config {
    /// Every problem of the settings, without lines.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_cameras(&mut problems);
        self.check_model(&mut problems);
        self.check_alarm(&mut problems);
        if let Some(gpio) = &self.output.gpio {
            gpio.problems(&mut problems);
        }
        if let Some(journal) = &self.output.journal {
            problems.extend(path_problem("output.journal.path", &journal.path));
        }
        if let Some(mqtt) = &self.output.mqtt {
            mqtt.problems(&mut problems);
        }
        if let Some(webhook) = &self.output.webhook {
            webhook.problems(&mut problems);
        }
        if let Some(schedule) = &self.schedule {
            schedule.problems(&mut problems);
        }
        self.check_outbox(&mut problems);
        if let Some(recorder) = &self.recorder {
            recorder.problems(&mut problems);
        }
        if let Some(page) = &self.page {
            page.problems(&mut problems);
        }
        if let Some(control) = &self.control {
            control.problems(&mut problems);
        }
        if let Some(hawkbit) = &self.hawkbit {
            hawkbit.problems(&mut problems);
        }
        self.check_trial(&mut problems);
        self.log.problems(&mut problems);
        problems
    }

    /// What is sent must have somewhere to wait.
    fn check_outbox(&self, problems: &mut Vec<Problem>) {
        let discovery = self.output.mqtt.as_ref().is_some_and(|mqtt| mqtt.discovery.is_some());
        let senders = [("output.webhook", self.output.webhook.is_some()), ("output.mqtt.discovery", discovery)];
        match (&self.outbox, senders.iter().find(|(_, there)| *there)) {
            (Some(outbox), _) => outbox.problems(problems),
            (None, Some((key, _))) => {
                let remedy = "add `[outbox]` with a `path`: events wait there until they are delivered";
                problems.push(Problem::new(*key, "sends events, and there is no outbox", remedy));
            }
            (None, None) => {}
        }
    }

    fn check_cameras(&self, problems: &mut Vec<Problem>) {
        let count = self.cameras.len();
        if count == 0 {
            problems.push(Problem::new(
                "camera",
                "is missing: there is no camera to watch",
                "add a `[[camera]]` with a `name` and a `source`",
            ));
        }
        if count > CAMERAS_MAX {
            problems.push(Problem::new(
                "camera",
                format!("lists {count} cameras, more than {CAMERAS_MAX}"),
                "run a second `tadpole` with a config of its own",
            ));
        }
        let mut first_of = HashMap::new();
        let mut first_with = HashMap::new();
        for (n, camera) in self.cameras.iter().enumerate() {
            let key = format!("camera[{n}].name");
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if !(1..=32).contains(&camera.name.len()) || !camera.name.bytes().all(plain) {
                problems.push(Problem::new(key, "is not a plain name", "use 1 to 32 letters, digits, `-` or `_`"));
            } else if let Some(first) = first_of.insert(camera.name.as_str(), n) {
                problems.push(Problem::new(
                    key,
                    format!("is `{}`, which is the name of camera[{first}] too", camera.name),
                    "give every camera a name of its own",
                ));
            }
            picture::problems(&format!("camera[{n}]"), camera, problems);
            let key = format!("camera[{n}].source");
            problems.extend(source_problem(key.clone(), &camera.source));
            // Other sources can be read twice; a device streams to one reader.
            let device = V4lUri::parse(&camera.source).ok().map(|uri| uri.device.to_string());
            if let Some(first) = device.and_then(|device| first_with.insert(device, n)) {
                problems.push(Problem::new(
                    key,
                    format!("is the same camera as that of camera[{first}]"),
                    "a local camera can be read once only: remove one of them",
                ));
            }
        }
    }

    fn check_model(&self, problems: &mut Vec<Problem>) {
        problems.extend(path_problem("model.bundle", &self.model.bundle));
        let keys = &self.model.trusted_keys;
        if keys.is_empty() {
            problems.push(Problem::new(
                "model.trusted_keys",
                "is empty: no bundle could ever be run",
                "paste the line that `tadpole-trainer keygen` printed",
            ));
        } else if keys.len() > TRUSTED_KEYS_MAX {
            problems.push(Problem::new(
                "model.trusted_keys",
                format!("lists {} keys, more than {TRUSTED_KEYS_MAX}", keys.len()),
                "keep the present key and the next one",
            ));
        } else if keys.len() == 2 && keys[0] == keys[1] {
            problems.push(Problem::new("model.trusted_keys", "lists the same key twice", "list it once"));
        }
    }

    fn check_alarm(&self, problems: &mut Vec<Problem>) {
        let alarm = &self.alarm;
        let share = |v: f32| v > 0.0 && v < 1.0;
        for (key, value, good, limits, remedy) in [
            (
                "alarm.threshold",
                alarm.threshold,
                share as fn(f32) -> bool,
                "above 0 and below 1",
                "scores lie between 0 and 1; leave it out for the model's own threshold",
            ),
            (
                "alarm.release_ratio",
                alarm.release_ratio,
                share,
                "above 0 and below 1",
                "an alarm ends below `threshold` times this, so it must be below 1",
            ),
            (
                "alarm.min_length_s",
                alarm.min_length_s,
                |v| (0.0..=600.0).contains(&v),
                "0 to 600 seconds",
                "0 alarms at once; a few seconds forgive a flicker",
            ),
            (
                "alarm.cool_down_s",
                alarm.cool_down_s,
                |v| (0.0..=86_400.0).contains(&v),
                "0 to 86400 seconds",
                "0 allows the next alarm at once",
            ),
        ] {
            problems.extend(number_problem(key, value, good, limits, remedy));
        }
        calibration::problems(alarm, problems);
    }

    fn check_trial(&self, problems: &mut Vec<Problem>) {
        let trial = &self.trial;
        let megabytes = |v: f32| v > 0.0 && v <= 1e6;
        for (key, value, good, limits, remedy) in [
            (
                "trial.stage_s",
                trial.stage_s,
                (|v| (5.0..=86_400.0).contains(&v)) as fn(f32) -> bool,
                "5 to 86400 seconds",
                "600 is what it is when absent",
            ),
            (
                "trial.segment_ms",
                trial.segment_ms,
                |v| v > 0.0 && v <= 640.0,
                "above 0 and at most 640 ms",
                "a segment comes every 640 ms",
            ),
            ("trial.memory_mb", trial.memory_mb, megabytes, "above 0 MB", "leave it out if in doubt"),
            ("trial.resident_mb", trial.resident_mb, megabytes, "above 0 MB", "leave it out if in doubt"),
            (
                "trial.drift",
                trial.drift,
                |v| v > 0.0 && v <= 1.0,
                "above 0 and at most 1",
                "it is a share of segments; 1 lets every model pass",
            ),
        ] {
            problems.extend(number_problem(key, value, good, limits, remedy));
        }
    }
}

/// A number that is none of the good ones.
pub(super) fn number_problem(
    key: &str,
    value: Option<f32>,
    good: fn(f32) -> bool,
    limits: &str,
    remedy: &str,
) -> Option<Problem> {
    let value = value.filter(|value| !good(*value))?;
    Some(Problem::new(key, format!("is {value}, not {limits}"), remedy))
}

fn source_problem(key: String, source: &str) -> Option<Problem> {
    let known = || SCHEMES.map(|(_, example)| format!("`{example}`")).join(", ");
    let Some((scheme, rest)) = source.split_once("://") else {
        let remedy = if source.starts_with("/dev/") {
            format!("write `v4l://{source}` for a local camera")
        } else if source.starts_with('/') {
            format!("write `file://{source}` for a recording")
        } else {
            format!("write one of {}", known())
        };
        return Some(Problem::new(key, format!("is `{source}`, which is no URI"), remedy));
    };
    if scheme == "v4l" {
        return V4lUri::parse(source).err().map(|error| Problem::new(key, error.problem, error.remedy));
    }
    if !SCHEMES.iter().any(|(name, _)| *name == scheme) {
        return Some(Problem::new(
            key,
            format!("has the unknown scheme `{scheme}`"),
            format!("write one of {}", known()),
        ));
    }
    if matches!(scheme, "file" | "features") && !rest.starts_with('/') {
        return Some(Problem::new(
            key,
            format!("does not name an absolute path after `{scheme}://`"),
            format!("write three slashes: `{scheme}:///path`"),
        ));
    }
    if scheme == "features" {
        return RowsUri::parse(source).err().map(|error| Problem::new(key, error.problem, error.remedy));
    }
    if scheme == "rtsp" && rest.is_empty() {
        return Some(Problem::new(key, "names no host", "write `rtsp://host/stream`"));
    }
    None
}

pub(super) fn path_problem(key: &str, path: &str) -> Option<Problem> {
    if path.is_empty() || path.contains('\0') {
        return Some(Problem::new(key, "is not a path", "write the path of a file"));
    }
    None
}
