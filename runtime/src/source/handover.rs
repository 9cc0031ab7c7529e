//! Between the thread that reads a live camera and whoever takes its frames: frames and gaps come in on one side and go out on the other, and
//! each side sees when the other has gone. Only whoever takes frames waits, the camera never does.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::queue::{FrameQueue, Item};
use super::{Advance, Frame};
use crate::{Error, Result};

/// Who waits without a limit looks this often all the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What both sides share, `E` among it.
#[derive(Default)]
pub struct Handover<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
}

/// What is handed over, and how both sides are.
#[derive(Default)]
pub struct State<E> {
    /// Frames and gaps.
    pub queue: FrameQueue,
    /// Nobody wants more.
    pub stop: bool,
    /// The thread that reads is gone.
    pub dead: bool,
    /// What else is shared.
    pub more: E,
}

impl<E> Handover<E> {
    /// The state; whoever changes what others wait for calls [`Handover::notify`] afterwards.
    pub fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Wait until `ready`, or until the moment that `limit` names; it is asked again whenever something has changed.
    pub fn wait(
        &self,
        limit: impl Fn(&State<E>) -> Option<Instant>,
        ready: impl Fn(&State<E>) -> bool,
    ) -> MutexGuard<'_, State<E>> {
        let mut state = self.lock();
        while !ready(&state) {
            let left = limit(&state).map_or(LOOK_EVERY, |limit| limit.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(e) => e.into_inner().0,
            };
        }
        state
    }

    /// Wait, at most `limit`, until `ready`.
    pub fn wait_at_most(&self, limit: Duration, ready: impl Fn(&State<E>) -> bool) -> MutexGuard<'_, State<E>> {
        let until = Instant::now() + limit;
        self.wait(|_| Some(until), ready)
    }
}

impl<E> State<E> {
    /// Whether whoever takes frames need not wait.
    pub fn ready(&self) -> bool {
        self.dead || self.stop || !self.queue.is_empty()
    }

    /// Take what comes next, once there is something. A frame's pixels take the place of those in `current`.
    ///
    /// # Errors
    /// When the thread that reads `uri` has died.
    pub fn take(&mut self, current: &mut Frame, uri: &str) -> Result<Advance> {
        match self.queue.pop() {
            _ if self.stop => Ok(Advance::End),
            Some(Item::Frame(header, frame)) => {
                self.queue.give_back(std::mem::replace(current, frame));
                Ok(Advance::Frame(header))
            }
            Some(Item::Gap(reason)) => Ok(Advance::Gap { reason }),
            None => Err(Error::failed(uri, "the thread that reads it has died", "restart; report this as a bug")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FrameHeader;

    #[test]
    fn what_waits_comes_in_order_then_death_and_stopping_comes_before_all() {
        let handover = Handover::<()>::default();
        assert!(!handover.wait_at_most(Duration::from_millis(1), State::ready).ready());
        let mut current = Frame::default();
        let mut state = handover.lock();
        state.queue.push_gap("away".into());
        let header = FrameHeader { number: 1, pts_ns: 0 };
        state.queue.push_frame(header, Frame { width: 7, ..Frame::default() });
        assert!(state.ready());
        assert_eq!(state.take(&mut current, "a").unwrap(), Advance::Gap { reason: "away".into() });
        assert_eq!(state.take(&mut current, "a").unwrap(), Advance::Frame(header));
        assert_eq!((current.width, state.ready()), (7, false));
        state.dead = true;
        assert!(state.ready() && state.take(&mut current, "a").is_err());
        state.queue.push_gap("away".into());
        state.stop = true;
        assert_eq!(state.take(&mut current, "a").unwrap(), Advance::End);
    }
}
