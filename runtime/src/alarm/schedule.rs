//! When alarms are wanted: the periods of a config and the wall clock's time come in, the mode that holds goes out. Pure.
//!
//! Periods hold by local time: 22:00 is 22:00 in summer and in winter, an hour that comes twice is in a period twice, and one that is left
//! out takes its part of a period with it. A period that goes over midnight belongs to the day on which it began. Without a clock that was
//! ever set, alarms are wanted: better one at the wrong hour than none.

use firmware_config::config::{self, Mode, Period};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::health::date::Seconds;
use crate::{Error, Result};

/// The periods of a config, in their time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    zone: TimeZone,
    periods: Vec<Period>,
}

impl Schedule {
    /// The schedule of a config.
    ///
    /// # Errors
    /// Of kind `InvalidInput` for a time zone that is not known.
    pub fn new(schedule: &config::Schedule) -> Result<Self> {
        let zone = TimeZone::get(&schedule.time_zone).map_err(|_| {
            let problem = format!("is `{}`, which is no time zone that is known", schedule.time_zone);
            Error::invalid("schedule.time_zone", problem, "write a name of the IANA database, such as `Europe/Berlin`")
        })?;
        Ok(Self { zone, periods: schedule.periods.clone() })
    }

    /// The mode that holds at `now`, seconds since 1970; nothing when the clock was never set.
    pub fn mode(&self, now: Option<Seconds>) -> Mode {
        let Some(now) = now.and_then(|now| Timestamp::from_second(i64::try_from(now).ok()?).ok()) else {
            return Mode::Armed;
        };
        let local = now.to_zoned(self.zone.clone());
        let day = local.weekday().to_monday_zero_offset() as u8;
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        self.periods.iter().find(|&&period| holds(period, day, minute)).map_or(Mode::Armed, |period| period.mode)
    }
}

/// Whether a period holds at a minute of a day; Monday is 0.
fn holds(period: Period, day: u8, minute: u16) -> bool {
    let Period { days, from, to, .. } = period;
    let (from, to) = (from.0, to.0);
    if from < to {
        return days.hold(day) && (from..to).contains(&minute);
    }
    let yesterday = (day + 6) % 7;
    (days.hold(day) && minute >= from) || (days.hold(yesterday) && minute < to)
}

#[cfg(test)]
mod tests {
    use firmware_config::config::{Days, TimeOfDay};

    use super::*;

    const WEEKDAYS: Days = Days(0b001_1111);
    const SATURDAY: Days = Days(0b010_0000);
    const HOUR: Seconds = 3600;
    /// Thursday, 1970-01-01 00:00 UTC, was so many days before Monday, 2026-11-23.
    const MONDAY: Seconds = 20_780 * 24 * HOUR;

    fn schedule(zone: &str, periods: &[(Mode, Days, &str, &str)]) -> Schedule {
        let time = |text: &str| text.parse::<TimeOfDay>().unwrap();
        let period =
            |&(mode, days, from, to): &(_, _, &str, &str)| Period { mode, days, from: time(from), to: time(to) };
        let periods = periods.iter().map(period).collect();
        Schedule::new(&config::Schedule { time_zone: zone.into(), periods }).unwrap()
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let nights = schedule("UTC", &[(Mode::Quiet, WEEKDAYS, "22:00", "06:00")]);
        let at = |day: Seconds, hour: Seconds, minute: Seconds| {
            nights.mode(Some(MONDAY + day * 24 * HOUR + hour * HOUR + minute * 60))
        };
        assert_eq!(at(0, 5, 59), Mode::Armed, "Sunday's night is none");
        assert_eq!((at(0, 21, 59), at(0, 22, 0), at(0, 23, 59)), (Mode::Armed, Mode::Quiet, Mode::Quiet));
        assert_eq!((at(1, 0, 0), at(1, 5, 59), at(1, 6, 0)), (Mode::Quiet, Mode::Quiet, Mode::Armed));
        assert_eq!(
            (at(4, 22, 0), at(5, 5, 59), at(5, 22, 0)),
            (Mode::Quiet, Mode::Quiet, Mode::Armed),
            "Friday's is one"
        );
    }

    #[test]
    fn the_first_period_that_holds_counts_and_a_whole_day_is_whole() {
        let both =
            schedule("UTC", &[(Mode::Armed, SATURDAY, "08:00", "12:00"), (Mode::Off, SATURDAY, "00:00", "24:00")]);
        let at = |hour: Seconds| both.mode(Some(MONDAY + 5 * 24 * HOUR + hour * HOUR));
        let hours = [0, 7, 8, 11, 12, 23, 24].map(at);
        let (on, off) = (Mode::Armed, Mode::Off);
        assert_eq!(hours, [off, off, on, on, off, off, on]);
    }

    #[test]
    fn periods_hold_by_local_time_when_clocks_change() {
        let morning = schedule("Europe/Berlin", &[(Mode::Quiet, Days::ALL, "06:00", "07:00")]);
        // Winter is UTC + 1, summer UTC + 2.
        let quiet = |utc: Seconds| morning.mode(Some(utc)) == Mode::Quiet;
        let june = 1_781_481_600; // 2026-06-15 00:00 UTC
        assert!(quiet(MONDAY + 5 * HOUR) && !quiet(MONDAY + 4 * HOUR) && !quiet(MONDAY + 6 * HOUR));
        assert!(quiet(june + 4 * HOUR) && !quiet(june + 5 * HOUR));
        // On 2026-03-29, 02:00 becomes 03:00; on 2026-10-25, 03:00 becomes 02:00.
        let (spring, autumn) = (1_774_742_400, 1_792_886_400);
        let small_hours = schedule("Europe/Berlin", &[(Mode::Off, Days::ALL, "02:00", "03:00")]);
        let off = |midnight_utc: Seconds| {
            let quarters = (0..24 * 4).filter(|n| small_hours.mode(Some(midnight_utc + n * 15 * 60)) == Mode::Off);
            quarters.count()
        };
        assert_eq!((off(spring), off(autumn), off(MONDAY)), (0, 8, 4), "left out, twice, once");
    }

    #[test]
    fn without_a_clock_alarms_are_wanted() {
        let never = schedule("UTC", &[(Mode::Off, Days::ALL, "00:00", "24:00")]);
        assert_eq!((never.mode(Some(MONDAY)), never.mode(None)), (Mode::Off, Mode::Armed));
        assert_eq!(never.mode(Some(Seconds::MAX)), Mode::Armed, "a date that is none");
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        let error =
            Schedule::new(&config::Schedule { time_zone: "Mars/Base".into(), periods: Vec::new() }).unwrap_err();
        assert!(error.to_string().contains("`Mars/Base`"), "{error}");
    }
}
