//! Checks of settings that several models have: each names the setting, what it is, and what it may be.

use runtime::{Error, Result};

/// A setting that a model cannot be built with.
pub fn refuse(problem: String, remedy: &str) -> Result<()> {
    Err(Error::invalid("model settings", problem, remedy))
}

/// Segments of a window.
pub fn check_segments(segments: usize) -> Result<()> {
    if segments < 2 { refuse(format!("{segments} segments"), "use 2 or more") } else { Ok(()) }
}

/// Segments whose highest scores stand for a window.
pub fn check_top(top: usize, segments: usize) -> Result<()> {
    if top == 0 || top > segments {
        return refuse(format!("the top {top} of {segments} segments"), "use 1 or some more");
    }
    Ok(())
}

/// A share of activations that training leaves out.
pub fn check_dropout(dropout: f64) -> Result<()> {
    if (0.0..1.0).contains(&dropout) {
        return Ok(());
    }
    refuse(format!("dropout {dropout}"), "use at least 0 and less than 1")
}

/// Weights of a loss, each with its name.
pub fn check_weights(weights: &[(&str, f64)]) -> Result<()> {
    match weights.iter().find(|(_, weight)| !(*weight >= 0.0 && weight.is_finite())) {
        Some((name, weight)) => refuse(format!("{name} {weight}"), "use 0 or more"),
        None => Ok(()),
    }
}
