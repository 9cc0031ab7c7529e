//! Seeds on the command line and the folders of their runs: `0..4` or `0,3,7` in, numbers and `FOLDER/seed-N` out.
//!
//! Refused: ranges that end before they begin, a seed named twice, more than [`SEEDS_MAX`] of them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use runtime::{Error, Result};

/// Seeds in one command at most.
pub const SEEDS_MAX: usize = 1000;

/// One seed, or a range with both ends in it: `0..4` is 0, 1, 2, 3 and 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedRange {
    first: u64,
    last: u64,
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no seed"));
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if last < first {
            return Err("the range ends before it begins".into());
        }
        if last - first >= SEEDS_MAX as u64 {
            return Err(format!("the range holds more than {SEEDS_MAX} seeds"));
        }
        Ok(Self { first, last })
    }
}

/// The seeds of all ranges, in the order named.
pub fn listed(ranges: &[SeedRange]) -> Result<Vec<u64>> {
    let seeds: Vec<u64> = ranges.iter().flat_map(|range| range.first..=range.last).collect();
    let refuse = |problem: String| Err(Error::invalid("--seeds", problem, "name each seed once: `0..4`, or `0,3,7`"));
    if seeds.len() > SEEDS_MAX {
        return refuse(format!("names {} seeds, more than {SEEDS_MAX}", seeds.len()));
    }
    match seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
        Some((_, seed)) => refuse(format!("names {seed} twice")),
        None => Ok(seeds),
    }
}

/// The folder of a seed's run among those of other seeds.
pub fn folder(all: &Path, seed: u64) -> PathBuf {
    all.join(format!("seed-{seed}"))
}

/// The runs `seed-N` in a folder, by N; none where it is a run itself or has no such folders.
pub fn runs_in(all: &Path) -> Vec<PathBuf> {
    if all.join("run.json").exists() {
        return Vec::new();
    }
    let seed = |path: &Path| path.file_name()?.to_str()?.strip_prefix("seed-")?.parse::<u64>().ok();
    let entries = std::fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<(u64, PathBuf)> = entries
        .filter(|path| path.join("run.json").exists())
        .filter_map(|path| seed(&path).map(|seed| (seed, path)))
        .collect();
    runs.sort();
    runs.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Result<Vec<u64>> {
        listed(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn ranges_hold_both_ends_and_a_seed_comes_once() {
        assert_eq!(of(&["0..4", "9"]).unwrap(), [0, 1, 2, 3, 4, 9]);
        assert_eq!(of(&["7..7"]).unwrap(), [7]);
        assert!(of(&["0..4", "3"]).unwrap_err().to_string().contains("--seeds: names 3 twice"));
        assert!(of(&["0..999", "1000"]).unwrap_err().to_string().contains("1001 seeds"));
        for wrong in ["4..0", "a", "1..", "..", "-1", "0..1000"] {
            assert!(wrong.parse::<SeedRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn runs_are_found_by_number_and_other_folders_are_not() {
        let all = tempfile::tempdir().unwrap();
        for name in ["seed-10", "seed-2", "seed-x", "other"] {
            std::fs::create_dir(all.path().join(name)).unwrap();
            std::fs::write(all.path().join(name).join("run.json"), "").unwrap();
        }
        std::fs::create_dir(all.path().join("seed-1")).unwrap();
        assert_eq!(runs_in(all.path()), [folder(all.path(), 2), folder(all.path(), 10)]);
        std::fs::write(all.path().join("run.json"), "").unwrap();
        assert!(runs_in(all.path()).is_empty(), "it is a run itself");
    }
}
