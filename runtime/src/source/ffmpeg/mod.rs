//! Recordings and network cameras, decoded by an ffmpeg child process: a path or URI in, I420 frames with their
//! own presentation times out.
//!
//! | | recording (`/a/path`, `file://`) | camera (`rtsp://`) |
//! |---|---|---|
//! | pace | waits for its reader, loses nothing | [`live`]: drops the oldest of two frames, restarts for ever |
//! | refused at opening | no file, folder, empty, no video | only a missing ffmpeg |
//! | broken in the middle | ends there, with a warning | a gap, then a restart |
//!
//! ffmpeg writes a NUT stream ([`nut`]) on a pipe, because that carries the exact time of each frame: recordings with
//! a variable rate keep it. The same file gives the same bytes with the same ffmpeg.
//!
//! Caveats. Rotation in the metadata is applied, so width and height are those of the upright picture. Full-range
//! video is converted to limited range; BT.709 coefficients are kept as they are. A picture that changes its size is
//! scaled to the first one's. Times are on a 90 kHz clock. A camera's password is visible to other users of the
//! machine in the process list.

pub mod child;
pub mod live;
pub mod nut;
pub mod probe;

use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ChildStdout;
use std::time::Duration;

use self::child::{Input, Process, redact};
use self::live::Live;
use self::nut::NutReader;
use super::{Advance, Frame, FrameHeader, PixelFormat, Source, SourceInfo, Stopper};
use crate::{Error, Result};

/// Where the programs are and how patient to be with a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The `ffmpeg` program.
    pub ffmpeg: PathBuf,
    /// The `ffprobe` program.
    pub ffprobe: PathBuf,
    /// How long a camera may take from the connection to its first frame.
    pub connect_timeout: Duration,
    /// How long a camera may take from one frame to the next.
    pub frame_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            connect_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(5),
        }
    }
}

/// Frames of a recording or a network camera.
pub struct FfmpegSource {
    info: SourceInfo,
    kind: Kind,
}

enum Kind {
    Recording(Box<Recording>),
    Live(Live),
}

impl FfmpegSource {
    /// Open a plain path, a `file://` URI, or an `rtsp://` or `rtsps://` camera (`tcp://` is read as one too).
    ///
    /// # Errors
    /// A missing ffmpeg (`Unavailable`); a recording that is missing, a folder, or has no video (`InvalidInput`), or
    /// is empty or damaged so that no frame can be decoded (`Corrupt`). A camera that does not answer is no error: it
    /// is tried again, and [`Source::advance`] tells of the gap.
    pub fn open(uri: &str, options: &Options) -> Result<Self> {
        if ["rtsp://", "rtsps://", "tcp://"].iter().any(|s| uri.starts_with(s)) {
            let version = probe::version(&options.ffmpeg)?;
            let live = Live::start(uri, options, version);
            let (width, height) = live.size();
            let info = SourceInfo {
                uri: redact(uri),
                width,
                height,
                rate_hz: None,
                constant_rate: false,
                frames: None,
                live: true,
            };
            return Ok(Self { info, kind: Kind::Live(live) });
        }
        let path = probe::path_of(uri)?;
        probe::check_file(&path)?;
        let probe = probe::probe(&options.ffprobe, &path)?;
        let (process, stdout) = Process::start(&options.ffmpeg, probe.version, Input::File(&path))?;
        let recording = Recording::open(path.display().to_string(), process, stdout, probe.frames)?;
        let info = SourceInfo {
            uri: uri.to_owned(),
            width: recording.size.0,
            height: recording.size.1,
            rate_hz: probe.rate_hz,
            constant_rate: false,
            frames: probe.frames,
            live: false,
        };
        Ok(Self { info, kind: Kind::Recording(Box::new(recording)) })
    }
}

impl Source for FfmpegSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        match &mut self.kind {
            Kind::Recording(recording) => recording.advance(),
            Kind::Live(live) => {
                let advance = live.advance()?;
                (self.info.width, self.info.height) = live.size();
                Ok(advance)
            }
        }
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        match &mut self.kind {
            Kind::Live(live) => live.read(frame),
            Kind::Recording(recording) => {
                std::mem::swap(&mut frame.data, &mut recording.data);
                frame.format = PixelFormat::I420;
                (frame.width, frame.height) = recording.size;
                frame.stride = frame.width;
            }
        }
        Ok(())
    }

    fn stopper(&self) -> Stopper {
        match &self.kind {
            Kind::Recording(_) => Stopper::default(),
            Kind::Live(live) => live.stopper(),
        }
    }

    fn dropped(&self) -> u64 {
        match &self.kind {
            Kind::Recording(_) => 0,
            Kind::Live(live) => live.dropped(),
        }
    }
}

/// A file being decoded.
struct Recording {
    name: String,
    process: Process,
    nut: NutReader<BufReader<ChildStdout>>,
    size: (u32, u32),
    data: Vec<u8>,
    /// The first frame is decoded at opening, to know that there is one; its time waits here.
    ahead: Option<i64>,
    first_ns: i64,
    last_ns: u64,
    number: u64,
    expected: Option<u64>,
    ended: bool,
}

impl Recording {
    fn open(name: String, mut process: Process, stdout: BufReader<ChildStdout>, expected: Option<u64>) -> Result<Self> {
        let mut data = Vec::new();
        let opened = NutReader::open(stdout).and_then(|mut nut| Ok((nut.next_frame(&mut data)?, nut)));
        match opened {
            Ok((Some(first_ns), nut)) => Ok(Self {
                name,
                process,
                size: nut.size(),
                nut,
                data,
                ahead: Some(first_ns),
                first_ns,
                last_ns: 0,
                number: 0,
                expected,
                ended: false,
            }),
            Ok((None, _)) => Err(no_frames(&name, &process.finish().1)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(no_frames(&name, &process.finish().1)),
            Err(e) => Err(Error::failed(name, format!("{e}"), "check the ffmpeg installation, or convert the file")),
        }
    }

    fn advance(&mut self) -> Result<Advance> {
        if self.ended {
            return Ok(Advance::End);
        }
        let pts = match self.ahead.take() {
            Some(pts) => Some(pts),
            None => match self.nut.next_frame(&mut self.data) {
                Ok(pts) => pts,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
                Err(e) => {
                    self.ended = true;
                    return Err(Error::failed(
                        format!("{}, frame {}", self.name, self.number + 1),
                        e.to_string(),
                        "check the ffmpeg installation, or convert the file",
                    ));
                }
            },
        };
        let Some(pts) = pts else { return self.end() };
        self.number += 1;
        // Times are relative to the first frame and never go back.
        self.last_ns = u64::try_from(pts.saturating_sub(self.first_ns)).unwrap_or(0).max(self.last_ns);
        Ok(Advance::Frame(FrameHeader { number: self.number, pts_ns: self.last_ns }))
    }

    /// The stream is over: by itself, because the file is damaged, or because ffmpeg was killed?
    fn end(&mut self) -> Result<Advance> {
        self.ended = true;
        let (status, said) = self.process.finish();
        let status = status.map_err(|e| Error::failed(&self.name, format!("ffmpeg was lost: {e}"), "try again"))?;
        if status.code().is_none() {
            return Err(Error::failed(
                format!("{}, after frame {}", self.name, self.number),
                format!("ffmpeg was killed ({status})"),
                "check the machine's memory, then try again",
            ));
        }
        let short = self.expected.filter(|&n| n > self.number);
        if short.is_some() || !status.success() {
            let of = short.map_or_else(String::new, |n| format!(" of {n}"));
            log::warn!(
                "{}: damaged or truncated: it ends after frame {}{of}; ffmpeg says: {said}",
                self.name,
                self.number
            );
        } else if !said.is_empty() {
            log::warn!("{}: damaged in places; ffmpeg says: {said}", self.name);
        }
        Ok(Advance::End)
    }
}

fn no_frames(name: &str, said: &str) -> Error {
    let said = if said.is_empty() { "ffmpeg gave no reason" } else { said };
    Error::corrupt(
        name,
        format!("no frame can be decoded: {said}"),
        "check that it plays, and copy or convert it again",
    )
}

#[cfg(test)]
mod tests;
