//! A camera's device: the only place that talks to a driver. Everything that decides is in the pure files beside it.
//!
//! The bindings' traps, and what is done about them: waiting has no limit unless one is set; after a time-out the
//! buffer is with the driver already, and `next` would queue it twice; a stream whose closing fails panics; so does
//! an answer that they do not know ([`live`](crate::source::live) catches that).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::v4l::buffer::{Flags as BufferFlags, Metadata, Type};
use ::v4l::capability::Flags as Capability;
use ::v4l::io::mmap::Stream;
use ::v4l::io::traits::CaptureStream;
use ::v4l::video::Capture as _;
use ::v4l::video::capture::Parameters;
use ::v4l::{Device, Format, FourCC, Fraction};
use firmware_config::v4l::{V4lDevice, V4lUri};

use super::explain::{Step, explain, no_capture, no_mode, other_format};
use super::mode::{self, Interval, Intervals, Mode, Offer, Pixels};
use super::nodes;
use super::picture::Layout;
use crate::source::Frame;
use crate::source::live::{Camera, Captured, Opener};
use crate::{Error, Result};

/// Buffers between driver and firmware.
const BUFFERS: u32 = 4;
/// The shortest time to wait for one frame.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// A jump of frame numbers beyond this is no loss of frames.
const LOST_MAX: u32 = 10_000;

/// Opens the camera of a URI.
pub struct V4lOpener {
    uri: V4lUri,
    /// What was got last time: told once, not at every reconnect.
    told: String,
}

impl V4lOpener {
    /// Nothing is opened yet.
    pub fn new(uri: V4lUri) -> Self {
        Self { uri, told: String::new() }
    }
}

impl Opener for V4lOpener {
    fn open(&mut self) -> Result<Box<dyn Camera>> {
        let path = locate(&self.uri.device)?;
        let name = path.display().to_string();
        let (device, driver, card) = open_capture(&path)?;
        let failed = |step| {
            let (name, driver) = (&name, &driver);
            move |error: io::Error| explain(name, driver, step, &error)
        };
        let offers = offers(&device, mode::size_wanted(&self.uri));
        let mode = mode::choose(&offers, &self.uri)
            .map_err(|offered| no_mode(&name, &driver, &offered, &self.uri.format.to_string()))?;
        let layout = set_format(&device, &mode, &name, failed(Step::Set))?;
        let rate_hz = set_interval(&device, mode.interval);
        let told = format!("{card} ({driver}) gives {}", describe(&layout, rate_hz));
        if told != self.told {
            log::info!("{name}: {told}");
            for difference in differences(&self.uri, &layout, rate_hz) {
                log::warn!("{name}: {difference}");
            }
            self.told = told;
        }
        let mut stream = Stream::with_buffers(&device, Type::VideoCapture, BUFFERS).map_err(failed(Step::Set))?;
        let interval = rate_hz.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.5 / rate.max(1.0)));
        stream.set_timeout(interval.max(WAIT_MIN));
        Ok(Box::new(V4lCamera {
            name,
            driver,
            stream: Some(stream),
            layout,
            rate_hz,
            sequence: None,
            queued: false,
            refused: false,
        }))
    }
}

/// Where the device is now.
fn locate(device: &V4lDevice) -> Result<PathBuf> {
    match device {
        V4lDevice::Path(path) => Ok(path.into()),
        V4lDevice::Name(name) => {
            let mut nodes = nodes::list();
            for node in &mut nodes {
                // The name that the driver gives may be another than the kernel's.
                node.names.extend(open_capture(&node.path).ok().map(|(_, _, card)| card));
            }
            nodes::pick(&nodes, name).map(Path::to_path_buf)
        }
    }
}

/// Open a node that captures pictures into one plane; with its driver's and its own name.
pub(super) fn open_capture(path: &Path) -> Result<(Device, String, String)> {
    let name = path.display().to_string();
    let device = Device::with_path(path).map_err(|e| explain(&name, "", Step::Open, &e))?;
    let caps = device.query_caps().map_err(|e| explain(&name, "", Step::Query, &e))?;
    let can = |flag| caps.capabilities.contains(flag);
    // Memory to memory devices are codecs and scalers.
    if !can(Capability::VIDEO_CAPTURE) || !can(Capability::STREAMING) || can(Capability::VIDEO_M2M) {
        return Err(no_capture(&name, &caps.driver, can(Capability::VIDEO_CAPTURE_MPLANE)));
    }
    Ok((device, caps.driver, caps.card))
}

/// What the driver offers at or near `wanted` pixels.
fn offers(device: &Device, wanted: (u32, u32)) -> Vec<Offer> {
    use ::v4l::framesize::FrameSizeEnum;
    let mut offers = Vec::new();
    for format in device.enum_formats().unwrap_or_default() {
        let sizes = device.enum_framesizes(format.fourcc).unwrap_or_default();
        let mut sizes: Vec<_> = sizes
            .into_iter()
            .map(|size| match size.size {
                FrameSizeEnum::Discrete(size) => (size.width, size.height),
                FrameSizeEnum::Stepwise(range) => (
                    mode::fit(wanted.0, (range.min_width, range.max_width), range.step_width),
                    mode::fit(wanted.1, (range.min_height, range.max_height), range.step_height),
                ),
            })
            .collect();
        if sizes.is_empty() {
            // A driver that lists no sizes answers with the nearest.
            sizes.push(wanted);
        }
        let code = format.fourcc.repr;
        offers.extend(sizes.into_iter().map(|size| Offer { code, size, intervals: intervals(device, code, size) }));
    }
    offers
}

/// The intervals that the driver offers.
pub(super) fn intervals(device: &Device, code: [u8; 4], (width, height): (u32, u32)) -> Intervals {
    use ::v4l::frameinterval::FrameIntervalEnum;
    let of = |fraction: Fraction| Interval { numerator: fraction.numerator, denominator: fraction.denominator };
    let mut listed = Vec::new();
    for offered in device.enum_frameintervals(FourCC::new(&code), width, height).unwrap_or_default() {
        match offered.interval {
            FrameIntervalEnum::Discrete(interval) => listed.push(of(interval)),
            FrameIntervalEnum::Stepwise(range) => {
                return Intervals::Between { shortest: of(range.min), longest: of(range.max) };
            }
        }
    }
    if listed.is_empty() { Intervals::Unknown } else { Intervals::Listed(listed) }
}

/// Set format and size; what the driver made of it.
fn set_format(device: &Device, mode: &Mode, name: &str, failed: impl Fn(io::Error) -> Error) -> Result<Layout> {
    let wish = Format::new(mode.size.0, mode.size.1, FourCC::new(&mode.code));
    let got = device.set_format(&wish).map_err(failed)?;
    let pixels = Pixels::of(got.fourcc.repr).ok_or_else(|| other_format(name, got.fourcc.repr))?;
    let side = 1..=firmware_config::v4l::V4L_SIDE_MAX;
    if !side.contains(&got.width) || !side.contains(&got.height) {
        let problem = format!("answers with the size {}x{}", got.width, got.height);
        return Err(Error::unavailable(name, problem, "ask for another `size=`; `tadpole cameras` lists them"));
    }
    Ok(Layout { pixels, size: (got.width, got.height), bytes_per_line: got.stride })
}

/// Set the interval; the rate that the driver made of it, where it tells. A driver may have no say in it.
fn set_interval(device: &Device, interval: Interval) -> Option<f64> {
    let fraction = Fraction::new(interval.numerator, interval.denominator);
    let set = device.set_params(&Parameters::new(fraction)).or_else(|_| device.params());
    let got = set.ok()?.interval;
    Interval { numerator: got.numerator, denominator: got.denominator }.rate_hz()
}

fn describe(layout: &Layout, rate_hz: Option<f64>) -> String {
    let (width, height) = layout.size;
    let rate = rate_hz.map_or("an unknown rate".into(), |rate| format!("{} Hz", hundredths(rate)));
    format!("{:?} {width}x{height} at {rate}, {} bytes per line", layout.pixels, layout.bytes_per_line)
}

fn hundredths(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

/// What was asked and is not so.
fn differences(uri: &V4lUri, layout: &Layout, rate_hz: Option<f64>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((width, height)) = uri.size.filter(|size| *size != layout.size) {
        found.push(format!("asked for {width}x{height}, the driver gives {}x{}", layout.size.0, layout.size.1));
    }
    if let (Some(asked), Some(got)) = (uri.rate_hz, rate_hz)
        && (f64::from(asked) - got).abs() > 0.01 * got
    {
        found.push(format!("asked for {asked} frames per second, the driver gives {}", hundredths(got)));
    }
    found
}

/// An open camera whose stream has been set up; it starts with the first frame.
struct V4lCamera {
    name: String,
    driver: String,
    /// Taken only to be closed.
    stream: Option<Stream<'static>>,
    layout: Layout,
    rate_hz: Option<f64>,
    /// The driver's number of the last frame.
    sequence: Option<u32>,
    /// The buffer that `next` would queue is with the driver already.
    queued: bool,
    /// The driver refused a buffer just now.
    refused: bool,
}

impl Camera for V4lCamera {
    fn mode(&self) -> ((u32, u32), Option<f64>) {
        (self.layout.size, self.rate_hz)
    }

    fn capture(&mut self, frame: &mut Frame) -> Result<Captured> {
        let Some(stream) = &mut self.stream else { return Ok(Captured::Nothing("it is closed")) };
        if self.queued {
            // Its frame cannot be had from the bindings, and counts as lost; the next can.
            let taken = stream.dequeue();
            return match taken {
                Ok(_) => {
                    self.queued = false;
                    Ok(Captured::Nothing("frames come too slowly"))
                }
                Err(error) if is_silence(&error) => Ok(Captured::Nothing("no frame came in time")),
                Err(error) => Err(explain(&self.name, &self.driver, Step::Capture, &error)),
            };
        }
        match stream.next() {
            Ok((buffer, meta)) => {
                self.refused = false;
                let lost = lost(&mut self.sequence, meta.sequence);
                if meta.flags.contains(BufferFlags::ERROR) {
                    return Ok(Captured::Nothing("its driver marks every picture as damaged"));
                }
                let used = buffer.get(..meta.bytesused as usize).unwrap_or(buffer);
                Ok(match self.layout.unpack(used, frame) {
                    Ok(()) => Captured::Frame { stamp: stamp(meta), lost },
                    Err(why) => Captured::Nothing(why),
                })
            }
            Err(error) if is_silence(&error) => {
                self.queued = true;
                Ok(Captured::Nothing("no frame came in time"))
            }
            // A stream that runs goes on after one refused buffer.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.sequence.is_some() && !self.refused => {
                self.refused = true;
                Ok(Captured::Nothing("its driver refuses buffers"))
            }
            Err(error) => {
                let step = if self.sequence.is_some() { Step::Capture } else { Step::Start };
                Err(explain(&self.name, &self.driver, step, &error))
            }
        }
    }
}

impl Drop for V4lCamera {
    fn drop(&mut self) {
        let stream = self.stream.take();
        if catch_unwind(AssertUnwindSafe(|| drop(stream))).is_err() {
            log::warn!("{}: its stream could not be closed in order", self.name);
        }
    }
}

/// No frame, and nothing wrong with the stream: time-out, signal, or a buffer that another took.
fn is_silence(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => true,
        io::ErrorKind::WouldBlock => {
            // The driver said that there was something: do not ask it in a circle.
            std::thread::sleep(Duration::from_millis(5));
            true
        }
        _ => false,
    }
}

/// Frames between the last and this one, by the driver's numbers.
fn lost(last: &mut Option<u32>, sequence: u32) -> u64 {
    let jump = last.replace(sequence).map_or(0, |last| sequence.wrapping_sub(last).saturating_sub(1));
    if jump > LOST_MAX { 0 } else { jump.into() }
}

/// The frame's time on the kernel's monotonic clock, where that is what the driver gives.
fn stamp(meta: &Metadata) -> Option<Duration> {
    if !meta.flags.contains(BufferFlags::TIMESTAMP_MONOTONIC) {
        return None;
    }
    let seconds = u64::try_from(meta.timestamp.sec).ok()?;
    let micros = u64::try_from(meta.timestamp.usec).ok()?;
    Some(Duration::from_secs(seconds) + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_of_the_drivers_numbers_are_lost_frames() {
        let mut last = None;
        let numbers = [7, 8, 11, 11, u32::MAX, 0, 3];
        assert_eq!(numbers.map(|number| lost(&mut last, number)), [0, 0, 2, 0, 0, 0, 2]);
    }

    #[test]
    fn what_was_asked_and_not_given_is_told() {
        let layout = Layout { pixels: Pixels::Yuyv, size: (320, 180), bytes_per_line: 1280 };
        let uri = |settings: &str| V4lUri::parse(&format!("v4l:///dev/video0?{settings}")).unwrap();
        assert_eq!(differences(&uri("size=320x240&rate=30"), &layout, Some(25.0)).len(), 2);
        assert!(differences(&uri("size=320x180&rate=25"), &layout, Some(25.0)).is_empty());
        assert!(differences(&uri(""), &layout, None).is_empty());
        assert_eq!(describe(&layout, Some(25.0)), "Yuyv 320x180 at 25 Hz, 1280 bytes per line");
    }

    #[test]
    fn what_is_no_camera_says_so() {
        let told = |path: &str| open_capture(Path::new(path)).err().unwrap().to_string();
        assert!(told("/dev/video-none").contains("is not there"));
        assert!(told("/dev/null").contains("is no camera"));
    }
}
