//! What the camera does to the light: exposure, white balance, sensor noise and the block compression of its encoder
//! (the JPEG transform, quantised and undone, without the bit stream). RGBA raster in, RGB frame out.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::source::sim::weather::Rgb;

type Block = [[f32; 8]; 8];

/// Luma and chroma steps of JPEG's Annex K, by rows.
const STEPS: [[u8; 64]; 2] = [
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
        87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103, 99,
    ],
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99,
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
    /// Steps and their inverses, luma then chroma.
    steps: [[Block; 2]; 2],
    basis: Block,
    basis_t: Block,
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
                pair[0][i / 8][i % 8] = step;
                pair[1][i / 8][i % 8] = 1.0 / step;
            }
            pair
        });
        let (mut basis, mut basis_t) = ([[0.0; 8]; 8], [[0.0; 8]; 8]);
        for k in 0..8 {
            for n in 0..8 {
                let scale = if k == 0 { 0.125_f32 } else { 0.25 }.sqrt();
                let value = scale * ((2 * n + 1) as f32 * k as f32 * std::f32::consts::PI / 16.0).cos();
                basis[k][n] = value;
                basis_t[n][k] = value;
            }
        }
        Self { seed, grain, noise, steps, basis, basis_t }
    }

    /// Turn RGBA of `width` x `height` pixels, brightened by `gain`, into `out` (RGB). The noise is that of frame `number`.
    pub fn expose(&self, rgba: &[u8], width: usize, height: usize, gain: Rgb, number: u64, out: &mut [u8]) {
        for top in (0..height).step_by(MACRO) {
            for left in (0..width).step_by(MACRO) {
                self.macroblock(rgba, (width, height), (left, top), gain, number, out);
            }
        }
    }

    fn macroblock(&self, rgba: &[u8], size: (usize, usize), at: (usize, usize), gain: Rgb, number: u64, out: &mut [u8]) {
        let (width, height) = size;
        let (left, top) = at;
        let mut h = self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((top * width + left) as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let start = (h >> 40) as usize % GRAINS;
        let grain = &self.grain[start..start + 2 * MACRO * MACRO];

        let mut luma = [[[0.0; 8]; 8]; 4];
        let (mut cb, mut cr) = ([[0.0; 8]; 8], [[0.0; 8]; 8]);
        for y in 0..MACRO {
            let row = (top + y).min(height - 1) * width;
            for x in 0..MACRO {
                let i = (row + (left + x).min(width - 1)) * 4;
                let r = f32::from(rgba[i]) * gain[0];
                let g = f32::from(rgba[i + 1]) * gain[1];
                let b = f32::from(rgba[i + 2]) * gain[2];
                let light = 0.299 * r + 0.587 * g + 0.114 * b;
                let k = (y / 8) * 2 + x / 8;
                luma[k][y % 8][x % 8] = light + self.noise * grain[y * MACRO + x] - 128.0;
                cb[y / 2][x / 2] += 0.25 * 0.564 * (b - light);
                cr[y / 2][x / 2] += 0.25 * 0.713 * (r - light);
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
            let wide = MACRO.min(width - left);
            let row = ((top + y) * width + left) * 3;
            for (x, pixel) in out[row..row + wide * 3].chunks_exact_mut(3).enumerate() {
                let light = luma[(y / 8) * 2 + x / 8][y % 8][x % 8] + 128.5;
                let (u, v) = (cb[y / 2][x / 2], cr[y / 2][x / 2]);
                pixel[0] = (light + 1.402 * v) as u8;
                pixel[1] = (light - 0.344 * u - 0.714 * v) as u8;
                pixel[2] = (light + 1.772 * u) as u8;
            }
        }
    }

    /// There and back through the quantised cosine transform.
    fn encode(&self, block: &mut Block, table: usize) {
        // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
        const ROUND: f32 = 12_582_912.0;
        let mut c = product(&product(&self.basis, block), &self.basis_t);
        let [step, inverse] = &self.steps[table];
        for y in 0..8 {
            for x in 0..8 {
                c[y][x] = (c[y][x] * inverse[y][x] + ROUND - ROUND) * step[y][x];
            }
        }
        *block = product(&product(&self.basis_t, &c), &self.basis);
    }
}

fn product(a: &Block, b: &Block) -> Block {
    let mut out = [[0.0; 8]; 8];
    for y in 0..8 {
        for k in 0..8 {
            let f = a[y][k];
            for x in 0..8 {
                out[y][x] += f * b[k][x];
            }
        }
    }
    out
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
        let first = out.clone();
        Lens::new(1, 6.0, 99.9).expose(&rgba, w, h, [1.0; 3], 1, &mut out);
        assert_ne!(first, out, "noise must change from frame to frame");
    }
}
