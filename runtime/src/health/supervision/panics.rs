//! Panics, caught where they can do no harm: work goes in, and what it gives comes out, or an error of kind
//! [`ErrorKind::Panicked`] that says the message and the place.
//!
//! The place is noted by a hook of the process, which is set at the first call and goes on to tell what the one before it
//! told (with a backtrace, where `RUST_BACKTRACE` asks for one). What the work left half done is the caller's to drop.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::{Error, ErrorKind, Result};

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught: its message and its place, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic(String);

impl Panic {
    /// As an error about `subject`.
    pub fn error(self, subject: &str) -> Error {
        Error::new(ErrorKind::Panicked, subject, self.0, "report this as a bug, with the log")
    }
}

/// Do `work`; its panic, if that is how it ends.
///
/// # Errors
/// When it panicked.
pub fn catch<T>(work: impl FnOnce() -> T) -> std::result::Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(note_places);
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let place = PLACE.take().unwrap_or_else(|| "an unknown place".into());
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (_, Some(text)) => text.as_str(),
            _ => "no message",
        };
        Panic(format!("panicked at {place}: {}", message.replace(char::is_control, " ")))
    })
}

/// Do `work` for `subject`; a panic is one more way to fail.
///
/// # Errors
/// Those of the work, and its panic.
pub fn caught<T>(subject: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch(work).unwrap_or_else(|panic| Err(panic.error(subject)))
}

fn note_places() {
    // A thread that panics now may not set a hook; its successor will not come here again, and do without places.
    if std::thread::panicking() {
        return;
    }
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string);
        // A thread that is ending has no place to note it in.
        let _ = PLACE.try_with(|noted| *noted.borrow_mut() = place);
        before(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_message_and_place() {
        let line = line!() + 1;
        let error = caught("north", || -> Result<()> { panic!("no such\nlane: {}", 3) }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Panicked);
        let told = error.to_string();
        assert!(told.starts_with("north: panicked at ") && told.contains("no such lane: 3"), "{told}");
        assert!(told.contains(&format!("panics.rs:{line}:")), "{told}");
    }

    #[test]
    fn the_place_is_that_of_the_panic_at_hand() {
        let first = catch(|| panic!("first")).unwrap_err();
        let second = catch(|| panic!("second")).unwrap_err();
        assert_ne!(first, second);
        assert!(second.0.contains("second"), "{second:?}");
    }

    #[test]
    fn work_that_does_not_panic_is_itself() {
        assert_eq!(caught("a", || Ok(7)).unwrap(), 7);
        let error = caught("a", || -> Result<()> { Err(Error::unavailable("b", "is away", "wait")) }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }
}
