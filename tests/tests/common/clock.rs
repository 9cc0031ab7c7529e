//! Programs that believe another date: a library that is loaded before all others stands between them and the C library, and answers every
//! question for the date with one that lies ten years ahead or behind, by turns, every tenth of a second, or always with the same. The
//! monotonic clock is left alone.

#![allow(clippy::unwrap_used)]
// Each test uses some of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds in ten years.
pub const JUMP_S: i64 = 10 * 365 * 24 * 3600;

const LIBRARY: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

long jump(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_nsec / 100000000 % 2 ? JUMP_S : -JUMP_S;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
#ifdef STANDS_AT_S
        now->tv_sec = STANDS_AT_S;
#else
        now->tv_sec += jump();
#endif
    }
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
";

/// What has the date stand in 1970, for [`library`].
pub const IN_1970: &[&str] = &["-DSTANDS_AT_S=12"];

/// Build the library with the C compiler that Rust links with, and these flags more.
pub fn library(folder: &Path, more: &[&str]) -> PathBuf {
    let (source, library) = (folder.join("jump.c"), folder.join("jump.so"));
    std::fs::write(&source, LIBRARY).unwrap();
    let define = format!("-DJUMP_S={JUMP_S}L");
    let mut cc = Command::new("cc");
    let built = cc.args(["-shared", "-fPIC", &define]).args(more).arg("-o").arg(&library).arg(&source).status();
    assert!(built.unwrap().success(), "cc cannot build it");
    library
}

/// What `date` says: the proof that the library does what it should.
pub fn date(before: &[(&str, &Path)]) -> i64 {
    let output = Command::new("date").arg("+%s").envs(before.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
