//! A URI in, the source that it names out.

use super::Source;
use super::ffmpeg::{FfmpegSource, Options};
use super::rows::RowSource;
use crate::{Error, Result};

/// What a URI names: frames for the whole path, or rows that enter behind the extractor.
pub enum Opened {
    /// Frames.
    Frames(Box<dyn Source>),
    /// Recorded feature rows.
    Rows(RowSource),
}

const KNOWN: &str = "use a video file's path, file://, rtsp://, sim:// or features://";

/// Open the source that `uri` names.
///
/// # Errors
/// For an unknown scheme, and whatever the source itself refuses.
pub fn open(uri: &str) -> Result<Opened> {
    let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
    match scheme {
        "features" => RowSource::open(uri).map(Opened::Rows),
        "" | "file" | "rtsp" | "rtsps" | "tcp" => Ok(Opened::Frames(Box::new(FfmpegSource::open(
            uri,
            Options::default(),
        )?))),
        "sim" => Err(Error::invalid(
            uri,
            "the simulated roadside is not in this build",
            KNOWN,
        )),
        "v4l" => Err(Error::invalid(
            uri,
            "local cameras are not in this build",
            "install the camera firmware build, or use rtsp://",
        )),
        other => Err(Error::invalid(
            uri,
            format!("has the unknown scheme {other}://"),
            KNOWN,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn unknown_schemes_are_refused_with_the_known_ones() {
        for uri in [
            "gopher://x",
            "http://example.org/a.mp4",
            "v4l:///dev/video0",
        ] {
            let e = open(uri).err().unwrap();
            assert_eq!(e.kind, ErrorKind::InvalidInput);
            assert!(
                e.to_string().contains("rtsp://") && e.to_string().contains(uri),
                "{e}"
            );
        }
    }

    #[test]
    fn a_scheme_finds_its_source() {
        for uri in [
            "features:///no/such.npy",
            "/no/such.mp4",
            "file:///no/such.mp4",
        ] {
            let e = open(uri).err().unwrap();
            assert!(e.to_string().contains("there is no such file"), "{e}");
        }
    }
}
