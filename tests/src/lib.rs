//! What whole-system tests share: where the programs are, how they are run, and made-up data to run them on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// A program of this workspace, built beside the tests: `cargo xtask test` builds it first.
///
/// # Panics
/// When it was not built.
pub fn program(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().unwrap_or_default();
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: cargo build --workspace --bins", path.display());
    path
}

/// Run a program of this workspace in the root, and wait for it.
///
/// # Panics
/// When it cannot be started.
pub fn run<S: AsRef<std::ffi::OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Output {
    let output = Command::new(program(name)).current_dir(root()).args(args).output();
    output.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"))
}

/// As [`run`], and the program must succeed; its standard output.
///
/// # Panics
/// When it fails, with what it said.
pub fn succeed<S: AsRef<std::ffi::OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> String {
    let output = run(name, args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} ended with {}: {told}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As [`run`], and the program must refuse: exit code `code`, one line on standard error that holds all of `parts`, no
/// panic.
///
/// # Panics
/// When it does anything else.
pub fn refuse<S: AsRef<std::ffi::OsStr>>(name: &str, args: impl IntoIterator<Item = S>, code: i32, parts: &[&str]) {
    let output = run(name, args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    let errors: Vec<_> = told.lines().filter(|line| line.starts_with("tadpole")).collect();
    assert_eq!(errors.len(), 1, "one line says what is wrong: {told}");
    assert!(!told.contains("panicked"), "{told}");
    for part in parts {
        assert!(errors[0].contains(part), "`{part}` is not in: {}", errors[0]);
    }
}

/// The shipped bundle.
pub fn shipped() -> PathBuf {
    root().join("models/roadside-lite0.tadpole")
}

/// The Python of the judges' environment, which `cargo xtask test` makes and names; without it a test skips, loudly.
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TADPOLE_PYTHON").map(PathBuf::from).filter(|path| path.is_file());
    if python.is_none() {
        eprintln!("SKIPPED: no TADPOLE_PYTHON with onnx and onnxruntime; run `cargo xtask test`");
    }
    python
}

/// Whether there is an onnxruntime to load, which `cargo xtask test` names; without it a test skips its part, loudly.
pub fn onnxruntime() -> bool {
    let there = std::env::var_os("ORT_DYLIB_PATH").is_some_and(|path| Path::new(&path).is_file());
    if !there {
        eprintln!("SKIPPED: no ORT_DYLIB_PATH with libonnxruntime; run `cargo xtask test`");
    }
    there
}

/// Numbers in -1..1 that never change, from a seed.
pub fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
