//! A trial beside a running camera, with the shipped model's graphs: the same weights under other releases, so that each
//! score must be, to the bit, what it would have been without a trial.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::bundle::{Bundle, demo_keys, find};
use crate::engine::Engines;
use crate::health::Health;
use crate::output::Outputs;
use crate::pipeline::watch::{Seen, Watch};
use crate::pipeline::{Pipeline, RuleOverrides};
use crate::source::open;
use crate::store::judge::Limits;
use crate::store::live::{Driver, Lead, Live, Told};

const ROAD: &str = "sim://?seed=5&seconds=90";

fn limits() -> Limits {
    let stage_time = Duration::from_secs(15);
    // The machine that tests runs much else.
    let latency_max = Duration::from_secs(15);
    Limits { stage_time, segments_min: 20, latency_max, resident_mb_max: 1e6, memory_mb_max: 1e6, ..Limits::default() }
}

/// The shipped model as another release, and changed.
fn shipped_as(release: u64, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let Bundle { mut manifest, contents, .. } = Bundle::open(find::shipped().unwrap(), &demo_keys()).unwrap();
    manifest.release = release;
    change(&mut manifest);
    packed(&(manifest, contents), 1)
}

fn put(store: &Store, bytes: &[u8]) {
    store.install_from("bundle", bytes, bytes.len() as u64, &trust()).unwrap();
}

/// A store that runs release 1, with its camera and its driver.
struct Run {
    disk: PowerDisk,
    live: Arc<Live>,
    driver: Driver,
    watch: Watch,
    scores: Vec<f32>,
    told: Vec<Told>,
}

impl Run {
    fn start(disk: &PowerDisk, limits: Limits) -> Self {
        let boot = store(disk).boot(&trust()).unwrap();
        let lead = Lead { bundle: Arc::new(boot.bundle), engines: Engines::default() };
        let live = Arc::new(Live::new(lead, 1));
        let over = RuleOverrides::default();
        let driver = Driver::new(Arc::clone(&live), store(disk), trust(), over, limits, &boot.state);
        let watch = watch(&live);
        Self { disk: disk.clone(), live, driver, watch, scores: Vec::new(), told: Vec::new() }
    }

    /// Score to the end of the road; `each` may meddle before each segment.
    fn watch_all(&mut self, mut each: impl FnMut(&mut Self, usize)) {
        loop {
            let segment = self.scores.len();
            let now = Duration::from_millis(640 * segment as u64);
            each(self, segment);
            self.told.extend(self.driver.look(now));
            self.live.obey(0, &mut self.watch).unwrap();
            match self.watch.step(now).unwrap().0 {
                Seen::Segment(segment, score) => {
                    self.scores.push(score);
                    self.live.segment(now, "north", &mut self.watch, &segment, score);
                }
                Seen::Gap(reason) => panic!("{reason}"),
                Seen::End => return,
            }
        }
    }

    fn runs(&self) -> u64 {
        self.live.lead().bundle.manifest.release
    }

    fn state(&self) -> State {
        store(&self.disk).state().unwrap()
    }

    fn news(&self) -> Vec<&str> {
        self.told
            .iter()
            .filter_map(|told| if let Told::News(text) = told { Some(text.as_str()) } else { None })
            .collect()
    }
}

fn watch(live: &Live) -> Watch {
    live.begin(0);
    let lead = live.lead();
    let source = open::open(ROAD).unwrap();
    let pipeline = Pipeline::new(source, &lead.bundle, &lead.engines, &RuleOverrides::default()).unwrap();
    let health = Health::new("north", true, Duration::ZERO);
    Watch::new("north", pipeline, Arc::new(Mutex::new(Outputs::default())), Arc::new(Mutex::new(health)))
}

/// A disk whose store runs release 1, and has `candidate` on trial.
fn on_trial(candidate: &[u8]) -> PowerDisk {
    let disk = PowerDisk::new();
    put(&store(&disk), &shipped_as(1, |_| {}));
    store(&disk).activate(None, false, true).unwrap();
    store(&disk).advance(&Event::Proved(EVIDENCE)).unwrap();
    put(&store(&disk), candidate);
    store(&disk).activate(None, false, false).unwrap();
    disk
}

#[test]
fn a_good_candidate_takes_over_and_not_a_score_is_lost() {
    let disk = on_trial(&shipped_as(2, |_| {}));
    let mut run = Run::start(&disk, limits());
    run.watch_all(|_, _| {});
    let told = run.news();
    assert_eq!(
        told,
        [
            "roadside-lite0 release 2 is being proved",
            "roadside-lite0 release 2 scores in shadow",
            "roadside-lite0 release 2 decides from now on, unconfirmed",
            "roadside-lite0 release 2 is confirmed",
        ]
    );
    assert_eq!((run.runs(), run.watch.pipeline().id()), (2, run.state().current.unwrap().id.as_str()));
    assert!(run.watch.pipeline().second().is_none());
    assert_eq!((run.state().trial, run.state().highest("roadside-lite0").unwrap().release), (None, 2));
    // The same without a trial.
    let disk = on_trial(&shipped_as(2, |_| {}));
    store(&disk).roll_back("no trial").unwrap();
    let mut alone = Run::start(&disk, limits());
    alone.watch_all(|_, _| {});
    assert!(alone.told.is_empty(), "{:?}", alone.told);
    // The model's window restarts nowhere, and it is scored along from its first clip on: what differs is only the window that the
    // second filled before it took over.
    assert_eq!(run.scores.len(), alone.scores.len());
    let differ = run.scores.iter().zip(&alone.scores).filter(|(a, b)| a != b).count();
    assert_eq!(differ, 0);
}

#[test]
fn a_candidate_that_computes_otherwise_is_dropped_before_it_decides() {
    let disk = on_trial(&shipped_as(2, |manifest| manifest.golden.head_scores[0] = 0.99));
    let mut run = Run::start(&disk, limits());
    let told = run.driver.look(Duration::ZERO);
    assert!(matches!(&told[..], [_, Told::Fault(text)] if text.contains("golden vectors")), "{told:?}");
    assert_eq!((run.runs(), run.state().trial, run.state().past.last().unwrap().model.release), (1, None, 2));
}

#[test]
fn a_candidate_that_is_too_slow_is_dropped() {
    let disk = on_trial(&shipped_as(2, |_| {}));
    let mut run = Run::start(&disk, Limits { latency_max: Duration::from_micros(10), ..limits() });
    let told = run.driver.look(Duration::ZERO);
    assert!(matches!(&told[..], [_, Told::Fault(text)] if text.contains("a segment takes it")), "{told:?}");
    assert_eq!((run.runs(), run.state().trial), (1, None));
}

#[test]
fn a_candidate_whose_scores_drift_is_dropped_in_shadow_and_not_a_score_is_lost() {
    // The same scores, and a threshold that all of them are above.
    let disk = on_trial(&shipped_as(2, |manifest| manifest.thresholds[0].value = 1e-6));
    let mut run = Run::start(&disk, limits());
    run.watch_all(|_, _| {});
    assert!(run.news().contains(&"roadside-lite0 release 2 scores in shadow"), "{:?}", run.told);
    assert!(matches!(run.told.last(), Some(Told::Fault(text)) if text.contains("scores drift")), "{:?}", run.told);
    let state = run.state();
    assert_eq!((run.runs(), state.current.unwrap().release, state.trial), (1, 1, None));
    assert!(state.past.last().unwrap().reason.contains("scores drift"));
    assert!(run.watch.pipeline().second().is_none());
    // 90 s of segments of .64 s.
    assert!((135..=140).contains(&run.scores.len()), "{}", run.scores.len());
}

#[test]
fn a_candidate_that_fails_after_the_switch_is_reverted_between_two_segments() {
    let disk = on_trial(&shipped_as(2, |_| {}));
    let mut run = Run::start(&disk, limits());
    let mut failed = false;
    run.watch_all(|run, _| {
        if !failed && run.runs() == 2 {
            failed = true;
            run.live.failed("north", &Error::failed("score", "the model gave NaN", "none"));
        }
    });
    assert!(failed);
    assert!(matches!(run.told.last(), Some(Told::Fault(text)) if text.contains("gave NaN")), "{:?}", run.told);
    let state = run.state();
    assert_eq!((run.runs(), state.current.unwrap().release, state.trial), (1, 1, None));
    assert_eq!(run.watch.pipeline().id(), run.live.lead().bundle.id);
    assert_eq!(booted(&store(&disk)), 1);
}

#[test]
fn a_start_in_the_middle_goes_on_where_it_must() {
    let disk = on_trial(&shipped_as(2, |_| {}));
    // Killed in shadow: the next start proves again.
    let mut run = Run::start(&disk, limits());
    run.told.extend(run.driver.look(Duration::ZERO));
    assert_eq!(run.state().trial.unwrap().stage, Stage::Shadow);
    drop(run);
    // That was its second start: one was to be expected when it was activated.
    let run = Run::start(&disk, limits());
    assert_eq!((run.runs(), run.state().trial), (1, None));

    // Found unconfirmed at a start, and failing: there is no model before at hand, so a new start must load it.
    let disk = on_trial(&shipped_as(2, |_| {}));
    for event in [Event::Proved(EVIDENCE), Event::ShadowSkipped] {
        store(&disk).advance(&event).unwrap();
    }
    let mut run = Run::start(&disk, limits());
    assert_eq!(run.runs(), 2);
    run.live.failed("north", &Error::failed("score", "the model gave NaN", "none"));
    let told = run.driver.look(Duration::ZERO);
    assert!(matches!(&told[..], [Told::Restart(_), Told::Fault(_)]), "{told:?}");
    assert_eq!(booted(&store(&disk)), 1);
}
