//! A simulated roadside: a `sim://` URI in, frames of a fixed traffic camera out, with the truth about what goes wrong.
//!
//! | file | what |
//! |---|---|
//! | [`spec`] | the URI, and what the seed decides where the URI is silent |
//! | [`world`], [`camera`], [`weather`] | the place, the view, the light: drawn once |
//! | [`scene`], [`vehicle`], [`traffic`], [`incident`] | what moves: vehicles, people, things, smoke |
//! | [`paint`] | a scene as pixels |
//!
//! [`Source::advance`] moves the world on by one tick and costs next to nothing; [`Source::read`] paints. A frame depends
//! on the spec and its number alone, whether or not others were read; and until the onset of an incident the frames are
//! those of the same seed without one.

pub mod camera;
pub mod incident;
pub mod paint;
pub mod scene;
pub mod spec;
pub mod traffic;
pub mod vehicle;
pub mod weather;
pub mod world;

use std::sync::Arc;

use self::paint::Painter;
use self::scene::Scene;
pub use self::spec::{IncidentKind, Light, RATE_HZ, SimSpec};
use self::world::Place;
use super::{Advance, Frame, FrameHeader, PixelFormat, Source, SourceInfo};
use crate::{Error, Result};

/// Pictures are this large where the URI says nothing else, pixels.
pub const SIZE: (u32, u32) = (640, 360);
/// The smallest pictures in which a road can be seen, pixels.
pub const SIZE_MIN: (u32, u32) = (64, 36);
/// The largest, pixels.
pub const SIZE_MAX: (u32, u32) = (1920, 1080);

/// What went wrong, and when the picture shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentTruth {
    /// What.
    pub kind: IncidentKind,
    /// Seconds from the first frame to the first that shows something abnormal.
    pub start_s: f64,
    /// Seconds to the end of the last frame that does.
    pub end_s: f64,
    /// 1-based number of the first frame that shows something abnormal.
    pub first_frame: u64,
    /// 1-based number of the last that does.
    pub last_frame: u64,
}

/// The simulated camera.
pub struct SimSource {
    spec: SimSpec,
    info: SourceInfo,
    truth: Option<IncidentTruth>,
    scene: Scene,
    /// Frames given out so far.
    given: u64,
    painter: Option<Painter>,
}

impl SimSource {
    /// Open a `sim://` URI; see [`SimSpec::parse`].
    ///
    /// # Errors
    /// When the URI cannot be used; the error names the key.
    pub fn open(uri: &str) -> Result<Self> {
        let mut source = Self::new(SimSpec::parse(uri)?);
        source.info.uri = uri.into();
        Ok(source)
    }

    /// A camera on the world of `spec`. With an incident, the world is played through once, unpainted, for the truth.
    pub fn new(spec: SimSpec) -> Self {
        let place = Arc::new(Place::draw(spec.seed, spec.size));
        let scene = Scene::new(&spec, place);
        let truth = spec.incident.and_then(|kind| find_truth(kind, scene.clone(), spec.frames()));
        let info = SourceInfo {
            uri: spec.to_string(),
            width: spec.size.0,
            height: spec.size.1,
            rate_hz: Some(f64::from(RATE_HZ)),
            constant_rate: true,
            frames: Some(spec.frames()),
            live: false,
        };
        Self { spec, info, truth, scene, given: 0, painter: None }
    }

    /// What is simulated.
    pub fn spec(&self) -> &SimSpec {
        &self.spec
    }

    /// What goes wrong in this footage and when it is seen; `None` without an incident.
    pub fn truth(&self) -> Option<IncidentTruth> {
        self.truth.clone()
    }
}

impl Source for SimSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn advance(&mut self) -> Result<Advance> {
        if self.given >= self.spec.frames() {
            return Ok(Advance::End);
        }
        if self.given > 0 {
            self.scene.step();
        }
        self.given += 1;
        let pts_ns = (self.given - 1) * (1_000_000_000 / u64::from(RATE_HZ));
        Ok(Advance::Frame(FrameHeader { number: self.given, pts_ns }))
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        if self.given == 0 {
            return Err(Error::failed(&*self.info.uri, "read before the first advance", "call advance first"));
        }
        let painter = match &mut self.painter {
            Some(painter) => painter,
            empty => empty.insert(Painter::new(&self.spec, &self.scene)?),
        };
        (frame.width, frame.height) = self.spec.size;
        frame.format = PixelFormat::Rgb24;
        frame.stride = frame.width * 3;
        frame.data.resize((frame.stride * frame.height) as usize, 0);
        painter.paint(&self.scene, &mut frame.data);
        Ok(())
    }
}

/// Play the world through and note when something abnormal is seen.
fn find_truth(kind: IncidentKind, mut scene: Scene, frames: u64) -> Option<IncidentTruth> {
    let mut seen: Option<(u64, u64)> = None;
    for number in 1..=frames {
        if number > 1 {
            scene.step();
        }
        if scene.incident.as_ref().is_some_and(|incident| incident.evident(&scene.place)) {
            seen = Some((seen.map_or(number, |s| s.0), number));
        }
    }
    seen.map(|(first_frame, last_frame)| IncidentTruth {
        kind,
        start_s: (first_frame - 1) as f64 / f64::from(RATE_HZ),
        end_s: last_frame as f64 / f64::from(RATE_HZ),
        first_frame,
        last_frame,
    })
}

#[cfg(test)]
mod tests;
