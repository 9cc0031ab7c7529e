//! What stands between a source and who reads it: a [`Filter`] looks at frames on their way, or changes them; all else of the source
//! passes by itself. [`Opened::behind`](super::open::Opened::behind) puts one there.

use super::{Advance, Frame, Source, SourceInfo, Stopper};
use crate::Result;

/// What is done to frames on their way.
pub trait Filter: Send {
    /// Move `source` to its next frame.
    ///
    /// # Errors
    /// Those of [`Source::advance`].
    fn advance(&mut self, source: &mut dyn Source) -> Result<Advance> {
        source.advance()
    }

    /// Fetch the pixels of that frame from `source` into `frame`, whose buffer is reused.
    ///
    /// # Errors
    /// Those of [`Source::read`].
    fn read(&mut self, source: &mut dyn Source, frame: &mut Frame) -> Result<()>;
}

/// A source behind a filter.
pub struct Filtered<F> {
    source: Box<dyn Source>,
    filter: F,
}

impl<F: Filter> Filtered<F> {
    /// Let `source` pass through `filter`.
    pub fn new(source: Box<dyn Source>, filter: F) -> Self {
        Self { source, filter }
    }
}

impl<F: Filter> Source for Filtered<F> {
    fn info(&self) -> &SourceInfo {
        self.source.info()
    }

    fn advance(&mut self) -> Result<Advance> {
        self.filter.advance(&mut *self.source)
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        self.filter.read(&mut *self.source, frame)
    }

    fn stopper(&self) -> Stopper {
        self.source.stopper()
    }

    fn dropped(&self) -> u64 {
        self.source.dropped()
    }
}
