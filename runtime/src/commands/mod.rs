//! The firmware's commands, one file each.

pub mod bench;
pub mod check;
pub mod demo;
pub mod model;
pub mod replay;
pub mod run;
mod show;
