//! A convolution of any window that mixes channels: the pixels under each window are laid side by side, a few rows
//! of outputs at a time, and handed to the matrix product.

use std::sync::Arc;

use super::depthwise::{Shape, inside};
use crate::engine::kernels::product::{Product, Weights};

/// Floats laid out at a time: they stay in the second-level cache until the product has read them.
const CHUNK: usize = 32 * 1024;

/// A convolution from `[n, height, width, channels]` to `[n, out_height, out_width, weights.cols]`.
#[derive(Clone, Debug)]
pub struct Window {
    /// `channels` are those of the input.
    pub shape: Shape,
    /// `[kernel height * kernel width * channels, output channels]`
    pub weights: Arc<Weights>,
    /// Lowest and highest output.
    pub clamp: (f32, f32),
}

impl Window {
    /// Output pixels handled at a time.
    fn chunk(&self) -> usize {
        let [oh, ow] = self.shape.output;
        (CHUNK / self.weights.k).clamp(1, oh * ow)
    }

    /// Floats that `run` needs for its windows.
    pub fn scratch(&self) -> usize {
        self.chunk() * self.weights.k
    }

    /// Floats of one output image.
    pub fn output_len(&self) -> usize {
        self.shape.output[0] * self.shape.output[1] * self.weights.cols
    }

    /// Convolve every image of `input` into `output`; `add`, of the output's shape, is added before the clamp.
    pub fn run(&self, input: &[f32], add: Option<&[f32]>, output: &mut [f32], scratch: &mut [f32]) {
        let Shape { channels, input: [h, w], output: [oh, ow], .. } = self.shape;
        let k = self.weights.k;
        let chunk = self.chunk();
        let image_out = self.output_len();
        for (image, input) in input.chunks_exact(h * w * channels).enumerate() {
            for first in (0..oh * ow).step_by(chunk) {
                let pixels = first..(oh * ow).min(first + chunk);
                let windows = &mut scratch[..pixels.len() * k];
                for (pixel, window) in pixels.clone().zip(windows.chunks_exact_mut(k)) {
                    self.gather(input, pixel / ow, pixel % ow, window);
                }
                let out = image * image_out + pixels.start * self.weights.cols
                    ..image * image_out + pixels.end * self.weights.cols;
                let add = add.map(|add| &add[out.clone()]);
                Product { a: windows, weights: &self.weights, add, clamp: self.clamp, out: &mut output[out] }.run();
            }
        }
    }

    /// The pixels under the window of output (y, x), zeros where it leaves the image.
    fn gather(&self, input: &[f32], y: usize, x: usize, window: &mut [f32]) {
        let Shape { channels: c, input: [h, w], kernel: [kh, kw], stride: [sy, sx], pad: [py, px], .. } = self.shape;
        let rows = inside(y * sy, kh, py, h);
        let cols = inside(x * sx, kw, px, w);
        if rows.len() * cols.len() < kh * kw {
            window.fill(0.0);
        }
        for row in rows {
            let from = ((y * sy + row - py) * w + x * sx + cols.start).saturating_sub(px) * c;
            let to = (row * kw + cols.start) * c;
            let len = cols.len() * c;
            window[to..to + len].copy_from_slice(&input[from..from + len]);
        }
    }
}
