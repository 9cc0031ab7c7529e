//! Dropout masks from a generator of our own, seeded for each step.
//!
//! The backends draw from one process-wide generator that cannot be saved: a resumed run would differ from an unbroken
//! one. Masks made here depend on (seed, step) alone, on every backend and whatever else the process does.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A source of dropout masks; without a generator (when scoring) everything is kept.
#[derive(Debug)]
pub struct Noise {
    rng: Option<Pcg64Mcg>,
}

impl Noise {
    /// No dropout.
    pub fn off() -> Self {
        Self { rng: None }
    }

    /// The masks of training step `step`.
    pub fn of_step(seed: u64, step: u64) -> Self {
        Self { rng: Some(generator(seed, Stream::Dropout, step)) }
    }

    /// What dropout multiplies by: 0 with probability `p`, else `1 / (1 - p)`; `None` where everything is kept.
    pub fn mask<B: Backend, const D: usize>(
        &mut self,
        shape: [usize; D],
        p: f64,
        device: &B::Device,
    ) -> Option<Tensor<B, D>> {
        let rng = self.rng.as_mut().filter(|_| p > 0.0)?;
        let mask = mask(rng, shape.iter().product(), p);
        Some(Tensor::from_data(TensorData::new(mask, shape), device))
    }
}

/// `n` factors, 0 with probability `p` (to 1/65536), else `1 / (1 - p)`.
fn mask(rng: &mut Pcg64Mcg, n: usize, p: f64) -> Vec<f32> {
    let threshold = (p * 65536.0).round() as u16;
    let keep = (1.0 / (1.0 - p)) as f32;
    let mut mask = vec![0.0; n];
    for four in mask.chunks_mut(4) {
        let bits = rng.next_u64();
        for (i, factor) in four.iter_mut().enumerate() {
            *factor = if (bits >> (16 * i)) as u16 >= threshold { keep } else { 0.0 };
        }
    }
    mask
}

/// What random numbers are for; each purpose has a stream of its own.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// First weights.
    Weights = 1,
    /// Dropout masks.
    Dropout = 2,
    /// Which videos a batch holds.
    Order = 3,
    /// Which rows of a video, and which crop.
    Windows = 4,
    /// Which training videos are held out.
    Validation = 5,
    /// Which held-out videos are put together, and where.
    Composite = 6,
    /// Which videos a resample holds.
    Resample = 7,
}

/// The generator of `stream` at `index` (a step, an epoch), from the run's seed.
pub fn generator(seed: u64, stream: Stream, index: u64) -> Pcg64Mcg {
    let mut bytes = [0; 16];
    // Seeds are hashed so that neighbouring steps share no structure.
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    for part in [seed, stream as u64, index] {
        sha2::Digest::update(&mut hash, part.to_le_bytes());
    }
    bytes.copy_from_slice(&sha2::Digest::finalize(hash)[..16]);
    Pcg64Mcg::from_seed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_mean_and_depend_on_seed_and_step_alone() {
        let draw = |seed, step| mask(&mut generator(seed, Stream::Dropout, step), 40_000, 0.6);
        let first = draw(7, 3);
        assert_eq!(first, draw(7, 3));
        assert_ne!(first, draw(7, 4));
        assert_ne!(first, draw(8, 3));
        let mean: f32 = first.iter().sum::<f32>() / first.len() as f32;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        let zeros = first.iter().filter(|&&factor| factor == 0.0).count() as f32 / first.len() as f32;
        assert!((zeros - 0.6).abs() < 0.02, "{zeros}");
    }
}
