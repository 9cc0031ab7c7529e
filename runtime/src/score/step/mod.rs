//! The score of the newest segment without the window: what never changes is computed once, when a segment arrives, and
//! kept.
//!
//! DE-Net has one attention layer a scale, so the score of one position asks one question a scale. A convolution's output
//! `c` (kernel = stride = 2^(s-1)) never changes once its last segment is there, and post-norm makes keys and values linear
//! in `c + PE`: `K_i = W_k c_i + (W_k PE_i + b_k)`, of which the second part is a constant of the model. A new segment thus
//! costs one `c`, one key and one value a scale, and one row of everything after; a full window costs 37 times that
//! (at T = 64 and three scales).
//!
//! ```text
//! row [D_in] -> projection -> x [D], kept for the next 2^(S-1) segments
//! for each scale: the last 2^(s-1) x -> c [D] -> k, v [D]; c, k, v kept for the next 64 segments
//!                 asked token z = c + PE -> q -> attention over the window's k, v -> LN, MLP, LN -> W_s
//! sum over scales -> classifier -> score
//! ```
//! The window that ends at segment t has, at scale s, the tokens that end at t, t - 2^(s-1), t - 2 2^(s-1), ...: a ring of 64
//! rows a scale, whose phases interleave, holds them all.
//!
//! A look-ahead of L segments asks for the position L before the newest. All buffers are made when the model is loaded.
//! Layers whose weights the bundle holds in int8 run in int8; attention, norms and what is kept are float32.

mod layer;
mod model;

pub use model::{GoldenScore, StepModel};

use crate::engine::kernels::dot;
use crate::engine::kernels::int8::{Room, room};
use crate::window::SEGMENTS;
use model::{Norm, Scale};

/// A stream's state, and the model that moves it.
#[derive(Debug)]
pub struct StepHead {
    model: StepModel,
    /// Segments taken in since the last restart.
    seen: u64,
    /// The last 64 projected rows, `[64, D]`, a ring.
    recent: Vec<f32>,
    rings: Vec<Ring>,
    buffers: Buffers,
}

/// One scale's rows of the last 64 segments, by the segment (modulo 64) that they end at.
#[derive(Debug)]
struct Ring {
    conv: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Room for one step.
#[derive(Debug)]
struct Buffers {
    /// A standardised row.
    standard: Vec<f32>,
    /// A quantised row.
    room: Box<Room>,
    joined_x: Vec<f32>,
    token: Vec<f32>,
    query: Vec<f32>,
    logits: Vec<f32>,
    attended: Vec<f32>,
    sum: Vec<f32>,
    hidden: Vec<f32>,
    fused: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl StepHead {
    /// A stream without a past.
    pub fn new(model: StepModel) -> Self {
        let d = model.width;
        let rows = || vec![0.0; SEGMENTS * d];
        let rings = model.scales.iter().map(|_| Ring { conv: rows(), keys: rows(), values: rows() }).collect();
        let longest = model.scales.iter().map(|scale| scale.stride).max().unwrap_or(1);
        let buffers = Buffers {
            standard: vec![0.0; model.features],
            room: room(model.longest_row()),
            joined_x: vec![0.0; longest * d],
            token: vec![0.0; d],
            query: vec![0.0; d],
            logits: vec![0.0; SEGMENTS],
            attended: vec![0.0; d],
            sum: vec![0.0; d],
            hidden: vec![0.0; model.scales.iter().map(|scale| scale.widen.cols()).max().unwrap_or(0)],
            fused: vec![0.0; d],
            first: vec![0.0; model.classifier[0].cols()],
            second: vec![0.0; model.classifier[1].cols()],
        };
        Self { seen: 0, recent: rows(), rings, buffers, model }
    }

    /// Width of a feature row.
    pub fn features(&self) -> usize {
        self.model.features
    }

    /// Segments of hindsight: which position before the newest is scored.
    pub fn look_ahead(&self) -> usize {
        self.model.look_ahead
    }

    /// What this step scores for the golden window, where that is not what the head scores.
    pub fn golden(&self) -> Option<GoldenScore> {
        self.model.golden
    }

    /// Forget the past, as after a gap.
    pub fn restart(&mut self) {
        self.seen = 0;
    }

    /// True once 64 segments are there: from then on [`StepHead::push`] gives scores.
    pub fn is_full(&self) -> bool {
        self.seen >= SEGMENTS as u64
    }

    /// Take in the newest row `[D_in]`; the score of the segment `look_ahead` before it, once the window is full.
    pub fn push(&mut self, row: &[f32]) -> Option<f32> {
        let Self { model, seen, recent, rings, buffers } = self;
        let d = model.width;
        let at = (*seen % SEGMENTS as u64) as usize;
        let x = &mut recent[at * d..(at + 1) * d];
        model.input.run(row, &mut buffers.standard, &mut buffers.room, x);
        *seen += 1;
        for (scale, ring) in model.scales.iter().zip(rings.iter_mut()) {
            if *seen >= scale.stride as u64 {
                scale.take_in(at, recent, ring, buffers);
            }
        }
        if *seen < SEGMENTS as u64 {
            return None;
        }
        buffers.fused.fill(0.0);
        for (scale, ring) in model.scales.iter().zip(rings.iter()) {
            scale.ask(at, ring, model.heads, buffers);
        }
        let [first, second, third] = &model.classifier;
        let Buffers { room, .. } = buffers;
        first.run_relu(&buffers.fused, room, &mut buffers.first);
        second.run(&buffers.first, room, &mut buffers.second);
        let mut logit = [0.0];
        third.run(&buffers.second, room, &mut logit);
        Some(1.0 / (1.0 + (-logit[0]).exp()))
    }
}

impl Scale {
    /// The convolution that ends at slot `at`, its key and its value.
    fn take_in(&self, at: usize, recent: &[f32], ring: &mut Ring, buffers: &mut Buffers) {
        let d = self.width();
        let Buffers { joined_x, room, .. } = buffers;
        let joined = &mut joined_x[..self.stride * d];
        for (i, to) in joined.chunks_exact_mut(d).enumerate() {
            let slot = (at + SEGMENTS + 1 + i - self.stride) % SEGMENTS;
            to.copy_from_slice(&recent[slot * d..(slot + 1) * d]);
        }
        let range = at * d..(at + 1) * d;
        self.conv.run(joined, room, &mut ring.conv[range.clone()]);
        let conv = &ring.conv[range.clone()];
        self.key.run(conv, room, &mut ring.keys[range.clone()]);
        self.value.run(conv, room, &mut ring.values[range]);
    }

    /// Add this scale's part of the asked position, of the window that ends at slot `at`, to `buffers.fused`.
    fn ask(&self, at: usize, ring: &Ring, heads: usize, buffers: &mut Buffers) {
        let d = self.width();
        let per_head = d / heads;
        let Buffers { room, token, query, logits, attended, sum, hidden, fused, .. } = buffers;
        let tokens = SEGMENTS / self.stride;
        let logits = &mut logits[..tokens];
        let hidden = &mut hidden[..self.widen.cols()];
        // Where token i of the window lies in the ring.
        let slot = |i: usize| (at + SEGMENTS - (tokens - 1 - i) * self.stride) % SEGMENTS * d;
        let asked = &ring.conv[slot(self.asked)..][..d];
        for (to, (c, position)) in token.iter_mut().zip(asked.iter().zip(&self.position)) {
            *to = c + position;
        }
        self.query.run(token, room, query);
        for head in 0..heads {
            let range = head * per_head..(head + 1) * per_head;
            let query = &query[range.clone()];
            for (i, logit) in logits.iter_mut().enumerate() {
                let key = &ring.keys[slot(i)..][range.clone()];
                let constant = &self.key_position[i * d..][range.clone()];
                *logit = dot(query, key) + dot(query, constant);
            }
            softmax(logits);
            let out = &mut attended[range.clone()];
            out.fill(0.0);
            for (i, &weight) in logits.iter().enumerate() {
                let value = &ring.values[slot(i)..][range.clone()];
                let constant = &self.value_position[i * d..][range.clone()];
                for (y, (v, p)) in out.iter_mut().zip(value.iter().zip(constant)) {
                    *y += weight * (v + p);
                }
            }
        }
        self.joined.run_add(attended, token, room, sum);
        self.norm_attention.run(sum);
        self.widen.run(sum, room, hidden);
        hidden.iter_mut().for_each(|x| *x = tanh_gelu(*x));
        self.narrow.run_add(hidden, sum, room, token);
        self.norm_mlp.run(token);
        self.fuse.run_add(token, fused, room, sum);
        fused.copy_from_slice(sum);
    }
}

impl Norm {
    fn run(&self, x: &mut [f32]) {
        let n = x.len() as f32;
        let mean = x.iter().sum::<f32>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
        let inverse = 1.0 / (variance + EPSILON).sqrt();
        for (x, (gamma, beta)) in x.iter_mut().zip(self.gamma.iter().zip(&self.beta)) {
            *x = (*x - mean) * inverse * gamma + beta;
        }
    }
}

/// Of layer norm, as exported.
const EPSILON: f32 = 1e-5;

fn softmax(x: &mut [f32]) {
    let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for x in x.iter_mut() {
        *x = (*x - most).exp();
        sum += *x;
    }
    x.iter_mut().for_each(|x| *x /= sum);
}

fn tanh_gelu(x: f32) -> f32 {
    const SCALE: f32 = 0.797_884_6; // sqrt(2 / pi)
    0.5 * x * (1.0 + (SCALE * (x + 0.044_715 * x * x * x)).tanh())
}
