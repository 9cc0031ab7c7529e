//! What one camera saw last: pictures of the time before an alarm, and the segments of a window. Pure; bounded by time, bytes and number.

use std::collections::VecDeque;
use std::sync::Arc;

use super::picture::Picture;
use crate::features::Segment;
use crate::window::SEGMENTS;

/// The most bytes of pictures that are kept for one camera.
const BYTES_MAX: usize = 32 << 20;
/// An alarm is decided so long after its beginning, at most, that pictures of its pre-roll are still there.
const LATE_NS: u64 = 5_000_000_000;

/// A segment, its score and its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// Where it lies.
    pub segment: Segment,
    /// Its score.
    pub score: f32,
    /// Its features, `[D]`.
    pub row: Arc<[f32]>,
}

/// Pictures and segments, oldest first.
#[derive(Debug)]
pub struct Reel {
    keep_ns: u64,
    pictures: VecDeque<Picture>,
    bytes: usize,
    segments: VecDeque<Looked>,
}

impl Reel {
    /// An empty one, for pre-rolls of so many nanoseconds.
    pub fn new(pre_roll_ns: u64) -> Self {
        Self { keep_ns: pre_roll_ns + LATE_NS, pictures: VecDeque::new(), bytes: 0, segments: VecDeque::new() }
    }

    /// A picture, later than all before.
    pub fn see(&mut self, picture: Picture) {
        let from = picture.pts_ns.saturating_sub(self.keep_ns);
        self.bytes += picture.jpeg.len();
        self.pictures.push_back(picture);
        while self.pictures.front().is_some_and(|oldest| oldest.pts_ns < from || self.bytes > BYTES_MAX) {
            if let Some(oldest) = self.pictures.pop_front() {
                self.bytes -= oldest.jpeg.len();
            }
        }
    }

    /// A segment, behind all before.
    pub fn look(&mut self, looked: Looked) {
        if self.segments.len() == SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(looked);
    }

    /// What follows is not contiguous with what came before.
    pub fn clear(&mut self) {
        self.pictures.clear();
        self.bytes = 0;
        self.segments.clear();
    }

    /// Rows of another contract follow.
    pub fn clear_segments(&mut self) {
        self.segments.clear();
    }

    /// Pictures from a time on.
    pub fn pictures_from(&self, ns: u64) -> impl Iterator<Item = &Picture> {
        self.pictures.iter().filter(move |picture| picture.pts_ns >= ns)
    }

    /// The segments of the window.
    pub fn segments(&self) -> impl Iterator<Item = &Looked> {
        self.segments.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(ms: u64, bytes: usize) -> Picture {
        Picture { pts_ns: ms * 1_000_000, size: (1, 1), jpeg: vec![0; bytes].into() }
    }

    fn times(reel: &Reel, from_ms: u64) -> Vec<u64> {
        reel.pictures_from(from_ms * 1_000_000).map(|picture| picture.pts_ns / 1_000_000).collect()
    }

    #[test]
    fn pictures_are_kept_for_a_time() {
        let mut reel = Reel::new(1_000_000_000);
        (0..100).for_each(|n| reel.see(picture(n * 200, 10)));
        assert_eq!(times(&reel, 0).len(), 31, "of 6 s, first and last included");
        assert_eq!(times(&reel, 19_500), [19_600, 19_800]);
        reel.clear();
        assert_eq!((times(&reel, 0), reel.bytes), (vec![], 0));
    }

    #[test]
    fn large_pictures_cost_no_more_memory() {
        let mut reel = Reel::new(60_000_000_000);
        (0..100).for_each(|n| reel.see(picture(n, 1 << 20)));
        assert_eq!((reel.pictures.len(), reel.bytes), (32, 32 << 20));
    }

    #[test]
    fn segments_are_those_of_a_window() {
        let mut reel = Reel::new(0);
        for number in 0..100 {
            let segment = Segment { number, ..Segment::default() };
            reel.look(Looked { segment, score: 0.1, row: vec![number as f32].into() });
        }
        let numbers: Vec<_> = reel.segments().map(|looked| looked.segment.number).collect();
        assert_eq!(numbers, (36..100).collect::<Vec<_>>());
    }
}
