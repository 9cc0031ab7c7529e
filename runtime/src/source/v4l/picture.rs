//! A driver's buffer in, a [`Frame`] out: rows are copied without what the driver puts between them. Pure.
//!
//! Refused: a buffer that is shorter than its picture.

use super::jpeg;
use super::mode::Pixels;
use crate::source::{Frame, PixelFormat};

/// How a driver lays its pictures out, as it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the bytes mean.
    pub pixels: Pixels,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// From one row to the next; 0 where the driver does not tell. May be more than a row needs.
    pub bytes_per_line: u32,
}

impl Layout {
    /// Bytes of a row of pixels.
    fn row_bytes(&self) -> usize {
        let width = self.size.0 as usize;
        match self.pixels {
            Pixels::Yuyv => 2 * width.next_multiple_of(2),
            Pixels::Nv12 | Pixels::Grey => width,
            Pixels::Mjpg => 3 * width,
        }
    }

    /// Copy the picture in `buffer` into `frame`, whose memory is reused.
    ///
    /// # Errors
    /// When it is no whole picture; why, for people.
    pub fn unpack(&self, buffer: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let row = self.row_bytes();
        let stride = (self.bytes_per_line as usize).max(row);
        frame.jpeg.clear();
        frame.format = match self.pixels {
            Pixels::Yuyv => PixelFormat::Yuyv,
            Pixels::Nv12 => PixelFormat::Nv12,
            Pixels::Grey => PixelFormat::Grey8,
            Pixels::Mjpg => return jpeg::decode(buffer, self.size, frame),
        };
        (frame.width, frame.height, frame.stride) = (self.size.0, self.size.1, row as u32);
        frame.data.clear();
        rows(buffer, stride, row, height, &mut frame.data)?;
        if self.pixels == Pixels::Nv12 {
            let chroma = buffer.get(stride * height..).unwrap_or_default();
            let row = width.next_multiple_of(2);
            rows(chroma, stride.max(row), row, height.div_ceil(2), &mut frame.data)?;
        }
        Ok(())
    }
}

/// Append `count` rows of `row` bytes that lie `stride` bytes apart. What follows the last row may be missing.
fn rows(from: &[u8], stride: usize, row: usize, count: usize, to: &mut Vec<u8>) -> Result<(), &'static str> {
    let needed = stride * count.saturating_sub(1) + row;
    if from.len() < needed {
        return Err("its pictures are cut short");
    }
    if stride == row {
        to.extend_from_slice(&from[..needed]);
    } else {
        from.chunks(stride).take(count).for_each(|line| to.extend_from_slice(&line[..row]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `row` bytes that count up, `stride` apart, with 0xee between.
    fn padded(row: usize, stride: usize, rows: usize) -> Vec<u8> {
        let line = |n: usize| (0..stride).map(move |x| if x < row { (n * row + x) as u8 } else { 0xee });
        (0..rows).flat_map(line).collect()
    }

    fn unpacked(pixels: Pixels, size: (u32, u32), bytes_per_line: u32, buffer: &[u8]) -> Result<Frame, &'static str> {
        // A frame that was used before.
        let mut frame = Frame { data: vec![1; 99], ..Frame::default() };
        Layout { pixels, size, bytes_per_line }.unpack(buffer, &mut frame).map(|()| frame)
    }

    #[test]
    fn rows_lose_what_lies_between_them() {
        for (pixels, row, format) in [(Pixels::Yuyv, 16, PixelFormat::Yuyv), (Pixels::Grey, 8, PixelFormat::Grey8)] {
            for stride in [row, row + 1, 2 * row] {
                let frame = unpacked(pixels, (8, 4), stride as u32, &padded(row, stride, 4)).unwrap();
                assert_eq!((frame.data, frame.format, frame.stride), (padded(row, row, 4), format, row as u32));
                assert_eq!((frame.width, frame.height), (8, 4));
            }
        }
    }

    #[test]
    fn chroma_rows_have_the_same_stride_and_follow_all_luma_rows() {
        let buffer = [padded(7, 12, 5), padded(8, 12, 3)].concat();
        let frame = unpacked(Pixels::Nv12, (7, 5), 12, &buffer).unwrap();
        assert_eq!(frame.data, [padded(7, 7, 5), padded(8, 8, 3)].concat());
        assert_eq!((frame.format, frame.stride), (PixelFormat::Nv12, 7));
    }

    #[test]
    fn a_driver_that_tells_no_bytes_per_line_has_rows_without_gaps() {
        let frame = unpacked(Pixels::Yuyv, (8, 2), 0, &padded(16, 16, 2)).unwrap();
        assert_eq!(frame.data, padded(16, 16, 2));
    }

    #[test]
    fn the_last_row_needs_no_padding_but_all_its_pixels() {
        let buffer = padded(16, 20, 3);
        assert!(unpacked(Pixels::Yuyv, (8, 3), 20, &buffer[..56]).is_ok());
        assert_eq!(unpacked(Pixels::Yuyv, (8, 3), 20, &buffer[..55]).unwrap_err(), "its pictures are cut short");
        assert!(unpacked(Pixels::Nv12, (8, 2), 8, &padded(8, 8, 2)).is_err(), "no chroma");
        assert!(unpacked(Pixels::Grey, (8, 2), 8, &[]).is_err());
    }

    #[test]
    fn memory_is_reused() {
        let layout = Layout { pixels: Pixels::Grey, size: (8, 4), bytes_per_line: 9 };
        let mut frame = Frame::default();
        layout.unpack(&padded(8, 9, 4), &mut frame).unwrap();
        let before = frame.data.as_ptr();
        layout.unpack(&padded(8, 9, 4), &mut frame).unwrap();
        assert_eq!(frame.data.as_ptr(), before);
    }
}
