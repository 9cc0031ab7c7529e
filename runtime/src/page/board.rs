//! What the cameras leave for the page. A camera's thread comes with each segment, its score, its clip and its row, and goes; the page
//! looks when it likes. Everything is bounded, and reused once it is full.
//!
//! A camera that finds the page looking tries again at once, a few times, and then leaves nothing of that segment: it never waits. What is left
//! out is counted, and is missing in a picture; alarms and counters are told on other ways.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use firmware_config::FeatureContract;

use super::frames::Latest;
use crate::features::Segment;
use crate::pipeline::Pipeline;
use crate::pipeline::watch::lock;

/// Scores that are kept of a camera: eleven minutes.
pub const POINTS_MAX: usize = 1024;
/// Thumbnails that are kept of a camera: ten seconds, for the book to take those of an alarm.
pub const THUMBS_MAX: usize = 16;
/// Feature rows that are kept of a camera: a window.
pub const ROWS_MAX: usize = 64;
/// Upper ends of the classes in which the time that a segment takes is counted, seconds.
pub const BUCKETS_S: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.64, 1.28];
/// How often a camera tries.
const TRIES: usize = 3;

/// A segment and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// 0-based number since the camera was started.
    pub number: u64,
    /// When it was scored, by the device's clock.
    pub at: Duration,
    /// Start in the camera's stream, seconds.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
    /// Its score, 0..=1.
    pub score: f32,
    /// Nobody looked at it.
    pub held: bool,
}

/// A small picture of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thumb {
    /// The segment's number.
    pub number: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `[height, width, 3]` RGB.
    pub rgb: Vec<u8>,
}

/// How long segments took, from clip to score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histogram {
    /// How many took at most as long as [`BUCKETS_S`], and more than the one before.
    pub counts: [u64; BUCKETS_S.len()],
    /// How many there were, longer ones among them.
    pub count: u64,
    /// All their times together, seconds.
    pub sum_s: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.sum_s += seconds;
        if let Some(class) = BUCKETS_S.iter().position(|&end| seconds <= end) {
            self.counts[class] += 1;
        }
    }
}

/// What one camera has left.
#[derive(Default)]
pub struct Panel {
    /// The last segments, oldest first.
    pub points: VecDeque<Point>,
    /// Segments since the start.
    pub count: u64,
    /// Those of them before the camera was started last.
    life: u64,
    /// The last thumbnails, oldest first.
    pub thumbs: VecDeque<Thumb>,
    /// Numbers and feature rows of the last segments, oldest first.
    pub rows: VecDeque<(u64, Vec<f32>)>,
    /// How they were made; of recorded rows, only the model knows.
    pub contract: Option<FeatureContract>,
    /// The alarm threshold.
    pub threshold: Option<f32>,
    /// Whether an alarm is on.
    pub alarm: bool,
    /// What computes.
    pub engine: String,
    /// How long segments took.
    pub took: Histogram,
    /// The last of them that was looked at.
    pub last_took: Duration,
}

impl Panel {
    /// Take in a segment: its clip's last frame `(rgb, width, height)`, if it has one, and its row.
    pub fn add(&mut self, point: Point, picture: Option<(&[u8], u32, u32)>, row: &[f32]) {
        if self.points.back().is_some_and(|last| last.number >= point.number) {
            // The camera has started anew, and so have its numbers.
            self.life = self.count;
            self.thumbs.clear();
            self.rows.clear();
        }
        self.count += 1;
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(point);
        if let Some((rgb, width, height)) = picture {
            let mut thumb = recycled(&mut self.thumbs, THUMBS_MAX);
            (thumb.number, thumb.width, thumb.height) = (point.number, width, height);
            thumb.rgb.clear();
            thumb.rgb.extend_from_slice(rgb);
            self.thumbs.push_back(thumb);
        }
        let (_, mut kept) = recycled(&mut self.rows, ROWS_MAX);
        kept.clear();
        kept.extend_from_slice(row);
        self.rows.push_back((point.number, kept));
    }

    /// How rows are made from now on. Those that another extractor made say other things, and go.
    pub fn made(&mut self, contract: &FeatureContract) {
        if self.contract.as_ref() != Some(contract) {
            self.rows.clear();
            self.contract = Some(contract.clone());
        }
    }

    /// The points since the camera was started last: no two have the same number.
    pub fn present(&self) -> impl Iterator<Item = &Point> {
        self.since(self.life)
    }

    /// The points after the first `seen` of all there were.
    pub fn since(&self, seen: u64) -> impl Iterator<Item = &Point> {
        let fresh = self.count.saturating_sub(seen).min(self.points.len() as u64) as usize;
        self.points.iter().skip(self.points.len() - fresh)
    }
}

/// The oldest once there are `most`, to be filled anew.
fn recycled<T: Default>(ring: &mut VecDeque<T>, most: usize) -> T {
    if ring.len() < most { T::default() } else { ring.pop_front().unwrap_or_default() }
}

/// One camera's place.
#[derive(Default)]
struct Place {
    panel: Mutex<Panel>,
    frames: Arc<Latest>,
    missed: AtomicU64,
}

/// A place for each camera.
pub struct Board(Vec<Place>);

impl Board {
    /// For `cameras` cameras.
    pub fn new(cameras: usize) -> Self {
        Self((0..cameras).map(|_| Place::default()).collect())
    }

    /// Camera number `camera` has scored `segment` at `now`.
    pub fn segment(&self, camera: usize, now: Duration, pipeline: &Pipeline, segment: &Segment, score: f32) {
        let Some(place) = self.0.get(camera) else { return };
        let Some(mut panel) = place.try_panel() else {
            place.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let point = Point {
            number: segment.number,
            at: now,
            start_s: segment.start_ns as f64 / 1e9,
            end_s: segment.end_ns as f64 / 1e9,
            score,
            held: segment.held,
        };
        let feed = pipeline.feed();
        let picture = feed.clip().and_then(|(clip, contract)| {
            let input = contract.input.as_ref()?;
            let bytes = (input.width * input.height * 3) as usize;
            Some((clip.pixels.rchunks_exact(bytes.max(1)).next()?, input.width, input.height))
        });
        if let Some((_, contract)) = feed.clip() {
            panel.made(contract);
        }
        panel.add(point, picture, pipeline.row());
        panel.threshold = Some(pipeline.alarm().rule().threshold);
        panel.alarm = pipeline.alarm().is_on();
        if !segment.held {
            panel.last_took = pipeline.took();
            let seconds = panel.last_took.as_secs_f64();
            panel.took.add(seconds);
        }
        // An engine may give way to a faster one.
        if panel.count % ROWS_MAX as u64 == 1 {
            panel.engine = feed.engine().unwrap_or_default();
        }
    }

    /// What camera number `camera` has left. Held for a moment only: the camera passes by meanwhile.
    pub fn panel(&self, camera: usize) -> Option<MutexGuard<'_, Panel>> {
        self.0.get(camera).map(|place| lock(&place.panel))
    }

    /// The newest frame of camera number `camera`.
    pub fn frames(&self, camera: usize) -> Option<&Arc<Latest>> {
        self.0.get(camera).map(|place| &place.frames)
    }

    /// Segments of which camera number `camera` left nothing.
    pub fn missed(&self, camera: usize) -> u64 {
        self.0.get(camera).map_or(0, |place| place.missed.load(Ordering::Relaxed))
    }
}

impl Place {
    fn try_panel(&self) -> Option<MutexGuard<'_, Panel>> {
        for _ in 0..TRIES {
            match self.panel.try_lock() {
                Ok(panel) => return Some(panel),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(number: u64) -> Point {
        Point { number, at: Duration::from_millis(640 * number), start_s: 0.0, end_s: 0.64, score: 0.5, held: false }
    }

    #[test]
    fn rings_keep_the_newest_and_use_their_memory_again() {
        let mut panel = Panel::default();
        let mut first_row = std::ptr::null();
        for number in 0..2000 {
            let rgb = [number as u8; 12];
            panel.add(point(number), Some((&rgb, 2, 2)), &[number as f32; 4]);
            if number == 0 {
                first_row = panel.rows[0].1.as_ptr();
            }
        }
        assert_eq!((panel.points.len(), panel.thumbs.len(), panel.rows.len()), (POINTS_MAX, THUMBS_MAX, ROWS_MAX));
        assert_eq!((panel.points[0].number, panel.points[POINTS_MAX - 1].number), (2000 - POINTS_MAX as u64, 1999));
        assert_eq!(
            panel.thumbs[THUMBS_MAX - 1],
            Thumb { number: 1999, width: 2, height: 2, rgb: vec![1999u64 as u8; 12] }
        );
        assert!(panel.rows.iter().any(|(_, row)| row.as_ptr() == first_row), "nothing was allocated anew");
        assert_eq!(panel.rows[0], (2000 - ROWS_MAX as u64, vec![(2000 - ROWS_MAX) as f32; 4]));
    }

    #[test]
    fn a_camera_that_starts_anew_begins_with_new_numbers() {
        let mut panel = Panel::default();
        [0, 1, 2, 3, 0, 1].into_iter().for_each(|number| panel.add(point(number), None, &[0.0]));
        assert_eq!(panel.present().map(|point| point.number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((panel.count, panel.points.len(), panel.rows.len()), (6, 6, 2));
    }

    #[test]
    fn rows_of_two_extractors_never_meet() {
        let mut panel = Panel::default();
        let contract = |name: &str| FeatureContract { name: name.into(), ..FeatureContract::external(1) };
        for (number, name) in ["a", "a", "b", "b", "b"].into_iter().enumerate() {
            panel.made(&contract(name));
            panel.add(point(number as u64), None, &[0.0]);
        }
        assert_eq!((panel.rows.len(), panel.rows[0].0, panel.contract), (3, 2, Some(contract("b"))));
    }

    #[test]
    fn what_is_new_is_told_once() {
        let mut panel = Panel::default();
        (0..3).for_each(|number| panel.add(point(number), None, &[]));
        let numbers = |seen| panel.since(seen).map(|point| point.number).collect::<Vec<_>>();
        assert_eq!((numbers(0), numbers(2), numbers(3), numbers(9)), (vec![0, 1, 2], vec![2], vec![], vec![]));
    }

    #[test]
    fn times_are_counted_in_classes() {
        let mut took = Histogram::default();
        [0.005, 0.01, 0.12, 3.0].into_iter().for_each(|seconds| took.add(seconds));
        assert_eq!((took.counts[0], took.counts[4], took.counts.iter().sum::<u64>(), took.count), (2, 1, 3, 4));
        assert!((took.sum_s - 3.135).abs() < 1e-9);
    }

    #[test]
    fn a_camera_does_not_wait_for_the_page() {
        let board = Board::new(1);
        let looking = board.panel(0).unwrap();
        assert!(board.0[0].try_panel().is_none());
        drop(looking);
        assert!(board.0[0].try_panel().is_some());
    }
}
