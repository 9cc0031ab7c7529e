//! Clip in, one segment feature out. [`Feed`] joins source, clip and extractor, so that the trainer and the camera
//! turn the same frames into the same numbers: there is no second path. What the camera usually sees is subtracted here
//! ([`background`]); recorded rows have that behind them.

pub mod background;

use std::time::{Duration, Instant};

use firmware_config::FeatureContract;

use crate::clip::{Clip, ClipReader, Next};
use crate::engine::{Engine, Input};
use crate::source::Source;
use crate::source::rows::RowSource;
use crate::{Error, Result};

use background::Background;

/// Where a segment lies in its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// 0-based number since the start.
    pub number: u64,
    /// 1-based number of the first source frame covered.
    pub first_frame: u64,
    /// 1-based number of the last source frame covered.
    pub last_frame: u64,
    /// Start since the source's first frame, nanoseconds.
    pub start_ns: u64,
    /// End, nanoseconds.
    pub end_ns: u64,
    /// Nobody looked at it, to shed load or because the look before took too long: its row is that of the segment before.
    pub held: bool,
}

/// What [`Feed::next_row`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// A segment and its feature.
    Row(Segment),
    /// Frames were lost: windows start anew.
    Gap {
        /// Why, for people.
        reason: String,
    },
    /// The recording is over.
    End,
}

/// An extractor graph held to its contract: `[F, height, width, 3]` u8 in, `[1, D]` out.
pub struct Extractor {
    engine: Box<dyn Engine>,
    contract: FeatureContract,
}

impl Extractor {
    /// Bind `engine` to `contract`.
    ///
    /// # Errors
    /// When the graph's shapes are not those of the contract.
    pub fn new(engine: Box<dyn Engine>, contract: FeatureContract) -> Result<Self> {
        let info = engine.info();
        let fits = contract.input.as_ref().is_some_and(|clip| {
            info.input_shape == [clip.ticks.len(), clip.height as usize, clip.width as usize, 3]
                && info.output_shape == [1, contract.feature_width as usize]
        });
        if !fits {
            return Err(Error::corrupt(
                "extractor",
                format!(
                    "the graph maps {:?} to {:?}, not what contract `{}` says",
                    info.input_shape, info.output_shape, contract.name
                ),
                "build extractor and contract together with tadpole-trainer extractor",
            ));
        }
        Ok(Self { engine, contract })
    }

    /// The contract.
    pub fn contract(&self) -> &FeatureContract {
        &self.contract
    }

    /// Turn a clip's pixels into one feature row.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn extract(&mut self, clip: &Clip, row: &mut Vec<f32>) -> Result<()> {
        row.resize(self.contract.feature_width as usize, 0.0);
        self.engine.run(Input::U8(&clip.pixels), row)
    }
}

/// What a feed saw last, and how often it looks.
pub struct Look {
    /// One clip in so many is looked at.
    every: u32,
    /// Segments since the last look, that one included; 0 before the first.
    age: u32,
    /// The row that the last look gave, before the background was subtracted.
    row: Vec<f32>,
    /// How long the extractor took for it.
    took: Duration,
}

/// Segment features, one after another, from frames or from a recording of rows.
pub enum Feed {
    /// Frames through clip and extractor.
    Frames {
        /// Where frames come from.
        source: Box<dyn Source>,
        /// Cuts them into clips.
        reader: Box<ClipReader>,
        /// Turns clips into rows.
        extractor: Extractor,
        /// What the camera usually sees.
        background: Background,
        /// The clip that the last row was made from.
        clip: Clip,
        /// Segments so far.
        count: u64,
        /// What was seen last.
        look: Look,
    },
    /// Recorded rows.
    Rows {
        /// The recording.
        source: RowSource,
        /// Segments so far.
        count: u64,
    },
}

impl Feed {
    /// A feed of frames.
    ///
    /// # Errors
    /// When the extractor's contract describes no clips.
    pub fn frames(source: Box<dyn Source>, extractor: Extractor) -> Result<Self> {
        let Some(contract) = extractor.contract.input.clone() else {
            return Err(Error::invalid(
                "contract",
                "it describes features made elsewhere, frames cannot be turned into them",
                "use a bundle with an extractor",
            ));
        };
        let reader = Box::new(ClipReader::new(contract));
        let background = Background::new(extractor.contract.background_segments);
        Ok(Self::Frames {
            source,
            reader,
            extractor,
            background,
            clip: Clip::default(),
            count: 0,
            look: Look { every: 1, age: 0, row: Vec::new(), took: Duration::ZERO },
        })
    }

    /// A feed of recorded rows. They count as segments of 16 frames at 25/s.
    pub fn rows(source: RowSource) -> Self {
        Self::Rows { source, count: 0 }
    }

    /// Look at one clip in `every` from now on; recorded rows are all taken.
    pub fn look_at_one_in(&mut self, every: u32) {
        if let Self::Frames { look, .. } = self {
            look.every = every;
        }
    }

    /// The next segment's feature, written into `row`.
    ///
    /// # Errors
    /// Those of the source, and of the extractor.
    pub fn next_row(&mut self, row: &mut Vec<f32>) -> Result<Fed> {
        match self {
            Self::Frames { source, reader, extractor, background, clip, count, look } => {
                let held = (1..look.every).contains(&look.age);
                let next = if held {
                    reader.pass_clip(source.as_mut(), clip)?
                } else {
                    reader.next_clip(source.as_mut(), clip)?
                };
                match next {
                    Next::Gap { reason } => {
                        background.restart();
                        look.age = 0;
                        return Ok(Fed::Gap { reason });
                    }
                    Next::End => return Ok(Fed::End),
                    Next::Clip => {}
                }
                // The first is looked at whatever it is: there is no row before it.
                let held = reader.passed() && look.age > 0;
                if held {
                    row.clone_from(&look.row);
                    look.age += 1;
                } else {
                    let begun = Instant::now();
                    extractor.extract(clip, row)?;
                    look.took = begun.elapsed();
                    look.row.clone_from(row);
                    look.age = 1;
                }
                background.subtract(row);
                let segment = Segment {
                    number: *count,
                    first_frame: clip.first_frame,
                    last_frame: clip.last_frame,
                    start_ns: clip.start_ns,
                    end_ns: clip.end_ns,
                    held,
                };
                *count += 1;
                Ok(Fed::Row(segment))
            }
            Self::Rows { source, count } => {
                if !source.next_row(row)? {
                    return Ok(Fed::End);
                }
                let number = *count;
                *count += 1;
                Ok(Fed::Row(Segment {
                    number,
                    first_frame: number * 16 + 1,
                    last_frame: (number + 1) * 16,
                    start_ns: number * 640_000_000,
                    end_ns: (number + 1) * 640_000_000,
                    held: false,
                }))
            }
        }
    }

    /// Frames that the source dropped since it was opened; 0 for recorded rows.
    pub fn dropped(&self) -> u64 {
        match self {
            Self::Frames { source, .. } => source.dropped(),
            Self::Rows { .. } => 0,
        }
    }

    /// How long the extractor took for the last clip that was looked at; nothing for recorded rows.
    pub fn took(&self) -> Duration {
        match self {
            Self::Frames { look, .. } => look.took,
            Self::Rows { .. } => Duration::ZERO,
        }
    }

    /// Let another extractor, with what it usually sees and the last row that it gave, take the place of this one; it must take the same
    /// clips. Recorded rows have none.
    pub fn exchange(&mut self, other: &mut Extractor, usual: &mut Background, seen: &mut Vec<f32>) {
        if let Self::Frames { extractor, background, look, .. } = self {
            std::mem::swap(extractor, other);
            std::mem::swap(background, usual);
            std::mem::swap(&mut look.row, seen);
            if look.row.is_empty() {
                // It has seen nothing yet: the next clip is looked at.
                look.age = 0;
            }
        }
    }

    /// What runs the extractor, for people; nothing for recorded rows.
    pub fn engine(&self) -> Option<String> {
        match self {
            Self::Frames { extractor, .. } => Some(extractor.engine.info().to_string()),
            Self::Rows { .. } => None,
        }
    }

    /// The extractor, for the next source; none for recorded rows.
    pub fn into_extractor(self) -> Option<Extractor> {
        match self {
            Self::Frames { extractor, .. } => Some(extractor),
            Self::Rows { .. } => None,
        }
    }

    /// The clip behind the last row, with its contract, for pictures; none for recorded rows.
    pub fn clip(&self) -> Option<(&Clip, &FeatureContract)> {
        match self {
            Self::Frames { clip, extractor, .. } => Some((clip, &extractor.contract)),
            Self::Rows { .. } => None,
        }
    }
}
