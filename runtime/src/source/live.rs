//! A camera of this machine, read by a thread of its own and reopened for ever: an [`Opener`] comes in, a [`Source`]
//! goes out that never makes the camera wait and never ends by itself.
//!
//! When the camera cannot be opened, fails, or gives no good frame in time, it is closed, a gap with the reason is
//! reported, and it is opened again after a pause ([`backoff`]: a quarter of a second, then half a second). While it is
//! away a gap follows every attempt, so that whoever waits sees that somebody is still trying.
//!
//! Times: within a connection they are the driver's, where it tells them and they can be believed; at a reconnect they
//! go on from this machine's monotonic clock. They never go back ([`times`]).
//!
//! Stopping waits for the thread only as long as [`STOP_PATIENCE`]: a driver that hangs keeps its thread, and nobody
//! else.

pub mod times;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::times::Times;
use super::handover::{Handover, State};
use super::{Advance, Frame, FrameHeader, Source, SourceInfo, Stopper};
use crate::{Error, Result};

/// How long stopping waits for a driver.
pub const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The pause before attempt `failures` + 1, where `failures` attempts in a row gave no frame. Short, because opening
/// a camera of this machine costs nothing and it is to be back soon after it returned.
pub fn backoff(failures: u32) -> Duration {
    Duration::from_millis(250 << failures.min(1))
}

/// Opens a camera, again and again.
pub trait Opener: Send {
    /// Open it and start its stream.
    ///
    /// # Errors
    /// When it is not there, or will not do; opening is tried again.
    fn open(&mut self) -> Result<Box<dyn Camera>>;
}

/// Width and height in pixels, and frames per second where the driver tells.
pub type Mode = ((u32, u32), Option<f64>);

/// An open camera.
pub trait Camera {
    /// What it was opened with.
    fn mode(&self) -> Mode;

    /// Wait a bounded time for the next frame, and write it into `frame`, whose buffer is reused.
    ///
    /// # Errors
    /// When the stream is lost.
    fn capture(&mut self, frame: &mut Frame) -> Result<Captured>;
}

/// What [`Camera::capture`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// A frame.
    Frame {
        /// The driver's time of it, on its own clock.
        stamp: Option<Duration>,
        /// Frames that the driver lost before it.
        lost: u64,
    },
    /// No frame, or none that is good; why, for people.
    Nothing(&'static str),
}

/// How patient to be with a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From opening to the first good frame.
    pub first: Duration,
    /// From one good frame to the next.
    pub next: Duration,
}

impl Default for Patience {
    /// A camera that falls silent is noticed within a second, well before its health must tell.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), next: Duration::from_secs(1) }
    }
}

/// The mode is there once a frame was.
type Shared = Handover<Option<Mode>>;

/// The consumer's end of a camera.
pub struct Live {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    current: Frame,
    info: SourceInfo,
}

impl Live {
    /// Start reading, and wait until the first frame or the first failure, so that the size is known if it can be.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(uri: &str, opener: Box<dyn Opener>, patience: Patience) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let name = uri.to_owned();
        let reader = Reader { name, shared: Arc::clone(&shared), opener, patience, number: 0, times: Times::default() };
        let thread = std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || reader.run())
            .map_err(|e| Error::failed(uri, format!("no thread can be started: {e}"), "free some memory"))?;
        let info = SourceInfo {
            uri: uri.into(),
            width: 0,
            height: 0,
            rate_hz: None,
            constant_rate: false,
            frames: None,
            live: true,
        };
        let mut live = Self { shared, thread: Some(thread), current: Frame::default(), info };
        let mode = live.shared.wait_at_most(patience.first + patience.next, State::ready).more;
        live.learn(mode);
        Ok(live)
    }

    fn learn(&mut self, mode: Option<Mode>) {
        if let Some(((width, height), rate_hz)) = mode {
            (self.info.width, self.info.height, self.info.rate_hz) = (width, height, rate_hz);
        }
    }
}

impl Source for Live {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        let mut state = self.shared.wait(|_| None, State::ready);
        let mode = state.more;
        let found = state.take(&mut self.current, &self.info.uri);
        drop(state);
        self.learn(mode);
        found
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        std::mem::swap(frame, &mut self.current);
        Ok(())
    }

    fn stopper(&self) -> Stopper {
        let shared = Arc::clone(&self.shared);
        Stopper::new(move || stop(&shared))
    }

    fn dropped(&self) -> u64 {
        self.shared.lock().queue.dropped()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        stop(&self.shared);
        let dead = self.shared.wait_at_most(STOP_PATIENCE, |state| state.dead).dead;
        match self.thread.take() {
            // It holds nothing that a panic could leave half done.
            Some(thread) if dead => _ = thread.join(),
            _ => log::warn!("{}: its driver does not answer and is left behind", self.info.uri),
        }
    }
}

/// End the thread, and whoever waits for it.
fn stop(shared: &Shared) {
    shared.lock().stop = true;
    shared.notify();
}

/// The thread's end.
struct Reader {
    name: String,
    shared: Arc<Shared>,
    opener: Box<dyn Opener>,
    patience: Patience,
    number: u64,
    times: Times,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.lock().dead = true;
        self.shared.notify();
    }
}

impl Reader {
    fn run(mut self) {
        let mut failures = 0;
        loop {
            let before = self.number;
            // A driver's answer that the bindings do not expect makes them panic; so does closing a broken stream.
            let ended = catch_unwind(AssertUnwindSafe(|| self.connection()));
            let reason = match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "its driver gave an answer that is not understood; the log holds it".to_owned(),
            };
            if self.number > before {
                failures = 0;
            }
            let pause = backoff(failures);
            failures += 1;
            self.shared.lock().queue.push_gap(reason);
            self.shared.notify();
            if self.shared.wait_at_most(pause, |state| state.stop).stop {
                return;
            }
        }
    }

    /// Read one connection until it is lost, or until told to stop.
    fn connection(&mut self) -> Result<()> {
        let mut camera = self.opener.open()?;
        let mode = camera.mode();
        self.times.reconnect();
        let mut frame = Frame::default();
        let mut deadline = Instant::now() + self.patience.first;
        let next =
            mode.1.map_or(self.patience.next, |rate| self.patience.next.max(Duration::from_secs_f64(3.0 / rate)));
        loop {
            let captured = camera.capture(&mut frame)?;
            let now = Instant::now();
            let mut state = self.shared.lock();
            if state.stop {
                return Ok(());
            }
            match captured {
                Captured::Frame { stamp, lost } => {
                    self.number += 1;
                    let header = FrameHeader { number: self.number, pts_ns: self.times.place(now, stamp) };
                    state.more = Some(mode);
                    state.queue.lost(lost);
                    state.queue.push_frame(header, std::mem::take(&mut frame));
                    frame = state.queue.spare();
                    drop(state);
                    self.shared.notify();
                    deadline = now + next;
                }
                Captured::Nothing(why) if now >= deadline => {
                    return Err(Error::unavailable(&self.name, why, "it is opened again"));
                }
                Captured::Nothing(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
