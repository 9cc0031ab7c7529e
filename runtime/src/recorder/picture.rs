//! A frame in, a JPEG out: the camera's own where it sent one and nothing was done to it, else a small one that is made here.

use std::sync::Arc;

use crate::Result;
use crate::jpeg::Small;
use crate::source::Frame;

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
#[derive(Default)]
pub struct Printer {
    small: Small,
    out: Vec<u8>,
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
        let size = self.small.take(frame)?;
        self.small.write(QUALITY, &mut self.out)?;
        Ok(Picture { pts_ns, size, jpeg: self.out.as_slice().into() })
    }
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
