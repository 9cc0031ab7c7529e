//! The loss against numbers computed by hand.

use burn::backend::{Autodiff, Flex};

use super::*;
use crate::model::testing::{device, values};

/// One abnormal and one normal window of three segments of width 2.
fn batch() -> Batch {
    let windows = vec![1., 0., 0., 1., 1., 1., -1., 0., 0., 2., 3., 3.];
    Batch { windows, pairs: 1, segments: 3, width: 2 }
}

#[test]
fn eq_7_is_the_hinge_of_peaks_and_the_abnormal_windows_regularisation() {
    let device = device();
    let config = MilConfig { smoothness: 0.5, sparsity: 0.25, ..MilConfig::default() };
    let model = Mil::<Flex>::new(&config, 2, 3, &device);
    let batch = batch();
    let y = values(model.scores(Tensor::from_data(TensorData::new(batch.windows.clone(), [2, 3, 2]), &device)));
    let peak = |y: &[f32]| y.iter().copied().fold(0.0_f32, f32::max);
    let jumps = (y[0] - y[1]).powi(2) + (y[1] - y[2]).powi(2);
    let expected = 1.0 - peak(&y[..3]) + peak(&y[3..]) + 0.5 * jumps + 0.25 * y[..3].iter().sum::<f32>();
    let of =
        |config: &MilConfig| values(model.loss(config, &batch, &Peers::none(), &mut Noise::off(), &device).total)[0];
    assert!((of(&config) - expected).abs() < 1e-6, "{} {expected}", of(&config));
    let plain = MilConfig { smoothness: 0.0, sparsity: 0.0, ..config.clone() };
    assert!((of(&plain) - (1.0 - peak(&y[..3]) + peak(&y[3..]))).abs() < 1e-6);
    // The mean of all three, instead of the highest.
    let mean = |y: &[f32]| y.iter().sum::<f32>() / 3.0;
    assert!((of(&MilConfig { top: 3, ..plain }) - (1.0 - mean(&y[..3]) + mean(&y[3..]))).abs() < 1e-6);
}

#[test]
fn every_weight_learns_and_a_segment_is_scored_by_itself() {
    type A = Autodiff<Flex>;
    let device = device();
    let config = MilConfig::default();
    let model = Mil::<A>::new(&config, 2, 3, &device);
    let loss = model.loss(&config, &batch(), &Peers::none(), &mut Noise::of_step(1, 0), &device);
    let gradients = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    assert_eq!(gradients.len(), burn::module::list_param_ids(&model).len());
    let model = Mil::<Flex>::new(&config, 2, 3, &device);
    let scores = |windows: Vec<f32>| {
        let n = windows.len() / 2;
        values(model.scores(Tensor::from_data(TensorData::new(windows, [1, n, 2]), &device)))
    };
    assert_eq!(scores(vec![1., 2., 3., 4.])[1], scores(vec![3., 4.])[0]);
}

#[test]
fn settings_that_cannot_be_built_are_refused() {
    for config in [
        MilConfig { top: 65, ..MilConfig::default() },
        MilConfig { dropout: 1.0, ..MilConfig::default() },
        MilConfig { sparsity: -1.0, ..MilConfig::default() },
        MilConfig { segments: 1, ..MilConfig::default() },
    ] {
        assert!(config.check().is_err(), "{config:?}");
    }
    MilConfig::default().check().unwrap();
}
