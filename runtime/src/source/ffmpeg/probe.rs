//! What ffprobe knows of a recording before it is decoded; and the refusals: missing, a folder, empty, not a video.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::child::{Version, cannot_start, file_argument, last_line};
use crate::{Error, Result};

/// What is known of a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Average frames per second.
    pub rate_hz: Option<f64>,
    /// Number of frames, where the container says.
    pub frames: Option<u64>,
    /// The program's version.
    pub version: Version,
}

#[derive(Deserialize)]
struct Answer {
    program_version: ProgramVersion,
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct ProgramVersion {
    version: String,
}

#[derive(Deserialize)]
struct Stream {
    avg_frame_rate: Option<String>,
    nb_frames: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    format_name: Option<String>,
}

/// The path that a plain path or a `file://` URI names.
///
/// # Errors
/// When the URI names another host or has a broken escape.
pub fn path_of(uri: &str) -> Result<PathBuf> {
    let Some(rest) = uri.strip_prefix("file://") else {
        return Ok(PathBuf::from(uri));
    };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(Error::invalid(
            uri,
            "a file URI has an absolute path",
            "write file:///folder/video.mp4, or the plain path",
        ));
    }
    percent_decoded(path)
        .ok_or_else(|| Error::invalid(uri, "has a broken % escape", "write % as %25, or give the plain path"))
}

#[cfg(unix)]
fn percent_decoded(text: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    Some(std::ffi::OsString::from_vec(bytes).into())
}

/// Refuse what cannot be a readable, non-empty file.
///
/// # Errors
/// Naming the file and what it is instead.
pub fn check_file(path: &Path) -> Result<()> {
    let name = path.display().to_string();
    let meta = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::invalid(&name, "there is no such file", "check the path"),
        _ => Error::invalid(&name, format!("cannot be looked at: {e}"), "check the permissions of its folders"),
    })?;
    if meta.is_dir() {
        return Err(Error::invalid(name, "is a folder", "name one file in it"));
    }
    File::open(path).map_err(|e| Error::unreadable(&name, &e, "check its permissions"))?;
    if meta.is_file() && meta.len() == 0 {
        return Err(Error::corrupt(name, "is empty", "copy or record it again"));
    }
    Ok(())
}

/// Ask ffprobe about the file at `path`.
///
/// # Errors
/// When ffprobe is missing, cannot read the file, or finds no video in it.
pub fn probe(ffprobe: &Path, path: &Path) -> Result<Probe> {
    let name = path.display().to_string();
    let output = Command::new(ffprobe)
        .args(["-v", "error", "-of", "json", "-show_program_version", "-select_streams", "V:0"])
        .args(["-show_entries", "stream=avg_frame_rate,nb_frames:format=format_name"])
        .arg(file_argument(path))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| cannot_start(ffprobe, &e))?;
    let said = last_line(&output.stderr, None);
    if !output.status.success() {
        return Err(Error::corrupt(
            name,
            format!("cannot be read as a video: {}", if said.is_empty() { "ffprobe failed" } else { &said }),
            "check that it plays, and copy or convert it again",
        ));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|e| {
        Error::failed(&name, format!("ffprobe's answer was not understood: {e}"), "check the ffmpeg installation")
    })?;
    // ffmpeg renders any text file as a terminal's screen.
    if answer.format.and_then(|f| f.format_name).is_some_and(|f| f == "tty") {
        return Err(Error::invalid(name, "is text, not a video", "name a video file"));
    }
    let Some(stream) = answer.streams.first() else {
        return Err(Error::invalid(name, "has no video stream", "name a file with a picture track"));
    };
    Ok(Probe {
        rate_hz: stream.avg_frame_rate.as_deref().and_then(rate),
        frames: stream.nb_frames.as_deref().and_then(|n| n.parse().ok()).filter(|&n| n > 0),
        version: Version::parse(&answer.program_version.version),
    })
}

/// The version of ffmpeg itself, which shows at once whether it is there.
///
/// # Errors
/// When it cannot be started.
pub fn version(ffmpeg: &Path) -> Result<Version> {
    let output =
        Command::new(ffmpeg).arg("-version").stdin(Stdio::null()).output().map_err(|e| cannot_start(ffmpeg, &e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Version::parse(text.split_whitespace().nth(2).unwrap_or_default()))
}

/// `30000/1001` as a number; `0/0` is unknown.
fn rate(text: &str) -> Option<f64> {
    let (num, denom) = text.split_once('/')?;
    let rate = num.parse::<f64>().ok()? / denom.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn file_uris_become_paths() {
        assert_eq!(path_of("a b.mp4").unwrap(), PathBuf::from("a b.mp4"));
        assert_eq!(path_of("file:///x/a%20b.mp4").unwrap(), PathBuf::from("/x/a b.mp4"));
        assert_eq!(path_of("file://localhost/x").unwrap(), PathBuf::from("/x"));
        for bad in ["file://host/x", "file:///x%2", "file:///x%zz"] {
            assert_eq!(path_of(bad).unwrap_err().kind, ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn rates_are_ratios() {
        assert_eq!(rate("25/1"), Some(25.0));
        assert_eq!(rate("0/0"), None);
        assert_eq!(rate("x"), None);
    }

    #[test]
    fn files_that_cannot_be_videos_are_refused_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.mp4");
        std::fs::write(&empty, b"").unwrap();
        for (path, kind, word) in [
            (folder.path().join("none.mp4"), ErrorKind::InvalidInput, "no such file"),
            (folder.path().to_owned(), ErrorKind::InvalidInput, "folder"),
            (empty, ErrorKind::Corrupt, "empty"),
        ] {
            let e = check_file(&path).unwrap_err();
            assert_eq!(e.kind, kind);
            assert!(e.to_string().contains(word) && e.to_string().contains(path.to_str().unwrap()), "{e}");
        }
    }

    #[test]
    fn a_missing_program_says_how_to_install_it() {
        let e = version(Path::new("/nowhere/ffmpeg")).unwrap_err();
        assert_eq!(e.kind, ErrorKind::Unavailable);
        assert!(e.to_string().contains("apt install ffmpeg"), "{e}");
    }
}
