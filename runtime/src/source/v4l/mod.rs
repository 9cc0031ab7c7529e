//! Cameras of this machine, through V4L2: a `v4l://` URI in, native frames out.
//!
//! | file | what | |
//! |---|---|---|
//! | [`mode`] | what a driver offers and what is asked → the mode to set | pure |
//! | [`picture`] | a driver's buffer → a [`Frame`](super::Frame), whatever its bytes per line | pure |
//! | [`jpeg`] | a Motion JPEG frame → the same | pure |
//! | [`explain`] | a system call's error → what is wrong and what to do | pure |
//! | [`nodes`] | device nodes, and which of them a name means | reads folders |
//! | `device` | opening, setting, capturing | cargo feature `v4l` |
//! | `survey` | every camera with what it can do | cargo feature `v4l` |
//!
//! A camera that is away, fails or falls silent is no error: [`live`](super::live) reports a gap and opens it again.
//! Refused at opening: a URI that names no camera, and a build without the feature, which needs libclang to be built.
//!
//! Caveats. Only drivers that capture into one plane per picture (every USB camera). The cameras on a Raspberry Pi's or
//! Jetson's ribbon cable give raw sensor data here: [`explain`] says how they are read. Motion JPEG is full range and
//! arrives as RGB. Interlaced pictures are taken as they are.

#[cfg(feature = "v4l")]
pub mod device;
pub mod explain;
pub mod jpeg;
pub mod mode;
pub mod nodes;
pub mod picture;
#[cfg(feature = "v4l")]
pub mod survey;

use firmware_config::v4l::V4lUri;

use super::Source;
use crate::{Error, Result};

/// Open the camera that a `v4l://` URI names.
///
/// # Errors
/// When the URI names no camera, or this build reads none. A camera that is not there is waited for.
pub fn open(uri: &str) -> Result<Box<dyn Source>> {
    let parsed = V4lUri::parse(uri).map_err(|e| Error::invalid(uri, e.problem, e.remedy))?;
    start(uri, parsed)
}

#[cfg(feature = "v4l")]
fn start(uri: &str, parsed: V4lUri) -> Result<Box<dyn Source>> {
    use super::live::{Live, Patience};
    Ok(Box::new(Live::start(uri, Box::new(device::V4lOpener::new(parsed)), Patience::default())?))
}

#[cfg(not(feature = "v4l"))]
fn start(uri: &str, _: V4lUri) -> Result<Box<dyn Source>> {
    Err(not_built(uri))
}

/// The error of a build that reads no local cameras.
pub fn not_built(subject: &str) -> Error {
    Error::invalid(
        subject,
        "local cameras are not in this build, which lacks the cargo feature `v4l`",
        "build it with cargo's default features (needs libclang), or use the camera's rtsp:// stream",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_uri_that_names_no_camera_is_refused_at_once() {
        let error = open("v4l:///dev/video0?fps=30").err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert!(error.to_string().contains("unknown setting `fps`"), "{error}");
    }

    #[cfg(not(feature = "v4l"))]
    #[test]
    fn a_build_without_cameras_names_the_feature() {
        let error = open("v4l:///dev/video0").err().unwrap();
        assert!(error.to_string().contains("default features"), "{error}");
    }

    #[cfg(feature = "v4l")]
    #[test]
    fn a_camera_that_is_not_there_is_a_gap_and_stops_at_once() {
        use crate::source::Advance;
        let mut source = open("v4l:///dev/video-that-is-not-there").unwrap();
        let Advance::Gap { reason } = source.advance().unwrap() else { panic!("no gap") };
        assert!(reason.contains("/dev/video-that-is-not-there") && reason.contains("tadpole cameras"), "{reason}");
        source.stopper().stop();
        assert_eq!(source.advance().unwrap(), Advance::End);
    }
}
