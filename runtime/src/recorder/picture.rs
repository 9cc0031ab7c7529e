//! A frame in, a JPEG out: the camera's own where it sent one and nothing was done to it, else one that is made here, at most [`WIDTH_MAX`]
//! pixels wide. Colours are converted where all colours are, in [`clip`](crate::clip).

use std::sync::Arc;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::clip::Squeezer;
use crate::source::Frame;
use crate::{Error, Result};

/// The widest picture that is made here: enough to see what happened.
pub const WIDTH_MAX: u32 = 640;
/// Of 100.
const QUALITY: u8 = 75;

/// A picture of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Time since the source's first frame, in nanoseconds.
    pub pts_ns: u64,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The file.
    pub jpeg: Arc<[u8]>,
}

/// Makes pictures of frames; keeps its buffers.
pub struct Printer {
    size: (u32, u32),
    squeezer: Squeezer,
    rgb: Vec<u8>,
    out: Vec<u8>,
}

impl Default for Printer {
    fn default() -> Self {
        Self { size: (1, 1), squeezer: Squeezer::new(1, 1), rgb: Vec::new(), out: Vec::new() }
    }
}

impl Printer {
    /// A frame of this time as a picture.
    ///
    /// # Errors
    /// When the frame is not what it says, or cannot be encoded.
    pub fn print(&mut self, pts_ns: u64, frame: &Frame) -> Result<Picture> {
        if !frame.jpeg.is_empty() {
            return Ok(Picture { pts_ns, size: (frame.width, frame.height), jpeg: frame.jpeg.as_slice().into() });
        }
        let size = size_of(frame);
        if self.size != size {
            (self.size, self.squeezer) = (size, Squeezer::new(size.0, size.1));
        }
        self.rgb.resize((size.0 * size.1 * 3) as usize, 0);
        self.squeezer.squeeze(frame, &mut self.rgb)?;
        self.out.clear();
        JpegEncoder::new_with_quality(&mut self.out, QUALITY)
            .encode(&self.rgb, size.0, size.1, ExtendedColorType::Rgb8)
            .map_err(|error| Error::failed("picture", error.to_string(), "report this, with the camera's size"))?;
        Ok(Picture { pts_ns, size, jpeg: self.out.as_slice().into() })
    }
}

/// The frame's size, or less of the same shape.
fn size_of(frame: &Frame) -> (u32, u32) {
    let (width, height) = (frame.width.max(1), frame.height.max(1));
    if width <= WIDTH_MAX {
        return (width, height);
    }
    let height = (u64::from(height) * u64::from(WIDTH_MAX)).div_ceil(u64::from(width));
    (WIDTH_MAX, (height as u32).clamp(1, 4 * WIDTH_MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tests::grey;
    use super::*;

    #[test]
    fn a_frame_is_made_smaller_and_keeps_its_shape() {
        let mut printer = Printer::default();
        for (size, expected) in [((320, 240), (320, 240)), ((1920, 1080), (640, 360)), ((1280, 961), (640, 481))] {
            let picture = printer.print(7, &grey(size, 100)).unwrap();
            assert_eq!((picture.pts_ns, picture.size), (7, expected));
            let image = image::load_from_memory(&picture.jpeg).unwrap().to_rgb8();
            assert_eq!((image.width(), image.height()), expected);
            assert!(image.get_pixel(10, 10).0.iter().all(|v| v.abs_diff(98) < 4), "{:?}", image.get_pixel(10, 10));
        }
    }

    #[test]
    fn a_cameras_own_picture_is_taken_as_it_is() {
        let frame = Frame { jpeg: b"as it came".to_vec(), ..grey((64, 48), 1) };
        let picture = Printer::default().print(0, &frame).unwrap();
        assert_eq!((picture.size, &*picture.jpeg), ((64, 48), &b"as it came"[..]));
    }

    #[test]
    fn a_frame_that_is_not_what_it_says_is_refused() {
        let frame = Frame { width: 640, ..grey((64, 48), 1) };
        assert!(Printer::default().print(0, &frame).is_err());
    }
}
