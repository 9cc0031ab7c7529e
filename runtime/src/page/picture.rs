//! Frames and thumbnails in, JPEG out: those of all cameras, each made from memory of its own.

use std::sync::Mutex;
use std::time::Duration;

use super::frames::Latest;
use crate::Result;
use crate::jpeg::{Small, write};
use crate::pipeline::watch::lock;

/// Of JPEG, 1 to 100.
const QUALITY: u8 = 80;

/// A picture of a camera.
pub struct Picture {
    /// The file.
    pub jpeg: Vec<u8>,
    /// How old its frame is.
    pub age: Duration,
}

/// Makes the pictures of all cameras.
pub struct Pictures(Vec<Mutex<Small>>);

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
        let mut small = lock(self.0.get(camera)?);
        let taken = latest.look(|frame, at| small.take(frame).map(|_| at.elapsed()))?;
        // The camera may leave its next frame while the file is made.
        Some(taken.and_then(|age| {
            let mut jpeg = Vec::new();
            small.write(QUALITY, &mut jpeg)?;
            Ok(Picture { jpeg, age })
        }))
    }
}

/// `[height, width, 3]` RGB as JPEG.
///
/// # Errors
/// When it is no picture.
pub fn jpeg(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    write(rgb, (width, height), QUALITY, &mut jpeg)?;
    Ok(jpeg)
}
