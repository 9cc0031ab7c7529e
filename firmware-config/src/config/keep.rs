//! What a device keeps on its disk for later: events until they are delivered, `[outbox]`, and what an alarm looked like,
//! `[recorder]`. Which settings can be.

use serde::Deserialize;

use super::Problem;
use super::check::{number_problem, path_problem};

/// Events that wait for a broker or a webhook to be there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// Path of the folder that they are kept in.
    pub path: String,
    /// The most that wait; then the oldest is dropped, and counted.
    #[serde(default = "events_max")]
    pub events_max: u32,
}

/// What is kept of an alarm: the pictures around it, scores and features.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorder {
    /// Path of the folder.
    pub path: String,
    /// What is kept from before an alarm, in seconds; 0 to 60.
    #[serde(default = "roll_s")]
    pub pre_roll_s: f32,
    /// What is kept from after its end, in seconds; 0 to 60.
    #[serde(default = "roll_s")]
    pub post_roll_s: f32,
    /// The most that the folder may hold, in megabytes of 10^6 bytes; then the oldest goes.
    #[serde(default = "quota_mb")]
    pub quota_mb: u32,
    /// What is older goes, in days.
    #[serde(default = "max_age_days")]
    pub max_age_days: u32,
    /// What stays free on the disk for others, in megabytes: with less, nothing is recorded.
    #[serde(default = "free_mb")]
    pub free_mb: u32,
}

impl Outbox {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        problems.extend(path_problem("outbox.path", &self.path));
        if !(16..=1_000_000).contains(&self.events_max) {
            let problem = format!("is {}, not 16 to 1000000", self.events_max);
            problems.push(Problem::new("outbox.events_max", problem, "leave it out for 10000"));
        }
    }
}

impl Recorder {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        problems.extend(path_problem("recorder.path", &self.path));
        let roll = |v: f32| (0.0..=60.0).contains(&v);
        for (key, value) in [("recorder.pre_roll_s", self.pre_roll_s), ("recorder.post_roll_s", self.post_roll_s)] {
            problems.extend(number_problem(key, Some(value), roll, "0 to 60 seconds", "leave it out for 10"));
        }
        for (key, value, least, most, remedy) in [
            ("recorder.quota_mb", self.quota_mb, 10, 100_000_000, "leave it out for 2000"),
            ("recorder.max_age_days", self.max_age_days, 1, 36_500, "leave it out for 30"),
            ("recorder.free_mb", self.free_mb, 0, 100_000_000, "leave it out for 500"),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(Problem::new(key, format!("is {value}, not {least} to {most}"), remedy));
            }
        }
    }
}

fn events_max() -> u32 {
    10_000
}

fn roll_s() -> f32 {
    10.0
}

fn quota_mb() -> u32 {
    2_000
}

fn max_age_days() -> u32 {
    30
}

fn free_mb() -> u32 {
    500
}
