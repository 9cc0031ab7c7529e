//! The camera's end of the recorder: a [`Filter`] that hands on what a source gives, and shows the recorder some of it. The camera's thread
//! copies a frame into a used buffer and goes on: when the recorder is behind, the frame is dropped and counted.

use std::sync::atomic::Ordering;

use super::take::RATE_HZ;
use super::{Note, Recorder};
use crate::Result;
use crate::source::filter::Filter;
use crate::source::{Advance, Frame, Source};

/// Frames of one camera that may wait for the recorder.
const WAITING_MAX: usize = 12;
/// From one frame that is shown to the next, in nanoseconds; a bit less than a picture's time, since cameras are not exact.
const EVERY_NS: u64 = 900_000_000 / RATE_HZ as u64;

/// What the recorder looks at a source with.
pub struct Eye {
    recorder: Recorder,
    camera: usize,
    /// The frame that was shown, until it is read.
    frame: Frame,
    fetched: bool,
    /// When the next frame is to be shown.
    due_ns: u64,
}

impl Eye {
    /// Let `recorder` look at camera number `camera`.
    pub(super) fn new(recorder: Recorder, camera: usize) -> Self {
        // Another source than before: its times begin anew.
        recorder.send(Note::Gap { camera });
        Self { recorder, camera, frame: Frame::default(), fetched: false, due_ns: 0 }
    }

    fn show(&self, pts_ns: u64) {
        let shared = &self.recorder.shared;
        let waiting = &shared.cameras[self.camera].waiting;
        if waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            shared.drop_one();
            return;
        }
        let mut copy = shared.spare();
        copy_into(&self.frame, &mut copy);
        waiting.fetch_add(1, Ordering::Relaxed);
        if !self.recorder.send(Note::Frame { camera: self.camera, pts_ns, frame: copy }) {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Copy a frame, and take no memory where there is enough.
fn copy_into(frame: &Frame, copy: &mut Frame) {
    let Frame { data, format, width, height, stride, jpeg } = frame;
    copy.data.clone_from(data);
    copy.jpeg.clone_from(jpeg);
    (copy.format, copy.width, copy.height, copy.stride) = (*format, *width, *height, *stride);
}

impl Filter for Eye {
    fn advance(&mut self, source: &mut dyn Source) -> Result<Advance> {
        let found = source.advance()?;
        self.fetched = false;
        match &found {
            Advance::Frame(header) if header.pts_ns >= self.due_ns => {
                self.due_ns = header.pts_ns + EVERY_NS;
                // A frame that cannot be had is the pipeline's to complain about, if it wants it.
                self.fetched = source.read(&mut self.frame).is_ok();
                if self.fetched {
                    self.show(header.pts_ns);
                }
            }
            Advance::Gap { .. } => _ = self.recorder.send(Note::Gap { camera: self.camera }),
            Advance::Frame(_) | Advance::End => {}
        }
        Ok(found)
    }

    fn read(&mut self, source: &mut dyn Source, frame: &mut Frame) -> Result<()> {
        if std::mem::take(&mut self.fetched) {
            std::mem::swap(frame, &mut self.frame);
            return Ok(());
        }
        source.read(frame)
    }
}
