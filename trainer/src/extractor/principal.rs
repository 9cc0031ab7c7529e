//! Principal components: samples in, the directions in which they vary most out.

use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Directions carried along beside those asked for, so that the last of these converge as well.
const SPARE: usize = 32;

/// Steps of the subspace iteration.
const STEPS: usize = 24;

/// Mean and covariance of samples that come in blocks. Products are formed in f32, around the first block's mean
/// so that nothing cancels, and summed in f64.
pub struct Scatter {
    width: usize,
    count: f64,
    origin: Option<DVector<f32>>,
    sum: DVector<f64>,
    products: DMatrix<f64>,
}

impl Scatter {
    /// No samples yet, of `width` numbers each.
    pub fn new(width: usize) -> Self {
        Self { width, count: 0.0, origin: None, sum: DVector::zeros(width), products: DMatrix::zeros(width, width) }
    }

    /// Adds samples: `[width, samples]`, one per column.
    pub fn add(&mut self, samples: &DMatrix<f32>) {
        if samples.ncols() == 0 {
            return;
        }
        let origin = self.origin.get_or_insert_with(|| samples.column_mean());
        let mut shifted = samples.clone();
        shifted.column_iter_mut().for_each(|mut column| column -= &*origin);
        self.sum += shifted.column_sum().map(f64::from);
        self.count += samples.ncols() as f64;
        let product: DMatrix<f32> = &shifted * shifted.transpose();
        self.products.zip_apply(&product, |total, p| *total += f64::from(p));
    }

    /// The mean, `[width]`.
    pub fn mean(&self) -> DVector<f64> {
        let origin = self.origin.as_ref().map_or_else(|| DVector::zeros(self.width), |o| o.map(f64::from));
        origin + &self.sum / self.count.max(1.0)
    }

    /// The covariance, `[width, width]`.
    pub fn covariance(&self) -> DMatrix<f64> {
        let shift = &self.sum / self.count.max(1.0);
        &self.products / self.count.max(1.0) - &shift * shift.transpose()
    }
}

/// The `count` leading eigenvectors (columns, `[n, count]`) and eigenvalues of a symmetric, positive `[n, n]` matrix, by subspace
/// iteration: for a few hundred of a few thousand it takes seconds where a full decomposition takes minutes. Each vector's
/// largest entry is positive, so that the same footage gives the same signs.
pub fn principal(matrix: &DMatrix<f64>, count: usize, seed: u64) -> (DMatrix<f64>, Vec<f64>) {
    let n = matrix.nrows();
    let carried = (count + SPARE).min(n);
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut basis = DMatrix::from_fn(n, carried, |_, _| rng.random_range(-1.0..1.0)).qr().q();
    for _ in 0..STEPS {
        basis = (matrix * &basis).qr().q();
    }
    let small = basis.transpose() * (matrix * &basis);
    let eigen = ((&small + small.transpose()) * 0.5).symmetric_eigen();
    let mut order: Vec<usize> = (0..carried).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(count);
    let mut vectors = &basis * eigen.eigenvectors.select_columns(&order);
    for mut column in vectors.column_iter_mut() {
        if column[column.icamax()] < 0.0 {
            column.neg_mut();
        }
    }
    (vectors, order.iter().map(|&i| eigen.eigenvalues[i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_of_blocks_is_that_of_the_whole() {
        let samples = DMatrix::from_fn(3, 10, |i, j| 100.0 + (i * j) as f32 + (j % 3) as f32);
        let mut whole = Scatter::new(3);
        whole.add(&samples);
        let mut parts = Scatter::new(3);
        parts.add(&samples.columns(0, 4).into_owned());
        parts.add(&samples.columns(4, 6).into_owned());
        assert!((whole.mean() - parts.mean()).norm() < 1e-4);
        assert!((whole.covariance() - parts.covariance()).norm() < 1e-3);
        let mean = (0..10).map(|j| 100.0 + f64::from(j % 3)).sum::<f64>() / 10.0;
        assert!((whole.mean()[0] - mean).abs() < 1e-4);
        let variance = (0..10).map(|j| (100.0 + f64::from(j % 3) - mean).powi(2)).sum::<f64>() / 10.0;
        assert!((whole.covariance()[(0, 0)] - variance).abs() < 1e-4);
    }

    #[test]
    fn finds_the_axes_of_a_known_matrix() {
        // Eigenvalues 50^2, 49^2, ... along the columns of a rotation.
        let n = 50;
        let mut rng = Pcg64Mcg::seed_from_u64(9);
        let rotation = DMatrix::from_fn(n, n, |_, _| rng.random_range(-1.0..1.0)).qr().q();
        let values = DVector::from_fn(n, |i, _| ((n - i) * (n - i)) as f64);
        let matrix = &rotation * DMatrix::from_diagonal(&values) * rotation.transpose();
        let (vectors, found) = principal(&matrix, 5, 0);
        for i in 0..5 {
            assert!((found[i] - values[i]).abs() < 1e-3 * values[i], "{found:?}");
            let alike = vectors.column(i).dot(&rotation.column(i)).abs();
            assert!(alike > 0.9999, "vector {i}: {alike}");
            assert!(vectors.column(i)[vectors.column(i).icamax()] > 0.0);
        }
    }
}
