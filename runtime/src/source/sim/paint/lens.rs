//! What the camera does to the light: exposure, white balance, sensor noise and the block compression of its encoder
//! (the JPEG transform, quantised and undone, without the bit stream). RGBA raster in, RGB frame out.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::source::sim::weather::Rgb;

type Block = [[f32; 8]; 8];

/// Luma and chroma steps of JPEG's Annex K, by rows.
const STEPS: [[u8; 64]; 2] = [
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
        51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121,
        120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ],
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
    ],
];
/// Macroblocks are 16 pixels wide and high.
const MACRO: usize = 16;
const GRAINS: usize = 1 << 15;

/// The lens, the sensor and the encoder of one recording.
pub struct Lens {
    seed: u64,
    /// Noise of standard deviation one.
    grain: Vec<f32>,
    noise: f32,
    /// Steps and their inverses, transposed; luma then chroma.
    steps: [[Block; 2]; 2],
    /// The even and odd halves of the cosine basis, and their transposes.
    even: [[f32; 4]; 4],
    odd: [[f32; 4]; 4],
    even_t: [[f32; 4]; 4],
    odd_t: [[f32; 4]; 4],
}

impl Lens {
    /// A lens with noise of this standard deviation (8-bit steps) and an encoder of this JPEG quality.
    pub fn new(seed: u64, noise: f32, quality: f32) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x0016_7a14);
        let grain = (0..GRAINS + MACRO * MACRO * 2)
            .map(|_| (0..4).map(|_| rng.random_range(-0.866..0.866_f32)).sum::<f32>())
            .collect();
        let percent = if quality < 50.0 { 5000.0 / quality } else { 200.0 - 2.0 * quality };
        let steps = STEPS.map(|table| {
            let mut pair = [[[0.0; 8]; 8]; 2];
            for (i, step) in table.iter().enumerate() {
                let step = (f32::from(*step) * percent / 100.0).round().max(1.0);
                pair[0][i % 8][i / 8] = step;
                pair[1][i % 8][i / 8] = 1.0 / step;
            }
            pair
        });
        let mut lens = Self {
            seed,
            grain,
            noise,
            steps,
            even: [[0.0; 4]; 4],
            odd: [[0.0; 4]; 4],
            even_t: [[0.0; 4]; 4],
            odd_t: [[0.0; 4]; 4],
        };
        for k in 0..4 {
            for n in 0..4 {
                let cosine = |k: usize| {
                    let scale = if k == 0 { 0.125_f32 } else { 0.25 }.sqrt();
                    scale * ((2 * n + 1) as f32 * k as f32 * std::f32::consts::PI / 16.0).cos()
                };
                (lens.even[k][n], lens.odd[k][n]) = (cosine(2 * k), cosine(2 * k + 1));
                (lens.even_t[n][k], lens.odd_t[n][k]) = (cosine(2 * k), cosine(2 * k + 1));
            }
        }
        lens
    }

    /// Turn RGBA of `width` x `height` pixels, brightened by `gain`, into `out` (RGB). The noise is that of frame `number`.
    pub fn expose(&self, rgba: &[u8], width: usize, height: usize, gain: Rgb, number: u64, out: &mut [u8]) {
        for top in (0..height).step_by(MACRO) {
            for left in (0..width).step_by(MACRO) {
                self.macroblock(rgba, (width, height), (left, top), gain, number, out);
            }
        }
    }

    fn macroblock(
        &self,
        rgba: &[u8],
        size: (usize, usize),
        at: (usize, usize),
        gain: Rgb,
        number: u64,
        out: &mut [u8],
    ) {
        let (width, height) = size;
        let (left, top) = at;
        let mut h = self.seed
            ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ((top * width + left) as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let start = (h >> 40) as usize % GRAINS;
        let grain = &self.grain[start..start + 2 * MACRO * MACRO];

        let mut luma = [[[0.0; 8]; 8]; 4];
        let (mut cb, mut cr) = ([[0.0; 8]; 8], [[0.0; 8]; 8]);
        let wide = MACRO.min(width - left);
        for y in 0..MACRO {
            let row = ((top + y).min(height - 1) * width + left) * 4;
            let mut pixels = [0; MACRO * 4];
            if let Some(whole) = rgba[row..].first_chunk().filter(|_| wide == MACRO) {
                pixels = *whole;
            } else {
                pixels[..wide * 4].copy_from_slice(&rgba[row..row + wide * 4]);
                for x in wide..MACRO {
                    pixels.copy_within((wide - 1) * 4..wide * 4, x * 4);
                }
            }
            let (mut light, mut u, mut v) = ([0.0; MACRO], [0.0; MACRO], [0.0; MACRO]);
            for x in 0..MACRO {
                let r = f32::from(pixels[x * 4]) * gain[0];
                let g = f32::from(pixels[x * 4 + 1]) * gain[1];
                let b = f32::from(pixels[x * 4 + 2]) * gain[2];
                light[x] = 0.299 * r + 0.587 * g + 0.114 * b;
                u[x] = 0.25 * 0.564 * (b - light[x]);
                v[x] = 0.25 * 0.713 * (r - light[x]);
            }
            let grain: &[f32] = &grain[y * MACRO..(y + 1) * MACRO];
            for x in 0..8 {
                luma[y / 8 * 2][y % 8][x] = light[x] + self.noise * grain[x] - 128.0;
                luma[y / 8 * 2 + 1][y % 8][x] = light[x + 8] + self.noise * grain[x + 8] - 128.0;
                cb[y / 2][x] += u[x * 2] + u[x * 2 + 1];
                cr[y / 2][x] += v[x * 2] + v[x * 2 + 1];
            }
        }
        for y in 0..8 {
            for x in 0..8 {
                cb[y][x] += 0.45 * self.noise * grain[256 + y * 8 + x];
                cr[y][x] += 0.45 * self.noise * grain[320 + y * 8 + x];
            }
        }
        for block in &mut luma {
            self.encode(block, 0);
        }
        self.encode(&mut cb, 1);
        self.encode(&mut cr, 1);
        for y in 0..MACRO.min(height - top) {
            let (first, second) = (&luma[y / 8 * 2][y % 8], &luma[y / 8 * 2 + 1][y % 8]);
            let (u, v) = (&cb[y / 2], &cr[y / 2]);
            let mut rgb = [[0.0; 3]; MACRO];
            for x in 0..8 {
                rgb[x] = [first[x]; 3];
                rgb[x + 8] = [second[x]; 3];
            }
            let mut bytes = [0; MACRO * 3];
            for x in 0..MACRO {
                let (u, v) = (u[x / 2], v[x / 2]);
                bytes[x * 3] = byte(rgb[x][0] + 1.402 * v);
                bytes[x * 3 + 1] = byte(rgb[x][1] - 0.344 * u - 0.714 * v);
                bytes[x * 3 + 2] = byte(rgb[x][2] + 1.772 * u);
            }
            let row = ((top + y) * width + left) * 3;
            if let Some(whole) = out[row..].first_chunk_mut().filter(|_| wide == MACRO) {
                *whole = bytes;
            } else {
                out[row..row + wide * 3].copy_from_slice(&bytes[..wide * 3]);
            }
        }
    }

    /// There and back through the quantised cosine transform.
    fn encode(&self, block: &mut Block, table: usize) {
        // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
        const ROUND: f32 = 12_582_912.0;
        let mut c = transpose(&self.forward(block));
        c = self.forward(&c);
        // `c` lies transposed, as do the steps.
        let [step, inverse] = &self.steps[table];
        for y in 0..8 {
            for x in 0..8 {
                c[y][x] = (c[y][x] * inverse[y][x] + ROUND - ROUND) * step[y][x];
            }
        }
        c = transpose(&self.backward(&c));
        *block = self.backward(&c);
    }

    /// The cosine transform of every column: even and odd coefficients from the sums and differences of mirrored rows.
    fn forward(&self, x: &Block) -> Block {
        let (mut sum, mut difference) = ([[0.0; 8]; 4], [[0.0; 8]; 4]);
        for n in 0..4 {
            for i in 0..8 {
                sum[n][i] = x[n][i] + x[7 - n][i];
                difference[n][i] = x[n][i] - x[7 - n][i];
            }
        }
        let mut out = [[0.0; 8]; 8];
        for k in 0..4 {
            out[2 * k] = combine(&self.even[k], &sum);
            out[2 * k + 1] = combine(&self.odd[k], &difference);
        }
        out
    }

    /// The inverse of [`Self::forward`].
    fn backward(&self, c: &Block) -> Block {
        let even = [c[0], c[2], c[4], c[6]];
        let odd = [c[1], c[3], c[5], c[7]];
        let mut out = [[0.0; 8]; 8];
        for n in 0..4 {
            let a = combine(&self.even_t[n], &even);
            let b = combine(&self.odd_t[n], &odd);
            for i in 0..8 {
                out[n][i] = a[i] + b[i];
                out[7 - n][i] = a[i] - b[i];
            }
        }
        out
    }
}

/// The rows of `x`, weighted and summed.
fn combine(weights: &[f32; 4], x: &[[f32; 8]; 4]) -> [f32; 8] {
    let mut out = [0.0; 8];
    for i in 0..8 {
        out[i] = weights[0] * x[0][i] + weights[1] * x[1][i] + weights[2] * x[2][i] + weights[3] * x[3][i];
    }
    out
}

fn transpose(x: &Block) -> Block {
    let mut out = [[0.0; 8]; 8];
    for (i, row) in x.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            out[j][i] = *value;
        }
    }
    out
}

/// An 8-bit value, grey 0 being 128.
fn byte(value: f32) -> u8 {
    // From 2^23 on the last bits of a float are whole numbers.
    ((value + 128.0).clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_and_noise_has_its_deviation() {
        let (w, h) = (50, 37);
        let rgba: Vec<u8> = [120, 120, 120, 255].repeat(w * h);
        let mut out = vec![0; w * h * 3];
        Lens::new(1, 0.0, 85.0).expose(&rgba, w, h, [1.0; 3], 0, &mut out);
        assert!(out.iter().all(|v| v.abs_diff(120) <= 2), "{:?}", &out[..12]);
        Lens::new(1, 6.0, 99.9).expose(&rgba, w, h, [1.0; 3], 0, &mut out);
        let mean = out.iter().map(|v| f64::from(*v)).sum::<f64>() / out.len() as f64;
        let deviation = (out.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / out.len() as f64).sqrt();
        assert!((4.0..9.0).contains(&deviation), "{deviation}");
        // Near-lossless: black and white come out as such.
        for value in [0, 7, 64, 200, 255] {
            let flat: Vec<u8> = [value, value, value, 255].repeat(w * h);
            Lens::new(1, 0.0, 99.9).expose(&flat, w, h, [1.0; 3], 0, &mut out);
            assert!(out.iter().all(|v| v.abs_diff(value) <= 1), "{value} became {}", out[0]);
        }
        // A picture with every frequency survives the transform.
        let mut busy = rgba.clone();
        for (i, pixel) in busy.chunks_exact_mut(4).enumerate() {
            let value = ((i % w) * 3 + (i / w) * (i / w) % 60) as u8;
            pixel[..3].fill(value);
        }
        Lens::new(1, 0.0, 99.9).expose(&busy, w, h, [1.0; 3], 0, &mut out);
        for (a, b) in busy.chunks_exact(4).zip(out.chunks_exact(3)) {
            assert!(a[0].abs_diff(b[0]) <= 3, "{} became {}", a[0], b[0]);
        }
        Lens::new(1, 6.0, 99.9).expose(&rgba, w, h, [1.0; 3], 0, &mut out);
        let first = out.clone();
        Lens::new(1, 6.0, 99.9).expose(&rgba, w, h, [1.0; 3], 1, &mut out);
        assert_ne!(first, out, "noise must change from frame to frame");
    }
}
