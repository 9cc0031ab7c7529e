//! A DE-Net of random weights as its graphs, full window and step, in float32 and in int8; and a stream of random rows
//! through them.

use burn::backend::Flex;
use rand::Rng as _;
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine as _, Input, largest_difference};
use runtime::score::step::{StepHead, StepModel};
use runtime::window::SEGMENTS;
use runtime::{Error, Result};

use crate::dataset::Statistics;
use crate::export::products::{Activations, Form};
use crate::export::ranges::Ranges;
use crate::export::step::Precision;
use crate::export::{denet, step};
use crate::model::Detector as _;
use crate::model::denet::{DeNet, DeNetConfig};
use crate::model::noise::{self, generator};

/// Of weights and rows: figures are of the same numbers each time.
const SEED: u64 = 1;
/// Windows over which step and full window are compared.
const WINDOWS: usize = 20;

/// The ONNX files of one network.
pub struct Graphs {
    /// The full window in float32.
    pub window_f32: Vec<u8>,
    /// The full window in int8 as tract takes it.
    pub window_int8: Vec<u8>,
    /// The full window in int8 as onnxruntime takes it.
    pub window_qdq: Vec<u8>,
    /// The step in float32.
    pub step_f32: Vec<u8>,
    /// The step in int8.
    pub step_int8: Vec<u8>,
}

/// A network of the paper's sizes with width `D = D_in`, without a projection, as its graphs.
pub fn graphs(width: usize) -> Result<Graphs> {
    let config = DeNetConfig::default();
    if width == 0 || !width.is_multiple_of(config.heads) {
        let problem = format!("{width} is no multiple of {} heads", config.heads);
        return Err(Error::invalid("--widths", problem, "choose a width that is"));
    }
    let model = DeNet::<Flex>::new(&config, width, SEED, &burn::tensor::Device::<Flex>::default());
    let statistics = Statistics::identity(width);
    let ranges = Ranges::measure(&model, &config, &statistics, &random_rows(SEGMENTS + WINDOWS - 1, width))?;
    let window = |form| denet::of_denet(&model, &config, &statistics, form);
    let step = |precision| step::of_denet(&model, &config, &statistics, 0, precision);
    Ok(Graphs {
        window_f32: window(Form::Float)?,
        window_int8: window(Form::Int8(Activations::Static(&ranges), None))?,
        window_qdq: window(Form::Qdq(&ranges))?,
        step_f32: step(Precision::Float32)?,
        step_int8: step(Precision::Int8)?,
    })
}

/// `[count, width]`, in -2..2, the same each time.
pub fn random_rows(count: usize, width: usize) -> Vec<f32> {
    let mut rng = generator(SEED, noise::Stream::Windows, width as u64);
    let unit = |bits: u64| (bits >> 40) as f32 / (1_u64 << 24) as f32;
    (0..count * width).map(|_| 4.0 * unit(rng.next_u64()) - 2.0).collect()
}

/// The step, fed with rows that come round again.
pub struct Stream {
    step: StepHead,
    /// `[SEGMENTS + WINDOWS - 1, D]`, in -2..2.
    rows: Vec<f32>,
    at: usize,
}

/// What a comparison of step and full window found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The largest difference of a score.
    pub largest_difference: f32,
    /// Highest less lowest score: differences of scores that are all alike prove nothing.
    pub spread: f32,
}

impl Stream {
    /// A stream of a step graph, without a past.
    pub fn new(graph: &[u8]) -> Result<Self> {
        let step = StepHead::new(StepModel::from_onnx(graph)?);
        let rows = random_rows(SEGMENTS + WINDOWS - 1, step.features());
        Ok(Self { step, rows, at: 0 })
    }

    /// Take in the next row.
    pub fn push(&mut self) -> Option<f32> {
        let width = self.step.features();
        let score = self.step.push(&self.rows[self.at..self.at + width]);
        self.at = (self.at + width) % self.rows.len();
        score
    }

    /// Score every window of the rows by both, the full window by tract.
    pub fn compare(&mut self, head: &[u8]) -> Result<Compared> {
        let width = self.step.features();
        let mut full = TractEngine::load(head, "head")?;
        let mut scores = vec![0.0; SEGMENTS];
        let (mut steps, mut windows) = (Vec::new(), Vec::new());
        self.step.restart();
        self.at = 0;
        for newest in 0..SEGMENTS + WINDOWS - 1 {
            let Some(score) = self.push() else { continue };
            let first = (newest + 1 - SEGMENTS) * width;
            full.run(Input::F32(&self.rows[first..first + SEGMENTS * width]), &mut scores)?;
            steps.push(score);
            windows.push(scores[SEGMENTS - 1 - self.step.look_ahead()]);
        }
        let (low, high) =
            steps.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &s| (low.min(s), high.max(s)));
        Ok(Compared { largest_difference: largest_difference(&steps, &windows), spread: high - low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_is_timed_is_the_full_window() {
        let graphs = graphs(32).unwrap();
        let mut stream = Stream::new(&graphs.step_f32).unwrap();
        let compared = stream.compare(&graphs.window_f32).unwrap();
        assert!(compared.largest_difference <= 1e-5, "{compared:?}");
        assert!(compared.spread > 1e-4, "{compared:?}");
        let int8 = Stream::new(&graphs.step_int8).unwrap().compare(&graphs.window_f32).unwrap();
        assert!((1e-7..1e-2).contains(&int8.largest_difference), "{int8:?}");
        assert!(stream.push().is_some(), "the window stays full, and the rows come round again");
    }

    #[test]
    fn a_width_that_heads_cannot_share_is_refused() {
        assert!(graphs(12).is_err());
        assert!(graphs(0).is_err());
    }
}
