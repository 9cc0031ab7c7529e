//! What a camera usually sees, subtracted from what it sees now. Rows in, rows of the same width out, one for one, each
//! final when it arrives: the head's window may be a ring. Pure.

/// The running mean of a camera's rows.
#[derive(Clone, Debug)]
pub struct Background {
    segments: u32,
    mean: Vec<f32>,
    seen: u32,
}

impl Background {
    /// A background that follows with a time constant of `segments`; 0 leaves rows as they are.
    pub fn new(segments: u32) -> Self {
        Self { segments, mean: Vec::new(), seen: 0 }
    }

    /// Start anew, as after a gap.
    pub fn restart(&mut self) {
        self.seen = 0;
    }

    /// Turn `row` into its difference from the background, which takes the row in first: the first row becomes zeros.
    /// Equation: `FeatureContract::background_segments`.
    pub fn subtract(&mut self, row: &mut [f32]) {
        if self.segments == 0 {
            return;
        }
        if self.seen == 0 {
            self.mean.clear();
            self.mean.resize(row.len(), 0.0);
        }
        self.seen = (self.seen + 1).min(self.segments);
        let share = 1.0 / self.seen as f32;
        for (x, mean) in row.iter_mut().zip(&mut self.mean) {
            *mean += (*x - *mean) * share;
            *x -= *mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(background: &mut Background, rows: &[f32]) -> Vec<f32> {
        let one = |&x: &f32| {
            let mut row = [x];
            background.subtract(&mut row);
            row[0]
        };
        rows.iter().map(one).collect()
    }

    #[test]
    fn the_mean_of_what_was_seen_is_subtracted() {
        // Means: 2, 3, 6 (of 2, 4, 12), then with share 1/3: 6 + (0 - 6) / 3 = 4.
        let mut background = Background::new(3);
        assert_eq!(run(&mut background, &[2.0, 4.0, 12.0, 0.0]), [0.0, 1.0, 6.0, -4.0]);
        background.restart();
        assert_eq!(run(&mut background, &[5.0, 5.0]), [0.0, 0.0]);
    }

    #[test]
    fn without_a_time_constant_rows_stay() {
        assert_eq!(run(&mut Background::new(0), &[2.0, 4.0]), [2.0, 4.0]);
    }
}
