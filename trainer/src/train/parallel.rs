//! A training step on several threads: each takes some pairs of the batch through a copy of the model, and their
//! gradients are added up.
//!
//! A CPU has [`PARTS`] parts however many cores it has, so that a seed gives the same weights on any machine; parts of a
//! few pairs also keep a step's tensors inside the caches. Several GPUs have a part each: burn copies the weights to them and the
//! gradients back. Where a loss needs something of the whole batch, the parts
//! exchange it ([`Peers::gather`]): the loss is the whole batch's, not a mean of losses of small batches.

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::AutodiffBackend;
use runtime::{Error, Result};

use crate::model::{Batch, Detector, Loss, Noise, Peers};

/// Parts of a batch on a CPU.
pub const PARTS: usize = 4;

/// A step's loss and its gradients.
#[derive(Debug)]
pub struct Step {
    /// The loss.
    pub loss: f32,
    /// Abnormal windows of which something was erased.
    pub erased_windows: usize,
    /// Segments erased in all.
    pub erased_segments: usize,
    /// What running statistics are to take in: the mean over pairs of what the parts saw.
    pub seen: Vec<f32>,
    /// Gradients of all weights.
    pub gradients: GradientsParams,
}

/// Loss and gradients of step `step` (from 0) on `batch`, computed in `parts` parts, which take turns on `devices`; the gradients are on the
/// first of these, where `model` is.
pub fn gradients<B, M>(
    model: &M,
    config: &M::Config,
    batch: &Batch,
    (seed, step): (u64, u64),
    parts: usize,
    devices: &[B::Device],
) -> Result<Step>
where
    B: AutodiffBackend,
    M: Detector<B> + AutodiffModule<B>,
    M::Config: Sync,
{
    let batches = batch.split(parts);
    let draws = parts.max(PARTS) as u64;
    let parts = batches.len();
    let work = |part: usize, batch: &Batch, peers: &Peers, model: M, device: &B::Device| {
        let mut noise = Noise::of_step(seed, step * draws + part as u64);
        let loss = model.loss(config, batch, peers, &mut noise, device);
        let share = batch.pairs as f64 / batches.iter().map(|batch| batch.pairs).sum::<usize>() as f64;
        let seen = loss.seen.iter().map(|value| value * share as f32).collect();
        let total = loss.total * share;
        let value = total.clone().into_data().convert::<f32>().as_slice().map_or(f32::NAN, |value: &[f32]| value[0]);
        let mut gradients = GradientsParams::from_grads(total.backward(), &model);
        if *device != devices[0] {
            gradients = gradients.to_device(&devices[0], &model);
        }
        let Loss { erased_windows, erased_segments, .. } = loss;
        Step { loss: value, erased_windows, erased_segments, seen, gradients }
    };
    let done: Vec<Option<Step>> = std::thread::scope(|scope| {
        let threads: Vec<_> = batches
            .iter()
            .zip(Peers::of(parts))
            .zip(devices.iter().cycle())
            .enumerate()
            .map(|(part, ((batch, peers), device))| {
                // A fork has leaves of its own, so that the parts' gradient graphs have nothing in common.
                let model = model.clone().fork(device);
                let work = &work;
                scope.spawn(move || work(part, batch, &peers, model, device))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let mut sum = GradientsAccumulator::new();
    let mut whole =
        Step { loss: 0.0, erased_windows: 0, erased_segments: 0, seen: Vec::new(), gradients: GradientsParams::new() };
    for part in done {
        let part = part.ok_or_else(|| {
            Error::failed(format!("step {}", step + 1), "the backend failed, as said above", "report this")
        })?;
        whole.loss += part.loss;
        whole.erased_windows += part.erased_windows;
        whole.erased_segments += part.erased_segments;
        whole.seen.resize(part.seen.len(), 0.0);
        whole.seen.iter_mut().zip(part.seen).for_each(|(sum, value)| *sum += value);
        sum.accumulate(model, part.gradients);
    }
    whole.gradients = sum.grads();
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::module::list_param_ids;

    use super::*;
    use crate::model::denet::{DeNet, DeNetConfig};

    #[test]
    fn parts_add_up_to_the_gradient_of_the_whole_batch() {
        type A = Autodiff<Flex>;
        let device = burn::tensor::Device::<Flex>::default();
        // Without dropout, whose masks differ from part to part; erasing, which asks for the whole batch, is on.
        let config = DeNetConfig {
            width: Some(8),
            segments: 8,
            heads: 2,
            encoder_dropout: 0.0,
            classifier_dropout: 0.0,
            erase_threshold: 0.45,
            alpha_feature: 1.0,
            ..DeNetConfig::default()
        };
        let values = |n: usize| (0..n).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let batch = Batch { windows: values(2 * 5 * 8 * 6), pairs: 5, segments: 8, width: 6 };
        let model = DeNet::<A>::new(&config, 6, 1, &device);
        let whole = gradients(&model, &config, &batch, (0, 0), 1, &[device]).unwrap();
        let parts = gradients(&model, &config, &batch, (0, 0), 4, &[device, device]).unwrap();
        assert!(whole.erased_windows > 0 && whole.erased_windows < 5, "{}", whole.erased_windows);
        assert_eq!((whole.erased_windows, whole.erased_segments), (parts.erased_windows, parts.erased_segments));
        assert!((whole.loss - parts.loss).abs() < 1e-5, "{} {}", whole.loss, parts.loss);
        assert_eq!(parts.gradients.len(), list_param_ids(&model).len());
        let of = |step: &Step| {
            let id = model.classifier.first.weight.id;
            step.gradients.get::<Flex, 2>(id).unwrap().into_data().into_vec::<f32>().unwrap()
        };
        for (a, b) in of(&whole).iter().zip(of(&parts)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn a_batch_is_split_into_whole_pairs() {
        let batch = Batch { windows: (0..12).map(|i| i as f32).collect(), pairs: 3, segments: 2, width: 1 };
        let windows: Vec<_> = batch.split(2).into_iter().map(|part| part.windows).collect();
        assert_eq!(windows, [vec![0., 1., 6., 7.], vec![2., 3., 4., 5., 8., 9., 10., 11.]]);
        assert_eq!(batch.split(9).len(), 3);
    }
}
