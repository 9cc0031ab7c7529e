//! Frames and thumbnails in, JPEG out. Frames are made smaller first, to [`WIDTH_MAX`], in memory that is there already.

use std::sync::Mutex;
use std::time::Duration;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::NAME;
use super::frames::Latest;
use crate::clip::Squeezer;
use crate::pipeline::watch::lock;
use crate::source::Frame;
use crate::{Error, Result};

/// A picture is no wider.
const WIDTH_MAX: u32 = 640;
/// Of JPEG, 1 to 100.
const QUALITY: u8 = 80;

/// A picture of a camera.
pub struct Picture {
    /// The file.
    pub jpeg: Vec<u8>,
    /// How old its frame is.
    pub age: Duration,
}

/// Makes a camera's pictures.
#[derive(Default)]
struct Studio {
    size: (u32, u32),
    squeezer: Option<Squeezer>,
    rgb: Vec<u8>,
}

/// Makes the pictures of all cameras.
pub struct Pictures(Vec<Mutex<Studio>>);

impl Pictures {
    /// Of `cameras` cameras.
    pub fn new(cameras: usize) -> Self {
        Self((0..cameras).map(|_| Mutex::default()).collect())
    }

    /// The newest frame of camera number `camera`; `None` when there was never one.
    ///
    /// # Errors
    /// When it is no picture.
    pub fn of(&self, camera: usize, latest: &Latest) -> Option<Result<Picture>> {
        let mut studio = lock(self.0.get(camera)?);
        let squeezed = latest.look(|frame, at| studio.squeeze(frame).map(|size| (size, at.elapsed())))?;
        // The camera may leave its next frame while the file is made.
        Some(squeezed.and_then(|((width, height), age)| Ok(Picture { jpeg: jpeg(&studio.rgb, width, height)?, age })))
    }
}

impl Studio {
    fn squeeze(&mut self, frame: &Frame) -> Result<(u32, u32)> {
        let size = size(frame.width, frame.height);
        if self.size != size {
            *self = Self { size, squeezer: None, rgb: vec![0; (size.0 * size.1 * 3) as usize] };
        }
        self.squeezer.get_or_insert_with(|| Squeezer::new(size.0, size.1)).squeeze(frame, &mut self.rgb)?;
        Ok(size)
    }
}

/// The size of a picture of a frame, with the frame's shape.
fn size(width: u32, height: u32) -> (u32, u32) {
    if width <= WIDTH_MAX {
        return (width.max(1), height.max(1));
    }
    let height = u64::from(height) * u64::from(WIDTH_MAX) / u64::from(width);
    (WIDTH_MAX, (height as u32).max(1))
}

/// `[height, width, 3]` RGB as JPEG.
///
/// # Errors
/// When it is no picture.
pub fn jpeg(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    if rgb.len() != (width * height * 3) as usize {
        return Err(Error::failed(NAME, "a picture has another size than it says", "report this as a bug"));
    }
    let mut jpeg = Vec::new();
    let made = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode(rgb, width, height, ExtendedColorType::Rgb8);
    made.map_err(|error| Error::failed(NAME, format!("no picture can be made: {error}"), "report this as a bug"))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape_and_are_not_too_wide() {
        assert_eq!((size(1920, 1080), size(320, 240), size(4000, 3)), ((640, 360), (320, 240), (640, 1)));
    }

    #[test]
    fn what_is_red_is_red() {
        let file = jpeg(&[255, 0, 0].repeat(64), 8, 8).unwrap();
        let pixels = image::load_from_memory(&file).unwrap().to_rgb8();
        let [r, g, b] = pixels.get_pixel(4, 4).0;
        assert!(r > 245 && g < 12 && b < 12, "{r} {g} {b}");
        assert!(jpeg(&[0; 5], 8, 8).is_err());
    }
}
