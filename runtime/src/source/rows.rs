//! Recorded feature rows: to come.

use crate::{Error, Result};

/// Recorded rows.
pub struct RowSource;

impl RowSource {
    /// The next row.
    ///
    /// # Errors
    /// Always, for now.
    pub fn next_row(&mut self, _row: &mut Vec<f32>) -> Result<bool> {
        Err(Error::failed("features://", "not yet", "wait"))
    }
}
