//! A pin without a board, whose level can be read and whose changes are counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use embedded_hal::digital::{ErrorType, InputPin, OutputPin, StatefulOutputPin};

/// A pin in memory. Clones share one line.
#[derive(Clone, Debug, Default)]
pub struct MemoryPin(Arc<Line>);

#[derive(Debug, Default)]
struct Line {
    high: AtomicBool,
    edges: AtomicU64,
}

impl MemoryPin {
    /// A low line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line's level now.
    pub fn level_is_high(&self) -> bool {
        self.0.high.load(Ordering::SeqCst)
    }

    /// How often the level has changed.
    pub fn edges(&self) -> u64 {
        self.0.edges.load(Ordering::SeqCst)
    }

    fn put(&self, high: bool) {
        if self.0.high.swap(high, Ordering::SeqCst) != high {
            self.0.edges.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl ErrorType for MemoryPin {
    type Error = Infallible;
}

impl OutputPin for MemoryPin {
    fn set_low(&mut self) -> std::result::Result<(), Infallible> {
        self.put(false);
        Ok(())
    }

    fn set_high(&mut self) -> std::result::Result<(), Infallible> {
        self.put(true);
        Ok(())
    }
}

impl StatefulOutputPin for MemoryPin {
    fn is_set_high(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(self.level_is_high())
    }

    fn is_set_low(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(!self.level_is_high())
    }
}

impl InputPin for MemoryPin {
    fn is_high(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(self.level_is_high())
    }

    fn is_low(&mut self) -> std::result::Result<bool, Infallible> {
        Ok(!self.level_is_high())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_knows_its_state() {
        let mut pin = MemoryPin::new();
        pin.set_high().unwrap();
        pin.toggle().unwrap();
        assert!(pin.is_set_low().unwrap());
        assert_eq!(pin.edges(), 2);
    }
}
