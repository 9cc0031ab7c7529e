//! Memory for tensors of a few megabytes, thousands of them a second: mimalloc, told to keep what it has.

/// mimalloc's `purge_delay`, the milliseconds after which free memory goes back to the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Never give memory back: a training step frees and takes the same again, and each page that went to the system
/// comes back through a fault (a seventh of the time of a step).
#[expect(unsafe_code, reason = "an option of a C library: two numbers in, nothing out")]
pub fn keep() {
    // SAFETY: the function may be called from any thread at any time, with any number.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}
