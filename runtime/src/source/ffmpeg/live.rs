//! A network camera: an ffmpeg child that is restarted for ever, and a queue that never makes it wait.
//!
//! A thread reads frames into a [`FrameQueue`]; when it is full the oldest frame is dropped and counted.
//! When the stream ends, fails, or gives no frame in time, the child is killed, a gap is reported, and it is started
//! again after a pause of 0.5 s that doubles up to 30 s ([`backoff`]) until frames flow again.
//!
//! Times: within a connection they are the camera's own, as long as they do not stray from this machine's monotonic clock by
//! more than a frame may be late; at a reconnect they go on from that clock. They never go back ([`Times`]).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Options;
use super::child::{Input, Process, Version, redact};
use super::nut::NutReader;
use crate::source::live::times::Times;
use crate::source::queue::{FrameQueue, Item};
use crate::source::{Advance, Frame, FrameHeader, PixelFormat, Stopper};
use crate::{Error, Result};

/// The pause before attempt `failures` + 1, where `failures` attempts in a row gave no frame.
pub fn backoff(failures: u32) -> Duration {
    let seconds = 0.5 * f64::from(2u32.saturating_pow(failures.min(16)));
    Duration::from_secs_f64(seconds.min(30.0))
}

#[derive(Default)]
struct State {
    queue: FrameQueue,
    size: Option<(u32, u32)>,
    process: Option<Process>,
    /// When the present child must have given its next frame.
    deadline: Option<Instant>,
    timed_out: bool,
    stop: bool,
    /// The reading thread is gone.
    dead: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// End the thread and whoever waits for it.
    fn stop(&self) {
        let mut state = self.lock();
        state.stop = true;
        if let Some(process) = &mut state.process {
            process.kill();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Wait until something is queued, killing a child that is late.
    fn wait_for_item(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.queue.is_empty() && !state.dead && !state.stop {
            let left = state.deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                state.deadline = None;
                state.timed_out = true;
                if let Some(process) = &mut state.process {
                    process.kill();
                }
                continue;
            }
            let wait = left.unwrap_or(Duration::from_secs(1));
            state = match self.changed.wait_timeout(state, wait) {
                Ok((state, _)) => state,
                Err(e) => e.into_inner().0,
            };
        }
        state
    }
}

/// The consumer's end of a live stream.
pub struct Live {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    current: Frame,
    uri: String,
}

impl Live {
    /// Start reading `uri`, and wait until the first frame or the first failure, so that the size is known if it can be.
    pub fn start(uri: &str, options: &Options, version: Version) -> Self {
        let shared = Arc::new(Shared::default());
        let reader = Reader {
            shared: Arc::clone(&shared),
            uri: uri.to_owned(),
            options: options.clone(),
            version,
            number: 0,
            times: Times::new(options.frame_timeout),
        };
        let thread = std::thread::spawn(move || reader.run());
        let live = Self { shared, thread: Some(thread), current: Frame::default(), uri: redact(uri) };
        drop(live.shared.wait_for_item());
        live
    }

    /// Width and height in pixels; zeros while the camera has not answered yet.
    pub fn size(&self) -> (u32, u32) {
        self.shared.lock().size.unwrap_or_default()
    }

    /// Frames that were dropped because their reader was slow.
    pub fn dropped(&self) -> u64 {
        self.shared.lock().queue.dropped()
    }

    /// Wait for the next frame or gap. While the camera is away this returns a gap after every failed attempt.
    ///
    /// # Errors
    /// Only if the thread that reads the stream has died.
    pub fn advance(&mut self) -> Result<Advance> {
        let mut state = self.shared.wait_for_item();
        match state.queue.pop() {
            _ if state.stop => Ok(Advance::End),
            Some(Item::Frame(header, frame)) => {
                state.queue.give_back(std::mem::replace(&mut self.current, frame));
                Ok(Advance::Frame(header))
            }
            Some(Item::Gap(reason)) => Ok(Advance::Gap { reason }),
            None => Err(Error::failed(&self.uri, "the thread that reads it has died", "restart; report this as a bug")),
        }
    }

    /// Ends it from another thread.
    pub fn stopper(&self) -> Stopper {
        let shared = Arc::clone(&self.shared);
        Stopper::new(move || shared.stop())
    }

    /// Hand over the present frame's pixels.
    pub fn read(&mut self, frame: &mut Frame) {
        std::mem::swap(frame, &mut self.current);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic could leave half done.
            let _ = thread.join();
        }
    }
}

/// The thread's end.
struct Reader {
    shared: Arc<Shared>,
    uri: String,
    options: Options,
    version: Version,
    number: u64,
    times: Times,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.lock().dead = true;
        self.shared.changed.notify_all();
    }
}

impl Reader {
    fn run(mut self) {
        let name = redact(&self.uri);
        let mut failures = 0;
        loop {
            let before = self.number;
            let reason = self.connection();
            if self.number > before {
                failures = 0;
            }
            let pause = backoff(failures);
            failures += 1;
            let mut state = self.shared.lock();
            state.process = None;
            state.deadline = None;
            if state.stop {
                return;
            }
            state.queue.push_gap(format!("{name}: {reason}; trying again in {} s", pause.as_secs_f32()));
            self.shared.changed.notify_all();
            let until = Instant::now() + pause;
            while !state.stop {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = match self.shared.changed.wait_timeout(state, left) {
                    Ok((state, _)) => state,
                    Err(e) => e.into_inner().0,
                };
            }
            if state.stop {
                return;
            }
        }
    }

    /// Read one connection until it ends; returns why it ended.
    fn connection(&mut self) -> String {
        let started = Process::start(&self.options.ffmpeg, self.version, Input::Live(&self.uri));
        let (process, stdout) = match started {
            Ok(started) => started,
            Err(e) => return e.to_string(),
        };
        {
            let mut state = self.shared.lock();
            state.process = Some(process);
            state.timed_out = false;
            state.deadline = Some(Instant::now() + self.options.connect_timeout);
            if state.stop {
                return String::new();
            }
        }
        self.shared.changed.notify_all();
        let ended = self.frames(stdout);
        let (process, timed_out) = {
            let mut state = self.shared.lock();
            state.deadline = None;
            (state.process.take(), state.timed_out)
        };
        let said = process.map_or_else(String::new, |mut process| {
            process.kill();
            process.finish().1
        });
        // ffmpeg begins with the address, which the reader of a gap is told anyway.
        let address = format!("{}: ", redact(&self.uri));
        let said = said.strip_prefix(&address).unwrap_or(&said).to_owned();
        match (timed_out, said.is_empty(), ended) {
            (true, ..) => "no frame came in time".into(),
            (_, false, _) => said,
            (_, _, Err(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => e.to_string(),
            _ => "the stream ended".into(),
        }
    }

    fn frames(&mut self, stdout: impl std::io::Read) -> std::io::Result<()> {
        let mut nut = NutReader::open(stdout)?;
        let size = nut.size();
        let mut data = Vec::new();
        let mut frame = Frame::default();
        self.times.reconnect();
        while let Some(pts) = nut.next_frame(&mut data)? {
            // A stamp counts from anywhere: from the smallest number, so that none is negative.
            let stamp = Duration::from_nanos(pts.abs_diff(i64::MIN));
            let ns = self.times.place(Instant::now(), Some(stamp));
            self.number += 1;
            let mut state = self.shared.lock();
            state.size = Some(size);
            state.deadline = Some(Instant::now() + self.options.frame_timeout);
            let header = FrameHeader { number: self.number, pts_ns: ns };
            frame.data = std::mem::take(&mut data);
            frame.format = PixelFormat::I420;
            (frame.width, frame.height, frame.stride) = (size.0, size.1, size.0);
            state.queue.push_frame(header, std::mem::take(&mut frame));
            frame = state.queue.spare();
            std::mem::swap(&mut data, &mut frame.data);
            drop(state);
            self.shared.changed.notify_all();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_half_a_second_to_thirty() {
        let seconds: Vec<f64> = (0..9).map(|n| backoff(n).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(backoff(u32::MAX), Duration::from_secs(30));
    }
}
