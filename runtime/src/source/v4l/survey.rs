//! Every camera of this machine with what it can do, for people who choose one.

use std::path::Path;

use ::v4l::framesize::FrameSizeEnum;
use ::v4l::video::Capture as _;
use serde::Serialize;

use super::mode::{Interval, Intervals, Pixels, code_name};
use super::{device, nodes};

/// A video device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundCamera {
    /// Its node.
    pub path: String,
    /// Links to it that stay the same from plug to plug.
    pub links: Vec<String>,
    /// The name it gives itself; empty when it cannot be opened.
    pub name: String,
    /// Its driver's name; empty when it cannot be opened.
    pub driver: String,
    /// What it offers.
    pub formats: Vec<FoundFormat>,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// A pixel format of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundFormat {
    /// The driver's code.
    pub code: String,
    /// The driver's words for it.
    pub description: String,
    /// Whether it can be read here.
    pub readable: bool,
    /// Its sizes.
    pub sizes: Vec<FoundSize>,
}

/// A size of a format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundSize {
    /// Width and height in pixels; the largest of a range.
    pub size: (u32, u32),
    /// The smallest of a range.
    pub smallest: Option<(u32, u32)>,
    /// The steps of a range.
    pub step: Option<(u32, u32)>,
    /// Frames per second; of a range the slowest and the fastest.
    pub rates_hz: Vec<f64>,
    /// All rates between those two.
    pub rates_between: bool,
}

/// Look at every video device. Those that capture nothing are left out; those that cannot be opened are not.
pub fn survey() -> Vec<FoundCamera> {
    nodes::list().iter().filter_map(|node| look_at(&node.path, &node.names)).collect()
}

fn look_at(path: &Path, names: &[String]) -> Option<FoundCamera> {
    let mut found = FoundCamera {
        path: path.display().to_string(),
        links: nodes::links_to(path).iter().map(|link| link.display().to_string()).collect(),
        name: names.first().cloned().unwrap_or_default(),
        driver: String::new(),
        formats: Vec::new(),
        problem: None,
    };
    // A driver's answer that the bindings do not know makes them panic.
    let looked = std::panic::catch_unwind(|| {
        let (device, driver, card) = device::open_capture(path)?;
        Ok::<_, crate::Error>((formats(&device), driver, card))
    });
    match looked {
        Ok(Ok((formats, driver, card))) => (found.formats, found.driver, found.name) = (formats, driver, card),
        Ok(Err(error)) if error.problem == "captures no pictures" => return None,
        Ok(Err(error)) => found.problem = Some(format!("{}; {}", error.problem, error.remedy)),
        Err(_) => found.problem = Some("its driver gives answers that are not understood".into()),
    }
    Some(found)
}

fn formats(device: &::v4l::Device) -> Vec<FoundFormat> {
    let formats = device.enum_formats().unwrap_or_default();
    let found = formats.into_iter().map(|format| {
        let code = format.fourcc.repr;
        let sizes = device.enum_framesizes(format.fourcc).unwrap_or_default();
        let sizes = sizes.into_iter().map(|size| {
            let (size, smallest, step) = match size.size {
                FrameSizeEnum::Discrete(size) => ((size.width, size.height), None, None),
                FrameSizeEnum::Stepwise(r) => (
                    (r.max_width, r.max_height),
                    Some((r.min_width, r.min_height)),
                    Some((r.step_width, r.step_height)),
                ),
            };
            let (rates_hz, rates_between) = rates(&device::intervals(device, code, size));
            FoundSize { size, smallest, step, rates_hz, rates_between }
        });
        FoundFormat {
            code: code_name(code),
            description: format.description,
            readable: Pixels::of(code).is_some(),
            sizes: sizes.collect(),
        }
    });
    found.collect()
}

fn rates(intervals: &Intervals) -> (Vec<f64>, bool) {
    let rates = |intervals: &[Interval]| intervals.iter().filter_map(|interval| interval.rate_hz()).collect();
    match intervals {
        Intervals::Unknown => (Vec::new(), false),
        Intervals::Listed(listed) => (rates(listed), false),
        Intervals::Between { shortest, longest } => (rates(&[*longest, *shortest]), true),
    }
}
