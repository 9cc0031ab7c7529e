//! One job's share of a list that several jobs divide among them: `i/n` on the command line in, which positions are its own out.
//!
//! Counted from 0, as Slurm's `SLURM_ARRAY_TASK_ID` and Kubernetes' `JOB_COMPLETION_INDEX` are. A share depends on i, n and the list's
//! order alone, so a job that is run again, or twice at once, has the same one. Refused: a share beyond the last, shares of none.

use std::fmt;
use std::str::FromStr;

/// Share `index` of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Whether the list's entry at `position` (from 0) is in this share: every n-th is, so that a stretch of long recordings falls on
    /// all jobs alike.
    pub fn holds(self, position: usize) -> bool {
        position % self.of == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().ok();
        let parts = text.split_once('/').and_then(|(index, of)| Some((number(index)?, number(of)?)));
        let Some((index, of)) = parts else {
            return Err(format!("`{text}` is no share: write 0/16 for the first of 16 jobs"));
        };
        match of {
            0 => Err("there are no shares of 0 jobs".into()),
            of if index >= of => Err(format!("shares count from 0: the last of {of} is {}/{of}", of - 1)),
            of => Ok(Self { index, of }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_in_one_share_and_shares_are_of_one_size() {
        for of in 1..9 {
            let shards: Vec<Shard> = (0..of).map(|index| format!("{index}/{of}").parse().unwrap()).collect();
            for position in 0..50 {
                assert_eq!(shards.iter().filter(|shard| shard.holds(position)).count(), 1, "{position} of {of}");
            }
            let sizes = shards.iter().map(|shard| (0..50).filter(|&position| shard.holds(position)).count());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        assert!((0..50).all(|position| Shard::WHOLE.holds(position)));
    }

    #[test]
    fn shares_count_from_0() {
        assert_eq!("15/16".parse::<Shard>().unwrap().to_string(), "15/16");
        let told = |text: &str| text.parse::<Shard>().unwrap_err();
        assert!(told("16/16").contains("the last of 16 is 15/16"), "{}", told("16/16"));
        assert!(told("0/0").contains("0 jobs"));
        for wrong in ["", "3", "/4", "1/", "-1/4", "a/4", "1/4/2", "/"] {
            assert!(told(wrong).contains("no share"), "{wrong}");
        }
    }
}
