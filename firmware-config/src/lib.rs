//! What a camera is told and what a model promises: types, validation, wire form. No I/O.

pub mod contract;

pub use contract::{ClipContract, FeatureContract};
