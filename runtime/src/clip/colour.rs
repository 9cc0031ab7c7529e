//! Native pixels in, a small RGB image out. Planes are resized first and converted after, so the cost of the colour
//! formula does not grow with the camera's resolution.
//!
//! Formula: BT.601, limited range, in integers, rounded to nearest: the same bits on every CPU.

use super::resize::Resizer;
use crate::source::{Frame, PixelFormat};
use crate::{Error, Result};

/// Resizes frames to the model's size and converts them to RGB; keeps its scratch buffers.
pub struct Squeezer {
    rgb: Resizer<3>,
    /// For each plane, whose sizes differ.
    plane: [Resizer<1>; 3],
    /// A source plane whose bytes lie apart.
    packed: Vec<u8>,
    /// Resized Y, U, V planes.
    planes: [Vec<u8>; 3],
}

impl Squeezer {
    /// A squeezer to `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let n = (width * height) as usize;
        Self {
            rgb: Resizer::new(width as usize, height as usize),
            plane: [(); 3].map(|()| Resizer::new(width as usize, height as usize)),
            packed: Vec::new(),
            planes: [vec![0; n], vec![128; n], vec![128; n]],
        }
    }

    /// Write `frame` into `out`, `[height, width, 3]` RGB. The whole view is kept, aspect is not.
    ///
    /// # Errors
    /// When the frame's buffer is shorter than its format, size and stride say.
    pub fn squeeze(&mut self, frame: &Frame, out: &mut [u8]) -> Result<()> {
        let (w, h, stride) = (frame.width as usize, frame.height as usize, frame.stride as usize);
        let need = bytes_of(frame);
        if w == 0 || h == 0 || frame.data.len() < need {
            return Err(Error::failed(
                "frame",
                format!(
                    "{} bytes do not hold a {w} x {h} {:?} picture of stride {stride} ({need} bytes)",
                    frame.data.len(),
                    frame.format
                ),
                "check the camera's driver or the recording",
            ));
        }
        let data = &frame.data;
        match frame.format {
            PixelFormat::Rgb24 => {
                self.rgb.resize((w, h), |y| &data[y * stride..], out);
                return Ok(());
            }
            PixelFormat::Grey8 => {
                self.resize_plane(0, (w, h), (data, stride));
                self.planes[1].fill(128);
                self.planes[2].fill(128);
            }
            PixelFormat::I420 => {
                let (cw, ch, cs) = (w.div_ceil(2), h.div_ceil(2), stride.div_ceil(2));
                let (y, chroma) = data.split_at(stride * h);
                let (u, v) = chroma.split_at(cs * ch);
                self.resize_plane(0, (w, h), (y, stride));
                self.resize_plane(1, (cw, ch), (u, cs));
                self.resize_plane(2, (cw, ch), (v, cs));
            }
            PixelFormat::Nv12 => {
                let (cw, ch, cs) = (w.div_ceil(2), h.div_ceil(2), stride.next_multiple_of(2));
                let (y, uv) = data.split_at(stride * h);
                self.resize_plane(0, (w, h), (y, stride));
                for part in 0..2 {
                    self.resize_picked(1 + part, (cw, ch), |r| uv[r * cs..][..2 * cw].iter().skip(part).step_by(2));
                }
            }
            PixelFormat::Yuyv => {
                let cw = w / 2;
                let row = |r: usize| &data[r * stride..][..4 * cw];
                self.resize_picked(0, (2 * cw, h), |r| row(r).iter().step_by(2));
                for part in 0..2 {
                    self.resize_picked(1 + part, (cw, h), |r| row(r).iter().skip(1 + 2 * part).step_by(4));
                }
            }
        }
        let [y, u, v] = &self.planes;
        for (((rgb, &y), &u), &v) in out.chunks_exact_mut(3).zip(y).zip(u).zip(v) {
            rgb.copy_from_slice(&yuv_to_rgb(y, u, v));
        }
        Ok(())
    }

    fn resize_plane(&mut self, plane: usize, size: (usize, usize), (bytes, stride): (&[u8], usize)) {
        self.plane[plane].resize(size, |y| &bytes[y * stride..], &mut self.planes[plane]);
    }

    /// A plane whose bytes lie apart: those of row `y` are `row(y)`.
    fn resize_picked<'a, I: Iterator<Item = &'a u8>>(
        &mut self,
        plane: usize,
        (width, height): (usize, usize),
        row: impl Fn(usize) -> I,
    ) {
        self.packed.clear();
        self.packed.extend((0..height).flat_map(row));
        self.plane[plane].resize((width, height), |y| &self.packed[y * width..], &mut self.planes[plane]);
    }
}

/// Bytes that a frame of this format, size and stride occupies.
fn bytes_of(frame: &Frame) -> usize {
    let (w, h, stride) = (frame.width as usize, frame.height as usize, frame.stride as usize);
    match frame.format {
        PixelFormat::Rgb24 => stride.max(3 * w) * h,
        PixelFormat::Grey8 => stride.max(w) * h,
        PixelFormat::I420 => stride.max(w) * h + 2 * stride.max(w).div_ceil(2) * h.div_ceil(2),
        PixelFormat::Nv12 => stride.max(w) * h + stride.max(w).next_multiple_of(2) * h.div_ceil(2),
        PixelFormat::Yuyv => stride.max(2 * w) * h,
    }
}

/// BT.601 limited-range YUV to full-range RGB.
fn yuv_to_rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (c, d, e) = (298 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
    let clip = |x: i32| ((x + 128) >> 8).clamp(0, 255) as u8;
    [clip(c + 409 * e), clip(c - 100 * d - 208 * e), clip(c + 516 * d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(format: PixelFormat, data: Vec<u8>, width: u32, height: u32, stride: u32) -> [u8; 3] {
        let frame = Frame { data, format, width, height, stride, ..Frame::default() };
        let mut out = vec![0; 4 * 4 * 3];
        Squeezer::new(4, 4).squeeze(&frame, &mut out).unwrap();
        assert!(out.chunks(3).all(|p| p == &out[..3]), "a flat picture stays flat: {out:?}");
        [out[0], out[1], out[2]]
    }

    #[test]
    fn every_format_gives_the_same_colour() {
        // BT.601: Y 81, U 90, V 240 is red.
        let (y, u, v) = (81, 90, 240);
        let i420 = [vec![y; 8 * 6], vec![u; 12], vec![v; 12]].concat();
        let nv12 = [vec![y; 8 * 6], [u, v].repeat(12)].concat();
        let yuyv = [y, u, y, v].repeat(4 * 6);
        let red = flat(PixelFormat::I420, i420, 8, 6, 8);
        assert_eq!(red, [255, 0, 0]);
        assert_eq!(flat(PixelFormat::Nv12, nv12, 8, 6, 8), red);
        assert_eq!(flat(PixelFormat::Yuyv, yuyv, 8, 6, 16), red);
        assert_eq!(flat(PixelFormat::Rgb24, [255, 0, 0].repeat(48), 8, 6, 24), red);
        assert_eq!(flat(PixelFormat::Grey8, vec![235; 48], 8, 6, 8), [255, 255, 255]);
    }

    #[test]
    fn padded_rows_are_skipped() {
        let mut data = Vec::new();
        for _ in 0..6 {
            data.extend([10, 20, 30].repeat(8));
            data.extend([99; 7]);
        }
        assert_eq!(flat(PixelFormat::Rgb24, data, 8, 6, 31), [10, 20, 30]);
    }

    #[test]
    fn a_short_buffer_is_refused() {
        let frame =
            Frame { data: vec![0; 10], width: 8, height: 6, stride: 8, format: PixelFormat::I420, ..Frame::default() };
        let error = Squeezer::new(4, 4).squeeze(&frame, &mut [0; 48]).unwrap_err();
        assert!(error.to_string().contains("8 x 6"), "{error}");
    }
}
