//! A trial beside running cameras: a candidate that was activated comes in, and the model that they run goes out, the new one or
//! the one before.
//!
//! | file | what |
//! |---|---|
//! | here | [`Live`]: what cameras and the driver share. A camera is told what to do between two segments, and tells what it saw |
//! | [`driver`] | [`Driver`]: the thread that proves, loads, judges, and writes each move down |
//!
//! A camera's thread takes a lock for a moment and never waits for a disk or for a model to load: the driver brings loaded models.
//! The second model scores after outputs were told of the first one's score.

pub mod driver;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::judge::{Judge, Scored};
use super::state::Stage;
use crate::bundle::Bundle;
use crate::engine::Engines;
use crate::features::Segment;
use crate::pipeline::second::Second;
use crate::pipeline::watch::{Watch, lock};
use crate::{Error, ErrorKind, Result};

pub use driver::{Driver, Told};

/// A model, and what loads its graphs.
#[derive(Clone)]
pub struct Lead {
    /// The model.
    pub bundle: Arc<Bundle>,
    /// Loads its graphs; cameras share the weights.
    pub engines: Engines,
}

/// What cameras and the driver share.
pub struct Live {
    /// The model that decides. A camera that starts loads it.
    lead: Mutex<Lead>,
    /// One for each camera.
    seats: Vec<Mutex<Seat>>,
    trial: Mutex<Option<Watched>>,
}

/// What a camera is to do before its next segment.
#[derive(Default)]
struct Seat {
    /// Let this model decide.
    lead: Option<String>,
    /// What becomes of the second model.
    second: Option<Change>,
    /// The camera has started, and nobody has brought it a second model since.
    alone: bool,
}

/// What becomes of a camera's second model.
enum Change {
    /// This one scores along.
    Join(Box<Second>),
    /// It is let go.
    Leave,
}

/// A trial that cameras take part in.
struct Watched {
    stage: Stage,
    /// Of the candidate.
    id: String,
    judge: Judge,
}

impl Live {
    /// For `cameras` cameras that run `lead`.
    pub fn new(lead: Lead, cameras: usize) -> Self {
        let seats = (0..cameras).map(|_| Mutex::default()).collect();
        Self { lead: Mutex::new(lead), seats, trial: Mutex::new(None) }
    }

    /// What a camera that starts now is to run.
    pub fn lead(&self) -> Lead {
        lock(&self.lead).clone()
    }

    /// Camera number `camera` starts, and what it was told before is void. Called before [`Live::lead`].
    pub fn begin(&self, camera: usize) {
        *lock(&self.seats[camera]) = Seat { alone: true, ..Seat::default() };
    }

    /// Do what camera number `camera` was told, between two segments.
    ///
    /// # Errors
    /// Of kind `Unavailable` when the camera must start again to run the model that is to decide.
    pub fn obey(&self, camera: usize, watch: &mut Watch) -> Result<()> {
        let mut seat = lock(&self.seats[camera]);
        if seat.lead.is_none() && seat.second.is_none() {
            return Ok(());
        }
        let (lead, second) = (seat.lead.take(), seat.second.take());
        drop(seat);
        let pipeline = watch.pipeline_mut();
        let leaves = matches!(second, Some(Change::Leave));
        if let Some(Change::Join(second)) = second {
            pipeline.set_second(Some(*second));
        }
        if let Some(lead) = lead {
            pipeline.lead(&lead)?;
        }
        if leaves {
            pipeline.set_second(None);
        }
        Ok(())
    }

    /// A camera has scored a segment at `now`, and outputs were told: let its second model score it too, and tell the judge.
    pub fn segment(&self, now: Duration, camera: &str, watch: &mut Watch, segment: &Segment, score: f32) {
        let pipeline = watch.pipeline();
        let second_id = pipeline.second().map(|second| second.id().to_owned());
        if second_id.is_none() && lock(&self.trial).is_none() {
            return;
        }
        let threshold = pipeline.second().map_or(0.5, Second::threshold);
        let scored = watch.score_second(segment.held);
        let pipeline = watch.pipeline();
        let first = (score, pipeline.alarm().rule().threshold);
        let mut trial = lock(&self.trial);
        let Some(Watched { stage, id, judge }) = &mut *trial else { return };
        match (*stage, scored) {
            (Stage::Shadow, Err(error)) if second_id.as_ref() == Some(id) => {
                judge.fault(format!("at camera {camera}: {error}"));
            }
            (Stage::Shadow, Ok(Some((score, took)))) if !segment.held && second_id.as_ref() == Some(id) => {
                judge.segment(now, &Scored { candidate: (score, threshold), present: Some(first), took });
            }
            (Stage::Unconfirmed, scored) if !segment.held && pipeline.id() == id => {
                // What happens to the model before is no fault of the candidate.
                let present = scored.ok().flatten().map(|(score, _)| (score, threshold));
                judge.segment(now, &Scored { candidate: first, present, took: pipeline.took() });
            }
            _ => {}
        }
    }

    /// A camera's pipeline has failed. A source that is not there is no fault of a model.
    pub fn failed(&self, camera: &str, error: &Error) {
        if let Some(Watched { stage: Stage::Unconfirmed, judge, .. }) = &mut *lock(&self.trial)
            && matches!(error.kind, ErrorKind::Failed | ErrorKind::Panicked)
        {
            judge.fault(format!("at camera {camera}: {error}"));
        }
    }
}
