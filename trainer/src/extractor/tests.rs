//! The graphs through the runtime's engine, with made-up weights.

use half::f16;
use runtime::engine::tract::TractEngine;
use runtime::engine::{Engine, Input};

use super::fit::{CLIP_CELLS, raw_rows};
use super::graph::{self, Projection, RAW_WIDTH, SIDE, TICKS};
use super::weights::Backbone;

fn frames(seed: u32) -> Vec<u8> {
    let n = TICKS.len() * SIDE * SIDE * 3;
    (0..n as u32).map(|i| ((i / 977).wrapping_mul(seed) ^ (i >> 6)) as u8).collect()
}

fn run(graph: &[u8], input: Input<'_>) -> Vec<f32> {
    let mut engine = TractEngine::load(graph, "test").unwrap();
    let mut output = vec![0.0; engine.info().output_shape.iter().product()];
    engine.run(input, &mut output).unwrap();
    output
}

fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).fold(0.0, f32::max)
}

#[test]
fn the_finished_graph_computes_what_the_fit_does() {
    let (backbone, projection) = (Backbone::random(1), Projection::random(8, 2));
    let pixels = frames(37);
    let row = run(&graph::extractor(&backbone, &projection).unwrap(), Input::U8(&pixels));
    let cells = run(&graph::pooled_maps(&backbone).unwrap(), Input::U8(&pixels));
    assert_eq!(cells.len(), CLIP_CELLS);
    let halves: Vec<f16> = cells.iter().map(|&x| f16::from_f32(x)).collect();
    let raw = raw_rows(&halves, &projection);
    let expected: Vec<f32> = (0..8)
        .map(|i| (0..RAW_WIDTH).map(|j| raw[j] * projection.weights[j * 8 + i]).sum::<f32>() + projection.bias[i])
        .collect();
    let scale = largest(expected.iter().copied());
    let error = largest(row.iter().zip(&expected).map(|(a, b)| a - b));
    assert!(scale > 0.1 && error < 5e-3 * scale, "{row:?} against {expected:?}");
}

#[test]
fn what_stands_still_has_no_motion() {
    let backbone = Backbone::random(4);
    let one = frames(11)[..SIDE * SIDE * 3].to_vec();
    let mut still = one.repeat(TICKS.len());
    let graph = graph::pooled_maps(&backbone).unwrap();
    let image = CLIP_CELLS / 4;
    let cells = run(&graph, Input::U8(&still));
    assert!(largest(cells.iter().copied()) > 0.01);
    assert_eq!(cells[..image], cells[image..2 * image], "the two colour images");
    assert_eq!(cells[2 * image..3 * image], cells[3 * image..], "the two fringe images");
    // A change in tick 9 is in the second fringe image alone.
    let at = 3 * one.len();
    still[at..at + one.len() / 2].iter_mut().for_each(|p| *p = 255 - *p);
    let changed = run(&graph, Input::U8(&still));
    assert_eq!(cells[..3 * image], changed[..3 * image]);
    assert!(largest(cells[3 * image..].iter().zip(&changed[3 * image..]).map(|(a, b)| a - b)) > 1e-3);
}

#[test]
fn bytes_are_deterministic_and_sides_checked() {
    let backbone = Backbone::random(1);
    let build = || graph::extractor(&backbone, &Projection::random(4, 0)).unwrap();
    assert_eq!(build(), build());
    assert!(graph::image_features(&backbone, 100).is_err());
    assert_eq!(run(&graph::image_features(&backbone, 32).unwrap(), Input::F32(&[9.0; 3 * 32 * 32])).len(), 1280);
}

#[test]
fn a_projection_of_other_shapes_is_refused() {
    let mut projection = Projection::random(4, 0);
    projection.weights.pop();
    let error = graph::extractor(&Backbone::random(1), &projection).unwrap_err().to_string();
    assert!(error.contains("weights"), "{error}");
}
