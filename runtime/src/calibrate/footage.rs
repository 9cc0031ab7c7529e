//! Scores of footage in which nothing happened: series come in, each without a break, of one camera or several.

/// Scores of segments that follow each other without a break.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The camera or the recording, for people.
    pub name: String,
    /// When it begins, seconds since the camera's or the recording's start.
    pub start_s: f64,
    /// One score for each segment, 0..=1.
    pub scores: Vec<f32>,
}

/// All there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Footage {
    /// The series.
    pub series: Vec<Series>,
    /// Length of a segment, in seconds.
    pub segment_s: f64,
}

impl Footage {
    /// Segments, of all series.
    pub fn segments(&self) -> u64 {
        self.series.iter().map(|series| series.scores.len() as u64).sum()
    }

    /// Days, of all cameras together.
    pub fn days(&self) -> f64 {
        self.segments() as f64 * self.segment_s / 86_400.0
    }

    /// All scores.
    pub fn scores(&self) -> impl Iterator<Item = f32> {
        self.series.iter().flat_map(|series| series.scores.iter().copied())
    }

    /// The `count` highest moments, at least ten seconds apart: name of the series, seconds since the start, score.
    pub fn highest(&self, count: usize) -> Vec<(&str, f64, f32)> {
        let mut moments: Vec<(&str, f64, f32)> = Vec::new();
        let mut all: Vec<(usize, usize, f32)> = Vec::new();
        for (s, series) in self.series.iter().enumerate() {
            all.extend(series.scores.iter().enumerate().map(|(n, score)| (s, n, *score)));
        }
        all.sort_by(|a, b| b.2.total_cmp(&a.2));
        for (s, n, score) in all {
            let series = &self.series[s];
            let at_s = series.start_s + n as f64 * self.segment_s;
            if moments.iter().all(|(name, other, _)| *name != series.name || (other - at_s).abs() >= 10.0) {
                moments.push((&series.name, at_s, score));
            }
            if moments.len() == count {
                break;
            }
        }
        moments
    }
}
