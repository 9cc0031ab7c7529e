//! Each part against values computed apart (NumPy, float64) from the same made-up weights, and by hand.

#![allow(clippy::excessive_precision)]

use burn::backend::{Autodiff, Flex};
use burn::module::Param;

use super::*;
use crate::model::testing::{close, cube, device, layer, row, values, wave};

fn unbiased(inputs: usize, outputs: usize, phase: f64) -> Linear<Flex> {
    Linear { bias: None, ..layer(inputs, outputs, phase) }
}

#[test]
fn the_non_local_block() {
    let device = device();
    let mut init = Init::new(0, &device);
    let mut block = Network::<Flex>::new(16, &mut init).non_local;
    let x = wave([1, 3, 4], 0.1);
    assert_eq!(values(block.forward(x.clone(), None)), values(x.clone()), "it starts as nothing");
    block.theta = layer(4, 2, 1.0);
    block.phi = layer(4, 2, 2.0);
    block.g = layer(4, 2, 3.0);
    block.output = layer(2, 4, 4.0);
    block.norm.gamma = Param::from_tensor(Tensor::full([4], 2.0, &device));
    let expected = [
        -0.766_452_02,
        -0.690_211_77,
        -0.289_354_14,
        0.247_591_26,
        -0.763_576_23,
        -1.388_864_14,
        -1.360_947_54,
        -0.692_956_05,
        -1.067_399_61,
        -0.947_192_16,
        -0.381_505_44,
        0.363_609_26,
    ];
    close(&values(block.forward(x, None)), &expected);
}

#[test]
fn the_network_joins_three_distances_and_the_whole_window() {
    let device = device();
    let mut network = Network::<Flex>::new(8, &mut Init::new(0, &device));
    for (branch, phase) in network.branches.iter_mut().zip([1.0, 2.0, 3.0]) {
        branch.conv = layer(24, 2, phase);
    }
    network.narrow = unbiased(8, 2, 5.0);
    network.non_local.theta = layer(2, 1, 6.0);
    network.non_local.phi = layer(2, 1, 7.0);
    network.non_local.g = layer(2, 1, 8.0);
    network.non_local.output = layer(1, 2, 9.0);
    network.non_local.norm.gamma = Param::from_tensor(Tensor::full([2], 0.5, &device));
    network.join = unbiased(24, 8, 10.0);
    let y = values(network.forward(wave([1, 5, 8], 0.3), None));
    assert_eq!(y.len(), 40);
    let [first, last] = [
        [
            0.147_760_10,
            0.420_735_49,
            0.495_832_41,
            0.337_731_59,
            0.269_352_64,
            0.147_198_03,
            -0.044_186_11,
            -0.214_788_83,
        ],
        [
            -0.081_850_48,
            -0.493_457_78,
            -0.429_353_50,
            -0.163_317_56,
            0.179_529_18,
            0.607_285_92,
            1.358_577_40,
            1.470_908_70,
        ],
    ];
    close(&y[..8], &first);
    close(&y[32..], &last);
}

#[test]
fn magnitudes_are_lengths_of_segments() {
    let x = cube(&[3., 4., 0., 0., 6., 8.], [1, 3, 2]);
    close(&values(loss::magnitudes(x)), &[5.0, 1e-6, 10.0]);
}

#[test]
fn abnormal_windows_are_to_be_long_and_normal_ones_short() {
    let magnitudes = Tensor::cat(vec![row([60.0]), row([130.0]), row([5.0]), row([7.0])], 0);
    // Pairs: 100 - 60 + 5, and 0 + 7.
    close(&values(loss::magnitude(magnitudes, 100.0)), &[45.0, 7.0]);
}

#[test]
fn a_tenth_of_the_segments_stands_for_a_window() {
    let chosen = |segments| MtnConfig { segments, ..MtnConfig::default() }.chosen();
    assert_eq!([chosen(64), chosen(32), chosen(20), chosen(5)], [6, 3, 2, 1]);
}

fn batch() -> Batch {
    Batch { windows: values(wave([4 * 20 * 6], 0.3)), pairs: 2, segments: 20, width: 6 }
}

fn tiny() -> MtnConfig {
    MtnConfig { width: Some(8), segments: 20, alpha: 0.01, ..MtnConfig::default() }
}

#[test]
fn the_loss_is_that_of_the_longest_segments_magnitudes_and_scores() {
    let device = device();
    let (batch, config) = (batch(), tiny());
    let model = Mtn::<Flex>::new(&config, 6, 1, &device);
    let of =
        |config: &MtnConfig| values(model.loss(config, &batch, &Peers::none(), &mut Noise::off(), &device).total)[0];
    // By hand, from the features of a training pass without dropout.
    let x = cube(&batch.windows, [4, 20, 6]);
    let features = model.features(x, &mut Noise::off(), Some(&mut Vec::new()));
    let scores = values(model.classified(features.clone(), &mut Noise::off()));
    let lengths: Vec<f32> =
        values(features).chunks(8).map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()).collect();
    let (mut magnitude, mut entropy, mut sparse) = (0.0, 0.0, 0.0);
    for window in 0..4 {
        let mut order: Vec<usize> = (20 * window..20 * (window + 1)).collect();
        order.sort_by(|&a, &b| lengths[b].total_cmp(&lengths[a]));
        let length = f32::midpoint(lengths[order[0]], lengths[order[1]]);
        let score = f32::midpoint(scores[order[0]], scores[order[1]]);
        if window < 2 {
            magnitude += (100.0 - length) / 2.0;
            entropy -= score.ln() / 4.0;
            sparse += scores[20 * window..20 * (window + 1)].iter().sum::<f32>() / 2.0;
        } else {
            magnitude += length / 2.0;
            entropy -= (1.0 - score).ln() / 4.0;
        }
    }
    let plain = 0.01 * magnitude + entropy;
    assert!((of(&config) - plain).abs() < 1e-4, "{} {plain}", of(&config));
    let regularised = MtnConfig { sparsity: 0.5, ..config };
    assert!((of(&regularised) - plain - 0.5 * sparse).abs() < 1e-4);
}

#[test]
fn every_weight_learns_and_statistics_are_taken_in() {
    type A = Autodiff<Flex>;
    let device = device();
    let config = tiny();
    let mut model = Mtn::<A>::new(&config, 6, 1, &device);
    // At its start, the non-local block gives no gradient to what its batch norm hides.
    model.network.non_local.norm.gamma = Param::from_tensor(Tensor::ones([2], &device));
    let loss = model.loss(&config, &batch(), &Peers::none(), &mut Noise::of_step(1, 0), &device);
    let gradients = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    // Five batch norms keep a mean and a variance each, which are not learned.
    assert_eq!(gradients.len() + 10, burn::module::list_param_ids(&model).len());
    assert_eq!(loss.seen.len(), 2 * (3 * 2 + 2 + 8));
    let before = values(model.network.norm.mean.val());
    let model = model.observed(&loss.seen);
    let seen = &loss.seen[loss.seen.len() - 16..loss.seen.len() - 8];
    let expected: Vec<f32> = before.iter().zip(seen).map(|(before, seen)| 0.9 * before + 0.1 * seen).collect();
    close(&values(model.network.norm.mean.val()), &expected);
}

fn with_text(fusion: Fusion) -> MtnConfig {
    MtnConfig { text: Some(TextConfig { width: 9, fusion }), ..tiny() }
}

#[test]
fn text_meets_pictures_beside_each_other_or_added() {
    let device = device();
    let x = wave([2, 20, 15], 0.3);
    for (fusion, width) in [(Fusion::Concat, 16), (Fusion::Add, 8)] {
        let config = with_text(fusion);
        let model = Mtn::<Flex>::new(&config, 15, 1, &device);
        let fused = model.features(x.clone(), &mut Noise::off(), None);
        assert_eq!(fused.dims(), [2, 20, width]);
        let branch = model.text.as_ref().unwrap();
        let said = linear(branch.projection.as_ref().unwrap(), x.clone().narrow(2, 6, 9));
        let said = branch.network.forward(said, None);
        let seen = linear(model.projection.as_ref().unwrap(), x.clone().narrow(2, 0, 6));
        let seen = model.network.forward(seen, None);
        let expected = match fusion {
            Fusion::Concat => Tensor::cat(vec![seen, said], 2),
            Fusion::Add => relu(linear(branch.bridge.as_ref().unwrap(), seen)) + said,
        };
        close(&values(fused), &values(expected));
        assert_eq!(model.scores(x.clone()).dims(), [2, 20]);
    }
}

#[test]
fn without_text_a_seed_gives_the_same_model() {
    // The branch is drawn last: what pictures go through does not change with it.
    let device = device();
    let plain = Mtn::<Flex>::new(&tiny(), 6, 1, &device);
    let said = Mtn::<Flex>::new(&with_text(Fusion::Add), 15, 1, &device);
    assert_eq!(values(plain.network.join.weight.val()), values(said.network.join.weight.val()));
    assert_eq!(values(plain.second.weight.val()), values(said.second.weight.val()));
}

#[test]
fn every_weight_of_the_text_branch_learns_and_its_statistics_are_taken_in() {
    type A = Autodiff<Flex>;
    let device = device();
    let config = with_text(Fusion::Add);
    let mut model = Mtn::<A>::new(&config, 15, 1, &device);
    let ones = || Param::from_tensor(Tensor::ones([2], &device));
    model.network.non_local.norm.gamma = ones();
    model.text = model.text.map(|mut branch| {
        branch.network.non_local.norm.gamma = ones();
        branch
    });
    let batch = Batch { windows: values(wave([4 * 20 * 15], 0.3)), pairs: 2, segments: 20, width: 15 };
    let loss = model.loss(&config, &batch, &Peers::none(), &mut Noise::of_step(1, 0), &device);
    let gradients = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    assert_eq!(gradients.len() + 20, burn::module::list_param_ids(&model).len());
    assert_eq!(loss.seen.len(), 2 * 2 * (3 * 2 + 2 + 8));
    let model = model.observed(&loss.seen);
    let seen = &loss.seen[loss.seen.len() - 16..loss.seen.len() - 8];
    let expected: Vec<f32> = seen.iter().map(|seen| 0.1 * seen).collect();
    close(&values(model.text.unwrap().network.norm.mean.val()), &expected);
}

#[test]
fn a_model_with_text_does_not_leave_the_workstation() {
    use crate::dataset::Statistics;
    use crate::export::Exporter as _;
    use crate::export::products::Form;
    let config = with_text(Fusion::Concat);
    let model = Mtn::<Flex>::new(&config, 15, 1, &device());
    let error = model.head(&config, &Statistics::identity(15), Form::Float).unwrap_err();
    assert!(error.to_string().contains("captions, which cameras do not have"), "{error}");
}
