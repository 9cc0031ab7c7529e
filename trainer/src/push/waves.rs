//! In which order cameras get a new model: a text such as `1,10%,100%` comes in, and how many have it after each wave goes out.
//!
//! Each step is a count of all cameras or a share of them, rounded up, and counts those of the waves before. The last wave is
//! everybody, whether it is written or not. Refused: anything else, and steps that do not rise.

use std::fmt;
use std::str::FromStr;

/// The steps of a roll-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves(Vec<Step>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Count(usize),
    Percent(u32),
}

impl Waves {
    /// Cameras that each wave takes, of `all`; they sum to `all`, and no wave is empty.
    pub fn sizes(&self, all: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut done = 0;
        for until in self.0.iter().map(|step| step.of(all)).chain([all]) {
            if until > done {
                sizes.push(until - done);
                done = until;
            }
        }
        sizes
    }
}

impl Step {
    fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count.min(all),
            Self::Percent(percent) => (all * percent as usize).div_ceil(100),
        }
    }
}

impl FromStr for Waves {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |step: &str| format!("`{step}` is no wave; write rising counts or shares, such as 1,10%,100%");
        let mut steps = Vec::new();
        for part in text.split(',').map(str::trim) {
            let step = match part.strip_suffix('%') {
                Some(percent) => percent.parse().ok().filter(|p| (1..=100).contains(p)).map(Step::Percent),
                None => part.parse().ok().filter(|count| *count > 0).map(Step::Count),
            };
            let step = step.ok_or_else(|| refused(part))?;
            let falls = match (steps.last(), step) {
                (Some(Step::Count(before)), Step::Count(now)) => now <= *before,
                (Some(Step::Percent(before)), Step::Percent(now)) => now <= *before,
                _ => false,
            };
            if falls {
                return Err(refused(part));
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Waves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            f.write_str(if n > 0 { "," } else { "" })?;
            match step {
                Step::Count(count) => write!(f, "{count}")?,
                Step::Percent(percent) => write!(f, "{percent}%")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_wave_counts_those_before() {
        let waves: Waves = "1, 10%,100%".parse().unwrap();
        assert_eq!(waves.to_string(), "1,10%,100%");
        assert_eq!(waves.sizes(200), [1, 19, 180]);
        assert_eq!(waves.sizes(10), [1, 9]);
        assert_eq!(waves.sizes(1), [1]);
        assert!(waves.sizes(0).is_empty());
        assert_eq!("3".parse::<Waves>().unwrap().sizes(5), [3, 2]);
        assert_eq!("5%,50%".parse::<Waves>().unwrap().sizes(3), [1, 1, 1]);
    }

    #[test]
    fn what_does_not_rise_is_no_wave() {
        for text in ["", "0", "0%", "101%", "a", "5,5", "5,3", "20%,10%", "1,,2", "-1", "1.5%"] {
            assert!(text.parse::<Waves>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nobody_is_left_out_and_nobody_twice(first in 1usize..20, share in 1u32..=100, all in 0usize..500) {
            let sizes = format!("{first},{share}%").parse::<Waves>().unwrap().sizes(all);
            proptest::prop_assert_eq!(sizes.iter().sum::<usize>(), all);
            proptest::prop_assert!(sizes.iter().all(|size| *size > 0));
        }
    }
}
