//! Privacy masks: polygons of a config come in, and frames in which what they hide is black go out. [`Masker`] stands directly on a
//! source, before anything else: clips, features, the page and recordings are made of what it hands on, and nobody behind it can
//! have the pixels that were there. What taps a source in another form (packets of a camera's own codec) must not be used for a
//! camera that has a mask.
//!
//! | file | what |
//! |---|---|
//! | here | a mask that may change while cameras run, and the filter that lays it on a source |
//! | [`raster`] | polygons → the pixels that they hide, once for each size of frame |
//! | [`black`] | those pixels, and the chroma that they share with others, in each pixel format |

pub mod black;
pub mod raster;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use firmware_config::config::{Camera, Polygon};

use super::filter::Filter;
use super::open::Opened;
use super::{Frame, Source};
use crate::Result;
use raster::Span;

/// What may be seen of a picture, in shares of its width and height.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shapes {
    /// Inside of any of them is black.
    pub mask: Vec<Polygon>,
    /// Outside of all of them is black; nothing when there are none.
    pub region: Vec<Polygon>,
}

impl Shapes {
    /// Whether they hide nothing.
    pub fn is_empty(&self) -> bool {
        self.mask.is_empty() && self.region.is_empty()
    }
}

impl From<&Camera> for Shapes {
    fn from(camera: &Camera) -> Self {
        Self { mask: camera.mask.clone(), region: camera.region.clone() }
    }
}

/// The mask of one camera. Clones share it, and what one of them sets holds from the next frame on.
#[derive(Clone, Debug, Default)]
pub struct PrivacyMask(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    shapes: Mutex<Shapes>,
    /// Rises with every change.
    version: AtomicU64,
}

impl PrivacyMask {
    /// A mask of these shapes.
    pub fn new(shapes: Shapes) -> Self {
        Self(Arc::new(Held { shapes: Mutex::new(shapes), version: AtomicU64::new(1) }))
    }

    /// Its shapes.
    pub fn shapes(&self) -> Shapes {
        self.0.shapes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hide other shapes from now on.
    pub fn set(&self, shapes: Shapes) {
        let mut held = self.0.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        *held = shapes;
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// Lay it on a source; recorded rows have no pixels, and stay what they are.
    pub fn over(&self, source: Opened) -> Opened {
        source.behind(|_| Masker::new(self.clone()))
    }
}

/// Lays a mask on frames. The polygons are turned into pixels once for each size and each change.
#[derive(Debug)]
pub struct Masker {
    mask: PrivacyMask,
    /// The version and the size that `spans` are of.
    of: (u64, (u32, u32)),
    spans: Vec<Span>,
}

impl Masker {
    /// One that has seen no frame.
    pub fn new(mask: PrivacyMask) -> Self {
        Self { mask, of: (0, (0, 0)), spans: Vec::new() }
    }

    /// Blacken what is hidden of `frame`.
    pub fn apply(&mut self, frame: &mut Frame) {
        let size = (frame.width, frame.height);
        // Older shapes under a newer version would stay for ever; newer ones under an older version are made once more.
        let now = (self.mask.0.version.load(Ordering::Acquire), size);
        if self.of != now {
            self.spans = raster::spans(&self.mask.shapes(), size);
            self.of = now;
        }
        black::blacken(frame, &self.spans);
        if !self.spans.is_empty() {
            // The camera's own picture shows everything.
            frame.jpeg.clear();
        }
    }
}

impl Filter for Masker {
    fn read(&mut self, source: &mut dyn Source, frame: &mut Frame) -> Result<()> {
        source.read(frame)?;
        self.apply(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
