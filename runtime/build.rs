//! Tells the firmware when it was built: the earliest that it can be. `SOURCE_DATE_EPOCH` says so where builds are to be
//! reproducible.

#![allow(clippy::disallowed_types, reason = "the one place that asks what day it is, and not on a camera")]

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let told = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    println!("cargo::rustc-env=TADPOLE_BUILT={}", told.unwrap_or_else(now));
}
