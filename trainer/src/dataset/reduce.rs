//! Rows to segments: a whole video cut into `T` means, or a camera's filling ring stretched to `T`. Pure arithmetic
//! on row-major `[n, D]`.

/// The rows of segment `i` of `count`, of `rows` rows: `edges = linspace(0, rows, count + 1)`, rounded down, at least one row.
/// With fewer rows than segments, rows repeat.
pub fn segment_edges(rows: usize, count: usize, i: usize) -> std::ops::Range<usize> {
    let first = i * rows / count;
    first..((i + 1) * rows / count).max(first + 1)
}

/// `[n, D]` to `[count, D]`: the mean of each segment's rows.
pub fn to_segments(rows: &[f32], width: usize, count: usize) -> Vec<f32> {
    let n = rows.len() / width;
    let mut out = vec![0.0; count * width];
    for (i, segment) in out.chunks_exact_mut(width).enumerate() {
        let range = segment_edges(n, count, i);
        let share = 1.0 / range.len() as f32;
        for row in rows[range.start * width..range.end * width].chunks_exact(width) {
            for (sum, value) in segment.iter_mut().zip(row) {
                *sum += value * share;
            }
        }
    }
    out
}

/// The segment that covers row `row` of `rows`: the last one that starts at or before it (with fewer rows than segments,
/// the middle one of its repetitions).
pub fn segment_of_row(rows: usize, count: usize, row: usize) -> usize {
    // The first segment that starts after `row`: i * rows / count > row, so i >= (row + 1) * count / rows, rounded up.
    let end = ((row + 1) * count).div_ceil(rows);
    if rows >= count { end - 1 } else { usize::midpoint((row * count).div_ceil(rows), end - 1) }
}

/// `[n, D]` to `[count, D]` by nearest repetition, `i -> floor(i * n / count)`: what a camera's ring of `n < count` segments
/// stands for. `n` must be 1 to `count`.
pub fn stretch(rows: &[f32], width: usize, count: usize, out: &mut [f32]) {
    let n = rows.len() / width;
    for (i, target) in out.chunks_exact_mut(width).take(count).enumerate() {
        let from = i * n / count;
        target.copy_from_slice(&rows[from * width..(from + 1) * width]);
    }
}
