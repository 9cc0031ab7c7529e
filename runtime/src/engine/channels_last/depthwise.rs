//! Depthwise convolution, channels last: every channel has its own k x k filter, so a vector is 4, 8 or 16
//! neighbouring channels of one pixel, and no border and no stride ever splits it.

use crate::engine::kernels::simd::{AlignedVec, dispatch, lanes};
use pulp::{Simd, WithSimd};

/// Neighbouring outputs computed together: each weight and each input is loaded once for all of them.
const TOGETHER: usize = 4;

/// A depthwise convolution from `[n, height, width, channels]` to `[n, out_height, out_width, channels]`.
#[derive(Debug)]
pub struct Depthwise {
    /// `[kernel, kernel, stored]`, where `stored` is `channels` rounded up to whole vectors.
    weights: AlignedVec,
    bias: AlignedVec,
    shape: Shape,
    clamp: (f32, f32),
}

/// Sizes of a depthwise convolution, in pixels and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels, in and out.
    pub channels: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Output height and width.
    pub output: [usize; 2],
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Rows of zeros above, and columns of zeros left; no window lies on such zeros alone.
    pub pad: [usize; 2],
}

impl Shape {
    /// Floats of one input image.
    pub fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }
}

impl Depthwise {
    /// Floats of one input image.
    pub fn input_len(&self) -> usize {
        self.shape.input_len()
    }

    /// Floats of one output image.
    pub fn output_len(&self) -> usize {
        self.shape.output[0] * self.shape.output[1] * self.shape.channels
    }

    /// Weights as a function of (channel, tap), a tap being `row * kernel width + column`.
    pub fn new(shape: Shape, clamp: (f32, f32), bias: &[f32], at: impl Fn(usize, usize) -> f32) -> Self {
        let stored = shape.channels.next_multiple_of(lanes());
        let taps = shape.kernel[0] * shape.kernel[1];
        let mut weights = AlignedVec::zeros(taps * stored);
        for tap in 0..taps {
            for channel in 0..shape.channels {
                weights[tap * stored + channel] = at(channel, tap);
            }
        }
        let mut padded = AlignedVec::zeros(stored);
        padded[..shape.channels].copy_from_slice(bias);
        Self { weights, bias: padded, shape, clamp }
    }

    /// Convolve every image of `input` into `output`.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let Shape { channels, input: [h, w], output: [oh, ow], .. } = self.shape;
        let images = input.chunks_exact(h * w * channels);
        for (input, output) in images.zip(output.chunks_exact_mut(oh * ow * channels)) {
            dispatch(Image { conv: self, input, output });
        }
    }
}

struct Image<'a> {
    conv: &'a Depthwise,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shape = self.conv.shape;
        if !shape.channels.is_multiple_of(S::F32_LANES) {
            return self.one_by_one();
        }
        match (shape.kernel, shape.stride) {
            ([3, 3], [1, 1]) => self.rows::<S, 3, 1>(simd),
            ([3, 3], [2, 2]) => self.rows::<S, 3, 2>(simd),
            ([5, 5], [1, 1]) => self.rows::<S, 5, 1>(simd),
            ([5, 5], [2, 2]) => self.rows::<S, 5, 2>(simd),
            _ => self.rows::<S, 0, 0>(simd),
        }
    }
}

/// Those taps of a window starting at `first` (in padded coordinates, `pad` before the image) that fall on the image.
#[inline(always)]
pub fn inside(first: usize, taps: usize, pad: usize, size: usize) -> std::ops::Range<usize> {
    let begin = pad.saturating_sub(first).min(taps);
    begin..(size + pad).saturating_sub(first).clamp(begin, taps)
}

impl Image<'_> {
    /// `K` and `STRIDE` known to the compiler; with 0 for both every pixel takes the way of the border.
    #[inline(always)]
    fn rows<S: Simd, const K: usize, const STRIDE: usize>(self, simd: S) {
        let Shape { channels, input: [h, w], output: [oh, ow], kernel: [kh, kw], stride: [sy, sx], pad: [py, px] } =
            self.conv.shape;
        let vectors = channels / S::F32_LANES;
        let (input, _) = S::as_simd_f32s(self.input);
        let (output, _) = S::as_mut_simd_f32s(self.output);
        let (weights, _) = S::as_simd_f32s(&self.conv.weights);
        let (bias, _) = S::as_simd_f32s(&self.conv.bias);
        let clamp = (simd.splat_f32s(self.conv.clamp.0), simd.splat_f32s(self.conv.clamp.1));

        // Output columns whose whole window is on the image.
        let begin = px.div_ceil(sx).min(ow);
        let end = if w + px >= kw { ((w + px - kw) / sx + 1).clamp(begin, ow) } else { begin };
        let fast = K > 0 && end - begin >= TOGETHER;
        for y in 0..oh {
            let taps_y = inside(y * sy, kh, py, h);
            let output = &mut output[y * ow * vectors..(y + 1) * ow * vectors];
            let top = y * sy + taps_y.start - py.min(y * sy + taps_y.start);
            let input = &input[top * w * vectors..(top + taps_y.len()) * w * vectors];
            let weights = &weights[taps_y.start * kw * vectors..taps_y.end * kw * vectors];
            for x in (0..ow).filter(|x| !fast || *x < begin || *x >= end) {
                let taps_x = inside(x * sx, kw, px, w);
                let left = (x * sx + taps_x.start).saturating_sub(px);
                let output = &mut output[x * vectors..(x + 1) * vectors];
                for (v, out) in output.iter_mut().enumerate() {
                    let mut sum = bias[v];
                    for ty in 0..taps_y.len() {
                        for (i, tx) in taps_x.clone().enumerate() {
                            let a = input[(ty * w + left + i) * vectors + v];
                            sum = simd.mul_add_f32s(a, weights[(ty * kw + tx) * vectors + v], sum);
                        }
                    }
                    *out = simd.min_f32s(clamp.1, simd.max_f32s(clamp.0, sum));
                }
            }
            if !fast {
                continue;
            }
            for x in (begin..end).step_by(TOGETHER) {
                let x = x.min(end - TOGETHER);
                let left = x * STRIDE - px;
                for v in 0..vectors {
                    let mut sums = [bias[v]; TOGETHER];
                    for ty in 0..taps_y.len() {
                        let row = &input[(ty * w + left) * vectors..];
                        let row = &row[..((TOGETHER - 1) * STRIDE + K) * vectors];
                        let weights = &weights[ty * K * vectors..(ty + 1) * K * vectors];
                        for tx in 0..K {
                            let weight = weights[tx * vectors + v];
                            for (i, sum) in sums.iter_mut().enumerate() {
                                *sum = simd.mul_add_f32s(row[(i * STRIDE + tx) * vectors + v], weight, *sum);
                            }
                        }
                    }
                    for (i, sum) in sums.into_iter().enumerate() {
                        output[(x + i) * vectors + v] = simd.min_f32s(clamp.1, simd.max_f32s(clamp.0, sum));
                    }
                }
            }
        }
    }

    /// Any number of channels, one float at a time.
    #[inline(always)]
    fn one_by_one(self) {
        let Shape { channels, input: [h, w], output: [_, ow], kernel: [kh, kw], stride: [sy, sx], pad: [py, px] } =
            self.conv.shape;
        let stored = self.conv.bias.len();
        let (low, high) = self.conv.clamp;
        for (pixel, out) in self.output.chunks_exact_mut(channels).enumerate() {
            let (y, x) = (pixel / ow * sy, pixel % ow * sx);
            for (c, out) in out.iter_mut().enumerate() {
                let mut sum = self.conv.bias[c];
                for ty in inside(y, kh, py, h) {
                    for tx in inside(x, kw, px, w) {
                        let a = self.input[((y + ty - py) * w + x + tx - px) * channels + c];
                        sum = a.mul_add(self.conv.weights[(ty * kw + tx) * stored + c], sum);
                    }
                }
                *out = if sum.is_nan() { sum } else { sum.max(low).min(high) };
            }
        }
    }
}
