//! Frames at any rate, size and colour in; clips of exactly what the extractor wants out.
//!
//! A clip is `clip_ticks` ticks of the model's clock (16 at 25/s: one segment of 0.64 s). For each tick that the
//! extractor sees, the source frame nearest in time is taken ([`ticks`]), squeezed to the model's size and turned to
//! RGB by one formula for every source ([`colour`]). The last, incomplete clip of a recording is dropped.

pub mod colour;
mod resize;
pub mod ticks;

pub use colour::Squeezer;
pub use ticks::{ClipReader, Next};

/// One clip of pixels: `[frames, height, width, 3]` u8 RGB, as the feature contract orders them.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    /// Pixels, `[frames, height, width, 3]`.
    pub pixels: Vec<u8>,
    /// 1-based number of the first source frame that the clip covers.
    pub first_frame: u64,
    /// 1-based number of the last source frame that the clip covers.
    pub last_frame: u64,
    /// Time of the clip's first tick since the source's first frame, in nanoseconds.
    pub start_ns: u64,
    /// Time at which the clip ends (and the next begins), in nanoseconds.
    pub end_ns: u64,
}
