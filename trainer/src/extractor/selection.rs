//! Which clips of a recording to take, and a source that fetches pixels for those alone.
//!
//! Flows in: a recording's length and how many clips are wanted. Flows out: a choice that is random, even over the recording, and
//! the same for the same seed. Decoding or rendering pixels costs more than anything else here, so the frames
//! of clips that nobody wants are not fetched: one black pixel stands for each.

use firmware_config::ClipContract;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime::Result;
use runtime::source::{Advance, Frame, PixelFormat, Source, SourceInfo};

/// Which clips to take, by their ordinal from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Of a recording of known length: true for each clip that is wanted.
    Listed(Vec<bool>),
    /// Of a recording of unknown length: every other clip, from the start, up to this many.
    EveryOther(usize),
}

impl Choice {
    /// Picks `quota` of `total` clips at random (selection sampling), or all when there are no more.
    pub fn new(total: Option<usize>, quota: usize, seed: u64) -> Self {
        let Some(total) = total else { return Self::EveryOther(quota) };
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut wanted = quota;
        let pick = |clip: usize| {
            let taken = wanted > 0 && rng.random_range(0..total - clip) < wanted;
            wanted -= usize::from(taken);
            taken
        };
        Self::Listed((0..total).map(pick).collect())
    }

    /// Whether clip `ordinal` is wanted.
    pub fn wants(&self, ordinal: usize) -> bool {
        match self {
            Self::Listed(wanted) => wanted.get(ordinal).copied().unwrap_or(false),
            Self::EveryOther(quota) => ordinal.is_multiple_of(2) && ordinal / 2 < *quota,
        }
    }

    /// One past the last clip that is wanted.
    pub fn end(&self) -> usize {
        match self {
            Self::Listed(wanted) => wanted.iter().rposition(|&w| w).map_or(0, |last| last + 1),
            Self::EveryOther(quota) => (2 * quota).saturating_sub(1),
        }
    }
}

/// Whole clips in a recording, when its source knows its length.
pub fn clip_count(info: &SourceInfo, contract: &ClipContract) -> Option<usize> {
    let seconds = info.frames? as f64 / info.rate_hz?;
    Some((seconds / contract.segment_seconds()).floor() as usize)
}

/// A source whose pixels are fetched for wanted clips only. After a gap clips are no longer where the clock says: from there on
/// everything is fetched.
pub struct Selected {
    inner: Box<dyn Source>,
    choice: Choice,
    clip_ns: u64,
    /// Frames this near to a clip's edge may belong to the clip beyond it.
    slack_ns: u64,
    first_ns: Option<u64>,
    now_ns: u64,
    gap: bool,
}

impl Selected {
    /// `inner`, reduced to the clips that `choice` wants.
    pub fn new(inner: Box<dyn Source>, choice: Choice, contract: &ClipContract) -> Self {
        let tick_ns = 1e9 / f64::from(contract.rate_hz);
        let frame_ns = inner.info().rate_hz.map_or(tick_ns, |rate| 1e9 / rate);
        Self {
            inner,
            choice,
            clip_ns: (tick_ns * f64::from(contract.clip_ticks)) as u64,
            slack_ns: frame_ns.max(tick_ns) as u64,
            first_ns: None,
            now_ns: 0,
            gap: false,
        }
    }

    fn wanted(&self) -> bool {
        let clip = |ns: u64| (ns / self.clip_ns) as usize;
        let (from, to) = (self.now_ns.saturating_sub(self.slack_ns), self.now_ns + self.slack_ns);
        self.gap || (clip(from)..=clip(to)).any(|ordinal| self.choice.wants(ordinal))
    }
}

impl Source for Selected {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn advance(&mut self) -> Result<Advance> {
        let advance = self.inner.advance()?;
        match &advance {
            Advance::Frame(header) => {
                let first = *self.first_ns.get_or_insert(header.pts_ns);
                self.now_ns = header.pts_ns.saturating_sub(first);
            }
            Advance::Gap { .. } => self.gap = true,
            Advance::End => {}
        }
        Ok(advance)
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        if self.wanted() {
            return self.inner.read(frame);
        }
        frame.data.clear();
        frame.data.extend([0; 3]);
        (frame.width, frame.height, frame.stride) = (1, 1, 3);
        frame.format = PixelFormat::Rgb24;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use runtime::clip::{Clip, ClipReader, Next};
    use runtime::source::sim::SimSource;

    use super::*;

    fn picks(choice: &Choice, clips: usize) -> Vec<usize> {
        (0..clips).filter(|&i| choice.wants(i)).collect()
    }

    #[test]
    fn exactly_the_quota_is_taken_all_over_the_recording() {
        let mut often = [0; 20];
        for seed in 0..2000 {
            let choice = Choice::new(Some(20), 5, seed);
            let taken = picks(&choice, 30);
            assert_eq!((taken.len(), choice.end()), (5, taken[4] + 1));
            taken.iter().for_each(|&i| often[i] += 1);
        }
        assert!(often.iter().all(|&n| (400..600).contains(&n)), "{often:?}");
        assert_eq!(picks(&Choice::new(Some(3), 5, 0), 9), [0, 1, 2]);
        let unknown = Choice::new(None, 3, 0);
        assert_eq!((picks(&unknown, 9), unknown.end()), (vec![0, 2, 4], 5));
    }

    #[test]
    fn wanted_clips_are_the_same_as_without_selection() {
        let contract = ClipContract {
            width: 16,
            height: 16,
            rate_hz: 25,
            clip_ticks: 16,
            ticks: vec![0, 8, 15],
            extractor_sha256: String::new(),
        };
        let open = || Box::new(SimSource::open("sim://?seed=5&seconds=15").unwrap());
        let choice = Choice::new(clip_count(open().info(), &contract), 4, 1);
        let mut selected = Selected::new(open(), choice.clone(), &contract);
        let mut plain = open();
        let mut readers = [ClipReader::new(contract.clone()), ClipReader::new(contract.clone())];
        let (mut a, mut b) = (Clip::default(), Clip::default());
        let (mut same, mut spared) = (0, 0);
        for ordinal in 0.. {
            if readers[0].next_clip(&mut selected, &mut a).unwrap() == Next::End {
                break;
            }
            readers[1].next_clip(plain.as_mut(), &mut b).unwrap();
            if choice.wants(ordinal) {
                assert_eq!(a.pixels, b.pixels, "clip {ordinal}");
                same += 1;
            } else {
                spared += usize::from(a.pixels.iter().all(|&p| p == 0));
            }
        }
        assert_eq!(same, 4);
        assert!(spared > 4, "{spared} clips were not fetched");
    }
}
