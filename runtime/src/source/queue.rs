//! Frames that wait for their reader: a live source puts frames and gaps in, its reader takes them out.
//!
//! A live source never waits: when [`QUEUE_FRAMES`] frames wait, the oldest makes room and is counted. Gaps are never
//! lost, and gaps that meet are one. Pixel buffers go round and round.

use std::collections::VecDeque;

use super::{Frame, FrameHeader};

/// Frames that may wait for their reader: those of a segment at 25/s, since its reader takes none while it looks at the
/// segment before. Fewer, and every clip would lack the frames of its first half on a board that needs half a segment's time for a
/// look. Memory is taken only for as many as have waited.
pub const QUEUE_FRAMES: usize = 16;

/// What waits.
pub enum Item {
    /// A frame.
    Frame(FrameHeader, Frame),
    /// Frames were lost here, and why.
    Gap(String),
}

/// Frames and gaps, oldest first.
#[derive(Default)]
pub struct FrameQueue {
    items: VecDeque<Item>,
    /// Buffers to be used again.
    free: Vec<Frame>,
    dropped: u64,
}

impl FrameQueue {
    /// Queue a frame; the oldest makes room.
    pub fn push_frame(&mut self, header: FrameHeader, frame: Frame) {
        let is_frame = |item: &Item| matches!(item, Item::Frame(..));
        if self.items.iter().filter(|item| is_frame(item)).count() >= QUEUE_FRAMES
            && let Some(oldest) = self.items.iter().position(is_frame)
        {
            if let Some(Item::Frame(_, frame)) = self.items.remove(oldest) {
                self.free.push(frame);
            }
            self.dropped += 1;
            // Two gaps that met are one.
            if oldest > 0 && matches!(self.items.get(oldest), Some(Item::Gap(_))) {
                self.items.remove(oldest - 1);
            }
        }
        self.items.push_back(Item::Frame(header, frame));
    }

    /// Queue a gap.
    pub fn push_gap(&mut self, reason: String) {
        if let Some(Item::Gap(last)) = self.items.back_mut() {
            *last = reason;
        } else {
            self.items.push_back(Item::Gap(reason));
        }
    }

    /// Take the oldest out.
    pub fn pop(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// A buffer to be filled.
    pub fn spare(&mut self) -> Frame {
        self.free.pop().unwrap_or_default()
    }

    /// A buffer that is no longer needed.
    pub fn give_back(&mut self, frame: Frame) {
        self.free.push(frame);
    }

    /// Count frames that were lost before they came here.
    pub fn lost(&mut self, frames: u64) {
        self.dropped += frames;
    }

    /// Frames that were dropped because their reader was slow.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut FrameQueue, number: u64) {
        let frame = queue.spare();
        queue.push_frame(FrameHeader { number, pts_ns: 0 }, frame);
    }

    fn numbers(queue: &FrameQueue) -> Vec<u64> {
        let number = |item: &Item| match item {
            Item::Frame(header, _) => header.number,
            Item::Gap(_) => 0,
        };
        queue.items.iter().map(number).collect()
    }

    #[test]
    fn a_full_queue_drops_the_oldest_frame_and_counts_it() {
        let mut queue = FrameQueue::default();
        let last = QUEUE_FRAMES as u64 + 3;
        for number in 1..=last {
            push(&mut queue, number);
        }
        assert_eq!((numbers(&queue), queue.dropped()), ((4..=last).collect(), 3));
        assert_eq!(queue.free.len(), 1, "buffers go round");
    }

    #[test]
    fn a_reader_that_takes_a_segments_time_for_the_one_before_misses_nothing() {
        let mut queue = FrameQueue::default();
        let mut seen = 0;
        for segment in 0..20 {
            // All frames of a segment come while its reader is busy.
            (1..=16).for_each(|n| push(&mut queue, segment * 16 + n));
            while let Some(item) = queue.pop() {
                let Item::Frame(_, frame) = item else { panic!("no frame is missing") };
                queue.give_back(frame);
                seen += 1;
            }
        }
        assert_eq!((seen, queue.dropped(), queue.free.len()), (320, 0, 16));
    }

    #[test]
    fn gaps_are_never_lost_and_never_pile_up() {
        let mut queue = FrameQueue::default();
        for number in 1..=50 {
            queue.push_gap("gone".into());
            queue.push_gap("gone again".into());
            push(&mut queue, number);
        }
        let expected: Vec<_> = (51 - QUEUE_FRAMES as u64..=50).flat_map(|number| [0, number]).collect();
        assert_eq!(numbers(&queue), expected);
    }
}
