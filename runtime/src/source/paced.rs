//! A recording played at its own speed, so that it looks live: a frame comes no sooner than its time.

use std::time::{Duration, Instant};

use super::{Advance, Frame, Source, SourceInfo, Stopper};
use crate::Result;

/// `S` at the speed of its presentation times.
pub struct Paced<S> {
    inner: S,
    info: SourceInfo,
    started: Option<Instant>,
}

impl<S: Source> Paced<S> {
    /// Pace `inner`, from its first frame on.
    pub fn new(inner: S) -> Self {
        let info = SourceInfo { live: true, ..inner.info().clone() };
        Self { inner, info, started: None }
    }
}

impl<S: Source> Source for Paced<S> {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        let next = self.inner.advance()?;
        if let Advance::Frame(header) = next {
            let due = *self.started.get_or_insert_with(Instant::now) + Duration::from_nanos(header.pts_ns);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(next)
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        self.inner.read(frame)
    }

    fn stopper(&self) -> Stopper {
        self.inner.stopper()
    }
}
