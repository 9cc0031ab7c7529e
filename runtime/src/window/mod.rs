//! The ring: the last 64 segment features of a camera, in fixed memory. Pure.

/// Segments in a full window, `T` in the papers.
pub const SEGMENTS: usize = 64;

/// The last [`SEGMENTS`] rows of width `D`, oldest overwritten first.
#[derive(Clone, Debug)]
pub struct Window {
    width: usize,
    rows: Vec<f32>,
    /// Rows pushed since the window was last cleared.
    pushed: u64,
}

impl Window {
    /// An empty window of rows of `width` values.
    pub fn new(width: usize) -> Self {
        Self { width, rows: vec![0.0; SEGMENTS * width], pushed: 0 }
    }

    /// Rows held, at most [`SEGMENTS`].
    pub fn len(&self) -> usize {
        self.pushed.min(SEGMENTS as u64) as usize
    }

    /// True before the first row.
    pub fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// True once all [`SEGMENTS`] rows are there.
    pub fn is_full(&self) -> bool {
        self.len() == SEGMENTS
    }

    /// Forget all rows, as after a gap.
    pub fn clear(&mut self) {
        self.pushed = 0;
    }

    /// Take in the newest row.
    ///
    /// # Panics
    /// When `row` is not of the window's width.
    pub fn push(&mut self, row: &[f32]) {
        let at = (self.pushed % SEGMENTS as u64) as usize * self.width;
        self.rows[at..at + self.width].copy_from_slice(row);
        self.pushed += 1;
    }

    /// Write `[SEGMENTS, D]`, oldest first, newest last. While n < 64 rows are held, they stand for 64 by nearest
    /// repetition: position `i` is row `floor(i * n / 64)`, as short videos do in training.
    ///
    /// # Panics
    /// When the window is empty or `out` is not `SEGMENTS * D` long.
    pub fn stretch_into(&self, out: &mut [f32]) {
        let n = self.len();
        assert!(n > 0, "an empty window has nothing to stretch");
        let oldest = (self.pushed - n as u64) as usize;
        for (i, to) in out.chunks_exact_mut(self.width).enumerate() {
            let at = (oldest + i * n / SEGMENTS) % SEGMENTS * self.width;
            to.copy_from_slice(&self.rows[at..at + self.width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_the_newest_stretched(pushed in 1u32..300) {
            let mut window = Window::new(2);
            for t in 0..pushed {
                window.push(&[t as f32, -(t as f32)]);
            }
            let mut out = vec![0.0; SEGMENTS * 2];
            window.stretch_into(&mut out);
            let n = pushed.min(64);
            for i in 0..64u32 {
                let expected = (pushed - n + i * n / 64) as f32;
                prop_assert_eq!(&out[2 * i as usize..][..2], &[expected, -expected]);
            }
            prop_assert_eq!(window.is_full(), pushed >= 64);
        }
    }

    #[test]
    fn clearing_forgets() {
        let mut window = Window::new(1);
        (0..100).for_each(|t| window.push(&[t as f32]));
        window.clear();
        window.push(&[7.0]);
        let mut out = [0.0; SEGMENTS];
        window.stretch_into(&mut out);
        assert_eq!(out, [7.0; SEGMENTS]);
    }
}
