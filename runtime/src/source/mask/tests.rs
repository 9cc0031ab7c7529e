//! No masked pixel leaves: two scenes that differ under the mask alone become the same frames, the same clips and the same
//! features, bit for bit, in every pixel format.

use firmware_config::{ClipContract, FeatureContract};
use proptest::prelude::*;

use super::*;
use crate::engine::{Engine, EngineInfo, Input, Provider};
use crate::features::{Extractor, Fed, Feed};
use crate::source::{Advance, FrameHeader, PixelFormat, SourceInfo};

const FORMATS: [PixelFormat; 5] =
    [PixelFormat::Rgb24, PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::Grey8];

/// What a camera looks at: Y, U and V of each pixel.
#[derive(Clone)]
struct Scene {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Scene {
    /// Numbers that look random, `seed` by `seed`.
    fn new(width: usize, height: usize, seed: u64) -> Self {
        let pixel = |n: usize| {
            let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_mul(0xbf58_476d_1ce4_e5b9));
            let bytes = (mixed ^ (mixed >> 29)).to_le_bytes();
            [bytes[2], bytes[4], bytes[6]]
        };
        Self { width, height, pixels: (0..width * height).map(pixel).collect() }
    }

    /// The mean of one of Y, U, V over some columns and rows, as a camera makes it.
    fn mean(&self, of: usize, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> u8 {
        let (columns, rows) = (columns.start..columns.end.min(self.width), rows.start..rows.end.min(self.height));
        let (mut sum, mut count) = (0, 0);
        for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
            sum += u32::from(self.pixels[row * self.width + column][of]);
            count += 1;
        }
        (sum / count.max(1)) as u8
    }

    /// The frame that a camera of this format makes of it; rows are padded by `padding` bytes.
    fn frame(&self, format: PixelFormat, padding: usize) -> Frame {
        let (w, h) = (self.width, self.height);
        let mut data = Vec::new();
        let pad = |data: &mut Vec<u8>, bytes: usize| data.resize(data.len() + bytes, 0xee);
        let luma = |data: &mut Vec<u8>| {
            for row in self.pixels.chunks(w) {
                data.extend(row.iter().map(|pixel| pixel[0]));
                pad(data, padding);
            }
        };
        let pair = |n: usize| 2 * n..2 * n + 2;
        let stride = match format {
            PixelFormat::Rgb24 => {
                for row in self.pixels.chunks(w) {
                    data.extend(row.iter().flatten());
                    pad(&mut data, padding);
                }
                3 * w + padding
            }
            PixelFormat::Grey8 => {
                luma(&mut data);
                w + padding
            }
            PixelFormat::I420 => {
                luma(&mut data);
                let stride = w + padding;
                for of in 1..3 {
                    for row in 0..h.div_ceil(2) {
                        data.extend((0..w.div_ceil(2)).map(|column| self.mean(of, pair(column), pair(row))));
                        pad(&mut data, stride.div_ceil(2) - w.div_ceil(2));
                    }
                }
                stride
            }
            PixelFormat::Nv12 => {
                luma(&mut data);
                let stride = w + padding;
                for row in 0..h.div_ceil(2) {
                    let both = |column| [1, 2].map(|of| self.mean(of, pair(column), pair(row)));
                    data.extend((0..w.div_ceil(2)).flat_map(both));
                    pad(&mut data, stride.next_multiple_of(2) - 2 * w.div_ceil(2));
                }
                stride
            }
            PixelFormat::Yuyv => {
                for row in 0..h {
                    let begin = data.len();
                    for column in (0..w).step_by(2) {
                        let of = |of: usize| self.mean(of, pair(column / 2), row..row + 1);
                        let y = |column: usize| self.pixels[row * w + column.min(w - 1)][0];
                        data.extend([y(column), of(1), y(column + 1), of(2)]);
                    }
                    data.truncate(begin + 2 * w);
                    pad(&mut data, padding);
                }
                2 * w + padding
            }
        };
        Frame { data, format, width: w as u32, height: h as u32, stride: stride as u32, ..Frame::default() }
    }
}

/// Which pixels a mask hides.
fn hidden(shapes: &Shapes, width: usize, height: usize) -> Vec<bool> {
    let mut hidden = vec![false; width * height];
    for Span { row, from, to } in raster::spans(shapes, (width as u32, height as u32)) {
        hidden[row as usize * width..][from as usize..to as usize].fill(true);
    }
    hidden
}

/// Two scenes that differ wherever they are hidden, and nowhere else.
fn twins(shapes: &Shapes, width: usize, height: usize, seed: u64) -> [Scene; 2] {
    let scene = Scene::new(width, height, seed);
    let mut other = scene.clone();
    for (pixel, hidden) in other.pixels.iter_mut().zip(hidden(shapes, width, height)) {
        if hidden {
            *pixel = pixel.map(|value| value.wrapping_add(97));
        }
    }
    [scene, other]
}

fn garden() -> Shapes {
    let triangle = vec![[0.05, 0.3], [0.55, 0.4], [0.25, 0.95]];
    Shapes { mask: vec![triangle], region: vec![vec![[0.0, 0.0], [0.93, 0.0], [0.93, 1.0], [0.0, 1.0]]] }
}

/// A camera that shows one scene for ever.
struct Still {
    info: SourceInfo,
    frame: Frame,
    given: u64,
}

impl Source for Still {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        self.given += 1;
        if self.given > 40 {
            return Ok(Advance::End);
        }
        Ok(Advance::Frame(FrameHeader { number: self.given, pts_ns: (self.given - 1) * 40_000_000 }))
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        frame.clone_from(&self.frame);
        Ok(())
    }
}

/// An extractor whose row is its clip.
struct Mirror(EngineInfo);

impl Engine for Mirror {
    fn info(&self) -> &EngineInfo {
        &self.0
    }

    fn run(&mut self, input: Input<'_>, row: &mut [f32]) -> Result<()> {
        let Input::U8(pixels) = input else { panic!("pixels") };
        row.iter_mut().zip(pixels).for_each(|(value, pixel)| *value = f32::from(*pixel));
        Ok(())
    }
}

/// The rows, as bits, and the clips of a camera that shows `frame` behind `mask`.
fn rows_and_clips(frame: Frame, mask: &PrivacyMask) -> Vec<(Vec<u32>, Vec<u8>)> {
    let input = ClipContract {
        width: 12,
        height: 8,
        rate_hz: 25,
        clip_ticks: 16,
        ticks: vec![0, 8],
        extractor_sha256: String::new(),
    };
    let width = input.clip_bytes();
    let info = EngineInfo {
        engine: "mirror",
        version: "0".into(),
        provider: Provider::Cpu,
        input_shape: vec![2, 8, 12, 3],
        output_shape: vec![1, width],
    };
    let contract =
        FeatureContract { feature_width: width as u32, input: Some(input), ..FeatureContract::external(width as u32) };
    let info_of = SourceInfo {
        uri: "still".into(),
        width: frame.width,
        height: frame.height,
        rate_hz: Some(25.0),
        constant_rate: true,
        frames: None,
        live: false,
    };
    let still = Opened::Frames(Box::new(Still { info: info_of, frame, given: 0 }));
    let Opened::Frames(source) = mask.over(still) else { panic!("frames") };
    let mut feed = Feed::frames(source, Extractor::new(Box::new(Mirror(info)), contract).unwrap()).unwrap();
    let (mut row, mut all) = (Vec::new(), Vec::new());
    while let Fed::Row(_) = feed.next_row(&mut row).unwrap() {
        let clip = feed.clip().unwrap().0.pixels.clone();
        all.push((row.iter().map(|value| value.to_bits()).collect(), clip));
    }
    assert_eq!(all.len(), 2);
    all
}

#[test]
fn no_masked_pixel_leaves() {
    for format in FORMATS {
        for (width, height) in [(32, 24), (31, 23)] {
            let [one, other] = twins(&garden(), width, height, 7).map(|scene| scene.frame(format, 3));
            assert_ne!(one.data, other.data, "{format:?}: they differ before they are masked");
            let open = PrivacyMask::default();
            assert_ne!(rows_and_clips(one.clone(), &open), rows_and_clips(other.clone(), &open), "{format:?}");
            let mask = PrivacyMask::new(garden());
            assert_eq!(rows_and_clips(one, &mask), rows_and_clips(other, &mask), "{format:?}, {width} x {height}");
        }
    }
}

#[test]
fn what_is_hidden_is_black_and_the_rest_is_as_it_was() {
    let (width, height) = (32, 24);
    let scene = Scene::new(width, height, 3);
    for format in FORMATS {
        let before = scene.frame(format, 0);
        let mut frame = before.clone();
        Masker::new(PrivacyMask::new(garden())).apply(&mut frame);
        let (step, black) = match format {
            PixelFormat::Rgb24 => (3, 0),
            PixelFormat::Yuyv => (2, 16),
            _ => (1, 16),
        };
        for (n, hidden) in hidden(&garden(), width, height).into_iter().enumerate() {
            let wanted = if hidden { black } else { before.data[n * step] };
            assert_eq!(frame.data[n * step], wanted, "{format:?}, pixel {n}");
        }
    }
}

#[test]
fn a_mask_changes_while_a_camera_runs_and_fits_every_size() {
    let mask = PrivacyMask::default();
    let mut masker = Masker::new(mask.clone());
    let dark = |masker: &mut Masker, size: usize| {
        let mut frame = Frame {
            data: vec![200; size * size],
            format: PixelFormat::Grey8,
            width: size as u32,
            height: size as u32,
            stride: size as u32,
            jpeg: vec![1],
        };
        masker.apply(&mut frame);
        let black = frame.data.iter().filter(|value| **value == 16).count();
        assert_eq!(frame.jpeg.is_empty(), black > 0, "the camera's own picture does not get past a mask");
        frame.data.iter().filter(|value| **value == 16).count()
    };
    assert_eq!(dark(&mut masker, 8), 0);
    let half = vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];
    mask.set(Shapes { mask: vec![half], region: Vec::new() });
    assert_eq!(dark(&mut masker, 8), 32);
    assert_eq!(dark(&mut masker, 16), 128);
    mask.set(Shapes::default());
    assert_eq!(dark(&mut masker, 16), 0);
}

#[test]
fn a_short_buffer_is_no_panic() {
    for format in FORMATS {
        let mut frame = Scene::new(16, 16, 1).frame(format, 0);
        frame.data.truncate(70);
        Masker::new(PrivacyMask::new(garden())).apply(&mut frame);
        assert_eq!(frame.data.len(), 70);
    }
}

proptest! {
    /// Any mask, any size, any padding.
    #[test]
    fn twins_become_the_same_frame(
        corners in prop::collection::vec((0u8..=20, 0u8..=20), 3..7), width in 1usize..20, height in 1usize..20,
        padding in 0usize..5, seed: u64,
    ) {
        let polygon = corners.iter().map(|&(x, y)| [f32::from(x) / 20.0, f32::from(y) / 20.0]).collect();
        let shapes = Shapes { mask: vec![polygon], region: Vec::new() };
        for format in FORMATS {
            let [one, other] = twins(&shapes, width, height, seed).map(|scene| {
                let mut frame = scene.frame(format, padding);
                Masker::new(PrivacyMask::new(shapes.clone())).apply(&mut frame);
                frame.data
            });
            prop_assert_eq!(&one, &other, "{:?}", format);
        }
    }
}
