//! What cameras leave for the live page: a [`View`] goes with each of them, and does nothing where no page is served, or in firmware that was
//! built without the feature `page`.

use std::time::Duration;

use runtime::features::Segment;
use runtime::pipeline::watch::Watch;
use runtime::source::open::Opened;

#[cfg(feature = "page")]
use {
    runtime::bundle::Bundle, runtime::page::Board, runtime::page::desk::Model, runtime::page::frames::Tap,
    std::sync::Arc,
};

/// Where cameras leave what the page shows.
#[derive(Clone, Default)]
pub struct View {
    #[cfg(feature = "page")]
    board: Option<Arc<Board>>,
}

#[cfg(feature = "page")]
impl View {
    /// On this board.
    pub fn on(board: &Arc<Board>) -> Self {
        Self { board: Some(Arc::clone(board)) }
    }

    /// Let the frames of camera number `camera` be seen. `source` is masked already.
    pub fn of(&self, camera: usize, source: Opened) -> Opened {
        match self.board.as_ref().and_then(|board| board.frames(camera)) {
            Some(frames) => Tap::on(source, frames),
            None => source,
        }
    }

    /// Camera number `camera` has scored a segment at `now`, and outputs were told.
    pub fn segment(&self, camera: usize, now: Duration, watch: &Watch, segment: &Segment, score: f32) {
        if let Some(board) = &self.board {
            board.segment(camera, now, watch.pipeline(), segment, score);
        }
    }
}

#[cfg(not(feature = "page"))]
impl View {
    /// As the one with the feature.
    pub fn of(&self, _camera: usize, source: Opened) -> Opened {
        source
    }

    /// As the one with the feature.
    pub fn segment(&self, _camera: usize, _now: Duration, _watch: &Watch, _segment: &Segment, _score: f32) {}
}

/// What the page says of a model.
#[cfg(feature = "page")]
pub fn model(bundle: &Bundle) -> Model {
    let manifest = &bundle.manifest;
    Model {
        id: bundle.id.clone(),
        name: manifest.name.clone(),
        release: manifest.release,
        contract: Some(manifest.contract.clone()),
    }
}
