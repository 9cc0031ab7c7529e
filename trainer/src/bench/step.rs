//! A DE-Net in training, for benchmarks: a preset and a width in, steps on a batch of random numbers out, on any device.
//!
//! Weights and batch are drawn from a fixed seed, the same on every device. Everything above 0 is erased of windows that are assessed as
//! incomplete, which about half are: a step in the middle of a training, with its second pass, and not one of the first, which erase nothing.

use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, Optimizer as _};
use burn::tensor::backend::AutodiffBackend;
use rand::Rng as _;
use runtime::{Error, Result};
use serde_json::{Value, json};

use super::parameters::{self, Parameter};
use crate::model::denet::{DeNet, DeNetConfig};
use crate::model::kernels::Kernels;
use crate::model::noise::{Stream, generator};
use crate::model::{Batch, Detector as _, DetectorConfig as _};
use crate::train::{Device, Preset, Recipe, Step, Work, gradients};

/// Of weights, batch and dropout: every run is of the same numbers.
const SEED: u64 = 1;

/// What is trained.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Such as `denet_edge_256`.
    pub name: String,
    config: DeNetConfig,
    recipe: Recipe,
    features: usize,
}

impl Workload {
    /// DE-Net as `preset` has it, on features of width `features`, with `pairs` abnormal and as many normal windows in a batch.
    ///
    /// # Errors
    /// When it cannot be built, naming the setting.
    pub fn new(preset: Preset, features: usize, pairs: usize) -> Result<Self> {
        let (config, recipe) = DeNetConfig::default().preset(preset);
        let name = match preset {
            Preset::Paper => format!("denet_paper_{features}"),
            Preset::Edge => format!("denet_edge_{features}"),
        };
        let config = DeNetConfig { width: Some(config.width.unwrap_or(features)), erase_threshold: 0.0, ..config };
        config.check()?;
        if features == 0 || pairs == 0 {
            return Err(Error::invalid("--width, --pairs", "one of them is 0", "use 1 or more"));
        }
        Ok(Self { name, config, recipe: Recipe { pairs, ..recipe }, features })
    }

    /// The same without dropout, whose masks differ with the parts of a batch and from one framework to another.
    #[must_use]
    pub fn without_dropout(&self) -> Self {
        let config = DeNetConfig { encoder_dropout: 0.0, classifier_dropout: 0.0, ..self.config.clone() };
        Self { config, ..self.clone() }
    }

    /// The batch, in -2..2.
    fn batch(&self) -> Batch {
        let mut rng = generator(SEED, Stream::Windows, self.features as u64);
        let (pairs, segments, width) = (self.recipe.pairs, self.config.segments, self.features);
        let mut number = || 4.0 * ((rng.next_u64() >> 40) as f32 / (1_u64 << 24) as f32) - 2.0;
        Batch { windows: (0..2 * pairs * segments * width).map(|_| number()).collect(), pairs, segments, width }
    }

    /// What the peer must know: all settings, and the weights' names and shapes; and the weights and the batch, little-endian.
    pub fn told(&self, weights: &[Parameter]) -> (Value, Vec<u8>) {
        let shapes: Vec<Value> =
            weights.iter().map(|weight| json!({ "name": weight.name, "shape": weight.shape })).collect();
        let told = json!({
            "config": self.config,
            "features": self.features,
            "pairs": self.recipe.pairs,
            "learning_rate": self.recipe.learning_rate,
            "weight_decay": self.recipe.weight_decay,
            "parameters": shapes,
        });
        let batch = self.batch().windows;
        let numbers = weights.iter().flat_map(|weight| &weight.values).chain(&batch);
        (told, numbers.flat_map(|number| number.to_le_bytes()).collect())
    }

    /// Begin to train it.
    ///
    /// # Errors
    /// When the device cannot be had.
    pub fn begin(&self, device: Device) -> Result<Box<dyn Training>> {
        device.check()?;
        device.run(Beginning { workload: self.clone(), parts: device.parts() })
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// The loss.
    pub loss: f32,
    /// Abnormal windows of which something was erased.
    pub erased_windows: usize,
}

/// A network in training, whatever its device.
pub trait Training {
    /// Take a step, and wait until the device has.
    ///
    /// # Errors
    /// When the backend fails.
    fn step(&mut self) -> Result<Done>;

    /// The next step's loss and gradients, without taking it.
    ///
    /// # Errors
    /// When the backend fails.
    fn gradients(&self) -> Result<(Done, Vec<Parameter>)>;

    /// The weights.
    ///
    /// # Errors
    /// After a step that failed.
    fn weights(&self) -> Result<Vec<Parameter>>;
}

struct Beginning {
    workload: Workload,
    parts: usize,
}

impl Work for Beginning {
    type Output = Box<dyn Training>;

    fn on<B>(self, devices: &[B::Device]) -> Result<Box<dyn Training>>
    where
        B: AutodiffBackend + Kernels,
        B::InnerBackend: Kernels,
    {
        let Self { workload, parts } = self;
        let decay = Some(WeightDecayConfig::new(workload.recipe.weight_decay));
        Ok(Box::new(On::<B> {
            model: Some(DeNet::<B>::new(&workload.config, workload.features, SEED, &devices[0])),
            optimizer: AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
            batch: workload.batch(),
            workload,
            parts,
            steps: 0,
            devices: devices.to_vec(),
        }))
    }
}

/// In training on a backend.
struct On<B: AutodiffBackend + Kernels>
where
    B::InnerBackend: Kernels,
{
    workload: Workload,
    batch: Batch,
    parts: usize,
    steps: u64,
    /// Absent after a step that failed.
    model: Option<DeNet<B>>,
    optimizer: OptimizerAdaptor<Adam, DeNet<B>, B>,
    devices: Vec<B::Device>,
}

impl<B> On<B>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    fn computed(&self, model: &DeNet<B>) -> Result<Step> {
        gradients(model, &self.workload.config, &self.batch, (SEED, self.steps), self.parts, &self.devices)
    }
}

impl<B> Training for On<B>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    fn step(&mut self) -> Result<Done> {
        let model = self.model.take().ok_or_else(gone)?;
        let step = self.computed(&model)?;
        self.model = Some(self.optimizer.step(self.workload.recipe.learning_rate, model, step.gradients));
        self.steps += 1;
        B::sync(&self.devices[0])
            .map_err(|error| Error::failed("the device", format!("failed: {error}"), "see what it said above"))?;
        Ok(Done { loss: step.loss, erased_windows: step.erased_windows })
    }

    fn gradients(&self) -> Result<(Done, Vec<Parameter>)> {
        let model = self.model.as_ref().ok_or_else(gone)?;
        let step = self.computed(model)?;
        let gradients = parameters::gradients::<B, _>(model, &step.gradients);
        Ok((Done { loss: step.loss, erased_windows: step.erased_windows }, gradients))
    }

    fn weights(&self) -> Result<Vec<Parameter>> {
        Ok(parameters::weights::<B, _>(self.model.as_ref().ok_or_else(gone)?))
    }
}

fn gone() -> Error {
    Error::failed("the benchmark's model", "was lost in a step that failed", "see what it said above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_downhill_with_a_second_pass_and_are_the_same_each_time() {
        let workload = Workload::new(Preset::Edge, 16, 16).unwrap().without_dropout();
        let losses = |steps: usize| -> Vec<Done> {
            let mut training = workload.begin(Device::Cpu).unwrap();
            (0..steps).map(|_| training.step().unwrap()).collect()
        };
        let five = losses(5);
        assert!(five[4].loss < five[0].loss, "{five:?}");
        assert!(five[0].erased_windows > 0 && five[0].erased_windows < 16, "{five:?}");
        assert_eq!(losses(2), five[..2]);
        assert!(Workload::new(Preset::Paper, 12, 4).is_err(), "12 is no multiple of 8 heads");
    }

    #[test]
    fn what_the_peer_is_told_holds_all_weights_and_the_batch() {
        let workload = Workload::new(Preset::Edge, 16, 2).unwrap();
        let weights = workload.begin(Device::Cpu).unwrap().weights().unwrap();
        let (told, bytes) = workload.told(&weights);
        let count: usize = weights.iter().map(|weight| weight.values.len()).sum();
        assert_eq!(bytes.len(), 4 * (count + 2 * 2 * 64 * 16));
        assert_eq!(told["config"]["width"], 128);
        assert_eq!(told["parameters"].as_array().unwrap().len(), weights.len());
        assert_eq!(told["parameters"][0]["name"], "projection.weight");
    }
}
