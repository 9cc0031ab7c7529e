//! Against sums in float64, and against tract itself.

use super::accelerate;
use super::depthwise::{Depthwise, Shape};
use super::op::ChannelsLast;
use super::window::Window;
use crate::engine::kernels::product::{Product, Weights};
use proptest::prelude::*;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{DataFormat, Reduce, Reducer};

/// Numbers in [-1, 1), the same for the same seed.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u64 * 2 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn close(ours: &[f32], exact: &[f64]) {
    assert_eq!(ours.len(), exact.len());
    let largest = exact.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (at, (a, b)) in ours.iter().zip(exact).enumerate() {
        assert!((f64::from(*a) - b).abs() < 1e-5 * largest, "element {at}: {a} is not {b}");
    }
}

/// Channels last; `kernel` is `[out, in / groups, height, width]`.
fn convolve(shape: Shape, groups: usize, out: usize, input: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f64> {
    let Shape { channels, input: [h, w], output: [oh, ow], kernel: [kh, kw], stride, pad } = shape;
    let (per_group, out_per_group) = (channels / groups, out / groups);
    let mut result = vec![];
    for image in input.chunks_exact(h * w * channels) {
        for (y, x, o) in itertools(oh, ow, out) {
            let mut sum = f64::from(bias[o]);
            for (ty, tx, i) in itertools(kh, kw, per_group) {
                let (iy, ix) = ((y * stride[0] + ty).wrapping_sub(pad[0]), (x * stride[1] + tx).wrapping_sub(pad[1]));
                if iy < h && ix < w {
                    let a = image[(iy * w + ix) * channels + o / out_per_group * per_group + i];
                    sum += f64::from(a) * f64::from(kernel[((o * per_group + i) * kh + ty) * kw + tx]);
                }
            }
            result.push(sum);
        }
    }
    result
}

fn itertools(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / c / b, i / c % b, i % c))
}

prop_compose! {
    fn shapes()(
        channels in prop_oneof![1..40usize, Just(16), Just(32), Just(48)],
        input in [1..14usize, 1..14usize],
        kernel in prop_oneof![Just([3, 3]), Just([5, 5]), Just([1, 1]), Just([2, 4]), Just([7, 3])],
        stride in prop_oneof![Just([1, 1]), Just([2, 2]), Just([2, 1])],
        before in [0..4usize, 0..4usize],
        after in [0..4usize, 0..4usize],
    ) -> Option<Shape> {
        let [before, after] = [before, after].map(|pad| [0, 1].map(|i| pad[i].min(kernel[i] - 1)));
        let output = [0, 1].map(|i| {
            Some((input[i] + before[i] + after[i]).checked_sub(kernel[i])? / stride[i] + 1)
        });
        Some(Shape { channels, input, output: [output[0]?, output[1]?], kernel, stride, pad: before })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn product_is_exact(rows in 1..60usize, k in 1..70usize, cols in 1..90usize, added: bool, seed in 0..99usize) {
        let (a, w, bias, add) =
            (noise(rows * k, seed), noise(k * cols, seed + 1), noise(cols, seed + 2), noise(rows * cols, seed + 3));
        let mut out = vec![f32::NAN; rows * cols];
        let weights = Weights::pack(k, cols, &bias, |row, col| w[row * cols + col]);
        let clamp = (-0.5, 0.75);
        Product { a: &a, weights: &weights, add: added.then_some(&add), clamp, out: &mut out }.run();
        let exact: Vec<f64> = (0..rows * cols).map(|at| {
            let (row, col) = (at / cols, at % cols);
            let sum: f64 = (0..k).map(|i| f64::from(a[row * k + i]) * f64::from(w[i * cols + col])).sum();
            (sum + f64::from(bias[col]) + if added { f64::from(add[at]) } else { 0.0 }).clamp(-0.5, 0.75)
        }).collect();
        close(&out, &exact);
    }

    #[test]
    fn depthwise_is_exact(shape in shapes(), images in 1..3usize, seed in 0..99usize) {
        let Some(shape) = shape else { return Ok(()) };
        let (c, taps) = (shape.channels, shape.kernel[0] * shape.kernel[1]);
        let (input, kernel, bias) =
            (noise(images * shape.input_len(), seed), noise(c * taps, seed + 1), noise(c, seed + 2));
        let conv = Depthwise::new(shape, (-0.5, 0.75), &bias, |channel, tap| kernel[channel * taps + tap]);
        let mut out = vec![f32::NAN; images * conv.output_len()];
        conv.run(&input, &mut out);
        let exact = convolve(shape, c, c, &input, &kernel, &bias);
        close(&out, &exact.iter().map(|y| y.clamp(-0.5, 0.75)).collect::<Vec<_>>());
    }

    #[test]
    fn window_is_exact(shape in shapes(), images in 1..3usize, out_channels in 1..40usize, seed in 0..99usize) {
        let Some(shape) = shape else { return Ok(()) };
        let (c, taps) = (shape.channels, shape.kernel[0] * shape.kernel[1]);
        let (input, kernel, bias) =
            (noise(images * shape.input_len(), seed), noise(out_channels * c * taps, seed + 1), noise(out_channels, seed + 2));
        let at = |row: usize, out: usize| kernel[(out * c + row % c) * taps + row / c];
        let weights = Weights::pack(taps * c, out_channels, &bias, at);
        let conv = Window { shape, weights: Arc::new(weights), clamp: (f32::NEG_INFINITY, f32::INFINITY) };
        let mut out = vec![f32::NAN; images * conv.output_len()];
        conv.run(&input, None, &mut out, &mut vec![0.0; conv.scratch()]);
        close(&out, &convolve(shape, 1, out_channels, &input, &kernel, &bias));
    }
}

/// Wires convolutions into a graph, each with a name and weights of its own.
struct Wires {
    model: TypedModel,
    count: usize,
}

impl Wires {
    fn new(shape: [usize; 4]) -> (Self, OutletId) {
        let mut model = TypedModel::default();
        let source = model.add_source("image", f32::fact(shape)).unwrap();
        (Self { model, count: 0 }, source)
    }

    fn node(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> OutletId {
        self.count += 1;
        self.model.wire_node(format!("node{}", self.count), op, inputs).unwrap()[0]
    }

    fn constant(&mut self, shape: &[usize]) -> OutletId {
        self.count += 1;
        let values = noise(shape.iter().product(), self.count);
        self.model.add_const(format!("const{}", self.count), Tensor::from_shape(shape, &values).unwrap()).unwrap()
    }

    fn conv(&mut self, from: OutletId, out: usize, kernel: usize, stride: usize, depthwise: bool) -> OutletId {
        let channels = self.model.outlet_fact(from).unwrap().shape[1].to_usize().unwrap();
        let group = if depthwise { channels } else { 1 };
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec!(kernel, kernel),
            padding: PaddingSpec::SameUpper,
            dilations: None,
            strides: Some(tvec!(stride, stride)),
            input_channels: channels,
            output_channels: out,
        };
        let weights = self.constant(&[out, channels / group, kernel, kernel]);
        let bias = self.constant(&[out]);
        let conv = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group, q_params: None };
        self.node(conv, &[from, weights, bias])
    }

    fn relu6(&mut self, from: OutletId) -> OutletId {
        let bound = |wires: &mut Self, value: f32| {
            wires.count += 1;
            wires.model.add_const(format!("bound{}", wires.count), tensor4(&[[[[value]]]])).unwrap()
        };
        let zero = bound(self, 0.0);
        let from = self.node(math::max(), &[from, zero]);
        let six = bound(self, 6.0);
        self.node(math::min(), &[six, from])
    }

    /// `MobileNet`'s block: expand, depthwise, project, add.
    fn block(&mut self, from: OutletId, kernel: usize) -> OutletId {
        let channels = self.model.outlet_fact(from).unwrap().shape[1].to_usize().unwrap();
        let wide = self.conv(from, 3 * channels, 1, 1, false);
        let wide = self.relu6(wide);
        let wide = self.conv(wide, 3 * channels, kernel, 1, true);
        let wide = self.relu6(wide);
        let narrow = self.conv(wide, channels, 1, 1, false);
        self.node(math::add(), &[narrow, from])
    }

    /// Both ways to the same numbers; how many operators of ours, and the outputs.
    fn check(mut self, outputs: &[OutletId]) -> (usize, Vec<Tensor>) {
        self.model.select_output_outlets(outputs).unwrap();
        let shape = self.model.input_fact(0).unwrap().shape.as_concrete().unwrap().to_vec();
        let image = Tensor::from_shape(&shape, &noise(shape.iter().product(), 7)).unwrap().into_tvalue();
        let plain = self.model.clone().into_optimized().unwrap().into_runnable().unwrap();
        let fast = accelerate(self.model).unwrap().into_optimized().unwrap();
        let count = fast.nodes().iter().filter(|node| node.op_is::<ChannelsLast>()).count();
        let fast = fast.into_runnable().unwrap();
        let ours = fast.run(tvec!(image.clone())).unwrap();
        for (ours, tracts) in ours.iter().zip(plain.run(tvec!(image.clone())).unwrap()) {
            assert_eq!(ours.shape(), tracts.shape());
            let exact: Vec<f64> = tracts.to_plain_array_view::<f32>().unwrap().iter().map(|x| f64::from(*x)).collect();
            close(ours.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap(), &exact);
        }
        let again = fast.run(tvec!(image)).unwrap();
        assert_eq!(ours, again, "the same image gave other bits");
        (count, ours.into_iter().map(tract_onnx::prelude::IntoTensor::into_tensor).collect())
    }
}

#[test]
fn a_backbone_becomes_one_operator() {
    let (mut wires, image) = Wires::new([2, 3, 17, 20]);
    let stem = wires.conv(image, 16, 3, 2, false);
    let stem = wires.relu6(stem);
    let one = wires.block(stem, 3);
    let two = wires.block(one, 5);
    let strided = wires.conv(two, 16, 5, 2, true);
    let last = wires.conv(strided, 24, 1, 1, false);
    let mean = wires.node(Reduce::new(tvec!(2, 3), Reducer::Sum), &[last]);
    assert_eq!(wires.check(&[mean]).0, 1);
}

#[test]
fn pictures_side_by_side_take_the_buffers_of_one() {
    let buffers = |pictures: usize| {
        let (mut wires, image) = Wires::new([1, 16, 8, 8]);
        let mut ends = vec![image; pictures];
        for _ in 0..3 {
            ends.iter_mut().for_each(|end| *end = wires.block(*end, 3));
        }
        ends.iter_mut().for_each(|end| *end = wires.conv(*end, 1, 1, 1, false));
        wires.model.select_output_outlets(&ends).unwrap();
        let model = accelerate(wires.model).unwrap();
        let program = model.nodes().iter().find_map(|node| node.op_as::<ChannelsLast>()).unwrap().0.clone();
        program.slots.iter().sum::<usize>()
    };
    // Three more outputs of 64 floats each, and the input, which is read to the end.
    assert_eq!(buffers(4), buffers(1) + 3 * 64 + 16 * 64);
}

#[test]
fn operators_of_tracts_in_between_split_the_run() {
    let (mut wires, image) = Wires::new([1, 16, 9, 9]);
    let before = wires.block(image, 3);
    let between = wires.node(math::tanh(), &[before]);
    let after = wires.block(between, 3);
    // Reads the first run across the second's border, and is an output as well as `before`.
    let both = wires.conv(after, 16, 1, 1, false);
    let both = wires.node(math::add(), &[before, both]);
    assert_eq!(wires.check(&[both, before]).0, 2);
}

#[test]
fn what_is_read_twice_is_kept() {
    let (mut wires, image) = Wires::new([1, 16, 8, 8]);
    let shared = wires.conv(image, 16, 3, 1, true);
    let clamped = wires.relu6(shared);
    let left = wires.conv(clamped, 8, 1, 1, false);
    let right = wires.conv(shared, 8, 1, 1, false);
    let sum = wires.node(math::add(), &[left, right]);
    // The clamp alone is tract's; what follows it has no depthwise convolution.
    assert_eq!(wires.check(&[sum]).0, 1);
}

#[test]
fn without_a_depthwise_convolution_nothing_changes() {
    let (mut wires, image) = Wires::new([1, 16, 8, 8]);
    let one = wires.conv(image, 16, 3, 1, false);
    assert_eq!(wires.check(&[one]).0, 0);
}

#[test]
fn nan_passes_through() {
    let (mut wires, image) = Wires::new([1, 16, 8, 8]);
    let block = wires.block(image, 3);
    let end = wires.relu6(block);
    wires.model.select_output_outlets(&[end]).unwrap();
    let fast = accelerate(wires.model).unwrap().into_runnable().unwrap();
    let mut pixels = noise(16 * 64, 1);
    pixels[5] = f32::NAN;
    let output = fast.run(tvec!(Tensor::from_shape(&[1, 16, 8, 8], &pixels).unwrap().into_tvalue())).unwrap();
    let output = output[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
    assert!(output[5].is_nan(), "a clamp hid a NaN");
    assert!(!output[63].is_nan(), "a far pixel is not touched");
}
