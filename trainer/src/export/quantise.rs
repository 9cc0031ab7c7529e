//! Weights to int8: `[K, N]` floats in, signed bytes and one scale per output column out. Symmetric: the zero point is 0,
//! and the largest weight of a column becomes 127, so that -128 never occurs.

use burn::backend::Flex;
use burn::nn::Linear;

use super::head::numbers;

/// The largest quantised magnitude.
pub const INT8_MAX: f32 = 127.0;

/// A fully connected layer in host memory: `x [.., K]` to `x W + b [.., N]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// K and N.
    pub shape: [usize; 2],
    /// `W [K, N]`, row by row.
    pub weight: Vec<f32>,
    /// `b [N]`.
    pub bias: Option<Vec<f32>>,
}

impl Dense {
    /// A layer of the network.
    pub fn of(layer: &Linear<Flex>) -> Self {
        Self {
            shape: layer.weight.dims(),
            weight: numbers(layer.weight.val()),
            bias: layer.bias.as_ref().map(|bias| numbers(bias.val())),
        }
    }

    /// The same layer with all its outputs multiplied by `scale`.
    #[must_use]
    pub fn times(mut self, scale: f32) -> Self {
        self.weight.iter_mut().chain(self.bias.iter_mut().flatten()).for_each(|value| *value *= scale);
        self
    }

    /// Its weight in int8.
    pub fn quantised(&self) -> Columns {
        Columns::of(&self.weight, self.shape[1])
    }
}

/// A weight matrix in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// `[K, N]`, row by row, each in -127..=127.
    pub values: Vec<i8>,
    /// `[N]`: what 1 stands for in each column.
    pub scales: Vec<f32>,
}

impl Columns {
    /// Quantise `weight [K, columns]`: `q = round(w / s)`, halves to even, with `s = max |w| / 127` of the column (1 for a
    /// column of zeros).
    pub fn of(weight: &[f32], columns: usize) -> Self {
        let mut most = vec![0.0_f32; columns];
        for row in weight.chunks_exact(columns) {
            for (most, value) in most.iter_mut().zip(row) {
                *most = most.max(value.abs());
            }
        }
        let scales: Vec<f32> = most.iter().map(|&most| scale(most)).collect();
        let quantise =
            |(value, scale): (&f32, &f32)| (value / scale).round_ties_even().clamp(-INT8_MAX, INT8_MAX) as i8;
        let values = weight.chunks_exact(columns).flat_map(|row| row.iter().zip(&scales).map(quantise)).collect();
        Self { values, scales }
    }
}

/// What 1 stands for when `most` becomes 127. Magnitudes too small to divide by count as none.
pub fn scale(most: f32) -> f32 {
    if most > f32::MIN_POSITIVE * INT8_MAX { most / INT8_MAX } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_largest_weight_is_127_and_its_zeros_stay() {
        let weight = [1.1, 0.0, -20.0, -2.0, 0.0, 0.1, 0.5, 0.0, 11.0];
        let columns = Columns::of(&weight, 3);
        assert_eq!(columns.values, [70, 0, -127, -127, 0, 1, 32, 0, 70]);
        assert_eq!(columns.scales, [2.0 / 127.0, 1.0, 20.0 / 127.0]);
    }

    #[test]
    fn a_weight_is_at_most_half_a_step_away() {
        let weight: Vec<f32> = (0..600).map(|i| (i as f32 * 0.77).sin() * (1 + i % 5) as f32).collect();
        let columns = Columns::of(&weight, 5);
        for (i, (value, q)) in weight.iter().zip(&columns.values).enumerate() {
            let step = columns.scales[i % 5];
            assert!((value - f32::from(*q) * step).abs() <= step * 0.501, "{i}: {value}");
        }
    }

    #[test]
    fn a_scaled_layer_scales_its_bias_too() {
        let dense = Dense { shape: [1, 2], weight: vec![1.0, 2.0], bias: Some(vec![3.0, 4.0]) }.times(0.5);
        assert_eq!((dense.weight, dense.bias), (vec![0.5, 1.0], Some(vec![1.5, 2.0])));
    }
}
