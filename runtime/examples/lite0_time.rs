//! How long one image takes through a convolutional ONNX graph, as tract runs it and with `channels_last`.
//!
//! `cargo run --example lite0_time -- GRAPH.onnx [SIDE] [BATCH]`

#![allow(clippy::print_stdout)]

use runtime::engine::channels_last::accelerate;
use tract_onnx::prelude::*;

type Graph = std::sync::Arc<TypedRunnableModel>;

fn main() -> TractResult<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_default();
    let side: usize = args.next().map_or(Ok(160), |side| side.parse())?;
    let batch: usize = args.next().map_or(Ok(1), |batch| batch.parse())?;
    let shape = [batch, 3, side, side];
    let typed = tract_onnx::onnx()
        .model_for_path(&path)?
        .with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?
        .into_typed()?;
    let plain: Graph = typed.clone().into_optimized()?.into_runnable()?;
    let fast: Graph = accelerate(typed)?.into_optimized()?.into_runnable()?;

    let pixels: Vec<f32> = (0..shape.iter().product()).map(|i: usize| ((i * 7919) % 256) as f32).collect();
    let input = Tensor::from_shape(&shape, &pixels)?.into_tvalue();
    let run = |graph: &Graph| -> TractResult<(f64, Tensor)> {
        let start = cpu_ms();
        let output = graph.run(tvec!(input.clone()))?;
        Ok(((cpu_ms() - start) / batch as f64, output[0].clone().into_tensor()))
    };
    let (mut plain_ms, mut fast_ms) = (vec![], vec![]);
    let mut worst = (0f32, 0f32);
    for round in 0..60 {
        let fast_run = run(&fast)?;
        fast_ms.push(fast_run.0);
        if round % 4 == 0 {
            let plain_run = run(&plain)?;
            plain_ms.push(plain_run.0);
            for (a, b) in plain_run.1.to_plain_array_view::<f32>()?.iter().zip(fast_run.1.to_plain_array_view::<f32>()?)
            {
                worst = (worst.0.max((a - b).abs()), worst.1.max(a.abs()));
            }
        }
    }
    let summary = |ms: &mut Vec<f64>| {
        ms.sort_by(f64::total_cmp);
        format!("least {:.2} ms, median {:.2} ms", ms[0], ms[ms.len() / 2])
    };
    println!("tract:         {} an image", summary(&mut plain_ms));
    println!("channels_last: {} an image", summary(&mut fast_ms));
    println!("largest difference {:.1e} of values up to {:.2}", worst.0, worst.1);
    Ok(())
}

/// Processor time of this thread: the machine may be shared.
fn cpu_ms() -> f64 {
    // The kernel brings the figure up to date when the thread leaves the processor.
    std::thread::sleep(std::time::Duration::from_micros(50));
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}
