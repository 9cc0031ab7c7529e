//! The alarms as people see them: events, the segments that raised each, and what people say of it. Pure: events and times come in. Bounded:
//! the oldest go when there are [`ALARMS_MAX`]. A start of the firmware begins a new book; the journal remembers.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use firmware_config::FeatureContract;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::board::Point;
use crate::output::{AlarmEvent, Phase};

/// Alarms that are remembered.
pub const ALARMS_MAX: usize = 64;
/// Segments of a contact sheet before the one that raised the alarm.
const BEFORE: u64 = 6;
/// And after it.
const AFTER: u64 = 5;
/// Feature rows are taken when the alarm is over, or after so many segments: the window then still holds what raised it.
const ROWS_AFTER: u64 = 40;

/// What people say of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Something was there.
    True,
    /// Nothing was.
    False,
}

/// A segment of a contact sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The segment.
    pub point: Point,
    /// What it looked like, JPEG.
    pub jpeg: Option<Vec<u8>>,
}

/// Feature rows around an alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Number of the first row's segment.
    pub first: u64,
    /// Width of a row.
    pub width: usize,
    /// `[T, width]`.
    pub values: Vec<f32>,
    /// How they were made.
    pub contract: Option<FeatureContract>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What requests call it.
    pub key: u64,
    /// What outputs were told last.
    pub event: AlarmEvent,
    /// Number of the segment that raised it.
    pub raised: u64,
    /// When it began, by the device's clock.
    pub at: Duration,
    /// When it was over, if it is.
    pub ended: Option<Duration>,
    /// No camera's: somebody tried the relay.
    pub test: bool,
    /// The model that raised it.
    pub model: String,
    /// The threshold that it passed.
    pub threshold: Option<f32>,
    /// The segments that raised it, in their order.
    pub cells: Vec<Cell>,
    /// Features around it, once they are taken.
    pub rows: Option<Rows>,
    /// What people say.
    pub mark: Option<Mark>,
    version: u64,
}

impl Alarm {
    /// As requests are answered.
    pub fn json(&self) -> Value {
        let AlarmEvent { camera, id, start_s, end_s, first_frame, last_frame, peak, .. } = &self.event;
        json!({
            "key": self.key.to_string(), "camera": camera, "id": id, "at_s": self.at.as_secs_f64(),
            "ended_at_s": self.ended.map(|at| at.as_secs_f64()), "start_s": start_s, "end_s": end_s,
            "first_frame": first_frame, "last_frame": last_frame, "peak": peak, "mark": self.mark, "test": self.test,
            "segments": self.cells.len(),
        })
    }

    /// The segments whose pictures belong to it and are not there yet; none when all are.
    fn wants(&self) -> Option<RangeInclusive<u64>> {
        let last = self.cells.last().map(|cell| cell.point.number);
        let until = self.raised + AFTER;
        let until = if self.ended.is_some() { until.min(self.event.segment) } else { until };
        let from = last.map_or(self.raised.saturating_sub(BEFORE), |last| last + 1);
        (!self.test && from <= until).then_some(from..=until)
    }
}

/// The alarms since the start, oldest first.
#[derive(Default)]
pub struct Book {
    alarms: VecDeque<Alarm>,
    last_key: u64,
    version: u64,
}

/// What is still to be had of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whose.
    pub key: u64,
    /// The camera's name.
    pub camera: String,
    /// Segments for the contact sheet.
    pub cells: Option<RangeInclusive<u64>>,
    /// Rows, as soon as this segment has been.
    pub rows_at: Option<u64>,
}

impl Book {
    /// An alarm began or ended at `at`, while `model` decided by `threshold`. `test`: it is no camera's.
    pub fn alarm(&mut self, event: &AlarmEvent, at: Duration, test: bool, model: &str, threshold: Option<f32>) {
        self.version += 1;
        let same = |alarm: &&mut Alarm| {
            alarm.ended.is_none() && alarm.event.camera == event.camera && alarm.event.id == event.id
        };
        if event.phase == Phase::Ended {
            // One that is not known began before the book did.
            if let Some(alarm) = self.alarms.iter_mut().rev().find(same) {
                alarm.event = event.clone();
                alarm.ended = Some(at);
                alarm.version = self.version;
            }
            return;
        }
        if self.alarms.len() == ALARMS_MAX {
            self.alarms.pop_front();
        }
        self.last_key += 1;
        self.alarms.push_back(Alarm {
            key: self.last_key,
            event: event.clone(),
            raised: event.segment,
            at,
            ended: None,
            test,
            model: model.to_owned(),
            threshold,
            cells: Vec::new(),
            rows: None,
            mark: None,
            version: self.version,
        });
    }

    /// What is still to be had of cameras.
    pub fn wishes(&self) -> Vec<Wish> {
        let wish = |alarm: &Alarm| {
            let cells = alarm.wants();
            let until = alarm.raised + ROWS_AFTER;
            let rows_at = if alarm.ended.is_some() { until.min(alarm.event.segment) } else { until };
            let rows_at = (!alarm.test && alarm.rows.is_none()).then_some(rows_at);
            let camera = alarm.event.camera.clone();
            (cells.is_some() || rows_at.is_some()).then_some(Wish { key: alarm.key, camera, cells, rows_at })
        };
        self.alarms.iter().filter_map(wish).collect()
    }

    /// Segments of an alarm's contact sheet have come, and its rows.
    pub fn fill(&mut self, key: u64, cells: Vec<Cell>, rows: Option<Rows>) {
        self.version += 1;
        let version = self.version;
        let Some(alarm) = self.get_mut(key) else { return };
        let highest = cells.iter().map(|cell| cell.point.score).fold(alarm.event.peak, f32::max);
        alarm.event.peak = highest;
        if !cells.is_empty() {
            alarm.version = version;
        }
        alarm.cells.extend(cells);
        alarm.rows = rows.or_else(|| alarm.rows.take());
    }

    /// Somebody says what an alarm was.
    pub fn mark(&mut self, key: u64, mark: Option<Mark>) {
        self.version += 1;
        let version = self.version;
        if let Some(alarm) = self.get_mut(key) {
            (alarm.mark, alarm.version) = (mark, version);
        }
    }

    /// An alarm.
    pub fn get(&self, key: u64) -> Option<&Alarm> {
        self.alarms.iter().find(|alarm| alarm.key == key)
    }

    /// All of them, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Alarm> {
        self.alarms.iter()
    }

    /// Those that have changed since the book was at `version`.
    pub fn since(&self, version: u64) -> impl Iterator<Item = &Alarm> {
        self.alarms.iter().filter(move |alarm| alarm.version > version)
    }

    /// Where the book is now.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn get_mut(&mut self, key: u64) -> Option<&mut Alarm> {
        self.alarms.iter_mut().find(|alarm| alarm.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::event::tests::{ended, started};

    const S: Duration = Duration::from_secs(1);

    fn cell(number: u64, score: f32) -> Cell {
        let point = Point { number, at: S, start_s: 0.0, end_s: 0.64, score, held: false };
        Cell { point, jpeg: None }
    }

    #[test]
    fn an_alarm_gets_the_segments_around_what_raised_it() {
        let mut book = Book::default();
        book.alarm(&started("a", 1), S, false, "m", Some(0.5));
        assert_eq!(book.wishes()[0].cells, Some(14..=25));
        assert_eq!(book.wishes()[0].rows_at, Some(60));
        book.fill(1, (14..=20).map(|number| cell(number, 0.9)).collect(), None);
        assert_eq!(book.wishes()[0].cells, Some(21..=25));
        book.alarm(&AlarmEvent { segment: 22, ..ended("a", 1) }, 2 * S, false, "m", None);
        assert_eq!(book.wishes()[0], Wish { key: 1, camera: "a".into(), cells: Some(21..=22), rows_at: Some(22) });
        book.fill(1, vec![cell(21, 0.4), cell(22, 0.1)], Some(Rows::default()));
        assert_eq!(book.wishes(), []);
        let told = book.get(1).unwrap().json();
        assert_eq!((&told["segments"], &told["ended_at_s"], &told["key"]), (&9.into(), &2.0.into(), &"1".into()));
    }

    #[test]
    fn a_test_has_no_segments_and_what_nobody_saw_begin_is_no_alarm() {
        let mut book = Book::default();
        book.alarm(&ended("a", 7), S, false, "m", None);
        book.alarm(&started("test page", 1), S, true, "m", None);
        assert_eq!((book.wishes(), book.all().count()), (vec![], 1));
    }

    #[test]
    fn changes_are_told_and_the_oldest_go() {
        let mut book = Book::default();
        book.alarm(&started("a", 1), S, false, "m", None);
        let version = book.version();
        book.alarm(&started("b", 1), S, false, "m", None);
        assert_eq!(book.since(version).map(|alarm| alarm.key).collect::<Vec<_>>(), [2]);
        book.mark(1, Some(Mark::False));
        assert_eq!(book.since(version).count(), 2);
        assert_eq!(book.get(1).unwrap().json()["mark"], "false");
        (0..ALARMS_MAX as u64).for_each(|id| book.alarm(&started("c", id), S, false, "m", None));
        assert!(book.get(2).is_none() && book.all().count() == ALARMS_MAX);
    }
}
