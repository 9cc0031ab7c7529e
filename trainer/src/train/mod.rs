//! Training: a data set's train list in, a RUN folder out.
//!
//! ```text
//! RUN/run.json         everything that the run was made from and what came of it
//! RUN/model.bin        the chosen weights
//! RUN/checkpoint.bin   model, average and optimiser after the last assessment: `--resume` goes on from here
//! RUN/log.csv          loss, erased segments and validation, step by step
//! RUN/erased.csv       what DE-Net would erase of a few videos, assessment by assessment
//! RUN/results.jsonl    one line per evaluation (written by `evaluate`)
//! ```
//!
//! With `--seeds`, OUT holds a RUN `seed-N` for each, and `seeds.json` what they came to ([`seeds`]).
//!
//! A step depends on (seed, step, weights) alone, so a resumed run and an unbroken one are equal. The test list is never
//! opened for reading rows here: checkpoints are chosen on held-out training videos, by their labels.

mod assess;
mod average;
pub mod command;
mod cuda;
mod device;
mod learn;
mod parallel;
mod preset;
mod run;
mod sample;
pub mod seeds;
pub mod watch;

pub use device::Device;
pub(crate) use device::Work;
pub use learn::{LogLine, Outcome, read_log, train};
pub(crate) use parallel::{Step, gradients};
pub use preset::{Choose, Preset, Recipe, Schedule, Settings};
pub use run::{DatasetMark, Run, RunFile};
pub use sample::{Plan, TrainingSet};
