//! The generalised Pareto distribution, the law of what lies beyond a high level (Pickands, Ann. Stat. 3, 1975): excesses come in, the
//! likeliest scale and shape go out, and how well they fit.
//!
//! `S(y) = (1 + shape * y / scale)^(-1 / shape)`, and `exp(-y / scale)` for shape 0.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Shapes lie within ± this: beyond -0.5 likelihood has no maximum to speak of, and logits of scores are not heavier than 0.5.
pub const SHAPE_MAX: f64 = 0.5;
/// A shape nearer to 0 is 0.
const SHAPE_ZERO: f64 = 1e-6;
/// Samples that a fit is judged by.
const SAMPLES: u32 = 100;
/// Their seed: the same footage gives the same threshold.
const SEED: u64 = 7;

/// A generalised Pareto distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// The scale, above 0.
    pub scale: f64,
    /// The shape.
    pub shape: f64,
}

impl Tail {
    /// The likeliest one for `excesses`, all above 0, and its negative log-likelihood.
    pub fn fit(excesses: &[f64]) -> (Self, f64) {
        let cost = |shape: f64| Self::of_shape(excesses, shape).cost(excesses);
        // Likelihood may have two hills along the shape: first the highest of all, then its top.
        let near = shapes().min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(0.0);
        let shape = lowest(cost, (near - 0.05).max(-SHAPE_MAX), (near + 0.05).min(SHAPE_MAX), 15);
        let tail = Self::of_shape(excesses, shape);
        (tail, tail.cost(excesses))
    }

    /// The likeliest one of this shape.
    fn of_shape(excesses: &[f64], shape: f64) -> Self {
        let mean = excesses.iter().sum::<f64>() / excesses.len() as f64;
        let highest = excesses.iter().copied().fold(0.0, f64::max);
        // With an end, no excess lies beyond it.
        let low = (mean * 0.02).max(-shape * highest * 1.000_001).ln();
        let high = (mean * 20.0).ln().max(low);
        let scale = lowest(|log| Self { scale: log.exp(), shape }.cost(excesses), low, high, 30).exp();
        Self { scale, shape }
    }

    /// Negative log-likelihood of `excesses`; infinite where one of them cannot be.
    pub fn cost(self, excesses: &[f64]) -> f64 {
        let Self { scale, shape } = self;
        let count = excesses.len() as f64;
        if scale <= 0.0 || !scale.is_finite() {
            return f64::INFINITY;
        }
        if shape.abs() < SHAPE_ZERO {
            return count * scale.ln() + excesses.iter().sum::<f64>() / scale;
        }
        if excesses.iter().any(|y| 1.0 + shape * y / scale <= 0.0) {
            return f64::INFINITY;
        }
        let logs: f64 = excesses.iter().map(|y| (shape * y / scale).ln_1p()).sum();
        count * scale.ln() + (1.0 + 1.0 / shape) * logs
    }

    /// The share that lies beyond `excess`.
    pub fn survival(self, excess: f64) -> f64 {
        if self.shape.abs() < SHAPE_ZERO {
            return (-excess / self.scale).exp();
        }
        (1.0 + self.shape * excess / self.scale).max(0.0).powf(-1.0 / self.shape)
    }

    /// The excess beyond which this share lies, above 0 and at most 1.
    pub fn excess(self, share: f64) -> f64 {
        if self.shape.abs() < SHAPE_ZERO {
            return -self.scale * share.ln();
        }
        self.scale * (share.powf(-self.shape) - 1.0) / self.shape
    }

    /// The tail of this shape beyond whose `excess` this share lies.
    pub fn through(excess: f64, share: f64, shape: f64) -> Self {
        let unit = Self { scale: 1.0, shape };
        Self { scale: excess / unit.excess(share), shape }
    }

    /// How well it fits `excesses`, rising: the share of samples of itself, each fitted anew, that lie no better by the distance of
    /// Anderson and Darling. (Fitted parameters make its tables useless; Choulakian and Stephens, Technometrics 43, 2001.)
    pub fn fit_p(self, excesses: &[f64]) -> f64 {
        let distance = self.distance(excesses);
        let mut random = Pcg64Mcg::seed_from_u64(SEED);
        let mut worse = 0;
        for _ in 0..SAMPLES {
            let draw = |_: &f64| self.excess(1.0 - random.random::<f64>()).max(1e-12);
            let mut sample: Vec<f64> = excesses.iter().map(draw).collect();
            sample.sort_by(f64::total_cmp);
            worse += u32::from(Self::fit(&sample).0.distance(&sample) >= distance);
        }
        f64::from(worse + 1) / f64::from(SAMPLES + 1)
    }

    /// Anderson and Darling's A² of `excesses`, rising.
    fn distance(self, excesses: &[f64]) -> f64 {
        let count = excesses.len() as f64;
        let below = |y: f64| (1.0 - self.survival(y)).clamp(1e-12, 1.0 - 1e-12);
        let terms = excesses.iter().zip(excesses.iter().rev()).enumerate();
        let sum = terms.map(|(i, (up, down))| (2 * i + 1) as f64 * (below(*up).ln() + (1.0 - below(*down)).ln()));
        -count - sum.sum::<f64>() / count
    }
}

/// Shapes to try.
pub fn shapes() -> impl Iterator<Item = f64> {
    (-10..=10).map(|n| f64::from(n) * SHAPE_MAX / 10.0)
}

/// Where between `a` and `b` a function with one valley is lowest: golden section, `steps` times.
pub fn lowest(f: impl Fn(f64) -> f64, mut a: f64, mut b: f64, steps: u32) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut c, mut d) = (b - golden * (b - a), a + golden * (b - a));
    let (mut at_c, mut at_d) = (f(c), f(d));
    for _ in 0..steps {
        if at_c < at_d {
            (b, d, at_d) = (d, c, at_c);
            c = b - golden * (b - a);
            at_c = f(c);
        } else {
            (a, c, at_c) = (c, d, at_d);
            d = a + golden * (b - a);
            at_d = f(d);
        }
    }
    f64::midpoint(a, b)
}
