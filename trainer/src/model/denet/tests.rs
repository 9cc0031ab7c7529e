//! Each equation against values computed apart (NumPy, float64) from the same made-up weights.

#![allow(clippy::excessive_precision)]

use burn::backend::{Autodiff, Flex};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

use super::encoder::Encoder;
use super::*;
use crate::model::noise::Noise;
use crate::model::testing::{close, device, layer, row, values, wave};

type B = Flex;

#[test]
fn eq_1_convolution() {
    let y = mstm::local(&layer(4, 2, 0.4), wave([1, 4, 2], 0.3), 2);
    assert_eq!(y.dims(), [1, 2, 2]);
    close(&values(y), &[0.268_846_83, 0.337_073_77, 0.306_302_6, 0.725_996_91]);
}

#[test]
fn eq_2_encoder() {
    let config = DeNetConfig { heads: 2, mlp_ratio: 2, ..DeNetConfig::default() };
    let device = device();
    let mut encoder = Encoder::<B>::new(&config, 4, 3, &mut Init::new(0, &device));
    encoder.position = Param::from_tensor(wave([3, 4], 0.2));
    encoder.query = layer(4, 4, 1.0);
    encoder.key = layer(4, 4, 2.0);
    encoder.value = layer(4, 4, 3.0);
    encoder.joined = layer(4, 4, 4.0);
    encoder.widen = layer(4, 8, 5.0);
    encoder.narrow = layer(8, 4, 6.0);
    let y = encoder.forward(wave([1, 3, 4], 0.1), &mut Noise::off());
    let expected = [
        -1.545_534_17,
        -0.213_526_84,
        0.783_197_41,
        0.975_863_6,
        1.620_198_61,
        -0.405_139_84,
        -1.093_619_96,
        -0.121_438_81,
        -1.404_543_5,
        -0.422_170_75,
        0.612_887_38,
        1.213_826_87,
    ];
    close(&values(y), &expected);
}

#[test]
fn tanh_gelu_is_the_approximation_with_tanh() {
    let x = row([-3.0, -1.0, -0.1, 0.0, 0.5, 2.0]);
    close(
        &values(B::masked_gelu(x, None)),
        &[-0.003_637_39, -0.158_808_01, -0.046_017_25, 0., 0.345_714_01, 1.954_597_69],
    );
}

#[test]
fn eq_3_repeats_neighbours() {
    let x = Tensor::<B, 3>::from_data(TensorData::new(vec![1_f32, 2., 3., 4.], [1, 2, 2]), &device());
    assert_eq!(values(mstm::repeat(x, 2)), [1., 2., 1., 2., 3., 4., 3., 4.]);
}

#[test]
fn eq_4_split_fuse_is_the_layer_on_the_concatenation() {
    let whole = wave([4, 2], 0.7);
    let part = |s: usize| Linear {
        weight: Param::from_tensor(whole.clone().narrow(0, 2 * s, 2)),
        bias: (s == 0).then(|| Param::from_tensor(wave([2], 0.75))),
    };
    let (h1, h2) = (wave([1, 4, 2], 0.5), wave([1, 2, 2], 0.6));
    let fused = linear(&part(0), h1) + mstm::repeat(linear(&part(1), h2), 2);
    let expected = [
        0.332_989_86,
        0.417_426_74,
        0.318_292_26,
        0.497_563_29,
        -0.032_617_7,
        0.128_535_85,
        -0.171_698_76,
        -0.080_281_83,
    ];
    close(&values(fused), &expected);
}

#[test]
fn eq_5_classifier() {
    let device = device();
    let mut classifier = Classifier::<B>::new(2, 0.6, &mut Init::new(0, &device));
    classifier.first = layer(2, 512, 0.9);
    classifier.second = layer(512, 32, 1.1);
    classifier.second.weight = Param::from_tensor(wave([512, 32], 1.1) * 0.2);
    classifier.third = layer(32, 1, 1.2);
    let x = wave([1, 2, 2], 0.8);
    close(&values(classifier.forward(x.clone())), &[0.986_684_51, 0.988_094_48]);
    let Learned { scores, highest, all } = classifier.learned(x.clone(), 1, 1, &mut Noise::off());
    close(&values(all.unwrap()), &scores);
    close(&scores, &[0.986_684_51, 0.988_094_48]);
    close(&values(highest), &[0.988_094_48]);
    close(&values(classifier.learned(x, 2, 0, &mut Noise::off()).highest), &[0.987_389_50]);
}

#[test]
fn eq_6_first_highest_and_lowest() {
    assert_eq!(erasing::extremes(&[0.3, 0.9, 0.1, 0.9, 0.1]), (1, 2));
    assert_eq!(erasing::extremes(&[0.5]), (0, 0));
}

#[test]
fn eq_7_similarity_of_extremes() {
    // Highest (4, 3), lowest (0, 2): 6 / (5 * 2).
    assert!((erasing::similarity(&[1., 0., 4., 3., 0., 2.], &[0.5, 0.9, 0.1]) - 0.6).abs() < 1e-7);
    assert_eq!(erasing::cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
}

/// Two abnormal and two normal windows of three segments of width 2.
fn batch() -> (Batch, Vec<f32>) {
    let windows = vec![
        1., 0., 0., 1., 1., 1., // abnormal: highest 0, lowest 1: Sim 0
        1., 0., 2., 0., 0., 5., // abnormal: highest 0, lowest 1: Sim 1
        1., 0., 1., 1., 3., 3., // normal: highest 0, lowest 1: Sim 0.7071
        1., 0., 3., 4., 9., 9., // normal: highest 0, lowest 1: Sim 0.6
    ];
    let scores = [[0.9, 0.1, 0.81], [0.95, 0.1, 0.9], [0.9, 0.2, 0.85], [0.99, 0.3, 0.9]].concat();
    (Batch { windows, pairs: 2, segments: 3, width: 2 }, scores)
}

#[test]
fn eq_8_completeness() {
    let all = erasing::completeness(&[0.0, 1.0], &[0.7, 0.6]);
    assert!((all[0] + 0.65).abs() < 1e-6 && (all[1] - 0.35).abs() < 1e-6);
}

#[test]
fn eqs_9_and_10_erase_prominent_segments_of_incomplete_abnormal_videos() {
    let (batch, scores) = batch();
    let config = DeNetConfig::default();
    // Only the first abnormal video is incomplete (0 - 0.654 <= 0); its segments 0 (0.9) and 2 (0.81) exceed 0.8.
    let (rows, pairs) = erasing::select(&batch, &scores, &config, |all| all);
    assert_eq!((rows.as_slice(), pairs.as_slice()), (&[0, 2][..], &[0][..]));
    let mut erased = batch.windows.clone();
    erasing::erase(&mut erased, 2, &rows);
    assert_eq!(erased[..8], [0., 0., 0., 1., 0., 0., 1., 0.]);
    assert_eq!(erased[8..], batch.windows[8..]);
    // Without assessment the second one is erased too; normal videos never are.
    let always = DeNetConfig { erasing: Erasing::Always, ..config.clone() };
    assert_eq!(erasing::select(&batch, &scores, &always, |all| all), (vec![0, 2, 3, 5], vec![0, 1]));
    let high = DeNetConfig { erase_threshold: 0.9, ..config };
    assert_eq!(erasing::select(&batch, &scores, &high, |all| all), (vec![], vec![]), "0.9 is not above 0.9");
}

#[test]
fn eq_11_score_ranking() {
    let highest = Tensor::cat(vec![row([0.9]), row([0.1]), row([0.4]), row([0.8])], 0);
    // Pairs: 1 - 0.9 + 0.4 and 1 - 0.1 + 0.8.
    close(&values(loss::score_ranking(highest)), &[0.5, 1.7]);
    close(&values(loss::score_ranking(Tensor::cat(vec![row([1.0]), row([0.0])], 0))), &[0.0]);
}

#[test]
fn eq_12_variation_from_half_a_window_ago() {
    let x = Tensor::<B, 3>::from_data(TensorData::new(vec![1_f32, 0., 0., 2., 1., 1., 0., -3.], [1, 4, 2]), &device());
    close(&values(loss::variation(x)), &[0.292_893_22, 2.0]);
}

#[test]
fn eq_13_feature_ranking() {
    let still = [1_f32, 0., 0., 2., 1., 0., 0., 1.];
    let moving = [1_f32, 0., 0., 2., 1., 1., 0., -3.];
    let pair = |a: [f32; 8], n: [f32; 8]| {
        let x = Tensor::<B, 3>::from_data(TensorData::new([a, n].concat(), [2, 4, 2]), &device());
        values(loss::feature_ranking(x))
    };
    close(&pair(still, still), &[1.0]);
    close(&pair(still, moving), &[3.0]);
    close(&pair(moving, still), &[0.0]);
}

#[test]
fn eqs_14_and_15_weigh_both_rankings() {
    let features =
        Tensor::<B, 3>::from_data(TensorData::new(vec![1_f32, 0., 1., 0., 1., 0., 1., 0.], [2, 2, 2]), &device());
    let highest = Tensor::cat(vec![row([0.9]), row([0.4])], 0);
    let config = DeNetConfig { alpha_score: 2.0, alpha_feature: 0.25, ..DeNetConfig::default() };
    // 2 (1 - 0.9 + 0.4) + 0.25 (1 - 0 + 0).
    close(&values(loss::ranking(features, highest, &config)), &[1.25]);
}

fn tiny() -> DeNetConfig {
    DeNetConfig { width: Some(8), segments: 8, heads: 2, ..DeNetConfig::default() }
}

fn random_batch() -> Batch {
    Batch { windows: values(wave([4 * 8 * 6], 0.3)), pairs: 2, segments: 8, width: 6 }
}

#[test]
fn eq_16_adds_both_passes() {
    let device = device();
    let config = tiny();
    let model = DeNet::<B>::new(&config, 6, 1, &device);
    let batch = random_batch();
    let of = |l1: f64, l2: f64| {
        let config = DeNetConfig { lambda_unerased: l1, lambda_erased: l2, ..config.clone() };
        values(model.loss(&config, &batch, &Peers::none(), &mut Noise::off(), &device).total)[0]
    };
    let (unerased, erased) = (of(1.0, 0.0), of(0.0, 1.0));
    assert!(unerased > 0.1 && (of(2.0, 3.0) - (2.0 * unerased + 3.0 * erased)).abs() < 1e-5);
    let off = DeNetConfig { erasing: Erasing::Off, ..config };
    assert_eq!(values(model.loss(&off, &batch, &Peers::none(), &mut Noise::off(), &device).total)[0], unerased);
}

#[test]
fn a_pair_of_which_nothing_is_erased_counts_as_if_it_went_through_twice() {
    let device = device();
    let config = DeNetConfig { alpha_feature: 1.0, erase_threshold: 0.45, lambda_unerased: 0.0, ..tiny() };
    let model = DeNet::<B>::new(&config, 6, 1, &device);
    let windows = (0..10 * 8 * 6).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    let batch = Batch { windows, pairs: 5, segments: 8, width: 6 };
    let loss = model.loss(&config, &batch, &Peers::none(), &mut Noise::off(), &device);
    assert!(loss.erased_windows > 0 && loss.erased_windows < 5, "{}", loss.erased_windows);
    let scores = values(model.scores(Tensor::from_data(TensorData::new(batch.windows.clone(), [10, 8, 6]), &device)));
    let (rows, _) = erasing::select(&batch, &scores, &config, |all| all);
    let mut erased = batch.windows;
    erasing::erase(&mut erased, 6, &rows);
    let features = model.features(Tensor::from_data(TensorData::new(erased, [10, 8, 6]), &device), &mut Noise::off());
    let highest = model.classifier.forward(features.clone()).max_dim(1);
    close(&values(loss.total), &values(loss::ranking(features, highest, &config).mean()));
}

#[test]
fn the_highest_score_has_the_gradient_of_the_maximum() {
    type A = Autodiff<Flex>;
    let device = device();
    let classifier = Classifier::<A>::new(4, 0.6, &mut Init::new(2, &device));
    let x = || Tensor::<A, 3>::from_data(wave([3, 5, 4], 0.6).into_data(), &device).require_grad();
    let gradients = |x: Tensor<A, 3>, highest: Tensor<A, 2>| {
        let gradients = highest.sum().backward();
        let weight = classifier.first.weight.val().grad(&gradients).unwrap();
        [values(x.grad(&gradients).unwrap()), values(weight)]
    };
    let (one, all) = (x(), x());
    let highest = classifier.learned(one.clone(), 1, 0, &mut Noise::off()).highest;
    let (of_one, of_all) = (gradients(one, highest), gradients(all.clone(), classifier.forward(all).max_dim(1)));
    assert!(of_all[0].iter().any(|&value| value != 0.0));
    close(&of_one[0], &of_all[0]);
    close(&of_one[1], &of_all[1]);
}

#[test]
fn the_loss_moves_every_weight_and_gradients_are_those_of_finite_differences() {
    type A = Autodiff<Flex>;
    let device = device();
    let config = DeNetConfig { alpha_feature: 1.0, erase_threshold: 0.45, erasing: Erasing::Always, ..tiny() };
    let batch = random_batch();
    let model = DeNet::<A>::new(&config, 6, 1, &device);
    let loss = model.loss(&config, &batch, &Peers::none(), &mut Noise::of_step(5, 0), &device);
    assert!(loss.erased_segments > 0);
    let gradients = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    assert_eq!(gradients.len(), burn::module::list_param_ids(&model).len());
    // Central differences along one weight of each kind.
    let at = |change: &dyn Fn(&mut DeNet<A>, f32), by: f32| {
        let mut moved = model.clone();
        change(&mut moved, by);
        let total = moved.loss(&config, &batch, &Peers::none(), &mut Noise::of_step(5, 0), &device).total;
        total.into_data().into_vec::<f32>().unwrap()[0]
    };
    let position = model.mstm.scales[1].encoder.position.clone();
    let change = |moved: &mut DeNet<A>, by: f32| {
        let mut data = position.val().into_data().into_vec::<f32>().unwrap();
        data[3] += by;
        moved.mstm.scales[1].encoder.position =
            Param::initialized(position.id, Tensor::from_data(TensorData::new(data, [4, 8]), &device).require_grad());
    };
    let measured = (at(&change, 1e-2) - at(&change, -1e-2)) / 2e-2;
    let gradient = gradients.get::<Flex, 2>(position.id).unwrap().into_data().into_vec::<f32>().unwrap()[3];
    assert!((measured - gradient).abs() < 2e-2 * gradient.abs().max(0.05), "{measured} {gradient}");
}

#[test]
fn scores_do_not_depend_on_the_rest_of_the_batch_and_backends_agree() {
    let config = tiny();
    let model = DeNet::<B>::new(&config, 6, 3, &device());
    let x = wave([2, 8, 6], 0.9);
    let both = values(model.scores(x.clone()));
    close(&values(model.scores(x.clone().narrow(0, 1, 1))), &both[8..]);
    assert!(both.iter().all(|score| (0.0..=1.0).contains(score)));
    let reference = DeNet::<burn::backend::NdArray>::new(&config, 6, 3, &burn::backend::ndarray::NdArrayDevice::Cpu);
    let data = x.into_data();
    let scores = reference.scores(Tensor::from_data(data, &burn::backend::ndarray::NdArrayDevice::Cpu));
    close(&scores.into_data().into_vec::<f32>().unwrap(), &both);
}
