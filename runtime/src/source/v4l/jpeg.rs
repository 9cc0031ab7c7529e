//! A Motion JPEG frame in, RGB pixels out, decoded by the `image` crate; and the frame itself, if it is a whole JPEG file. Pure.
//!
//! Refused: what is no JPEG, one without its end (half a picture would look like something moving), one of another
//! size than the driver answered. Cameras may leave the Huffman tables out, which are always the same; the decoder
//! knows them and is told so by an `AVI1` mark.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageDecoder as _;
use image::codecs::jpeg::JpegDecoder;

use crate::source::{Frame, PixelFormat};

/// Rows and columns by which a picture may differ from the driver's answer: encoders round up to whole blocks.
const SIZE_ERROR_MAX: u32 = 16;

/// What stands in front of a picture without Huffman tables: start of image, and an application segment that says AVI1.
const AVI1: [u8; 20] = *b"\xff\xd8\xff\xe0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

/// Decode `bytes`, a picture of about `size` pixels, into `frame`, whose memory is reused.
///
/// # Errors
/// When it is no whole picture of that size; why, for people.
pub fn decode(bytes: &[u8], size: (u32, u32), frame: &mut Frame) -> Result<(), &'static str> {
    let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9]).ok_or("its pictures are cut short")?;
    let bytes = &bytes[..end + 2];
    let whole = has_tables(bytes)?;
    let decoded =
        if whole { guarded(bytes, size, frame) } else { guarded(&[&AVI1, &bytes[2..]].concat(), size, frame) };
    frame.jpeg.clear();
    if whole && decoded.is_some() {
        frame.jpeg.extend_from_slice(bytes);
    }
    decoded.ok_or("its pictures cannot be decoded, or have another size than its driver says")
}

/// A decoder that panics on damage costs a frame, not the stream.
fn guarded(bytes: &[u8], size: (u32, u32), frame: &mut Frame) -> Option<()> {
    catch_unwind(AssertUnwindSafe(|| pixels(bytes, size, frame))).unwrap_or(None)
}

fn pixels(bytes: &[u8], size: (u32, u32), frame: &mut Frame) -> Option<()> {
    let decoder = JpegDecoder::new(Cursor::new(bytes)).ok()?;
    let (width, height) = decoder.dimensions();
    // Before any memory is taken: a damaged header may claim any size.
    if width.abs_diff(size.0) > SIZE_ERROR_MAX || height.abs_diff(size.1) > SIZE_ERROR_MAX {
        return None;
    }
    let (format, channels) = match decoder.color_type() {
        image::ColorType::Rgb8 => (PixelFormat::Rgb24, 3),
        image::ColorType::L8 => (PixelFormat::Grey8, 1),
        _ => return None,
    };
    frame.data.resize((width * height * channels) as usize, 0);
    decoder.read_image(&mut frame.data).ok()?;
    (frame.format, frame.width, frame.height, frame.stride) = (format, width, height, width * channels);
    Some(())
}

/// Whether a Huffman table is defined before the picture's data.
fn has_tables(bytes: &[u8]) -> Result<bool, &'static str> {
    let none = "its pictures are no JPEG";
    let mut rest = bytes.strip_prefix(b"\xff\xd8").ok_or(none)?;
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return Err(none) };
        match marker {
            0xc4 => return Ok(true),
            0xda => return Ok(false),
            // Fill bytes may stand before a marker.
            0xff => rest = &rest[1..],
            _ => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(2 + length..).ok_or(none)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    /// A red picture.
    fn red(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let rgb = [255, 0, 0].repeat((width * height) as usize);
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode(&rgb, width, height, image::ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    /// The same without its Huffman tables.
    fn without_tables(bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes[..2].to_vec();
        let mut at = 2;
        while bytes[at + 1] != 0xda {
            let next = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            if bytes[at + 1] != 0xc4 {
                out.extend_from_slice(&bytes[at..next]);
            }
            at = next;
        }
        out.extend_from_slice(&bytes[at..]);
        out
    }

    fn is_red(frame: &Frame) -> bool {
        frame.data.chunks(3).all(|p| p[0] > 240 && p[1] < 15 && p[2] < 15)
    }

    #[test]
    fn a_picture_with_and_without_tables() {
        let whole = red(32, 16);
        let bare = without_tables(&whole);
        assert!(bare.len() < whole.len());
        for bytes in [whole.clone(), bare] {
            let mut frame = Frame::default();
            decode(&bytes, (32, 16), &mut frame).unwrap();
            assert_eq!((frame.width, frame.height, frame.stride, frame.format), (32, 16, 96, PixelFormat::Rgb24));
            assert!(frame.data.len() == 32 * 16 * 3 && is_red(&frame));
            assert!(frame.jpeg.is_empty() != (bytes == whole), "the file is kept if others can read it");
        }
    }

    #[test]
    fn padding_behind_the_end_is_ignored() {
        let mut bytes = red(32, 16);
        bytes.resize(bytes.len() + 500, 0);
        decode(&bytes, (32, 16), &mut Frame::default()).unwrap();
    }

    #[test]
    fn half_a_picture_and_nonsense_are_refused() {
        let whole = red(32, 16);
        let told = |bytes: &[u8], size| decode(bytes, size, &mut Frame::default()).unwrap_err();
        assert_eq!(told(&whole[..whole.len() / 2], (32, 16)), "its pictures are cut short");
        assert_eq!(told(b"", (32, 16)), "its pictures are cut short");
        assert_eq!(told(b"\xff\xd9", (32, 16)), "its pictures are no JPEG");
        assert!(told(&whole, (640, 480)).contains("another size"));
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..600, to: u8, cut in 0usize..600) {
            let mut bytes = red(32, 16);
            let length = bytes.len();
            bytes[at % length] = to;
            let _ = decode(&bytes, (32, 16), &mut Frame::default());
            bytes.truncate(cut % length);
            bytes.extend(b"\xff\xd9");
            let _ = decode(&bytes, (32, 16), &mut Frame::default());
        }
    }
}
