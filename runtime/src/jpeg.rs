//! Frames and pixels in, JPEG out. A frame is made smaller first, to [`WIDTH_MAX`], in memory that is there already; colours are converted
//! where all colours are, in [`clip`](crate::clip). Refused: pixels of another size than they are said to have.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::clip::Squeezer;
use crate::source::Frame;
use crate::{Error, Result};

/// The widest picture of a frame: enough to see what happened.
pub const WIDTH_MAX: u32 = 640;

/// A frame made small; keeps its buffers.
#[derive(Default)]
pub struct Small {
    size: (u32, u32),
    squeezer: Option<Squeezer>,
    rgb: Vec<u8>,
}

impl Small {
    /// Take a frame in; the width and height that it then has.
    ///
    /// # Errors
    /// When the frame is not what it says.
    pub fn take(&mut self, frame: &Frame) -> Result<(u32, u32)> {
        let size = small((frame.width, frame.height));
        if self.size != size {
            (self.size, self.squeezer) = (size, None);
            self.rgb.resize((size.0 * size.1 * 3) as usize, 0);
        }
        self.squeezer.get_or_insert_with(|| Squeezer::new(size.0, size.1)).squeeze(frame, &mut self.rgb)?;
        Ok(size)
    }

    /// Write the frame that was taken in last into `file`, as [`write()`] does.
    ///
    /// # Errors
    /// When there was none.
    pub fn write(&self, quality: u8, file: &mut Vec<u8>) -> Result<()> {
        write(&self.rgb, self.size, quality, file)
    }
}

/// Write `[height, width, 3]` RGB of a `size` of width and height as JPEG of `quality` 1 to 100 into `file`, in place of what it held.
///
/// # Errors
/// When it is no picture.
pub fn write(rgb: &[u8], (width, height): (u32, u32), quality: u8, file: &mut Vec<u8>) -> Result<()> {
    let refused = |problem: String| Error::failed("picture", problem, "report this, with the camera's size");
    if rgb.len() != (width * height * 3) as usize {
        return Err(refused("has another size than it says".into()));
    }
    file.clear();
    JpegEncoder::new_with_quality(file, quality)
        .encode(rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| refused(format!("cannot be made: {error}")))
}

/// A frame's size, or less of the same shape.
fn small((width, height): (u32, u32)) -> (u32, u32) {
    let (width, height) = (width.max(1), height.max(1));
    if width <= WIDTH_MAX {
        return (width, height);
    }
    let height = (u64::from(height) * u64::from(WIDTH_MAX)).div_ceil(u64::from(width));
    (WIDTH_MAX, (height as u32).clamp(1, 4 * WIDTH_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape_and_are_not_too_wide() {
        let frames = [(1920, 1080), (1280, 961), (320, 240), (4000, 3), (0, 0)];
        assert_eq!(frames.map(small), [(640, 360), (640, 481), (320, 240), (640, 1), (1, 1)]);
    }

    #[test]
    fn what_is_red_is_red() {
        let mut file = b"what was there before".to_vec();
        write(&[255, 0, 0].repeat(64), (8, 8), 80, &mut file).unwrap();
        let pixels = image::load_from_memory(&file).unwrap().to_rgb8();
        let [r, g, b] = pixels.get_pixel(4, 4).0;
        assert!(r > 245 && g < 12 && b < 12, "{r} {g} {b}");
        assert!(write(&[0; 5], (8, 8), 80, &mut file).is_err());
    }
}
