//! A pipeline whose extractor and head are told what to say: the extractor's row is one number, and the head's score is that
//! number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firmware_config::config::Mode;
use firmware_config::{ClipContract, FeatureContract};

use super::watch::{Seen, Shared, Watch, lock};
use super::*;
use crate::alarm::duty::Duty;
use crate::engine::{Engine, EngineInfo, Input, Provider};
use crate::health::Health;
use crate::output::{AlarmEvent, Output, Outputs, Phase};
use crate::source::{Advance, Frame, FrameHeader, PixelFormat, Source, SourceInfo};
use crate::window::SEGMENTS;
use crate::{Error, ErrorKind};

/// A grey camera of 25 frames a second, which loses frames before some of them.
struct Grey {
    info: SourceInfo,
    frames: u64,
    given: u64,
    gap_before: Option<u64>,
}

impl Source for Grey {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        if self.gap_before == Some(self.given + 1) {
            self.gap_before = None;
            return Ok(Advance::Gap { reason: "lost".into() });
        }
        if self.given == self.frames {
            return Ok(Advance::End);
        }
        self.given += 1;
        Ok(Advance::Frame(FrameHeader { number: self.given, pts_ns: (self.given - 1) * 40_000_000 }))
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        frame.data.resize(4, 0);
        (frame.format, frame.width, frame.height, frame.stride) = (PixelFormat::Grey8, 2, 2, 2);
        Ok(())
    }
}

/// An engine that says what it is told.
struct Told<F>(EngineInfo, F);

impl<F: FnMut(Input<'_>, &mut [f32]) + Send> Told<F> {
    fn engine(input: &[usize], output: &[usize], say: F) -> Box<dyn Engine>
    where
        F: 'static,
    {
        let (input_shape, output_shape) = (input.to_vec(), output.to_vec());
        let info =
            EngineInfo { engine: "told", version: "0".into(), provider: Provider::Cpu, input_shape, output_shape };
        Box::new(Self(info, say))
    }
}

impl<F: FnMut(Input<'_>, &mut [f32]) + Send> Engine for Told<F> {
    fn info(&self) -> &EngineInfo {
        &self.0
    }

    fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
        (self.1)(input, output);
        Ok(())
    }
}

/// Notes the phases of alarms.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(u64, Phase)>>>);

impl Output for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
        lock(&self.0).push((event.id, event.phase));
        Ok(())
    }
}

struct Bench {
    watch: Watch,
    health: Shared<Health>,
    notes: Notes,
    looks: Arc<AtomicU32>,
}

/// A watched camera of `segments` segments; `score` says what the `n`-th look sees, from 0.
fn bench(segments: u64, gap_before: Option<u64>, score: impl Fn(u32) -> f32 + Send + 'static) -> Bench {
    let info = SourceInfo {
        uri: "grey".into(),
        width: 2,
        height: 2,
        rate_hz: Some(25.0),
        constant_rate: true,
        frames: None,
        live: true,
    };
    let source = Grey { info, frames: segments * 16, given: 0, gap_before };
    let input = ClipContract {
        width: 2,
        height: 2,
        rate_hz: 25,
        clip_ticks: 16,
        ticks: vec![0],
        extractor_sha256: String::new(),
    };
    let contract = FeatureContract { feature_width: 1, input: Some(input), ..FeatureContract::external(1) };
    let looks = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&looks);
    let see = move |_: Input<'_>, row: &mut [f32]| row[0] = score(count.fetch_add(1, Ordering::SeqCst));
    let head = |input: Input<'_>, scores: &mut [f32]| {
        let Input::F32(rows) = input else { panic!("rows") };
        scores.copy_from_slice(rows);
    };
    let extractor = Extractor::new(Told::engine(&[1, 2, 2, 3], &[1, 1], see), contract).unwrap();
    let rule = AlarmRule { threshold: 0.8, release: 0.5, min_length: 2, cool_down_ns: 0, min_segments: 1 };
    let pipeline = Pipeline {
        id: "first".into(),
        feed: Feed::frames(Box::new(source), extractor).unwrap(),
        scorer: Scorer::new(Told::engine(&[1, SEGMENTS, 1], &[1, SEGMENTS], head), None).unwrap(),
        alarm: Alarm::new(rule),
        row: Vec::new(),
        end_ns: 0,
        scoring: Duration::ZERO,
        second: None,
        armed: true,
    };
    let notes = Notes::default();
    let mut outputs = Outputs::default();
    outputs.push(notes.clone());
    let health = Arc::new(Mutex::new(Health::new("grey", true, Duration::ZERO)));
    let watch = Watch::new("grey", pipeline, Arc::new(Mutex::new(outputs)), Arc::clone(&health));
    Bench { watch, health, notes, looks }
}

impl Bench {
    /// The scores until the end, and whether each was looked at.
    fn scores(&mut self) -> Result<Vec<(f32, bool)>> {
        let mut scores = Vec::new();
        loop {
            match self.watch.step(Duration::ZERO)?.0 {
                Seen::Segment(segment, score) => scores.push((score, !segment.held)),
                Seen::Gap(_) => {}
                Seen::End => return Ok(scores),
            }
        }
    }
}

#[test]
fn an_engine_that_panics_ends_the_alarm_and_is_an_error_that_says_where() {
    let mut bench = bench(9, None, |look| if look < 4 { 0.9 } else { panic!("no such kernel") });
    let error = bench.scores().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Panicked);
    let told = error.to_string();
    assert!(
        told.starts_with("grey: ") && told.contains("pipeline/tests.rs:") && told.contains("no such kernel"),
        "{told}"
    );
    assert_eq!(*lock(&bench.notes.0), [(1, Phase::Started), (1, Phase::Ended)]);
    assert_eq!(lock(&bench.health).counters().alarms, 1);
}

#[test]
fn a_score_that_is_none_is_an_error_and_ends_the_alarm() {
    let mut bench = bench(9, None, |look| if look < 4 { 0.9 } else { f32::NAN });
    let error: Error = bench.scores().unwrap_err();
    assert_eq!((error.kind, lock(&bench.notes.0).len()), (ErrorKind::Failed, 2));
}

#[test]
fn load_is_shed_by_looking_at_fewer_clips_and_the_window_goes_on() {
    for every in [1, 2, 4] {
        let mut bench = bench(16, None, |look| look as f32 / 100.0);
        bench.watch.look_at_one_in(every);
        let scores = bench.scores().unwrap();
        let expected: Vec<_> = (0..16).map(|t| ((t / every) as f32 / 100.0, t % every == 0)).collect();
        assert_eq!(scores, expected, "one in {every}");
        assert_eq!(bench.looks.load(Ordering::SeqCst), 16 / every);
        let counters = *lock(&bench.health).counters();
        assert_eq!((counters.scores, counters.segments_held), (16, u64::from(16 - 16 / every)));
    }
}

#[test]
fn an_alarm_takes_two_looks_whatever_is_shed() {
    for every in [1, 2, 4] {
        let mut once = bench(32, None, |look| if look == 3 { 0.9 } else { 0.1 });
        once.watch.look_at_one_in(every);
        once.scores().unwrap();
        assert!(lock(&once.notes.0).is_empty(), "one look that stays for {every} segments is no alarm");
        let mut twice = bench(32, None, |look| if (3..5).contains(&look) { 0.9 } else { 0.1 });
        twice.watch.look_at_one_in(every);
        twice.scores().unwrap();
        assert_eq!(lock(&twice.notes.0).len(), 2, "one in {every}: it begins and ends");
    }
}

#[test]
fn an_alarm_belongs_to_one_duty() {
    let mut watch = bench(40, None, |_| 0.9).watch;
    let told = |event: AlarmEvent| (event.id, event.phase, event.quiet, event.test);
    let five = |watch: &mut Watch| -> Vec<_> {
        (0..5).filter_map(|_| watch.step(Duration::ZERO).unwrap().1).map(told).collect()
    };
    let turn = |watch: &mut Watch, mode, test| -> Vec<_> {
        watch.on_duty(Duty { mode, test }).into_iter().map(told).collect()
    };
    assert_eq!(five(&mut watch), [(1, Phase::Started, false, false)]);
    assert_eq!(
        turn(&mut watch, Mode::Quiet, false),
        [(1, Phase::Ended, false, false), (2, Phase::Started, true, false)]
    );
    assert_eq!(turn(&mut watch, Mode::Quiet, false), []);
    assert_eq!(turn(&mut watch, Mode::Off, false), [(2, Phase::Ended, true, false)]);
    assert_eq!(five(&mut watch), [], "scores go on, and no alarm is raised");
    assert_eq!(turn(&mut watch, Mode::Armed, true), []);
    assert_eq!(five(&mut watch), [(3, Phase::Started, false, true)]);
}

#[test]
fn what_follows_a_gap_is_looked_at_first() {
    // Frames are lost within the second clip, which nobody looks at.
    let mut bench = bench(8, Some(20), |look| look as f32 / 100.0);
    bench.watch.look_at_one_in(4);
    let scores = bench.scores().unwrap();
    assert_eq!(scores[..4], [(0.0, true), (0.01, true), (0.01, false), (0.01, false)]);
}

#[test]
fn full_attention_comes_back_at_once() {
    let mut bench = bench(8, None, |look| look as f32 / 100.0);
    bench.watch.look_at_one_in(4);
    bench.watch.step(Duration::ZERO).unwrap();
    bench.watch.step(Duration::ZERO).unwrap();
    bench.watch.look_at_one_in(1);
    assert_eq!(bench.scores().unwrap()[..2], [(0.01, true), (0.02, true)]);
}

/// A second model whose extractor says `row`, and whose head's score is that.
fn second(row: impl Fn() -> f32 + Send + 'static) -> second::Second {
    let other = bench(0, None, |_| 0.0);
    let Feed::Frames { extractor, .. } = &other.watch.pipeline().feed else { panic!("frames") };
    let contract = extractor.contract().clone();
    let see = move |_: Input<'_>, out: &mut [f32]| out[0] = row();
    let head = |input: Input<'_>, scores: &mut [f32]| {
        let Input::F32(rows) = input else { panic!("rows") };
        scores.copy_from_slice(rows);
    };
    second::Second {
        id: "second".into(),
        extractor: Extractor::new(Told::engine(&[1, 2, 2, 3], &[1, 1], see), contract).unwrap(),
        background: crate::features::background::Background::new(0),
        scorer: Scorer::new(Told::engine(&[1, SEGMENTS, 1], &[1, SEGMENTS], head), None).unwrap(),
        rule: AlarmRule { threshold: 0.6, release: 0.3, min_length: 2, cool_down_ns: 0, min_segments: 1 },
        seen: Vec::new(),
        row: Vec::new(),
    }
}

#[test]
fn two_models_change_places_and_the_alarm_goes_on() {
    let mut bench = bench(12, None, |_| 0.9);
    let step = |bench: &mut Bench| match bench.watch.step(Duration::ZERO).unwrap().0 {
        Seen::Segment(_, score) => Some((score, bench.watch.score_second(false).unwrap().map(|(score, _)| score))),
        _ => None,
    };
    assert_eq!(step(&mut bench), Some((0.9, None)));
    bench.watch.pipeline_mut().set_second(Some(second(|| 0.4)));
    assert_eq!(step(&mut bench), Some((0.9, Some(0.4))));
    bench.watch.pipeline_mut().lead("second").unwrap();
    assert_eq!(bench.watch.pipeline().second().map(second::Second::id), Some("first"));
    // .4 is below the first's release, and above the second's: the alarm is on.
    assert_eq!(step(&mut bench), Some((0.4, Some(0.9))));
    assert!(bench.watch.pipeline().alarm().is_on());
    bench.watch.pipeline_mut().lead("second").unwrap();
    bench.watch.pipeline_mut().lead("first").unwrap();
    assert_eq!(step(&mut bench), Some((0.9, Some(0.4))));
    assert_eq!(bench.watch.pipeline_mut().lead("third").unwrap_err().kind, ErrorKind::Unavailable);
    bench.watch.pipeline_mut().set_second(None);
    assert_eq!(step(&mut bench), Some((0.9, None)));
    while step(&mut bench).is_some() {}
    assert_eq!(*lock(&bench.notes.0), [(1, Phase::Started), (1, Phase::Ended)]);
}

#[test]
fn a_second_model_that_fails_is_gone_and_the_first_goes_on() {
    for (fails, kind) in [(f32::NAN, ErrorKind::Failed), (-7.0, ErrorKind::Panicked)] {
        let mut bench = bench(6, None, |_| 0.9);
        let says = move || if fails.is_nan() { fails } else { panic!("no such kernel") };
        bench.watch.pipeline_mut().set_second(Some(second(says)));
        bench.watch.step(Duration::ZERO).unwrap();
        assert_eq!(bench.watch.score_second(false).unwrap_err().kind, kind);
        assert!(bench.watch.pipeline().second().is_none());
        assert_eq!(bench.scores().unwrap().len(), 5);
    }
}

#[test]
fn frames_that_are_lost_are_lost_to_both_and_nothing_is_held_that_was_never_seen() {
    let mut bench = bench(6, Some(33), |_| 0.9);
    bench.watch.pipeline_mut().set_second(Some(second(|| 0.4)));
    // Nobody looked, and there is no earlier look to hold.
    bench.watch.step(Duration::ZERO).unwrap();
    assert!(bench.watch.score_second(true).unwrap().is_none());
    assert!(bench.watch.score_second(false).unwrap().is_some());
    while !matches!(bench.watch.step(Duration::ZERO).unwrap().0, Seen::Gap(_)) {}
    assert_eq!(bench.watch.pipeline().second().map(|second| second.scorer.segments()), Some(0));
}
