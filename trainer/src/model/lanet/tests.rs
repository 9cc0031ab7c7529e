//! Each part against values computed apart (NumPy, float64) from the same made-up weights, and by hand.

#![allow(clippy::excessive_precision)]

use burn::backend::{Autodiff, Flex};

use super::*;
use crate::model::testing::{close, cube, device, layer, row, values, wave};

#[test]
fn neighbours_are_asked_first() {
    let attention = Attention::<Flex>::new(4, 2, &mut Init::new(0, &device()));
    // exp(-|0.6 (i - j)^2 + 0.2|)
    let (same, next, far) = (0.818_730_75, 0.449_328_96, 0.074_273_58);
    close(&values(attention.locality(3)), &[same, next, far, next, same, next, far, next, same]);
}

#[test]
fn attention_with_locality_residual_and_norm() {
    let mut attention = Attention::<Flex>::new(4, 2, &mut Init::new(0, &device()));
    attention.query = layer(4, 2, 1.0);
    attention.key = layer(4, 2, 2.0);
    attention.value = layer(4, 2, 3.0);
    attention.output = layer(2, 4, 4.0);
    let expected = [
        -1.184_415_52,
        -0.637_047_87,
        0.395_035_00,
        1.426_428_39,
        1.446_341_11,
        -0.704_250_22,
        -1.124_735_91,
        0.382_645_02,
        -1.109_789_48,
        -0.694_212_96,
        0.327_976_14,
        1.476_026_31,
    ];
    close(&values(attention.forward(wave([1, 3, 4], 0.1))), &expected);
}

#[test]
fn dynamics_are_changes_of_the_score() {
    let scores = Tensor::cat(vec![row([0.1, 0.9, 0.4, 0.4]), row([0.2, 0.3, 0.5, 0.4])], 0);
    let dynamics = loss::dynamics(scores);
    close(&values(dynamics.clone()), &[0.8, 0.5, 0.0, 0.1, 0.2, 0.1]);
    // One pair: 1 - 0.8 + 0.2.
    close(&values(loss::ranking(dynamics)), &[0.4]);
}

#[test]
fn alignment_compares_shares_of_change() {
    // Feature dynamics: 1 - cos: 1, 0, 2; shares 1/3, 0, 2/3.
    let features = cube(&[1., 0., 0., 2., 0., 1., 0., -3.], [1, 4, 2]);
    // Score shares .5, .25, .25: gaps 1/6, 1/4, -5/12.
    let expected = (1.0 / 36.0 + 1.0 / 16.0 + 25.0 / 144.0) / 3.0;
    close(&values(loss::alignment(row([0.4, 0.2, 0.2]), features.clone())), &[expected]);
    close(&values(loss::alignment(row([0.1, 0.0, 0.2]), features.clone())), &[0.0]);
    // Where nothing changes the shares are 0: what is left is the mean square of the features' shares.
    close(&values(loss::alignment(row([0.0, 0.0, 0.0]), features)), &[(1.0 / 9.0 + 4.0 / 9.0) / 3.0]);
}

fn tiny() -> LaNetConfig {
    LaNetConfig { width: Some(8), segments: 16, attention: 4, ..LaNetConfig::default() }
}

fn batch() -> Batch {
    Batch { windows: values(wave([4 * 16 * 6], 0.3)), pairs: 2, segments: 16, width: 6 }
}

#[test]
fn a_score_is_made_of_its_segment_and_six_before() {
    let device = device();
    let model = LaNet::<Flex>::new(&tiny(), 6, 1, &device);
    let scores = |changed: usize| {
        let mut features = values(wave([16 * 8], 0.2));
        features[changed * 8..(changed + 1) * 8].fill(3.0);
        values(model.scored(cube(&features, [1, 16, 8]), &mut Noise::off()))
    };
    let (one, other) = (scores(5), scores(15));
    let differ: Vec<usize> = (0..16).filter(|&t| one[t] != other[t]).collect();
    assert_eq!(differ, [5, 6, 7, 8, 9, 10, 11, 15]);
}

#[test]
fn the_loss_is_cross_entropy_ranking_and_alignment() {
    let device = device();
    let batch = batch();
    let model = LaNet::<Flex>::new(&tiny(), 6, 1, &device);
    let of = |ranking: f64, alignment: f64| {
        let config = LaNetConfig { lambda_ranking: ranking, lambda_alignment: alignment, ..tiny() };
        values(model.loss(&config, &batch, &Peers::none(), &mut Noise::off(), &device).total)[0]
    };
    let scores = values(model.scores(cube(&batch.windows, [4, 16, 6])));
    let bag = |window: usize| {
        let mut scores = scores[16 * window..16 * (window + 1)].to_vec();
        scores.sort_by(|a, b| b.total_cmp(a));
        f32::midpoint(scores[0], scores[1])
    };
    let entropy = -(bag(0).ln() + bag(1).ln() + (1.0 - bag(2)).ln() + (1.0 - bag(3)).ln()) / 4.0;
    assert!((of(0.0, 0.0) - entropy).abs() < 1e-5, "{} {entropy}", of(0.0, 0.0));
    let (ranking, alignment) = (of(1.0, 0.0) - entropy, of(0.0, 1.0) - entropy);
    assert!(ranking > 0.5 && alignment > 0.0, "{ranking} {alignment}");
    assert!((of(2.0, 3.0) - entropy - 2.0 * ranking - 3.0 * alignment).abs() < 1e-4);
    assert_eq!([16, 64, 200].map(|segments| LaNetConfig { segments, ..tiny() }.chosen()), [2, 5, 13]);
}

#[test]
fn every_weight_learns() {
    type A = Autodiff<Flex>;
    let device = device();
    let config = tiny();
    let model = LaNet::<A>::new(&config, 6, 1, &device);
    let loss = model.loss(&config, &batch(), &Peers::none(), &mut Noise::of_step(1, 0), &device);
    let gradients = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    assert_eq!(gradients.len(), burn::module::list_param_ids(&model).len());
    let falloff = gradients.get::<Flex, 1>(model.attention.falloff.id).unwrap();
    assert!(values(falloff)[0] != 0.0, "how far a segment looks is learned");
}
