//! What loading a model took goes back to the system: a board's memory is small, and a camera loads once and runs for years.

/// Give back all memory that is free; glibc keeps tens of megabytes after large buffers came and went.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library: a number in, a flag out")]
pub fn give_back() {
    // SAFETY: it may be called from any thread at any time, and touches only what nobody holds.
    unsafe { libc::malloc_trim(0) };
}

/// Other systems' libraries have no such function.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
