//! One camera: where its marks come from and a [`Folder`] come in; what is new of them is in the folder. It is read on from where an earlier
//! collection ended. The last line of that time is asked for again: where it is another, somebody has removed the device's file, and it is read
//! from its beginning.

use runtime::Result;

use super::folder::{Folder, Taken};
use crate::push::camera::{Patience, Step};
use crate::push::link::Dialled;

/// Where marks come from.
pub trait Marked {
    /// Whole lines from this byte on, a part of what there is; nothing when there is no more.
    ///
    /// # Errors
    /// Of kind `Unavailable` when trying again may help.
    fn marks(&self, from: u64) -> Result<Vec<u8>>;
}

impl Marked for Dialled {
    fn marks(&self, from: u64) -> Result<Vec<u8>> {
        Dialled::marks(self, from)
    }
}

/// Bring all that is new of `device` into the folder; `tell` is given why an attempt failed that is made again.
///
/// # Errors
/// Of the device, when it stays silent or refuses, and of [`Folder::take`]. What was brought before stays.
pub fn gather(
    link: &dyn Marked,
    device: &str,
    folder: &Folder,
    patience: Patience,
    tell: &mut dyn FnMut(&str),
) -> Result<Taken> {
    let mut place = folder.place(device);
    let mut at = place.as_ref().map_or(0, |place| place.next.saturating_sub(place.last_bytes));
    let mut taken = Taken::default();
    loop {
        let again = &mut |step: Step<'_>| {
            if let Step::Again(why) = step {
                tell(why);
            }
        };
        let lines = patience.insist(again, || link.marks(at))?;
        if place.take().is_some_and(|place| !place.begins(&lines)) {
            log::info!("{device}: its marks begin anew; what was collected before stays");
            folder.begin_anew(device);
            at = 0;
            continue;
        }
        if lines.is_empty() {
            return Ok(taken);
        }
        taken = taken.and(&folder.take(device, at, &lines)?);
        at += lines.len() as u64;
    }
}
