//! Vectors of timed captions to rows: each row of a video is the mean of the captions that were said of its time. Pure arithmetic.

use std::collections::HashMap;

use super::captions::Captions;

/// `[rows, width]`. Row `t` of T stands for the seconds `t / T` to `(t + 1) / T` of the video, and is the mean of the vectors of the
/// captions that overlap it, each weighed by the seconds of its overlap; zeros where there is none.
pub fn rows(captions: &Captions, vectors: &HashMap<&str, Vec<f32>>, rows: usize, width: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    let row_s = captions.duration_s / rows as f64;
    for (t, row) in out.chunks_exact_mut(width).enumerate() {
        let (first_s, last_s) = (t as f64 * row_s, (t + 1) as f64 * row_s);
        let mut total = 0.0;
        for caption in &captions.captions {
            let overlap_s = (caption.end_s.min(last_s) - caption.start_s.max(first_s)) as f32;
            let Some(vector) = vectors.get(caption.sentence.as_str()).filter(|_| overlap_s > 0.0) else { continue };
            total += overlap_s;
            row.iter_mut().zip(vector).for_each(|(sum, value)| *sum += overlap_s * value);
        }
        if total > 0.0 {
            row.iter_mut().for_each(|value| *value /= total);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::captions::Caption;

    #[test]
    fn a_row_is_what_was_said_of_its_time() {
        let caption = |start_s, end_s, sentence: &str| Caption { start_s, end_s, sentence: sentence.into() };
        let captions = Captions {
            duration_s: 8.0,
            // The second overlaps half of the first's last second and all of the next two; the last is past the end.
            captions: vec![caption(0.0, 2.0, "a"), caption(1.5, 4.0, "b"), caption(9.0, 12.0, "a")],
        };
        let vectors = HashMap::from([("a", vec![1.0, 0.0]), ("b", vec![0.0, 1.0])]);
        // Rows of two seconds: 2 s of a and .5 s of b; 2 s of b; nothing; nothing.
        assert_eq!(rows(&captions, &vectors, 4, 2), [0.8, 0.2, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(rows(&captions, &vectors, 1, 2), [2.0 / 4.5, 2.5 / 4.5]);
    }
}
