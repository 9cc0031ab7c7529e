//! Which frame goes into which clip: the frame nearest to each tick of the model's clock, the earlier one when two
//! are equally near. Frames that cannot be nearest to a tick the extractor sees are never fetched.

use firmware_config::ClipContract;

use super::{Clip, Squeezer};
use crate::source::{Advance, Frame, FrameHeader, Source};
use crate::{Error, Result};

/// What [`ClipReader::next_clip`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole clip.
    Clip,
    /// Frames were lost; the clip under way was dropped and counting of ticks begins anew.
    Gap {
        /// Why, for people.
        reason: String,
    },
    /// The recording is over.
    End,
}

/// A clip whose beginning was dropped, up to this tick of it or beyond, is not worth a look: it would show what was there
/// before, and then a jump.
const LATE_TICKS: u64 = 4;

/// Cuts a source into clips.
#[allow(clippy::struct_excessive_bools)] // Four facts that change apart.
pub struct ClipReader {
    contract: ClipContract,
    squeezer: Squeezer,
    /// Time of tick 0, the first frame's; `None` before it and after a gap.
    base_ns: Option<u64>,
    /// The next tick that has no frame yet.
    tick: u64,
    previous: Option<FrameHeader>,
    current: Option<FrameHeader>,
    /// Pixels of `previous`, if they were fetched.
    held: Frame,
    held_valid: bool,
    /// Pixels of `current`, if they were fetched.
    fresh: Frame,
    fresh_valid: bool,
    next_first_frame: u64,
    /// Nobody will look at the clip under way.
    passes: bool,
    /// Frames of a live source were dropped while somebody looked, and what is newest has not been reached yet.
    behind: bool,
    /// Frames that the source had dropped when the newest came.
    dropped: u64,
    /// Which frame was squeezed last, and into which slot of the clip: a slow source serves several ticks with one frame.
    last_squeezed: Option<(u64, usize)>,
}

impl ClipReader {
    /// A reader of clips as `contract` wants them.
    pub fn new(contract: ClipContract) -> Self {
        Self {
            squeezer: Squeezer::new(contract.width, contract.height),
            contract,
            base_ns: None,
            tick: 0,
            previous: None,
            current: None,
            held: Frame::default(),
            held_valid: false,
            fresh: Frame::default(),
            fresh_valid: false,
            next_first_frame: 1,
            passes: false,
            behind: false,
            dropped: 0,
            last_squeezed: None,
        }
    }

    /// Read frames until a clip is whole, and write it into `clip`, whose buffer is reused.
    ///
    /// # Errors
    /// Those of the source, and a time that runs backwards.
    pub fn next_clip(&mut self, source: &mut dyn Source, clip: &mut Clip) -> Result<Next> {
        self.passes = false;
        self.cut(source, clip)
    }

    /// As [`ClipReader::next_clip`], of a clip that nobody will look at: where it lies is written into `clip`, whose pixels
    /// stay what they are.
    ///
    /// # Errors
    /// As those.
    pub fn pass_clip(&mut self, source: &mut dyn Source, clip: &mut Clip) -> Result<Next> {
        self.passes = true;
        self.cut(source, clip)
    }

    /// True when nobody should look at the clip that was cut last: it was passed, or who looked at one before was too slow
    /// for a live source, and its beginning was dropped.
    pub fn passed(&self) -> bool {
        self.passes
    }

    fn cut(&mut self, source: &mut dyn Source, clip: &mut Clip) -> Result<Next> {
        clip.pixels.resize(self.contract.clip_bytes(), 0);
        self.behind &= self.begins_late();
        self.passes |= self.behind;
        loop {
            if let Some(current) = self.current {
                if self.fill_ticks(current, source, clip)? {
                    return Ok(Next::Clip);
                }
                self.retire(current, source)?;
            }
            match source.advance()? {
                Advance::Frame(header) => {
                    self.arrive(header, source)?;
                    let dropped = source.dropped();
                    let lost = dropped > std::mem::replace(&mut self.dropped, dropped);
                    self.behind |= lost && source.info().live && self.begins_late();
                    self.passes |= self.behind;
                }
                Advance::Gap { reason } => {
                    self.restart();
                    return Ok(Next::Gap { reason });
                }
                Advance::End => return Ok(Next::End),
            }
        }
    }

    fn restart(&mut self) {
        self.base_ns = None;
        self.tick = 0;
        self.previous = None;
        self.current = None;
        self.last_squeezed = None;
        self.behind = false;
    }

    /// The clip under way has hardly begun, and the newest frame lies beyond its beginning.
    fn begins_late(&self) -> bool {
        let begun = self.tick % u64::from(self.contract.clip_ticks);
        let late_ns = self.time_of(self.tick - begun + LATE_TICKS);
        begun < LATE_TICKS && self.current.is_some_and(|current| current.pts_ns > late_ns)
    }

    fn arrive(&mut self, header: FrameHeader, source: &dyn Source) -> Result<()> {
        if let Some(previous) = self.previous
            && header.pts_ns < previous.pts_ns
        {
            return Err(Error::failed(
                &source.info().uri,
                format!("frame {} is dated before frame {}", header.number, previous.number),
                "re-encode the recording, or report the camera's driver",
            ));
        }
        if self.base_ns.is_none() {
            self.base_ns = Some(header.pts_ns);
            self.next_first_frame = header.number;
        }
        self.current = Some(header);
        self.fresh_valid = false;
        Ok(())
    }

    fn time_of(&self, tick: u64) -> u64 {
        self.base_ns.unwrap_or(0) + tick * 1_000_000_000 / u64::from(self.contract.rate_hz)
    }

    /// Give a frame to every tick up to `current`'s time. True when that completed a clip.
    fn fill_ticks(&mut self, current: FrameHeader, source: &mut dyn Source, clip: &mut Clip) -> Result<bool> {
        let ticks = u64::from(self.contract.clip_ticks);
        while self.time_of(self.tick) <= current.pts_ns {
            let time = self.time_of(self.tick);
            let position = (self.tick % ticks) as u32;
            if position == 0 {
                clip.start_ns = time;
                self.last_squeezed = None;
            }
            let earlier =
                self.previous.filter(|p| self.held_valid && time - p.pts_ns.min(time) <= current.pts_ns - time);
            if let Some(slot) = self.contract.ticks.iter().position(|&t| t == position && !self.passes) {
                if earlier.is_none() && !self.fresh_valid {
                    source.read(&mut self.fresh)?;
                    self.fresh_valid = true;
                }
                self.squeeze(earlier.unwrap_or(current).number, earlier.is_some(), slot, clip)?;
            }
            self.tick += 1;
            if u64::from(position) + 1 == ticks {
                clip.first_frame = self.next_first_frame;
                clip.end_ns = self.time_of(self.tick);
                // `current` belongs to this clip unless it lies nearer to the next one's first tick.
                let belongs = 2 * current.pts_ns < time + clip.end_ns;
                clip.last_frame = if belongs { current.number } else { current.number - 1 };
                clip.last_frame = clip.last_frame.max(clip.first_frame);
                self.next_first_frame = clip.last_frame + 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn squeeze(&mut self, number: u64, from_held: bool, slot: usize, clip: &mut Clip) -> Result<()> {
        let bytes = (self.contract.width * self.contract.height * 3) as usize;
        if let Some((done, at)) = self.last_squeezed
            && done == number
        {
            clip.pixels.copy_within(at * bytes..(at + 1) * bytes, slot * bytes);
        } else {
            let frame = if from_held { &self.held } else { &self.fresh };
            self.squeezer.squeeze(frame, &mut clip.pixels[slot * bytes..(slot + 1) * bytes])?;
        }
        self.last_squeezed = Some((number, slot));
        Ok(())
    }

    /// `current` becomes `previous`; its pixels are kept when it may be nearest to a tick still to come.
    fn retire(&mut self, current: FrameHeader, source: &mut dyn Source) -> Result<()> {
        if !self.fresh_valid && self.may_serve_later(current, source) {
            source.read(&mut self.fresh)?;
            self.fresh_valid = true;
        }
        std::mem::swap(&mut self.held, &mut self.fresh);
        self.held_valid = self.fresh_valid;
        self.fresh_valid = false;
        self.previous = Some(current);
        self.current = None;
        Ok(())
    }

    fn may_serve_later(&self, current: FrameHeader, source: &dyn Source) -> bool {
        let info = source.info();
        let Some(rate) = info.rate_hz.filter(|_| info.constant_rate) else {
            return true;
        };
        let next_ns = current.pts_ns + (1e9 / rate) as u64;
        // Ticks between this frame and the next that are nearer to this one.
        let mut tick = self.tick;
        while self.time_of(tick) <= next_ns {
            let time = self.time_of(tick);
            let position = (tick % u64::from(self.contract.clip_ticks)) as u32;
            if self.contract.ticks.contains(&position) && time - current.pts_ns.min(time) <= next_ns - time {
                return true;
            }
            tick += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{PixelFormat, SourceInfo};
    use proptest::prelude::*;

    /// A source whose frames are flat grey, coloured by their number, and which counts what is fetched.
    struct Flat {
        info: SourceInfo,
        times: Vec<u64>,
        at: usize,
        gap_before: Option<usize>,
        /// After so many frames, some were dropped.
        dropped_after: Option<usize>,
        fetched: usize,
    }

    impl Flat {
        fn new(times: Vec<u64>, rate: Option<f64>) -> Self {
            let info = SourceInfo {
                uri: "flat".into(),
                width: 8,
                height: 8,
                rate_hz: rate,
                constant_rate: rate.is_some(),
                frames: None,
                live: false,
            };
            Self { info, times, at: 0, gap_before: None, dropped_after: None, fetched: 0 }
        }
    }

    impl Source for Flat {
        fn info(&self) -> &SourceInfo {
            &self.info
        }
        fn advance(&mut self) -> Result<Advance> {
            if self.gap_before == Some(self.at) {
                self.gap_before = None;
                return Ok(Advance::Gap { reason: "unplugged".into() });
            }
            let Some(&pts_ns) = self.times.get(self.at) else { return Ok(Advance::End) };
            self.at += 1;
            Ok(Advance::Frame(FrameHeader { number: self.at as u64, pts_ns }))
        }
        fn dropped(&self) -> u64 {
            u64::from(self.dropped_after.is_some_and(|frames| self.at > frames))
        }
        fn read(&mut self, frame: &mut Frame) -> Result<()> {
            self.fetched += 1;
            frame.data.clear();
            frame.data.resize(8 * 8 * 3, self.at as u8);
            (frame.format, frame.width, frame.height, frame.stride) = (PixelFormat::Rgb24, 8, 8, 24);
            Ok(())
        }
    }

    fn contract() -> ClipContract {
        ClipContract {
            width: 2,
            height: 2,
            rate_hz: 25,
            clip_ticks: 16,
            ticks: vec![0, 5, 10, 15],
            extractor_sha256: String::new(),
        }
    }

    fn clips(source: &mut Flat) -> Vec<(u64, u64, Vec<u8>)> {
        let (mut reader, mut clip, mut found) = (ClipReader::new(contract()), Clip::default(), vec![]);
        while reader.next_clip(source, &mut clip).unwrap() == Next::Clip {
            found.push((clip.first_frame, clip.last_frame, clip.pixels.chunks(12).map(|p| p[0]).collect()));
        }
        found
    }

    #[test]
    fn at_25_per_second_each_tick_is_a_frame_and_only_the_wanted_are_fetched() {
        let mut source = Flat::new((0..40).map(|i| i * 40_000_000).collect(), Some(25.0));
        assert_eq!(clips(&mut source), vec![(1, 16, vec![1, 6, 11, 16]), (17, 32, vec![17, 22, 27, 32])]);
        assert_eq!(source.fetched, 10, "8 wanted, and 2 of the clip that was never whole");
    }

    #[test]
    fn at_10_per_second_a_frame_serves_several_ticks() {
        let mut source = Flat::new((0..14).map(|i| i * 100_000_000).collect(), None);
        // ticks at 0, 200, 400, 600 ms; the next clip begins at 640 ms: ticks at 640, 840, 1040, 1240.
        assert_eq!(clips(&mut source), vec![(1, 7, vec![1, 3, 5, 7]), (8, 13, vec![7, 9, 11, 13])]);
    }

    #[test]
    fn a_clip_that_nobody_looks_at_lies_where_it_would_and_the_next_is_what_it_would_be() {
        for rate in [Some(25.0), None] {
            let times: Vec<u64> = (0..100).map(|i| i * 40_000_000).collect();
            let all = clips(&mut Flat::new(times.clone(), rate));
            let mut source = Flat::new(times, rate);
            let (mut reader, mut clip) = (ClipReader::new(contract()), Clip::default());
            for (n, (first, last, picked)) in all.into_iter().enumerate() {
                let look = n % 2 == 0;
                let cut = if look { ClipReader::next_clip } else { ClipReader::pass_clip };
                assert_eq!(cut(&mut reader, &mut source, &mut clip).unwrap(), Next::Clip);
                assert_eq!((clip.first_frame, clip.last_frame, clip.start_ns), (first, last, n as u64 * 640_000_000));
                let pixels: Vec<u8> = clip.pixels.chunks(12).map(|p| p[0]).collect();
                assert_eq!(pixels == picked, look, "clip {n}: {pixels:?}");
            }
        }
    }

    #[test]
    fn clips_whose_beginning_was_dropped_while_somebody_looked_are_not_worth_a_look() {
        let passed = |live: bool, dropped_after: Option<usize>| {
            let times = (0..16).chain(40..90).map(|i| i * 40_000_000).collect();
            let mut source = Flat { dropped_after, ..Flat::new(times, Some(25.0)) };
            source.info.live = live;
            let (mut reader, mut clip, mut passed) = (ClipReader::new(contract()), Clip::default(), vec![]);
            while reader.next_clip(&mut source, &mut clip).unwrap() == Next::Clip {
                passed.push(reader.passed());
            }
            passed
        };
        // The third clip is that of 32 to 47, and frames come again from 40 on.
        assert_eq!(passed(true, Some(16)), [false, true, true, false, false]);
        assert_eq!(passed(true, None), [false; 5], "a camera that is slow by itself");
        assert_eq!(passed(false, Some(16)), [false; 5], "a recording");
        assert_eq!(passed(true, Some(20)), [false; 5], "a frame or two lost on the way");
    }

    #[test]
    fn a_gap_drops_the_clip_under_way_and_starts_anew() {
        let mut source = Flat::new((0..60).map(|i| i * 40_000_000).collect(), Some(25.0));
        source.gap_before = Some(20);
        let (mut reader, mut clip) = (ClipReader::new(contract()), Clip::default());
        assert_eq!(reader.next_clip(&mut source, &mut clip).unwrap(), Next::Clip);
        assert_eq!(reader.next_clip(&mut source, &mut clip).unwrap(), Next::Gap { reason: "unplugged".into() });
        assert_eq!(reader.next_clip(&mut source, &mut clip).unwrap(), Next::Clip);
        assert_eq!((clip.first_frame, clip.last_frame), (21, 36));
    }

    #[test]
    fn time_that_runs_backwards_is_an_error_that_names_the_frames() {
        let mut source = Flat::new(vec![0, 40_000_000, 20_000_000], None);
        let (mut reader, mut clip) = (ClipReader::new(contract()), Clip::default());
        let error = reader.next_clip(&mut source, &mut clip).unwrap_err();
        assert!(error.to_string().contains("frame 3 is dated before frame 2"), "{error}");
    }

    proptest! {
        /// Against the definition, for frames at uneven times: nearest frame for each tick, the earlier when equal.
        #[test]
        fn the_nearest_frame_is_taken(steps in prop::collection::vec(1u64..90, 20..120)) {
            let times: Vec<u64> = steps.iter().scan(0, |t, s| { let now = *t; *t += s * 1_000_000; Some(now) }).collect();
            let mut source = Flat::new(times.clone(), None);
            for (k, (first, last, picked)) in clips(&mut source).into_iter().enumerate() {
                for (slot, tick) in [0u64, 5, 10, 15].into_iter().enumerate() {
                    let time = (k as u64 * 16 + tick) * 40_000_000;
                    let nearest = (0..times.len()).min_by_key(|&i| times[i].abs_diff(time)).unwrap();
                    prop_assert_eq!(picked[slot], nearest as u8 + 1);
                }
                prop_assert!(first <= last);
            }
        }
    }
}
