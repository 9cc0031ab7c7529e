//! Every operator once through tract, against numbers worked out by hand or in plain Rust.

use tract_onnx::prelude::*;

use super::{Conv, ElementType, GraphBuilder, Value};

/// Builds a graph of one f32 input, runs it in tract, returns the output's shape and elements (as f32).
fn run(shape: &[usize], data: &[f32], out: &[usize], build: impl Fn(&mut GraphBuilder, &Value) -> Value) -> Vec<f32> {
    let mut g = GraphBuilder::new("test", "");
    let x = g.input("x", ElementType::F32, shape);
    let y = build(&mut g, &x);
    g.output("y", &y, ElementType::F32, out);
    let bytes = g.finish().unwrap();
    let model = tract_onnx::onnx()
        .model_for_read(&mut bytes.as_slice())
        .unwrap()
        .into_optimized()
        .unwrap()
        .into_runnable()
        .unwrap();
    let input = Tensor::from_shape(shape, data).unwrap();
    let result = model.run(tvec!(input.into_tvalue())).unwrap();
    assert_eq!(result[0].shape(), out);
    result[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance, "element {i}: {a} against {b}");
    }
}

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32 / 4.0 - 1.0).collect()
}

#[test]
fn arithmetic_broadcasts() {
    let y = run(&[2, 2], &[1.0, 2.0, 3.0, 4.0], &[2, 2], |g, x| {
        let row = g.f32s("row", &[2], &[10.0, 20.0]);
        let two = g.scalar(2.0);
        let sum = g.add(x, &row);
        let less = g.sub(&sum, &two);
        let times = g.mul(&less, &two);
        g.div(&times, &row)
    });
    close(&y, &[1.8, 2.0, 2.2, 2.2], 1e-6);
}

#[test]
fn pointwise_functions() {
    let x = [-3.0, -0.5, 0.5, 7.0];
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::relu), &[0.0, 0.0, 0.5, 7.0], 0.0);
    close(&run(&[4], &x, &[4], |g, x| g.clip(x, 0.0, 6.0)), &[0.0, 0.0, 0.5, 6.0], 0.0);
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::abs), &[3.0, 0.5, 0.5, 7.0], 0.0);
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::round), &[-3.0, 0.0, 0.0, 7.0], 0.0);
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::tanh), &x.map(f32::tanh), 1e-5);
    let sigmoid = x.map(|x| 1.0 / (1.0 + (-x).exp()));
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::sigmoid), &sigmoid, 1e-5);
    let gelu = x.map(|x| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()));
    close(&run(&[4], &x, &[4], super::builder::GraphBuilder::gelu_tanh), &gelu, 1e-5);
    let max = run(&[4], &x, &[4], |g, x| {
        let limit = g.scalar(0.25);
        g.max(x, &limit)
    });
    close(&max, &[0.25, 0.25, 0.5, 7.0], 0.0);
}

#[test]
fn shapes_move_elements() {
    let x = ramp(6);
    let t = run(&[2, 3], &x, &[3, 2], |g, x| g.transpose(x, &[1, 0]));
    close(&t, &[x[0], x[3], x[1], x[4], x[2], x[5]], 0.0);
    close(&run(&[2, 3], &x, &[2, 2], |g, x| g.slice(x, 1, 1, 3)), &[x[1], x[2], x[4], x[5]], 0.0);
    close(&run(&[2, 3], &x, &[1, 3], |g, x| g.slice(x, 0, -1, 2)), &x[3..], 0.0);
    close(&run(&[2, 3], &x, &[6], |g, x| g.reshape(x, &[-1])), &x, 0.0);
    close(&run(&[2, 3], &x, &[2, 1, 3], |g, x| g.unsqueeze(x, &[1])), &x, 0.0);
    let joined = run(&[1, 2], &[1.0, 2.0], &[1, 4], |g, x| g.concat(&[x, x], 1));
    close(&joined, &[1.0, 2.0, 1.0, 2.0], 0.0);
    let squeezed = run(&[1, 2], &[1.0, 2.0], &[2], |g, x| g.squeeze(x, &[0]));
    close(&squeezed, &[1.0, 2.0], 0.0);
}

#[test]
fn rows_repeat_in_place_and_multiply() {
    let y = run(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0], &[1, 4, 1], |g, x| {
        let repeated = g.repeat_rows(x, (1, 2, 2), 2);
        let w = g.f32s("w", &[2, 1], &[1.0, 10.0]);
        let b = g.f32s("b", &[1], &[0.5]);
        g.linear(&repeated, &w, Some(&b))
    });
    close(&y, &[21.5, 21.5, 43.5, 43.5], 1e-6);
}

#[test]
fn reductions_and_normalisations() {
    let x = [1.0, 2.0, 3.0, 6.0];
    close(&run(&[2, 2], &x, &[2, 1], |g, x| g.reduce_mean(x, &[1], true)), &[1.5, 4.5], 1e-6);
    close(&run(&[2, 2], &x, &[2], |g, x| g.reduce_max(x, &[0], false)), &[3.0, 6.0], 0.0);
    let e = 1.0 / (1.0 + 1f32.exp());
    let soft = run(&[2, 2], &x, &[2, 2], |g, x| g.softmax(x, -1));
    close(&soft[..2], &[e, 1.0 - e], 1e-5);
    // Two layer norms and softmaxes in one graph: tract's inner names must not meet.
    let y = run(&[2, 2], &x, &[2, 2], |g, x| {
        let scale = g.f32s("scale", &[2], &[2.0, 2.0]);
        let bias = g.f32s("bias", &[2], &[0.0, 1.0]);
        let first = g.layer_norm(x, &scale, &bias, 1e-5);
        g.layer_norm(&first, &scale, &bias, 1e-5)
    });
    close(&y, &[-2.0, 3.0, -2.0, 3.0], 1e-3);
}

#[test]
fn matrix_products() {
    let x = [1.0, 2.0];
    let gemm = |transpose: bool, w: [f32; 6]| {
        run(&[1, 2], &x, &[1, 3], move |g, x| {
            let shape = if transpose { [3, 2] } else { [2, 3] };
            let w = g.f32s("w", &shape, &w);
            let c = g.f32s("c", &[3], &[0.0, 0.0, 100.0]);
            g.gemm(x, &w, &c, transpose)
        })
    };
    close(&gemm(false, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), &[9.0, 12.0, 115.0], 1e-5);
    close(&gemm(true, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]), &[9.0, 12.0, 115.0], 1e-5);
}

#[test]
fn int8_product_by_the_form_that_tract_keeps_int8() {
    let y = run(&[1, 2], &[0.5, -1.0], &[1, 2], |g, x| {
        let scale = g.scalar(0.01);
        let quantised = g.quantize_i8(x, &scale);
        let w = g.i8s("w", &[2, 2], &[100, 50, -20, 10]);
        let product = g.matmul_integer(&quantised, &w);
        let product = g.cast(&product, ElementType::F32);
        let scales = g.f32s("scales", &[2], &[0.01 * 0.1, 0.01 * 0.2]);
        g.mul(&product, &scales)
    });
    close(&y, &[0.5 * 10.0 + 2.0, 0.5 * 10.0 - 2.0], 1e-4);
}

#[test]
fn convolutions_in_one_and_two_axes() {
    // Kernel = stride = 2 along time.
    let y = run(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0], &[1, 1, 2], |g, x| {
        let w = g.f32s("w", &[1, 1, 2], &[1.0, 10.0]);
        let b = g.f32s("b", &[1], &[0.5]);
        g.conv(x, &w, Some(&b), &Conv { strides: &[2], pads: &[0, 0], groups: 1 })
    });
    close(&y, &[21.5, 43.5], 1e-6);
    // Depthwise 3 x 3, stride 2, padded after only: the top left 3 x 3 of a 4 x 4.
    let x = ramp(32);
    let y = run(&[1, 2, 4, 4], &x, &[1, 2, 2, 2], |g, x| {
        let w = g.f32s("w", &[2, 1, 3, 3], &[1.0; 18]);
        g.conv(x, &w, None, &Conv { strides: &[2, 2], pads: &[0, 0, 1, 1], groups: 2 })
    });
    let corner: f32 = [0, 1, 2, 4, 5, 6, 8, 9, 10].iter().map(|&i| x[i]).sum();
    let last: f32 = [26, 27, 30, 31].iter().map(|&i| x[i]).sum();
    close(&[y[0], y[7]], &[corner, last], 1e-5);
}
