//! Mean and deviation of a training set's features, and the hash that ties a run to its data.

use runtime::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Video;

/// Per-feature mean and deviation over all rows and crops of the training videos. Part of every exported model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Mean, `[D]`.
    pub mean: Vec<f32>,
    /// Standard deviation, `[D]`; 1 where a feature never changes.
    pub deviation: Vec<f32>,
}

impl Statistics {
    /// Mean 0 and deviation 1: features are used as they are.
    pub fn identity(width: usize) -> Self {
        Self { mean: vec![0.0; width], deviation: vec![1.0; width] }
    }

    /// Standardise rows `[n, D]` in place: `(x - mean) / deviation`.
    pub fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.mean.len()) {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *value = (*value - mean) / deviation;
            }
        }
    }
}

/// Read every video once: the statistics of those for which `counted` holds, and a SHA-256 (hexadecimal) over names,
/// labels, shapes and numbers of all. Refused: features that are the same in every row. `seen` is called after each video, with its index and rows.
pub fn scan(
    videos: &[Video],
    counted: impl Fn(usize) -> bool,
    mut seen: impl FnMut(usize, super::Rows),
) -> Result<(Statistics, String)> {
    let width = videos.first().map_or(0, |video| video.header.width);
    let mut hash = Sha256::new();
    let mut count = 0_u64;
    let mut sum = vec![0.0_f64; width];
    let mut squares = vec![0.0_f64; width];
    for (index, video) in videos.iter().enumerate() {
        let rows = video.read()?;
        hash.update(format!("{}\0{}\0{:?}\0", video.entry.video, video.entry.abnormal, video.header));
        for value in &rows.data {
            hash.update(value.to_le_bytes());
        }
        if counted(index) {
            for row in rows.data.chunks_exact(width) {
                count += 1;
                for ((sum, square), &value) in sum.iter_mut().zip(&mut squares).zip(row) {
                    *sum += f64::from(value);
                    *square += f64::from(value) * f64::from(value);
                }
            }
        }
        seen(index, rows);
    }
    let n = count.max(1) as f64;
    let mean: Vec<f32> = sum.iter().map(|sum| (sum / n) as f32).collect();
    let deviation: Vec<f32> = sum
        .iter()
        .zip(&squares)
        .map(|(sum, square)| (square / n - (sum / n) * (sum / n)).max(0.0).sqrt() as f32)
        .collect();
    let constant = |deviation: f32| deviation <= 1e-6;
    if count > 0 && deviation.iter().all(|&deviation| constant(deviation)) {
        return Err(Error::invalid(
            videos[0].path.parent().unwrap_or(&videos[0].path).display().to_string(),
            format!("holds the same features in each of {count} rows: there is nothing to learn from"),
            "look at what extracted them",
        ));
    }
    let deviation = deviation.into_iter().map(|d| if constant(d) { 1.0 } else { d }).collect();
    Ok((Statistics { mean, deviation }, hex::encode(hash.finalize())))
}
