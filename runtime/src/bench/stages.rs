//! A camera's segments, one after another, each stage timed apart: the parts that [`crate::pipeline`] joins, in its order.
//!
//! | stage | what is in it |
//! |---|---|
//! | decode | all that the source does: of a simulated road, moving and painting it |
//! | resize | choosing frames, squeezing them to the model's size, their colour |
//! | extract | the extractor's graph, and subtracting the background |
//! | score | the row into the window, the step, judging whether it is a score |
//! | alarm | threshold, hysteresis, lengths |
//!
//! The first 64 segments are not counted: they fill the window, which is scored by the whole graph till then, and the
//! caches. Refused: a head-only bundle; a source that ends before anything was counted.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Summary;
use crate::alarm::Alarm;
use crate::bundle::Bundle;
use crate::clip::{Clip, ClipReader, Next};
use crate::engine::{EngineInfo, Engines};
use crate::features::Extractor;
use crate::features::background::Background;
use crate::pipeline::{self, RuleOverrides};
use crate::score::Scorer;
use crate::source::{Advance, Frame, Source, SourceInfo};
use crate::window::SEGMENTS;
use crate::{Error, Result};

/// One value for each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages<T> {
    /// The source.
    pub decode: T,
    /// Frames to clips.
    pub resize: T,
    /// Clip to feature row.
    pub extract: T,
    /// Row to score.
    pub score: T,
    /// Score to decision.
    pub alarm: T,
}

impl<T> Stages<T> {
    /// Each stage's name and value, in the order in which they run.
    pub fn named(&self) -> [(&'static str, &T); 5] {
        [
            ("decode", &self.decode),
            ("resize", &self.resize),
            ("extract", &self.extract),
            ("score", &self.score),
            ("alarm", &self.alarm),
        ]
    }
}

impl Stages<Vec<f64>> {
    fn push(&mut self, times: Stages<Duration>) {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        self.decode.push(ms(times.decode));
        self.resize.push(ms(times.resize));
        self.extract.push(ms(times.extract));
        self.score.push(ms(times.score));
        self.alarm.push(ms(times.alarm));
    }

    /// Another camera's times beside these.
    pub fn extend(&mut self, other: Self) {
        self.decode.extend(other.decode);
        self.resize.extend(other.resize);
        self.extract.extend(other.extract);
        self.score.extend(other.score);
        self.alarm.extend(other.alarm);
    }

    /// Segments.
    pub fn segments(&self) -> usize {
        self.decode.len()
    }

    /// Median and 99th percentile of each stage; `None` when nothing was counted.
    pub fn summary(&self) -> Option<Stages<Summary>> {
        Some(Stages {
            decode: Summary::of(&self.decode)?,
            resize: Summary::of(&self.resize)?,
            extract: Summary::of(&self.extract)?,
            score: Summary::of(&self.score)?,
            alarm: Summary::of(&self.alarm)?,
        })
    }
}

/// A camera without outputs and health, ready for its first score.
pub struct Bench {
    engine: EngineInfo,
    reader: ClipReader,
    extractor: Extractor,
    background: Background,
    scorer: Scorer,
    alarm: Alarm,
}

impl Bench {
    /// Load a bundle's graphs.
    ///
    /// # Errors
    /// When one does not load, or there is no extractor.
    pub fn load(bundle: &Bundle, engines: &Engines) -> Result<Self> {
        let engine = engines.load(bundle.require_extractor()?, "extractor")?;
        let info = engine.info().clone();
        let contract = &bundle.manifest.contract;
        let Some(clip) = contract.input.clone() else {
            return Err(Error::invalid(
                &bundle.manifest.name,
                "its contract describes no clips",
                "use a bundle with an extractor",
            ));
        };
        Ok(Self {
            engine: info,
            reader: ClipReader::new(clip),
            extractor: Extractor::new(engine, contract.clone())?,
            background: Background::new(contract.background_segments),
            scorer: pipeline::scorer(bundle, engines)?,
            alarm: Alarm::new(pipeline::alarm_rule(&bundle.manifest, &RuleOverrides::default())),
        })
    }

    /// What runs the graphs.
    pub fn engine(&self) -> &EngineInfo {
        &self.engine
    }

    /// Fill the window, then time every segment for `span`; milliseconds of each. `seen` is called after each segment that is
    /// counted, with the time since counting began.
    ///
    /// # Errors
    /// Those of the stages, and when the source ended before a segment was counted.
    pub fn run(
        &mut self,
        source: &mut dyn Source,
        span: Duration,
        mut seen: impl FnMut(Duration),
    ) -> Result<Stages<Vec<f64>>> {
        let mut source = Timed { inner: source, spent: Duration::ZERO };
        let (mut clip, mut row) = (Clip::default(), Vec::new());
        for _ in 0..SEGMENTS {
            self.segment(&mut source, &mut clip, &mut row)?;
        }
        let begun = Instant::now();
        let mut times = Stages::<Vec<f64>>::default();
        while begun.elapsed() < span {
            let Some(segment) = self.segment(&mut source, &mut clip, &mut row)? else { break };
            times.push(segment);
            seen(begun.elapsed());
        }
        if times.segments() == 0 {
            return Err(Error::invalid(
                &source.info().uri,
                "it ended before a segment was timed",
                "use one that lasts, such as sim://?seconds=86400",
            ));
        }
        Ok(times)
    }

    /// One segment; `None` at the end of the source.
    fn segment(
        &mut self,
        source: &mut Timed<'_>,
        clip: &mut Clip,
        row: &mut Vec<f32>,
    ) -> Result<Option<Stages<Duration>>> {
        source.spent = Duration::ZERO;
        let begun = Instant::now();
        loop {
            match self.reader.next_clip(source, clip)? {
                Next::Clip => break,
                Next::Gap { .. } => {
                    self.background.restart();
                    self.scorer.restart();
                }
                Next::End => return Ok(None),
            }
        }
        let read = Instant::now();
        self.extractor.extract(clip, row)?;
        self.background.subtract(row);
        let extracted = Instant::now();
        let score = self.scorer.score(row)?;
        let scored = Instant::now();
        std::hint::black_box(self.alarm.judge(score, self.scorer.segments(), clip.end_ns));
        let judged = Instant::now();
        Ok(Some(Stages {
            decode: source.spent,
            resize: (read - begun).saturating_sub(source.spent),
            extract: extracted - read,
            score: scored - extracted,
            alarm: judged - scored,
        }))
    }
}

/// A source, and the time it takes.
struct Timed<'a> {
    inner: &'a mut dyn Source,
    spent: Duration,
}

impl Source for Timed<'_> {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn advance(&mut self) -> Result<Advance> {
        let begun = Instant::now();
        let next = self.inner.advance();
        self.spent += begun.elapsed();
        next
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        let begun = Instant::now();
        let done = self.inner.read(frame);
        self.spent += begun.elapsed();
        done
    }

    fn dropped(&self) -> u64 {
        self.inner.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_summed_up_under_its_name() {
        let mut times = Stages::<Vec<f64>>::default();
        assert_eq!(times.summary(), None);
        for i in 1..=4 {
            let ms = Duration::from_millis;
            times.push(Stages {
                decode: ms(i),
                resize: ms(10 * i),
                extract: ms(100 * i),
                score: ms(1000 * i),
                alarm: ms(0),
            });
        }
        let mut twice = times.clone();
        twice.extend(times.clone());
        assert_eq!((times.segments(), twice.segments()), (4, 8));
        let summary = times.summary().unwrap();
        assert_eq!(twice.summary().unwrap().score.p99_ms, summary.score.p99_ms);
        let medians = summary.named().map(|(name, of)| (name, of.median_ms));
        assert_eq!(medians, [("decode", 2.0), ("resize", 20.0), ("extract", 200.0), ("score", 2000.0), ("alarm", 0.0)]);
        assert_eq!(serde_json::to_value(summary).unwrap()["resize"]["p99_ms"], 40.0);
    }
}
