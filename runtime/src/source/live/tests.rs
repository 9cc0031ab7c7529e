//! A camera that is told what to do next.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::*;

/// What the camera does at its next call.
enum Cue {
    /// Opening or capturing fails, with this reason.
    Fail(&'static str),
    /// Opening works.
    Open,
    /// A frame.
    Frame,
    /// No frame.
    Silence,
    /// The driver's answer makes the bindings panic.
    Panic,
    /// The driver hangs.
    Hang(Duration),
}

struct Script(Receiver<Cue>);

/// Shares the script with its opener.
struct Scripted(Arc<Mutex<Script>>);

fn next(script: &Mutex<Script>) -> Cue {
    // At the script's end the camera is silent, at the pace of a time-out.
    let cue = script.lock().unwrap_or_else(PoisonError::into_inner).0.try_recv();
    cue.unwrap_or_else(|_| {
        std::thread::sleep(Duration::from_millis(2));
        Cue::Silence
    })
}

impl Opener for Scripted {
    fn open(&mut self) -> Result<Box<dyn Camera>> {
        match next(&self.0) {
            Cue::Open => Ok(Box::new(Scripted(Arc::clone(&self.0)))),
            Cue::Panic => panic!("unexpected answer"),
            Cue::Fail(why) => Err(Error::unavailable("camera", why, "plug it in")),
            _ => Err(Error::unavailable("camera", "is not there", "plug it in")),
        }
    }
}

impl Camera for Scripted {
    fn mode(&self) -> ((u32, u32), Option<f64>) {
        ((4, 2), Some(1000.0))
    }

    fn capture(&mut self, frame: &mut Frame) -> Result<Captured> {
        match next(&self.0) {
            Cue::Fail(why) => return Err(Error::unavailable("camera", why, "plug it in")),
            Cue::Panic => panic!("unexpected answer"),
            Cue::Hang(time) => std::thread::sleep(time),
            Cue::Frame => {
                frame.data.resize(8, 7);
                (frame.width, frame.height, frame.stride) = (4, 2, 4);
                return Ok(Captured::Frame { stamp: None, lost: 1 });
            }
            Cue::Open | Cue::Silence => {}
        }
        Ok(Captured::Nothing("no frame came in time"))
    }
}

fn start(cues: impl IntoIterator<Item = Cue>) -> (Live, Sender<Cue>) {
    let (sender, receiver) = channel();
    for cue in cues {
        sender.send(cue).unwrap();
    }
    let patience = Patience { first: Duration::from_millis(60), next: Duration::from_millis(30) };
    let opener = Box::new(Scripted(Arc::new(Mutex::new(Script(receiver)))));
    (Live::start("v4l://scripted", opener, patience).unwrap(), sender)
}

fn gap(live: &mut Live) -> String {
    loop {
        match live.advance().unwrap() {
            Advance::Gap { reason } => return reason,
            Advance::Frame(_) => {}
            Advance::End => panic!("a camera never ends by itself"),
        }
    }
}

fn frame(live: &mut Live) -> u64 {
    loop {
        match live.advance().unwrap() {
            Advance::Frame(header) => return header.number,
            Advance::Gap { .. } => {}
            Advance::End => panic!("a camera never ends by itself"),
        }
    }
}

#[test]
fn frames_carry_pixels_size_and_what_was_lost() {
    let (mut live, _cues) = start([Cue::Open, Cue::Frame]);
    assert_eq!((live.info().width, live.info().height, live.info().live), (4, 2, true));
    assert_eq!(frame(&mut live), 1);
    let mut pixels = Frame::default();
    live.read(&mut pixels).unwrap();
    assert_eq!((pixels.data, live.dropped()), (vec![7; 8], 1));
}

#[test]
fn every_loss_is_a_gap_and_the_next_opening_heals_it() {
    for (cue, part) in [
        (Cue::Fail("was unplugged"), "was unplugged"),
        (Cue::Silence, "no frame came in time"),
        (Cue::Panic, "not understood"),
    ] {
        let (mut live, cues) = start([Cue::Open, Cue::Frame, cue]);
        assert_eq!(frame(&mut live), 1);
        let told = gap(&mut live);
        assert!(told.contains(part), "{told}");
        cues.send(Cue::Open).unwrap();
        cues.send(Cue::Frame).unwrap();
        assert_eq!(frame(&mut live), 2, "numbers go on");
    }
}

#[test]
fn a_camera_that_is_away_at_the_start_is_waited_for() {
    let (mut live, cues) = start([Cue::Fail("is not there")]);
    assert_eq!(live.info().width, 0);
    assert!(gap(&mut live).contains("is not there"));
    cues.send(Cue::Open).unwrap();
    cues.send(Cue::Frame).unwrap();
    assert_eq!(frame(&mut live), 1);
    assert_eq!(live.info().width, 4, "the size is learned when it comes");
}

#[test]
fn pauses_stay_short_enough_to_be_back_within_three_seconds() {
    let pauses: Vec<u128> = [0, 1, 2, 3, u32::MAX].map(|n| backoff(n).as_millis()).into();
    assert_eq!(pauses, [250, 500, 500, 500, 500]);
}

#[test]
fn a_reader_that_waits_is_stopped_from_outside() {
    let (mut live, _cues) = start([]);
    let stopper = live.stopper();
    let waiting = std::thread::spawn(move || {
        loop {
            if live.advance().unwrap() == Advance::End {
                return;
            }
        }
    });
    stopper.stop();
    let begun = Instant::now();
    waiting.join().unwrap();
    assert!(begun.elapsed() < STOP_PATIENCE);
}

#[test]
fn a_driver_that_hangs_is_left_behind() {
    let (live, _cues) = start([Cue::Open, Cue::Frame, Cue::Hang(4 * STOP_PATIENCE)]);
    let begun = Instant::now();
    drop(live);
    assert!(begun.elapsed() < 2 * STOP_PATIENCE);
}
