//! Frames in. A [`Source`] hands on native pixels with their presentation time; it never converts colour, never
//! resizes, and never decides which frames matter (that is `clip`'s work).
//!
//! | URI | module | what |
//! |---|---|---|
//! | `sim://?seed=1&incident=collision` | [`sim`] | a rendered roadside, deterministic from its seed |
//! | `file:///video.mp4` or a plain path | [`ffmpeg`] | any recording ffmpeg reads, as an ffmpeg child process |
//! | `v4l:///dev/video0` | [`v4l`] | a camera of this machine (cargo feature `v4l`), reopened with back-off |
//! | `rtsp://...` | [`ffmpeg`] | a network camera, restarted with back-off |
//! | `features:///rows.npy` | [`rows`] | recorded feature rows (not frames; see [`rows::RowSource`]); with `?speed=60` no faster than that |
//!
//! A [`filter`] may stand before any of them. [`mask`] lays a camera's privacy mask on it: nobody behind it sees what it hides.
//!
//! A source works in two steps so that frames nobody needs cost nothing: [`Source::advance`] moves to the next frame
//! and tells its number and time; [`Source::read`] then fetches that frame's pixels, if they are wanted.

pub mod ffmpeg;
pub mod filter;
pub mod handover;
pub mod live;
pub mod mask;
pub mod npy;
pub mod open;
pub mod paced;
pub mod queue;
pub mod rows;
pub mod sim;
pub mod v4l;

use std::sync::Arc;

use crate::Result;

/// How pixels lie in a [`Frame`]'s buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PixelFormat {
    /// Interleaved 8-bit red, green, blue.
    #[default]
    Rgb24,
    /// Planar YUV 4:2:0, BT.601 limited range: Y, then U, then V.
    I420,
    /// Y, then interleaved UV at half resolution.
    Nv12,
    /// Packed 4:2:2, `Y0 U Y1 V`.
    Yuyv,
    /// One 8-bit luma plane.
    Grey8,
}

/// One frame of native pixels. Buffers are reused from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Pixel bytes; for planar formats the planes follow each other without gaps.
    pub data: Vec<u8>,
    /// How `data` is laid out.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row of the first plane to the next.
    pub stride: u32,
    /// The camera's own JPEG of just these pixels, where it sent one; else empty. Whoever changes pixels clears it.
    pub jpeg: Vec<u8>,
}

/// Number and time of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// 1-based number of the source frame.
    pub number: u64,
    /// Presentation time in nanoseconds since the source's first frame.
    pub pts_ns: u64,
}

/// What [`Source::advance`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The next frame; its pixels can be fetched with [`Source::read`].
    Frame(FrameHeader),
    /// Frames were lost (camera gone, stream restarted): what follows is not contiguous with what came before.
    Gap {
        /// Why, for people.
        reason: String,
    },
    /// The recording is over, or a live source was told to stop.
    End,
}

/// Tells a live source from another thread to stop: its [`Source::advance`] returns [`Advance::End`] soon, also where
/// it waits for a camera that is away.
#[derive(Clone, Default)]
pub struct Stopper(Option<Arc<dyn Fn() + Send + Sync>>);

impl Stopper {
    /// One that calls `stop`.
    pub fn new(stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(stop)))
    }

    /// Tell it.
    pub fn stop(&self) {
        if let Some(stop) = &self.0 {
            stop();
        }
    }
}

/// What is known of a source before its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The URI that it was opened with.
    pub uri: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Nominal frames per second, when the source knows.
    pub rate_hz: Option<f64>,
    /// True when frames come at a constant interval of exactly `1 / rate_hz`, so a reader may skip those it does not need.
    pub constant_rate: bool,
    /// Number of frames, when the source knows.
    pub frames: Option<u64>,
    /// A live source never waits for its reader; a recording presses back.
    pub live: bool,
}

/// Frames, one after another.
pub trait Source: Send {
    /// What is known of the source.
    fn info(&self) -> &SourceInfo;

    /// Move to the next frame.
    ///
    /// # Errors
    /// When the source can give no more frames and trying again would not help.
    fn advance(&mut self) -> Result<Advance>;

    /// Fetch the pixels of the frame that [`Source::advance`] returned last, into `frame`, whose buffer is reused.
    ///
    /// # Errors
    /// When the pixels cannot be had.
    fn read(&mut self, frame: &mut Frame) -> Result<()>;

    /// Stops a live source; does nothing to a recording, which never waits long.
    fn stopper(&self) -> Stopper {
        Stopper::default()
    }

    /// Frames that a live source dropped because its reader was slow; 0 for recordings.
    fn dropped(&self) -> u64 {
        0
    }
}
