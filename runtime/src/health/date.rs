//! The wall clock, and what day it is. The one place that reads it; everything else is given the time as a value, and a reason to
//! doubt it: a pole's clock starts in 1970 and may be set late, wrongly, or never.
//!
//! Those who ask: certificates, which end on a date (`calendar.rs`); schedules, which hold by local time and
//! do nothing while the clock was never set; and labels for people.

/// Seconds since the beginning of 1970.
pub type Seconds = u64;

/// When this firmware was built.
pub const BUILT: Seconds = match u64::from_str_radix(env!("TADPOLE_BUILT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("the build script gives a number"),
};

/// The machine's clock, whatever it says.
#[expect(clippy::disallowed_types, reason = "certificates and schedules hold by the date; nothing else asks for it")]
pub fn clock() -> Seconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The machine's clock, if it was ever set: one that is behind the build was not.
pub fn set_clock() -> Option<Seconds> {
    Some(clock()).filter(|now| *now >= BUILT)
}

/// A day for people, `2026-11-22`, in UTC; the build's when the clock was never set.
pub fn day(now: Seconds) -> String {
    let timestamp = jiff::Timestamp::from_second(now.max(BUILT) as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_and_this_machine_know_a_date() {
        assert!(BUILT > 1_790_000_000 && clock() > 0);
        assert_eq!(day(4_102_444_800), "2100-01-01");
        assert_eq!(day(0), day(BUILT));
    }
}
