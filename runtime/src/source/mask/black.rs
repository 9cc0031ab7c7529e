//! Hidden pixels come in, and they are black in every pixel format. Where pixels share their chroma, that of a hidden one is
//! neutral, and so is that of its neighbour: it was made of both.

use super::raster::Span;
use crate::source::{Frame, PixelFormat};

/// Black in limited-range YUV (BT.601), as [`Squeezer`](crate::clip::Squeezer) reads it.
const LUMA: u8 = 16;
/// No colour.
const CHROMA: u8 = 128;

/// Blacken `spans` of a frame. What is missing of a buffer that is too short cannot be seen, and is refused later.
pub fn blacken(frame: &mut Frame, spans: &[Span]) {
    let (width, height, stride) = (frame.width as usize, frame.height as usize, frame.stride as usize);
    let data = &mut frame.data;
    for span in spans {
        let (row, from, to) = (span.row as usize, span.from as usize, span.to as usize);
        let begin = row * stride;
        match frame.format {
            PixelFormat::Rgb24 => fill(data, begin + 3 * from, begin + 3 * to, 0),
            PixelFormat::Grey8 => fill(data, begin + from, begin + to, LUMA),
            PixelFormat::I420 => {
                fill(data, begin + from, begin + to, LUMA);
                let (chroma_stride, chroma_height) = (stride.div_ceil(2), height.div_ceil(2));
                for plane in 0..2 {
                    let begin = stride * height + (plane * chroma_height + row / 2) * chroma_stride;
                    fill(data, begin + from / 2, begin + to.div_ceil(2), CHROMA);
                }
            }
            PixelFormat::Nv12 => {
                fill(data, begin + from, begin + to, LUMA);
                let begin = stride * height + row / 2 * stride.next_multiple_of(2);
                fill(data, begin + from / 2 * 2, begin + to.div_ceil(2) * 2, CHROMA);
            }
            PixelFormat::Yuyv => {
                // Y of a pixel is at twice its number, U and V are between those of a pair.
                let (first, last) = (from / 2 * 4, (to.div_ceil(2) * 4).min(2 * width));
                let (begin, end) = ((begin + first).min(data.len()), (begin + last).min(data.len()));
                for (byte, value) in (first..).zip(&mut data[begin..end]) {
                    if byte % 2 == 1 {
                        *value = CHROMA;
                    } else if (from..to).contains(&(byte / 2)) {
                        *value = LUMA;
                    }
                }
            }
        }
    }
}

fn fill(data: &mut [u8], from: usize, to: usize, value: u8) {
    let (from, to) = (from.min(data.len()), to.min(data.len()));
    data[from..to].fill(value);
}
