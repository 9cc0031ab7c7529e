//! Every model's graph: tract scores as burn does, in float32 to 1e-5, and in int8 nearly.

use burn::tensor::{Tensor, TensorData};
use clap::ValueEnum as _;

use super::products::Activations;
use super::ranges::Ranges;
use super::*;
use crate::evaluate::graphs::graph_scorer;
use crate::model::lanet::{LaNet, LaNetConfig};
use crate::model::mil::{Mil, MilConfig};
use crate::model::mtn::{Mtn, MtnConfig};
use crate::model::{DetectorConfig as _, Model, with_model};

const WINDOWS: usize = 4;

/// A network of random weights, through both.
fn parity<M: Exporter>(config: &M::Config, features: usize) {
    let model = M::new(config, features, 11, &burn::tensor::Device::<Flex>::default());
    parity_of(&model, config, features);
}

fn parity_of<M: Exporter>(model: &M, config: &M::Config, features: usize) {
    let device = burn::tensor::Device::<Flex>::default();
    // Features of very different scales.
    let statistics = Statistics {
        mean: (0..features).map(|d| (d as f32 * 0.3).sin() * 3.0).collect(),
        deviation: (0..features).map(|d| 10_f32.powi(d as i32 % 4 - 2)).collect(),
    };
    let segments = config.segments();
    let raw: Vec<f32> = (0..WINDOWS * segments * features)
        .map(|i| {
            let (d, window) = (i % features, i / (segments * features));
            ((i as f32 * 1.7 + window as f32).sin() * 1.5) * statistics.deviation[d] + statistics.mean[d]
        })
        .collect();
    let mut windows = raw.clone();
    statistics.apply(&mut windows);
    let expected = head::numbers(
        model.scores(Tensor::from_data(TensorData::new(windows, [WINDOWS, segments, features]), &device)),
    );
    let spread = expected.iter().fold(0.0_f32, |most, score| most.max((score - expected[0]).abs()));
    assert!(spread > 1e-4, "scores must differ for the comparison to mean anything: {spread}");
    let gap = |form: Form<'_>| {
        let graph = model.head(config, &statistics, form).unwrap();
        let scores = graph_scorer(&graph, segments).unwrap()(&raw, WINDOWS).unwrap();
        runtime::engine::largest_difference(&scores, &expected)
    };
    let float = gap(Form::Float);
    assert!(float <= 1e-5, "float32: {float}");
    let ranges = Ranges::measure(model, config, &statistics, &raw).unwrap();
    for activations in [Activations::Static(&ranges), Activations::Dynamic] {
        let int8 = gap(Form::Int8(activations, None));
        assert!(int8 > 0.0 && int8 <= 0.03, "{activations:?}: {int8}");
    }
}

#[test]
fn mil_scores_alike() {
    parity::<Mil<Flex>>(&MilConfig::default(), 40);
}

#[test]
fn mtn_scores_alike_with_and_without_a_projection() {
    for (width, features) in [(Some(32), 40), (None, 36)] {
        let config = MtnConfig { width, ..MtnConfig::default() };
        let device = burn::tensor::Device::<Flex>::default();
        let mut model = Mtn::<Flex>::new(&config, features, 11, &device);
        // Statistics and scales as after some training: at their start they would hide each other's mistakes.
        let quarter = width.unwrap_or(features) / 4;
        let seen: Vec<f32> = (0..2 * (4 * quarter + width.unwrap_or(features))).map(|i| 0.5 + (i % 7) as f32).collect();
        model = model.observed(&seen).observed(&seen);
        model.network.non_local.norm.gamma = burn::module::Param::from_tensor(Tensor::full([quarter], 0.7, &device));
        parity_of(&model, &config, features);
    }
}

#[test]
fn lanet_scores_alike_with_and_without_a_projection() {
    for (width, features) in [(Some(32), 40), (None, 36)] {
        parity::<LaNet<Flex>>(&LaNetConfig { width, ..LaNetConfig::default() }, features);
    }
}

#[test]
fn a_model_of_any_name_has_a_graph_for_a_camera() {
    for model in Model::value_variants() {
        let statistics = Statistics::identity(32);
        with_model!(&model.config(), |Network, config| {
            let network =
                <Network<Flex> as Detector<Flex>>::new(config, 32, 1, &burn::tensor::Device::<Flex>::default());
            let graph = network.head(config, &statistics, Form::Float).unwrap();
            let scores = graph_scorer(&graph, 64).unwrap()(&vec![0.5; 64 * 32], 1).unwrap();
            assert_eq!(scores.len(), 64, "{}", model.config().name());
        });
    }
}
