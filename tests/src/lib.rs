//! Whole-system tests across crates: see the files in `tests/`.
