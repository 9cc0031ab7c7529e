//! Where a camera's time and memory go. A bundle and a source come in, times of each stage go out; and what the machine
//! under them can do at best, to compare with.
//!
//! | module | what |
//! |---|---|
//! | [`stages`] | a camera's segments, each stage timed apart |
//! | [`summary`] | many times as a median and a 99th percentile |
//! | [`memory`] | what this process holds |
//! | [`machine`] | the machine's memory bandwidth and arithmetic, one thread |
//! | [`work`] | multiply-adds of a graph |
//!
//! Nothing here decides anything: performance is measured, never asserted.

pub mod machine;
pub mod memory;
pub mod stages;
pub mod summary;
pub mod work;

pub use memory::Memory;
pub use stages::{Bench, Stages};
pub use summary::Summary;
