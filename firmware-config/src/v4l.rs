//! The URI of a local camera: text comes in, a checked [`V4lUri`] goes out. Nothing is opened or looked up here.
//!
//! ```text
//! v4l:///dev/video0?size=640x480&rate=30&format=auto     by path
//! v4l:///dev/v4l/by-id/usb-046d_C920-video-index0        by a link that stays the same from plug to plug
//! v4l://HD Pro Webcam C920?size=1280x720                 by the name that the camera gives itself
//! ```
//!
//! The device is taken as it is written, without `%` escapes. All that follows the `?` may be left out. Refused: unknown
//! or repeated settings, and values that no camera has.

use std::fmt;

/// Pictures are at most this wide and high, in pixels.
pub const V4L_SIDE_MAX: u32 = 8192;

/// A local camera and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct V4lUri {
    /// Which camera.
    pub device: V4lDevice,
    /// Width and height in pixels; the driver may give another.
    pub size: Option<(u32, u32)>,
    /// Frames per second; the driver may give another.
    pub rate_hz: Option<f32>,
    /// How pixels come.
    pub format: V4lFormat,
}

/// Which camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V4lDevice {
    /// A device node, or a link to one.
    Path(String),
    /// The name that a camera gives itself, or that of its link in `/dev/v4l/by-id`.
    Name(String),
}

/// How pixels come from a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum V4lFormat {
    /// Whatever suits best.
    #[default]
    Auto,
    /// Packed 4:2:2.
    Yuyv,
    /// Luma, then interleaved chroma at half the resolution.
    Nv12,
    /// Luma alone.
    Grey,
    /// A JPEG picture for each frame.
    Mjpg,
}

/// Why a URI names no local camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct V4lUriError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl V4lUri {
    /// The scheme, with what parts it from the rest.
    pub const SCHEME: &'static str = "v4l://";

    /// Read a URI.
    ///
    /// # Errors
    /// With the setting that is wrong.
    pub fn parse(uri: &str) -> Result<Self, V4lUriError> {
        let example = "write `v4l:///dev/video0?size=640x480&rate=30&format=auto`";
        let Some(rest) = uri.strip_prefix(Self::SCHEME) else {
            return refuse("is no `v4l://` URI", example);
        };
        let (device, settings) = rest.split_once('?').unwrap_or((rest, ""));
        if device.is_empty() || device.ends_with('/') || device.contains('\0') {
            return refuse("names no camera", example);
        }
        let device = match device.strip_prefix('/') {
            Some(_) => V4lDevice::Path(device.into()),
            None if device.contains('/') => {
                return refuse(
                    format!("`{device}` is neither a path nor a name"),
                    format!("write three slashes: `v4l:///{device}`"),
                );
            }
            None => V4lDevice::Name(device.into()),
        };
        let mut found = Self { device, size: None, rate_hz: None, format: V4lFormat::Auto };
        let mut seen = Vec::new();
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            if seen.contains(&key) {
                return refuse(format!("sets `{key}` twice"), "set it once");
            }
            seen.push(key);
            match key {
                "size" => found.size = Some(size(value)?),
                "rate" => found.rate_hz = Some(rate(value)?),
                "format" => found.format = format(value)?,
                _ => {
                    return refuse(format!("has the unknown setting `{key}`"), "`size`, `rate` and `format` are known");
                }
            }
        }
        Ok(found)
    }
}

fn refuse<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, V4lUriError> {
    Err(V4lUriError { problem: problem.into(), remedy: remedy.into() })
}

fn size(value: &str) -> Result<(u32, u32), V4lUriError> {
    let side = |text: &str| text.parse().ok().filter(|side| (16..=V4L_SIDE_MAX).contains(side));
    match value.split_once('x').map(|(width, height)| (side(width), side(height))) {
        Some((Some(width), Some(height))) => Ok((width, height)),
        _ => refuse(
            format!("has the size `{value}`"),
            format!("write width x height in pixels, such as `640x480`, each 16 to {V4L_SIDE_MAX}"),
        ),
    }
}

fn rate(value: &str) -> Result<f32, V4lUriError> {
    match value.parse() {
        Ok(rate) if (1.0..=240.0).contains(&rate) => Ok(rate),
        _ => refuse(format!("has the rate `{value}`"), "write frames per second, 1 to 240"),
    }
}

fn format(value: &str) -> Result<V4lFormat, V4lUriError> {
    match V4lFormat::ALL.into_iter().find(|format| format.to_string() == value) {
        Some(format) => Ok(format),
        None => refuse(
            format!("has the format `{value}`"),
            format!("{} are known", V4lFormat::ALL.map(|format| format!("`{format}`")).join(", ")),
        ),
    }
}

impl V4lFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Yuyv, Self::Nv12, Self::Grey, Self::Mjpg];
}

impl fmt::Display for V4lFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Yuyv => "yuyv",
            Self::Nv12 => "nv12",
            Self::Grey => "grey",
            Self::Mjpg => "mjpg",
        })
    }
}

impl fmt::Display for V4lDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Name(name) => write!(f, "camera \"{name}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_all_settings() {
        let uri = V4lUri::parse("v4l:///dev/video0?size=640x480&rate=7.5&format=mjpg").unwrap();
        let device = V4lDevice::Path("/dev/video0".into());
        assert_eq!(uri, V4lUri { device, size: Some((640, 480)), rate_hz: Some(7.5), format: V4lFormat::Mjpg });
    }

    #[test]
    fn a_link_and_a_name_without_settings() {
        let link = "v4l:///dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0";
        let path = V4lDevice::Path(link["v4l://".len()..].into());
        assert_eq!(V4lUri::parse(link).unwrap().device, path);
        let named = V4lUri::parse("v4l://HD Pro Webcam C920").unwrap();
        assert_eq!(named.device, V4lDevice::Name("HD Pro Webcam C920".into()));
        assert_eq!((named.size, named.rate_hz, named.format), (None, None, V4lFormat::Auto));
    }

    #[test]
    fn what_no_camera_has_is_refused_by_name() {
        for (uri, part) in [
            ("rtsp://host", "no `v4l://` URI"),
            ("v4l://", "names no camera"),
            ("v4l:///dev/", "names no camera"),
            ("v4l://dev/video0", "v4l:///dev/video0"),
            ("v4l:///dev/video0?size=640", "the size `640`"),
            ("v4l:///dev/video0?size=0x480", "the size"),
            ("v4l:///dev/video0?size=640x99999", "the size"),
            ("v4l:///dev/video0?rate=0", "the rate `0`"),
            ("v4l:///dev/video0?rate=nan", "the rate"),
            ("v4l:///dev/video0?format=h264", "`auto`, `yuyv`"),
            ("v4l:///dev/video0?fps=30", "unknown setting `fps`"),
            ("v4l:///dev/video0?rate=30&rate=25", "`rate` twice"),
        ] {
            let told = V4lUri::parse(uri).unwrap_err().to_string();
            assert!(told.contains(part), "{uri}: {told}");
        }
    }
}
