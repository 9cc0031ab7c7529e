//! The ffmpeg child process: arguments in, a NUT stream on its standard output, its last words on request.
//!
//! A [`Process`] is always killed and reaped when dropped. What ffmpeg writes to standard error is kept, the last
//! [`TAIL_BYTES`] of it, for the error messages; camera passwords are struck out.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// How much of ffmpeg's standard error is kept, in bytes.
const TAIL_BYTES: usize = 4096;

/// The clock of the stream that ffmpeg writes: exact for 24, 25, 29.97, 30, 50 and 60 Hz and for milliseconds.
const TIME_BASE: &str = "1/90000";

/// What ffmpeg is to read.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A file, read as fast as its frames are taken.
    File(&'a Path),
    /// A network stream.
    Live(&'a str),
}

/// A version of ffmpeg, as far as its command line differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Whether it knows `-fps_mode` (5.1 and later) and not only `-vsync`.
    pub fps_mode: bool,
}

impl Version {
    /// From what `ffmpeg -version` says after `version`: `5.1.9-0+deb12u1`, `4.2.7`, `n6.0`, `N-1234-gabc`.
    pub fn parse(text: &str) -> Self {
        let mut numbers = text.trim_start_matches('n').split(['.', '-', '+']).map(str::parse::<u32>);
        let known = match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), minor) => Some((major, minor.and_then(std::result::Result::ok).unwrap_or(0))),
            _ => None, // a build from git: recent
        };
        Self { fps_mode: known.is_none_or(|v| v >= (5, 1)) }
    }
}

/// The error for a program that cannot be started.
pub fn cannot_start(program: &Path, error: &io::Error) -> Error {
    let name = program.display().to_string();
    if error.kind() == io::ErrorKind::NotFound {
        Error::unavailable(
            name,
            "not found; video files and rtsp cameras are read with ffmpeg",
            "install it (Debian, Ubuntu, Raspberry Pi OS, JetPack: `sudo apt install ffmpeg`) or use sim://",
        )
    } else {
        Error::unavailable(name, format!("cannot be started: {error}"), "check its installation and permissions")
    }
}

/// A running ffmpeg.
#[derive(Debug)]
pub struct Process {
    child: Child,
    tail: Arc<Mutex<Vec<u8>>>,
    tail_thread: Option<JoinHandle<()>>,
    secret: Option<String>,
}

impl Process {
    /// Start decoding `input`'s first video stream into a NUT stream of I420 frames.
    pub fn start(ffmpeg: &Path, version: Version, input: Input<'_>) -> Result<(Self, BufReader<ChildStdout>)> {
        let mut command = Command::new(ffmpeg);
        command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"]);
        let mut secret = None;
        match input {
            Input::File(path) => {
                command.arg("-i").arg(file_argument(path));
            }
            Input::Live(uri) => {
                if uri.starts_with("rtsp") {
                    command.args(["-rtsp_transport", "tcp"]);
                }
                command.args(["-fflags", "nobuffer", "-flags", "low_delay", "-analyzeduration", "1000000"]);
                command.args(["-i", uri]);
                secret = Some(uri.to_owned());
            }
        }
        // Capital V: no cover pictures. Every frame once, none repeated, none left out, each with its own time.
        command.args(["-map", "0:V:0"]);
        command.args(if version.fps_mode { ["-fps_mode", "passthrough"] } else { ["-vsync", "passthrough"] });
        command.args(["-enc_time_base", TIME_BASE]);
        command.args(["-vf", "scale=out_range=tv:flags=bicubic+accurate_rnd+bitexact"]);
        command.args(["-pix_fmt", "yuv420p", "-c:v", "rawvideo", "-f", "nut", "-write_index", "0", "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| cannot_start(ffmpeg, &e))?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let tail = Arc::new(Mutex::new(Vec::new()));
        let tail_thread = stderr.map(|from| {
            let to = Arc::clone(&tail);
            std::thread::spawn(move || keep_tail(from, &to))
        });
        let process = Self { child, tail, tail_thread, secret };
        match stdout {
            Some(stdout) => Ok((process, BufReader::new(stdout))),
            None => Err(Error::failed("ffmpeg", "has no standard output", "report this as a bug")),
        }
    }

    /// Kill it; reading its output ends.
    pub fn kill(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        let _ = self.child.kill();
    }

    /// Wait until it has ended and return its status and last line of error output (may be empty).
    pub fn finish(&mut self) -> (io::Result<ExitStatus>, String) {
        let status = self.child.wait();
        if let Some(thread) = self.tail_thread.take() {
            // The thread cannot panic, and its result is in `tail`.
            let _ = thread.join();
        }
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        (status, last_line(&tail, self.secret.as_deref()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.finish();
    }
}

/// `file:PATH`, so that no name is taken for an option or another protocol.
pub fn file_argument(path: &Path) -> PathBuf {
    let mut text = std::ffi::OsString::from("file:");
    text.push(path);
    PathBuf::from(text)
}

fn keep_tail(mut from: impl Read, to: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => {
                let mut tail = to.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend_from_slice(&buffer[..n]);
                let excess = tail.len().saturating_sub(TAIL_BYTES);
                tail.drain(..excess);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The last line that says something, without memory addresses (`[h264 @ 0x55d0]`, different in every run) and
/// passwords.
pub fn last_line(tail: &[u8], secret: Option<&str>) -> String {
    const SAYS_NOTHING: &str = "Invalid data found when processing input";
    let text = String::from_utf8_lossy(tail);
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let last = lines.next_back().unwrap_or_default();
    let line = if last.ends_with(SAYS_NOTHING) { lines.next_back().unwrap_or(last) } else { last };
    let mut line = match secret {
        Some(secret) => line.replace(secret, &redact(secret)),
        None => line.to_owned(),
    };
    while let Some(start) = line.find(" @ 0x") {
        let end = line[start..].find(']').map_or(line.len(), |e| start + e);
        line.replace_range(start..end, "");
    }
    line
}

/// `uri` without its user name and password.
pub fn redact(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_choose_the_option_that_they_know() {
        for (text, fps_mode) in [
            ("5.1.9-0+deb12u1", true),
            ("4.2.7-0ubuntu0.1", false),
            ("5.0.1", false),
            ("n6.0", true),
            ("N-109563-gabc", true),
            ("8", true),
        ] {
            assert_eq!(Version::parse(text), Version { fps_mode }, "{text}");
        }
    }

    #[test]
    fn the_last_line_has_neither_addresses_nor_passwords() {
        let uri = "rtsp://admin:s3cret@10.0.0.7:554/live";
        let tail = format!("first\n[rtsp @ 0x55e1f0] method DESCRIBE failed\n{uri}: Connection refused\n\n");
        assert_eq!(last_line(tail.as_bytes(), Some(uri)), "rtsp://***@10.0.0.7:554/live: Connection refused");
        let vague = b"[mov @ 0x5] moov atom not found\na.mp4: Invalid data found when processing input\n";
        assert_eq!(last_line(vague, None), "[mov] moov atom not found");
        assert_eq!(last_line(b"[h264 @ 0x7f] bad\n", None), "[h264] bad");
        assert_eq!(last_line(b"", None), "");
    }

    #[test]
    fn uris_without_a_password_stay_as_they_are() {
        assert_eq!(redact("rtsp://10.0.0.7/a@b"), "rtsp://10.0.0.7/a@b");
        assert_eq!(redact("rtsp://u:p@w@h/x"), "rtsp://***@h/x");
    }
}
