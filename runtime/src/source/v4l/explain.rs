//! A system call's error in, what is wrong with the camera and what to do about it out. Pure.

use std::io;

use super::mode::code_name;
use crate::Error;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opening the device node.
    Open,
    /// Asking what it is.
    Query,
    /// Setting format, size or rate, and asking for buffers.
    Set,
    /// Starting the stream.
    Start,
    /// Waiting for frames.
    Capture,
}

/// What sort of camera a driver stands for, where plain V4L2 gives no pictures.
fn sensor_of(driver: &str) -> Option<(&'static str, &'static str)> {
    match driver {
        "unicam" | "bcm2835-unicam" | "rp1-cfe" | "bcm2835-isp" | "pispbe" => Some((
            "is a CSI camera of a Raspberry Pi, whose pictures come through libcamera and not through Video4Linux",
            "serve it with `rpicam-vid -t 0 -n --inline --listen -o tcp://127.0.0.1:8554` and write `source = \
             \"tcp://127.0.0.1:8554\"`, or use a USB camera (docs/guide/cameras.md)",
        )),
        "tegra-video" | "tegra-camrtc-capture-vi" => Some((
            "is a CSI camera of a Jetson, whose pictures come through Argus and not through Video4Linux",
            "serve it with `nvarguscamerasrc` as an rtsp:// stream, or use a USB camera (docs/guide/cameras.md)",
        )),
        _ => None,
    }
}

/// An error of a camera at `device`, run by `driver` (empty where it is not known yet).
pub fn explain(device: &str, driver: &str, step: Step, error: &io::Error) -> Error {
    if let Some((problem, remedy)) = sensor_of(driver).filter(|_| matches!(step, Step::Set | Step::Start)) {
        return Error::unavailable(device, format!("{problem} ({error})"), remedy);
    }
    let (problem, remedy) = match (error.raw_os_error(), step) {
        (Some(libc::ENOENT | libc::ENXIO), _) => ("is not there", "plug it in; `tadpole cameras` lists what is"),
        (Some(libc::ENODEV), _) => ("is gone", "plug it in again; it is taken back when it returns"),
        (Some(libc::EACCES | libc::EPERM), _) => (
            "may not be opened by this user",
            "add the user to the group `video`: `sudo usermod -aG video $USER`, then log in anew",
        ),
        (Some(libc::EBUSY), _) => {
            ("is in use by another program", "end that program (`fuser -v DEVICE` names it), or list the camera once")
        }
        (Some(libc::ENOTTY), Step::Query) => ("is no camera", "`tadpole cameras` lists what is"),
        (Some(libc::ENOSPC), _) => (
            "has no room left on its USB bus",
            "ask for less (`format=mjpg`, a smaller `size` or `rate`), or plug it into a port of its own",
        ),
        (Some(libc::EIO | libc::EPROTO), _) | (_, Step::Capture) => {
            ("has a broken stream", "it is opened again; check cable and power")
        }
        (_, Step::Open) => ("cannot be opened", "`tadpole cameras` lists what can"),
        (_, Step::Query) => ("does not say what it is", "`tadpole cameras` lists what does"),
        (_, Step::Set) => ("does not take the settings", "`tadpole cameras` lists what it offers"),
        (_, Step::Start) => {
            ("does not start its stream", "ask for what `tadpole cameras` lists; check cable and power")
        }
    };
    Error::unavailable(device, format!("{problem} ({error})"), remedy)
}

/// The error for a camera that offers nothing that can be read: `offered` are its formats.
pub fn no_mode(device: &str, driver: &str, offered: &str, asked: &str) -> Error {
    match sensor_of(driver) {
        Some((problem, remedy)) => Error::unavailable(device, problem, remedy),
        None => Error::unavailable(
            device,
            format!("offers {offered}, and {asked} is asked"),
            "YUYV, NV12, GREY and MJPG can be read; `tadpole cameras` lists what it offers",
        ),
    }
}

/// The error for an answer that cannot be read, `code`, to a format that was offered.
pub fn other_format(device: &str, code: [u8; 4]) -> Error {
    Error::unavailable(
        device,
        format!("answers with the format {}, which cannot be read", code_name(code)),
        "ask for another `format=` or `size=`; `tadpole cameras` lists what it offers",
    )
}

/// The error for a device that captures nothing, or not in a way that can be read.
pub fn no_capture(device: &str, driver: &str, multi_planar: bool) -> Error {
    let problem = match (sensor_of(driver), multi_planar) {
        (Some((problem, remedy)), _) => return Error::unavailable(device, problem, remedy),
        (None, true) => "captures into several planes, which cannot be read",
        (None, false) => "captures no pictures",
    };
    Error::unavailable(device, problem, "`tadpole cameras` lists what does; a camera may have several nodes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn told(driver: &str, step: Step, code: i32) -> String {
        let error = explain("/dev/video0", driver, step, &io::Error::from_raw_os_error(code));
        assert_eq!(error.kind, ErrorKind::Unavailable, "it may come back");
        assert!(error.to_string().starts_with("/dev/video0: "), "{error}");
        error.to_string()
    }

    #[test]
    fn every_common_cause_has_its_remedy() {
        for (step, code, part) in [
            (Step::Open, libc::ENOENT, "plug it in"),
            (Step::Open, libc::EACCES, "usermod -aG video"),
            (Step::Set, libc::EBUSY, "another program"),
            (Step::Start, libc::ENOSPC, "format=mjpg"),
            (Step::Query, libc::ENOTTY, "is no camera"),
            (Step::Capture, libc::ENODEV, "is gone"),
            (Step::Capture, libc::EIO, "broken stream"),
            (Step::Start, libc::EINVAL, "does not start"),
        ] {
            let told = told("uvcvideo", step, code);
            assert!(told.contains(part), "{step:?} {code}: {told}");
        }
    }

    #[test]
    fn a_ribbon_cable_camera_is_told_how_it_is_read() {
        for driver in ["unicam", "rp1-cfe"] {
            assert!(told(driver, Step::Start, libc::EINVAL).contains("rpicam-vid"));
            assert!(no_mode("/dev/video0", driver, "pgAA", "auto").to_string().contains("libcamera"));
            assert!(no_capture("/dev/video0", driver, true).to_string().contains("libcamera"));
        }
        assert!(told("tegra-video", Step::Start, libc::EINVAL).contains("nvarguscamerasrc"));
        assert!(told("unicam", Step::Capture, libc::ENODEV).contains("is gone"));
    }
}
