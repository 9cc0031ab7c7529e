//! Lives that fail in every way, on a simulated clock.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::health::SimClock;
use crate::output::{AlarmEvent, Output};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Notes the faults that it is told of.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<FaultEvent>>>);

impl Output for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn alarm(&mut self, _: &AlarmEvent) -> Result<()> {
        Ok(())
    }

    fn failed(&mut self, event: &FaultEvent) -> Result<()> {
        lock(&self.0).push(event.clone());
        Ok(())
    }
}

/// A run of two cameras, `a` and `b`, of which the first is attended.
struct Run {
    clock: SimClock,
    healths: [Shared<Health>; 2],
    notes: Notes,
    gave_up: AtomicBool,
}

impl Run {
    fn new() -> Self {
        let health = |name: &str| Arc::new(Mutex::new(Health::new(name, true, Duration::ZERO)));
        let (clock, notes) = (SimClock::default(), Notes::default());
        Self { clock, healths: [health("a"), health("b")], notes, gave_up: AtomicBool::new(false) }
    }

    /// Attend `stage`; each wait passes at once, and the run is told to stop at the `stop_at`-th.
    fn attend(&self, stage: Stage, stop_at: u32, life: impl FnMut() -> Result<()>) -> (Result<()>, Vec<u64>) {
        let mut outputs = Outputs::default();
        outputs.push(self.notes.clone());
        let outputs = Arc::new(Mutex::new(outputs));
        let waits = Mutex::new(Vec::new());
        let pause = |wait: Duration| {
            self.clock.advance(wait);
            lock(&waits).push(wait.as_secs());
            lock(&waits).len() as u32 == stop_at
        };
        let give_up = || self.gave_up.store(true, Ordering::SeqCst);
        let supervisor = Supervisor {
            clock: &self.clock,
            healths: &self.healths,
            outputs: &outputs,
            pause: &pause,
            give_up: &give_up,
        };
        let ended = supervisor.attend(stage, life);
        let waits = lock(&waits).clone();
        (ended, waits)
    }

    fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::SeqCst)
    }
}

const LIVE: Stage = Stage::Camera { number: 0, live: true };

fn broken() -> Result<()> {
    Err(Error::failed("engine", "broke", "mend it"))
}

#[test]
fn work_that_gets_done_is_done_once() {
    let run = Run::new();
    let (ended, waits) = run.attend(LIVE, 99, || Ok(()));
    assert!(ended.is_ok() && waits.is_empty() && lock(&run.notes.0).is_empty());
}

#[test]
fn a_panic_is_recorded_with_camera_message_and_place_and_the_stage_is_started_again() {
    let run = Run::new();
    let lives = Cell::new(0);
    let (ended, waits) = run.attend(LIVE, 99, || {
        lives.set(lives.get() + 1);
        assert!(lives.get() > 1, "lane {} is not there", 4);
        Ok(())
    });
    assert!(ended.is_ok());
    assert_eq!((lives.get(), waits), (2, vec![1]));
    let notes = lock(&run.notes.0);
    assert_eq!((notes.len(), notes[0].camera.as_str(), notes[0].kind), (1, "a", ErrorKind::Panicked));
    assert_eq!(notes[0].restart_s, Some(1));
    let reason = &notes[0].reason;
    assert!(reason.contains("lane 4 is not there") && reason.contains("supervision/tests.rs:"), "{reason}");
    let health = lock(&run.healths[0]);
    assert_eq!((health.counters().errors.panicked, health.reason()), (1, Some(reason.as_str())));
    assert_eq!(lock(&run.healths[1]).reason(), None, "the other camera has nothing to do with it");
}

#[test]
fn one_that_always_fails_waits_longer_and_longer_and_then_the_run_ends() {
    let run = Run::new();
    let (ended, waits) = run.attend(LIVE, 99, broken);
    assert_eq!(ended.unwrap_err().kind, ErrorKind::Failed);
    assert_eq!(waits, [1, 2, 5, 10]);
    assert!(run.gave_up());
    let notes = lock(&run.notes.0);
    assert_eq!(
        notes.iter().map(|note| note.restart_s).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(5), Some(10), None]
    );
}

#[test]
fn while_another_camera_scores_the_run_goes_on() {
    let run = Run::new();
    let (ended, waits) = run.attend(LIVE, 8, || {
        lock(&run.healths[1]).frame(run.clock.now(), 0);
        lock(&run.healths[1]).score(0.1);
        broken()
    });
    assert!(ended.is_ok() && !run.gave_up(), "told to stop");
    assert_eq!(waits, [1, 2, 5, 10, 30, 30, 30, 30]);
    assert_eq!(lock(&run.healths[0]).counters().errors.failed, 8);
}

#[test]
fn a_life_that_lasted_is_a_fresh_start() {
    let run = Run::new();
    let (_, waits) = run.attend(LIVE, 9, || {
        run.clock.advance(STEADY);
        panic!("now and then");
    });
    assert_eq!(waits, [1; 9]);
    assert!(!run.gave_up());
}

#[test]
fn what_is_away_is_tried_for_ever() {
    let run = Run::new();
    let (_, waits) = run.attend(LIVE, 50, || Err(Error::unavailable("ffmpeg", "is not there", "install it")));
    assert_eq!((waits.len(), waits.last(), run.gave_up()), (50, Some(&30), false));
}

#[test]
fn what_cameras_do_without_is_tried_for_ever_and_told_once() {
    let run = Run::new();
    let (ended, waits) = run.attend(Stage::Aside("control service"), 50, broken);
    assert!(ended.is_ok() && !run.gave_up());
    assert_eq!((waits.len(), waits.last()), (50, Some(&30)));
    let notes = lock(&run.notes.0);
    assert_eq!((notes.len(), notes[0].camera.as_str()), (1, "control service"));
    assert!(run.healths.iter().all(|health| lock(health).reason().is_none()), "no camera is worse for it");
}

#[test]
fn a_recording_that_fails_is_over_and_harms_nobody() {
    let run = Run::new();
    let (ended, waits) = run.attend(Stage::Camera { number: 1, live: false }, 99, || panic!("damaged"));
    assert_eq!(ended.unwrap_err().kind, ErrorKind::Panicked);
    assert!(waits.is_empty() && !run.gave_up());
    assert_eq!(lock(&run.notes.0)[0].camera, "b");
}

#[test]
fn without_a_watcher_nothing_goes_on_for_long() {
    let run = Run::new();
    lock(&run.healths[1]).frame(s(0), 0);
    lock(&run.healths[1]).score(0.1);
    let (ended, waits) = run.attend(Stage::Watcher, 99, || panic!("blind"));
    assert!(ended.is_err() && run.gave_up());
    assert_eq!(waits, [1, 2, 5, 10]);
    assert_eq!(lock(&run.notes.0)[0].camera, WATCHER);
}
