//! What was seen of a part → checks. Pure.
//!
//! Flat is judged by quarters of the time: the median of the last one against that of the second, since in the first the firmware
//! still fills rings and takes the memory that it keeps.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::hook::Heard;
use super::watched::{Metrics, Sample};

/// What memory may grow by: a share of what it was, and kB. A leak of 100 bytes a segment would be 54 MB in a day of four cameras.
const MEMORY_SHARE: f64 = 0.05;
const MEMORY_KB: f64 = 2048.0;
/// What descriptors and threads may grow by: connections of the moment, and who serves them.
const COUNT_MORE: f64 = 3.0;
/// The most that the outbox's file may have while its receiver takes everything.
const OUTBOX_BYTES: u64 = 1 << 20;
/// The recorder looks at its room after as many bytes of each clip.
const ROOM_BYTES: u64 = 4 << 20;
/// How a camera's silence is told.
const SILENCE: &str = "no frame for more than";
/// What must be zero for every camera.
const ZERO: [&str; 5] = [
    "tadpole_gaps_total",
    "tadpole_frames_dropped_total",
    "tadpole_segments_held_total",
    "tadpole_scores_not_finite_total",
    "tadpole_errors_total",
];

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What it was.
    pub seen: String,
    /// What it should be.
    pub wanted: String,
    /// Whether it is.
    pub holds: bool,
}

/// What a journal tells.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Alarms by camera and phase.
    phases: HashMap<(String, String), u64>,
    /// Reasons of degraded health, and failures.
    illnesses: Vec<String>,
}

impl Journal {
    /// Read it.
    pub fn read(text: &str) -> Result<Self> {
        let mut journal = Self::default();
        // A live camera whose road has ended is silent, which is its last event; one that was silent in between has others behind it.
        let mut silent: HashMap<String, String> = HashMap::new();
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).with_context(|| format!("the journal holds `{line}`"))?;
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            match word("event").as_str() {
                "alarm" => *journal.phases.entry((word("camera"), word("phase"))).or_default() += 1,
                "fault" => journal.illnesses.push(format!("{}: {}", word("camera"), word("reason"))),
                "health" => {
                    journal.illnesses.extend(silent.remove(&word("camera")));
                    let illness = format!("{}: {}", word("camera"), word("reason"));
                    match word("state").as_str() {
                        "degraded" if word("reason").starts_with(SILENCE) => _ = silent.insert(word("camera"), illness),
                        "degraded" => journal.illnesses.push(illness),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok(journal)
    }

    fn of(&self, camera: &str, phase: &str) -> u64 {
        self.phases.get(&(camera.to_owned(), phase.to_owned())).copied().unwrap_or_default()
    }

    /// Alarms of all cameras.
    fn alarms(&self) -> u64 {
        self.phases.iter().filter(|((_, phase), _)| phase == "started").map(|(_, count)| count).sum()
    }
}

/// A part that is over.
pub struct Ended<'a> {
    /// The cameras' names.
    pub cameras: &'a [String],
    /// Segments of each.
    pub segments: u64,
    /// What was seen, in order.
    pub samples: &'a [Sample],
    /// What the web server was sent.
    pub heard: Heard,
    /// What the journal holds.
    pub journal: Journal,
    /// The number of the newest alarm in the recorder's folder.
    pub clips: Option<u64>,
    /// What the recorder may use.
    pub quota_bytes: Option<u64>,
    /// How the firmware ended.
    pub code: Option<i32>,
}

impl Ended<'_> {
    /// All checks.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            self.flat("resident memory, kB", MEMORY_SHARE, MEMORY_KB, |sample| sample.resident_kb),
            self.flat("descriptors", 0.0, COUNT_MORE, |sample| sample.descriptors),
            self.flat("threads", 0.0, COUNT_MORE, |sample| sample.threads),
        ];
        let nothing = Metrics::default();
        let last = self.samples.last().map_or(&nothing, |sample| &sample.metrics);
        for camera in self.cameras {
            self.camera(camera, last, &mut checks);
        }
        let ids = self.heard.ids.len() as u64;
        checks.push(same("messages to the web server, by their ids", self.heard.messages, ids));
        checks.push(Check {
            what: "degraded health and failures".into(),
            seen: match self.journal.illnesses.as_slice() {
                [] => "none".into(),
                [first, rest @ ..] => format!("{first}; {} more", rest.len()),
            },
            wanted: "none".into(),
            holds: self.journal.illnesses.is_empty(),
        });
        let outbox = self.samples.iter().map(|sample| sample.outbox_bytes).max().unwrap_or_default();
        checks.push(most("outbox at its largest, bytes", outbox, OUTBOX_BYTES));
        if let Some(quota) = self.quota_bytes {
            self.clips(quota, &mut checks);
        }
        let code = self.code.map_or("none in time".into(), |code| code.to_string());
        checks.push(Check { what: "exit code".into(), holds: code == "0", seen: code, wanted: "0".into() });
        checks
    }

    fn camera(&self, camera: &str, last: &Metrics, checks: &mut Vec<Check>) {
        let counted = |family: &str| last.of(family, camera) as u64;
        let scored = counted("tadpole_segments_scored_total");
        checks.push(same(&format!("{camera}: segments scored"), scored, self.segments));
        let zero: Vec<_> =
            ZERO.into_iter().map(|family| (family, counted(family))).filter(|(_, count)| *count > 0).collect();
        let seen: Vec<_> = zero.iter().map(|(family, count)| format!("{family} {count}")).collect();
        checks.push(Check {
            what: format!("{camera}: gaps, drops, segments not looked at, scores that are none, errors"),
            seen: if seen.is_empty() { "0".into() } else { seen.join(", ") },
            wanted: "0".into(),
            holds: zero.is_empty(),
        });
        let timed = counted("tadpole_segment_duration_seconds_count");
        let missed = counted("tadpole_page_segments_missed_total");
        checks.push(same(
            &format!("{camera}: segments timed ({timed}) or missed by the page ({missed})"),
            timed + missed,
            scored,
        ));
        let alarms = counted("tadpole_alarms_total");
        let told = [
            self.journal.of(camera, "started"),
            self.journal.of(camera, "ended"),
            self.heard.of(camera, "started"),
            self.heard.of(camera, "ended"),
        ];
        checks.push(Check {
            what: format!("{camera}: alarms begun and ended by the journal, begun and ended at the web server"),
            seen: told.map(|count| count.to_string()).join(", "),
            wanted: format!("{alarms} each"),
            holds: told.iter().all(|count| *count == alarms),
        });
    }

    /// The recorder's folder.
    fn clips(&self, quota: u64, checks: &mut Vec<Check>) {
        // Each clip that is being written may be ahead of the last look.
        let over = |sample: &Sample| sample.clips_bytes.saturating_sub(sample.films * ROOM_BYTES);
        let largest = self.samples.iter().map(over).max().unwrap_or_default();
        checks.push(most(
            "recorder's folder at its largest, bytes, but 4 MiB for each clip being written",
            largest,
            quota,
        ));
        checks.push(same("alarms that the recorder counted", self.clips.unwrap_or_default(), self.journal.alarms()));
        // Else the quota was never tried.
        let full = largest > quota / 2;
        checks.push(Check {
            what: "enough was recorded to say something of the quota".into(),
            seen: format!("{largest} bytes"),
            wanted: format!("more than {}", quota / 2),
            holds: full,
        });
    }

    fn flat(&self, what: &str, share: f64, more: f64, of: impl Fn(&Sample) -> u64) -> Check {
        let values: Vec<_> = self.samples.iter().map(|sample| of(sample) as f64).collect();
        let quarter = values.len() / 4;
        let (first, second, last) = (
            median(&values[..quarter]),
            median(&values[quarter..2 * quarter]),
            median(&values[values.len() - quarter..]),
        );
        let most = second * (1.0 + share) + more;
        let highest = values.iter().copied().fold(0.0, f64::max);
        Check {
            what: format!("{what}: median of the first, second, last quarter; highest"),
            seen: format!("{first:.0}, {second:.0}, {last:.0}; {highest:.0}"),
            wanted: format!("last at most {most:.0}"),
            // With fewer samples there are no quarters.
            holds: quarter > 0 && last <= most,
        }
    }
}

fn same(what: &str, seen: u64, wanted: u64) -> Check {
    Check { what: what.into(), seen: seen.to_string(), wanted: wanted.to_string(), holds: seen == wanted }
}

fn most(what: &str, seen: u64, most: u64) -> Check {
    Check { what: what.into(), seen: seen.to_string(), wanted: format!("at most {most}"), holds: seen <= most }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JOURNAL: &str = "{\"event\":\"alarm\",\"phase\":\"started\",\"camera\":\"a\"}\n{\"event\":\"health\",\"camera\":\"a\",\"state\":\"ok\"}\n\
        {\"event\":\"alarm\",\"phase\":\"ended\",\"camera\":\"a\"}\n";

    /// A good day of one camera with one alarm.
    fn samples() -> Vec<Sample> {
        let metrics = "tadpole_segments_scored_total{camera=\"a\"} 10\ntadpole_alarms_total{camera=\"a\"} 1\n\
            tadpole_segment_duration_seconds_count{camera=\"a\"} 9\ntadpole_page_segments_missed_total{camera=\"a\"} 1\n";
        let sample = Sample {
            resident_kb: 60_000,
            descriptors: 20,
            threads: 12,
            outbox_bytes: 1000,
            clips_bytes: 900,
            films: 0,
            metrics: Metrics::read(metrics),
        };
        vec![sample; 40]
    }

    fn failed(samples: &[Sample], journal: &str, ids: [&str; 2], clips: u64) -> Vec<String> {
        let mut heard = Heard::default();
        for (id, phase) in ids.iter().zip(["started", "ended"]) {
            heard.take(&json!({ "event_id": id, "camera": "a", "phase": phase }));
        }
        let ended = Ended {
            cameras: &["a".to_owned()],
            segments: 10,
            samples,
            heard,
            journal: Journal::read(journal).unwrap(),
            clips: Some(clips),
            quota_bytes: Some(1000),
            code: Some(0),
        };
        ended.checks().into_iter().filter(|check| !check.holds).map(|check| check.what).collect()
    }

    #[test]
    fn a_good_day_fails_nothing_and_each_fault_is_seen() {
        let good = samples();
        assert_eq!(failed(&good, JOURNAL, ["1", "2"], 1), Vec::<String>::new());
        let one =
            |failed: Vec<String>, part: &str| assert!(failed.len() == 1 && failed[0].contains(part), "{failed:?}");
        one(failed(&good, JOURNAL, ["1", "1"], 1), "ids");
        one(failed(&good, JOURNAL, ["1", "2"], 2), "recorder counted");
        one(failed(&good, &(JOURNAL.to_owned() + "{\"event\":\"fault\"}\n"), ["1", "2"], 1), "failures");
        one(failed(&good, "", ["1", "2"], 0), "begun and ended");
        let changed = |change: &dyn Fn(usize, &mut Sample)| {
            let mut samples = samples();
            samples.iter_mut().enumerate().for_each(|(n, sample)| change(n, sample));
            failed(&samples, JOURNAL, ["1", "2"], 1)
        };
        one(changed(&|n, sample| sample.resident_kb += 300 * n as u64), "resident");
        one(changed(&|n, sample| sample.descriptors += n as u64), "descriptors");
        one(changed(&|n, sample| sample.outbox_bytes += n as u64 * 100_000), "outbox");
        one(changed(&|n, sample| sample.clips_bytes += u64::from(n == 20) * 200), "largest");
        one(changed(&|_, sample| sample.clips_bytes = 100), "enough");
        // The first quarter may grow.
        assert_eq!(changed(&|n, sample| sample.resident_kb -= 30_000 * u64::from(n < 10)), Vec::<String>::new());
    }

    #[test]
    fn silence_is_an_illness_unless_it_lasts_to_the_end() {
        let line = |camera: &str, state: &str, reason: &str| {
            json!({ "event": "health", "camera": camera, "state": state, "reason": reason }).to_string() + "\n"
        };
        let silent = |camera| line(camera, "degraded", "no frame for more than 2 s");
        let read = |text: String| Journal::read(&text).unwrap().illnesses.len();
        assert_eq!(read(silent("a") + &silent("b")), 0);
        assert_eq!(read(silent("a") + &line("a", "ok", "") + &silent("a")), 1);
        assert_eq!(read(silent("a") + &line("a", "degraded", "journal: full")), 2);
    }

    #[test]
    fn a_segment_that_is_missing_or_held_is_seen() {
        let mut samples = samples();
        let metrics = "tadpole_segments_scored_total{camera=\"a\"} 9\ntadpole_segments_held_total{camera=\"a\"} 1\n\
            tadpole_alarms_total{camera=\"a\"} 1\ntadpole_segment_duration_seconds_count{camera=\"a\"} 9\n";
        samples[39].metrics = Metrics::read(metrics);
        let failed = failed(&samples, JOURNAL, ["1", "2"], 1);
        assert!(failed.len() == 2 && failed[0].contains("scored") && failed[1].contains("not looked at"), "{failed:?}");
    }
}
