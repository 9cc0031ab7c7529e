//! A URI in, the source that it names out.

use std::path::Path;

use super::ffmpeg::{FfmpegSource, Options};
use super::filter::{Filter, Filtered};
use super::paced::Paced;
use super::rows::RowSource;
use super::sim::SimSource;
use super::{Source, SourceInfo, v4l};
use crate::{Error, Result};

/// What a URI names: frames for the whole path, or rows that enter behind the extractor.
#[allow(clippy::large_enum_variant)] // There is one of them per camera.
pub enum Opened {
    /// Frames.
    Frames(Box<dyn Source>),
    /// Recorded feature rows.
    Rows(RowSource),
}

impl Opened {
    /// Frames behind the filter that `make` makes for their source; rows have none, and stay what they are.
    #[must_use]
    pub fn behind<F: Filter + 'static>(self, make: impl FnOnce(&SourceInfo) -> F) -> Self {
        match self {
            Self::Frames(source) => {
                let filter = make(source.info());
                Self::Frames(Box::new(Filtered::new(source, filter)))
            }
            rows @ Self::Rows(_) => rows,
        }
    }
}

const KNOWN: &str = "use a video file's path, file://, v4l://, rtsp://, sim:// or features://";

/// Open the source that `uri` names.
///
/// # Errors
/// For an unknown scheme, and whatever the source itself refuses.
pub fn open(uri: &str) -> Result<Opened> {
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    if Path::new(path).extension().is_some_and(|e| e == "sim") {
        return open_sim_file(path);
    }
    let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
    match scheme {
        "features" => RowSource::open(uri).map(Opened::Rows),
        "" | "file" | "rtsp" | "rtsps" | "tcp" => {
            Ok(Opened::Frames(Box::new(FfmpegSource::open(uri, &Options::default())?)))
        }
        "sim" => Ok(Opened::Frames(Box::new(SimSource::open(uri)?))),
        "v4l" => Ok(Opened::Frames(v4l::open(uri)?)),
        other => Err(Error::invalid(uri, format!("has the unknown scheme {other}://"), KNOWN)),
    }
}

/// Open a source as a camera: simulated roads run at the speed of life.
///
/// # Errors
/// Those of [`open`].
pub fn open_live(uri: &str) -> Result<Opened> {
    if uri.starts_with("sim://") {
        return Ok(Opened::Frames(Box::new(Paced::new(SimSource::open(uri)?))));
    }
    open(uri)
}

/// A `.sim` file holds one line, the `sim://` URI of a simulated recording.
fn open_sim_file(path: &str) -> Result<Opened> {
    let remedy = "write one with `tadpole-trainer simulate`, or a line such as sim://?seed=1";
    let text = std::fs::read_to_string(path).map_err(|e| Error::unreadable(path, &e, remedy))?;
    match text.trim() {
        uri if uri.starts_with("sim://") && !uri.contains('\n') => Ok(Opened::Frames(Box::new(SimSource::open(uri)?))),
        _ => Err(Error::corrupt(path, "does not hold one sim:// line", remedy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn unknown_schemes_are_refused_with_the_known_ones() {
        for uri in ["gopher://x", "http://example.org/a.mp4"] {
            let e = open(uri).err().unwrap();
            assert_eq!(e.kind, ErrorKind::InvalidInput);
            assert!(e.to_string().contains("rtsp://") && e.to_string().contains(uri), "{e}");
        }
    }

    #[test]
    fn sim_gives_frames() {
        let Opened::Frames(source) = open("sim://?seed=1&seconds=2").unwrap() else {
            panic!("rows");
        };
        assert!(!source.info().live);
    }

    #[test]
    fn a_scheme_finds_its_source() {
        for uri in ["features:///no/such.npy", "/no/such.mp4", "file:///no/such.mp4"] {
            let e = open(uri).err().unwrap();
            assert!(e.to_string().contains("there is no such file"), "{e}");
        }
    }
}
