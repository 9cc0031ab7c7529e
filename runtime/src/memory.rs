//! What loading a model took goes back to the system: a board's memory is small, and a camera loads once and runs for years.

/// Blocks from this size on are the system's again as soon as they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 64 * 1024;

/// For the program's first line: large blocks come straight from the system and go straight back. glibc would raise its limit
/// with each one freed, up to 32 MB, and then keep what lies below blocks in use: a third of a camera's memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library: two numbers in, a flag out")]
pub fn keep_no_large_blocks() {
    // SAFETY: it may be called from any thread at any time; it changes where later blocks come from.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Other systems' libraries have no such limit.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_no_large_blocks() {}

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
