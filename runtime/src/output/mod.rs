//! Decisions out. Each [`Output`] is told of every alarm and every change of health, in the order in which they are
//! listed: the relay first, since nothing that comes after may hold it up.
//!
//! | output | module | what |
//! |---|---|---|
//! | relay | [`gpio`] | a line that is closed while any alarm is on; in memory, by the kernel, or a Pi's registers |
//! | heartbeat | [`gpio`] | a line that changes its level while all is well |
//! | journal | [`journal`] | one JSON line per event, written by its own thread, again and again if need be |
//! | outbox | [`mod@outbox`] | alarms on their way to a broker and a web server that may be away |

pub mod event;
pub mod gpio;
pub mod journal;
pub mod outbox;

pub use event::{AlarmEvent, Event, FaultEvent, HealthEvent, HealthState, Phase};

use crate::health::supervision::panics;
use crate::{Error, Result};

/// Someone who is told.
pub trait Output: Send {
    /// Name for logs and health, such as `gpio` or `journal`.
    fn name(&self) -> &str;

    /// An alarm began or ended. Must not wait for a disk, a network or a peer.
    ///
    /// # Errors
    /// When it could not be carried out; the other outputs are told all the same.
    fn alarm(&mut self, event: &AlarmEvent) -> Result<()>;

    /// Whether it is told of quiet alarms too. What closes a relay or sends a message is not.
    fn hears_quiet(&self) -> bool {
        true
    }

    /// A camera's health changed.
    ///
    /// # Errors
    /// As [`Output::alarm`].
    fn health(&mut self, _event: &HealthEvent) -> Result<()> {
        Ok(())
    }

    /// A stage has failed.
    ///
    /// # Errors
    /// As [`Output::alarm`].
    fn failed(&mut self, _event: &FaultEvent) -> Result<()> {
        Ok(())
    }

    /// Several times a second: whether all is well now. For outputs that must show that somebody is still watching.
    ///
    /// # Errors
    /// As [`Output::alarm`].
    fn beat(&mut self, _well: bool) -> Result<()> {
        Ok(())
    }

    /// What is wrong with this output now, if anything (a full disk that a writing thread met).
    fn fault(&self) -> Option<String> {
        None
    }
}

/// All outputs of one process. No failure of one, and no panic, keeps the others from being told.
#[derive(Default)]
pub struct Outputs(Vec<Box<dyn Output>>);

impl Outputs {
    /// Add an output behind those that are there.
    pub fn push(&mut self, output: impl Output + 'static) {
        self.0.push(Box::new(output));
    }

    /// Tell all of an alarm, of a quiet one those who hear such; the failures, if any.
    pub fn alarm(&mut self, event: &AlarmEvent) -> Vec<Error> {
        self.each(|output| if event.quiet && !output.hears_quiet() { Ok(()) } else { output.alarm(event) })
    }

    /// Tell all of a change of health; the failures, if any.
    pub fn health(&mut self, event: &HealthEvent) -> Vec<Error> {
        self.each(|output| output.health(event))
    }

    /// Tell all of a failure; the failures of telling it, if any.
    pub fn failed(&mut self, event: &FaultEvent) -> Vec<Error> {
        self.each(|output| output.failed(event))
    }

    /// Tell all whether all is well; the failures, if any.
    pub fn beat(&mut self, well: bool) -> Vec<Error> {
        self.each(|output| output.beat(well))
    }

    /// Close all of them, in their order: lines to their safe level first, then what waits for a disk.
    pub fn close(&mut self) {
        for output in self.0.drain(..) {
            if let Err(panic) = panics::catch(move || drop(output)) {
                log::error!("{}", panic.error("an output that is closed"));
            }
        }
    }

    /// The first fault among them, with the output's name.
    pub fn fault(&self) -> Option<String> {
        self.0.iter().find_map(|o| Some(format!("{}: {}", o.name(), o.fault()?)))
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Output) -> Result<()>) -> Vec<Error> {
        let failure = |output: &mut Box<dyn Output>| match panics::catch(|| tell(output.as_mut())) {
            Ok(told) => told.err(),
            Err(panic) => Some(panic.error(output.name())),
        };
        self.0.iter_mut().filter_map(failure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(PartialEq)]
    enum Ear {
        Hears,
        Broken,
        Panics,
    }

    struct Listener(Arc<Mutex<Vec<u64>>>, Ear);

    impl Output for Listener {
        fn name(&self) -> &'static str {
            "listener"
        }

        fn alarm(&mut self, event: &AlarmEvent) -> Result<()> {
            match self.1 {
                Ear::Hears => {}
                Ear::Broken => return Err(Error::failed("listener", "is broken", "mend it")),
                Ear::Panics => panic!("deaf"),
            }
            self.0.lock().unwrap().push(event.id);
            Ok(())
        }

        fn fault(&self) -> Option<String> {
            (self.1 == Ear::Broken).then(|| "is broken".into())
        }
    }

    #[test]
    fn a_quiet_alarm_closes_no_relay() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let pin = gpio::MemoryPin::new();
        let mut outputs = Outputs::default();
        outputs.push(gpio::GpioRelay::new(pin.clone(), gpio::Polarity::ActiveHigh).unwrap());
        outputs.push(Listener(Arc::clone(&heard), Ear::Hears));
        assert!(outputs.alarm(&AlarmEvent { quiet: true, ..event::tests::started("pole 3", 1) }).is_empty());
        assert!(!pin.level_is_high());
        assert!(outputs.alarm(&AlarmEvent { test: true, ..event::tests::started("pole 3", 2) }).is_empty());
        assert!(pin.level_is_high(), "a test does");
        assert_eq!(*heard.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn one_broken_output_does_not_silence_the_next_and_neither_does_one_that_panics() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut outputs = Outputs::default();
        assert_eq!(outputs.fault(), None);
        for ear in [Ear::Broken, Ear::Panics, Ear::Hears] {
            outputs.push(Listener(Arc::clone(&heard), ear));
        }
        let event = event::tests::started("pole 3", 7);
        let failures = outputs.alarm(&event);
        assert_eq!(failures.len(), 2);
        assert!(failures[1].to_string().contains("deaf"), "{}", failures[1]);
        assert_eq!(*heard.lock().unwrap(), [7]);
        assert_eq!(outputs.fault().unwrap(), "listener: is broken");
    }
}
