//! The newest frame of a camera, for those who want to see it: a [`Tap`] stands between a source and who reads it, and leaves a copy of
//! the next frame whose pixels are fetched, if one is wanted. When nobody looks nothing is copied.
//!
//! What has passed masks before it came here is masked: the tap stands behind them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Instant;

use crate::Result;
use crate::pipeline::watch::lock;
use crate::source::filter::Filter;
use crate::source::open::Opened;
use crate::source::{Frame, Source};

/// The newest frame that somebody wanted.
#[derive(Default)]
pub struct Latest {
    wanted: AtomicBool,
    /// Frames that were left here.
    count: AtomicU64,
    /// Width and height of the source, 32 bits each; 0 when it has no pictures.
    size: AtomicU64,
    frame: Mutex<Option<(Instant, Frame)>>,
}

impl Latest {
    /// The next frame is wanted. Returns how many were left here until now: one that is wanted has come when there are more.
    pub fn want(&self) -> u64 {
        let count = self.count();
        self.wanted.store(true, Ordering::Release);
        count
    }

    /// Frames that were left here.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Width and height of the source; `None` when it has no pictures or was never there.
    pub fn size(&self) -> Option<(u32, u32)> {
        let size = self.size.load(Ordering::Relaxed);
        (size != 0).then_some(((size >> 32) as u32, size as u32))
    }

    /// Look at the newest frame and when it came. A camera that has another one meanwhile does not wait, so this may take its time.
    pub fn look<T>(&self, look: impl FnOnce(&Frame, Instant) -> T) -> Option<T> {
        lock(&self.frame).as_ref().map(|(at, frame)| look(frame, *at))
    }

    /// What was left here is to be seen no more.
    pub fn forget(&self) {
        *lock(&self.frame) = None;
    }

    /// Here is a frame.
    fn offer(&self, frame: &Frame) {
        if !self.wanted.load(Ordering::Acquire) {
            return;
        }
        let mut kept = match self.frame.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.wanted.store(false, Ordering::Relaxed);
        let (at, copy) = kept.get_or_insert_with(|| (Instant::now(), Frame::default()));
        *at = Instant::now();
        (copy.format, copy.width, copy.height, copy.stride) = (frame.format, frame.width, frame.height, frame.stride);
        copy.data.clone_from(&frame.data);
        drop(kept);
        self.count.fetch_add(1, Ordering::Release);
    }
}

/// Lets a source's frames be seen.
pub struct Tap(Arc<Latest>);

impl Tap {
    /// Between `source` and who reads it; rows have no frames and are let through.
    pub fn on(source: Opened, latest: &Arc<Latest>) -> Opened {
        source.behind(|info| {
            latest.size.store((u64::from(info.width) << 32) | u64::from(info.height), Ordering::Relaxed);
            Self(Arc::clone(latest))
        })
    }
}

impl Filter for Tap {
    fn read(&mut self, source: &mut dyn Source, frame: &mut Frame) -> Result<()> {
        source.read(frame)?;
        self.0.offer(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::open::open;

    #[test]
    fn a_frame_is_left_when_one_is_wanted_and_whoever_looks_holds_nobody_up() {
        let latest = Arc::new(Latest::default());
        let Opened::Frames(mut source) = Tap::on(open("sim://?seed=1&seconds=2").unwrap(), &latest) else {
            panic!("rows")
        };
        let mut frame = Frame::default();
        let mut next = || {
            source.advance().unwrap();
            source.read(&mut frame).unwrap();
            frame.clone()
        };
        next();
        assert!(latest.look(|_, _| ()).is_none() && latest.count() == 0, "nobody wanted it");
        assert_eq!(latest.want(), 0);
        let wanted = next();
        next();
        assert_eq!(latest.count(), 1);
        assert!(latest.look(|kept, _| kept.data == wanted.data).unwrap());
        assert_eq!(latest.size(), Some((wanted.width, wanted.height)));
        latest.want();
        latest.look(|_, _| next());
        assert_eq!(latest.count(), 1, "somebody is looking");
        let after = next();
        assert!(latest.look(|kept, _| kept.data == after.data).unwrap(), "and it is still wanted");
    }
}
