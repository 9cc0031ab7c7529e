//! The pictures of the highest scores, kept while a replay runs: fixed memory, however long the recording.

use std::cmp::Ordering;

/// A small picture of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Interleaved 8-bit red, green, blue: `width * height * 3` bytes.
    pub rgb: Vec<u8>,
    /// Time of the segment, seconds.
    pub time_s: f64,
    /// Its score.
    pub score: f32,
}

/// Keeps the `count` highest-scored pictures that lie at least `apart_s` seconds from each other.
#[derive(Clone, Debug)]
pub struct Best {
    count: usize,
    apart_s: f64,
    kept: Vec<Thumbnail>,
}

impl Best {
    /// Keep up to `count` pictures, `apart_s` seconds apart, so that they do not all show one moment.
    pub fn new(count: usize, apart_s: f64) -> Self {
        Self { count, apart_s, kept: Vec::with_capacity(count) }
    }

    /// Offer the picture of a segment; `draw` fills its pixels (into a used buffer where there is one) and returns
    /// width and height, and is called only if the picture is kept. Offers come in the order of time.
    pub fn offer(&mut self, time_s: f64, score: f32, draw: impl FnOnce(&mut Vec<u8>) -> (u32, u32)) {
        if !score.is_finite() || self.count == 0 {
            return;
        }
        let lowest = |kept: &[Thumbnail]| {
            let by_score = |a: &(usize, &Thumbnail), b: &(usize, &Thumbnail)| {
                a.1.score.partial_cmp(&b.1.score).unwrap_or(Ordering::Equal)
            };
            kept.iter().enumerate().min_by(by_score).map(|(i, _)| i)
        };
        let near = self.kept.iter().position(|k| (time_s - k.time_s).abs() < self.apart_s);
        let replaced = match near {
            Some(near) => Some(near),
            None if self.kept.len() < self.count => None,
            None => lowest(&self.kept),
        };
        let mut rgb = match replaced {
            Some(at) if self.kept[at].score >= score => return,
            Some(at) => self.kept.swap_remove(at).rgb,
            None => Vec::new(),
        };
        rgb.clear();
        let (width, height) = draw(&mut rgb);
        self.kept.push(Thumbnail { width, height, rgb, time_s, score });
    }

    /// What was kept, in the order of time.
    pub fn into_vec(mut self) -> Vec<Thumbnail> {
        self.kept.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(scores: &[(f64, f32)], count: usize) -> Vec<(f64, f32)> {
        let mut best = Best::new(count, 2.0);
        for &(time, score) in scores {
            best.offer(time, score, |rgb| {
                rgb.extend([0; 3]);
                (1, 1)
            });
        }
        best.into_vec().iter().map(|t| (t.time_s, t.score)).collect()
    }

    #[test]
    fn the_highest_are_kept_in_the_order_of_time() {
        let scores = [(0.0, 0.1), (3.0, 0.9), (6.0, 0.2), (9.0, 0.8), (12.0, 0.05)];
        assert_eq!(kept(&scores, 2), [(3.0, 0.9), (9.0, 0.8)]);
    }

    #[test]
    fn neighbours_are_one_picture_the_higher() {
        let scores = [(0.0, 0.5), (0.6, 0.7), (1.3, 0.6), (5.0, 0.1)];
        assert_eq!(kept(&scores, 3), [(0.6, 0.7), (5.0, 0.1)]);
    }

    #[test]
    fn a_score_that_is_not_finite_has_no_picture() {
        assert_eq!(kept(&[(0.0, f32::NAN)], 3), []);
    }
}
