//! A network camera: an ffmpeg child that is restarted for ever, and a queue that never makes it wait.
//!
//! A thread [hands over](Handover) what it reads; when too much waits the oldest frame is dropped and counted.
//! When the stream ends, fails, or gives no frame in time, the child is killed, a gap is reported, and it is started
//! again after a pause of 0.5 s that doubles up to 30 s ([`backoff`]) until frames flow again.
//!
//! Times: within a connection they are the camera's own, as long as they do not stray from this machine's monotonic clock by
//! more than a frame may be late; at a reconnect they go on from that clock. They never go back ([`Times`]).

use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Options;
use super::child::{Input, Process, Version, redact};
use super::nut::NutReader;
use crate::Result;
use crate::source::handover::{Handover, State};
use crate::source::live::times::Times;
use crate::source::{Advance, Frame, FrameHeader, PixelFormat, Stopper};

/// The pause before attempt `failures` + 1, where `failures` attempts in a row gave no frame.
pub fn backoff(failures: u32) -> Duration {
    let seconds = 0.5 * f64::from(2u32.saturating_pow(failures.min(16)));
    Duration::from_secs_f64(seconds.min(30.0))
}

/// The ffmpeg child, as both sides see it.
#[derive(Default)]
struct Child {
    /// Of its frames, once there was one.
    size: Option<(u32, u32)>,
    process: Option<Process>,
    /// When it must have given its next frame.
    deadline: Option<Instant>,
    timed_out: bool,
}

impl Child {
    fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }
}

type Shared = Handover<Child>;

/// End the thread, and whoever waits for it.
fn stop(shared: &Shared) {
    let mut state = shared.lock();
    state.stop = true;
    state.more.kill();
    drop(state);
    shared.notify();
}

/// Wait until there is something to take, and kill a child that is late.
fn wait(shared: &Shared) -> MutexGuard<'_, State<Child>> {
    loop {
        let mut state = shared.wait(|state| state.more.deadline, State::ready);
        if state.ready() {
            return state;
        }
        state.more.deadline = None;
        state.more.timed_out = true;
        state.more.kill();
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
        drop(wait(&live.shared));
        live
    }

    /// Width and height in pixels; zeros while the camera has not answered yet.
    pub fn size(&self) -> (u32, u32) {
        self.shared.lock().more.size.unwrap_or_default()
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
        wait(&self.shared).take(&mut self.current, &self.uri)
    }

    /// Ends it from another thread.
    pub fn stopper(&self) -> Stopper {
        let shared = Arc::clone(&self.shared);
        Stopper::new(move || stop(&shared))
    }

    /// Hand over the present frame's pixels.
    pub fn read(&mut self, frame: &mut Frame) {
        std::mem::swap(frame, &mut self.current);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        stop(&self.shared);
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
        self.shared.notify();
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
            state.more.process = None;
            state.more.deadline = None;
            if state.stop {
                return;
            }
            state.queue.push_gap(format!("{name}: {reason}; trying again in {} s", pause.as_secs_f32()));
            drop(state);
            self.shared.notify();
            if self.shared.wait_at_most(pause, |state| state.stop).stop {
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
            state.more.process = Some(process);
            state.more.timed_out = false;
            state.more.deadline = Some(Instant::now() + self.options.connect_timeout);
            if state.stop {
                return String::new();
            }
        }
        self.shared.notify();
        let ended = self.frames(stdout);
        let (process, timed_out) = {
            let mut state = self.shared.lock();
            state.more.deadline = None;
            (state.more.process.take(), state.more.timed_out)
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
            state.more.size = Some(size);
            state.more.deadline = Some(Instant::now() + self.options.frame_timeout);
            let header = FrameHeader { number: self.number, pts_ns: ns };
            frame.data = std::mem::take(&mut data);
            frame.format = PixelFormat::I420;
            (frame.width, frame.height, frame.stride) = (size.0, size.1, size.0);
            state.queue.push_frame(header, std::mem::take(&mut frame));
            frame = state.queue.spare();
            std::mem::swap(&mut data, &mut frame.data);
            drop(state);
            self.shared.notify();
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
