//! When alarms are wanted, `[schedule]`: periods of the week in a time zone. Which can be; what one means at a moment is the
//! runtime's to say. That a time zone is known is checked there too, where the zones are.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::Problem;

/// The most periods of a schedule.
pub const PERIODS_MAX: usize = 32;
/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// When alarms are wanted. Outside of all periods: always.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A name of the IANA time zone database, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The periods, `[[schedule.period]]`; where several hold, the first counts.
    #[serde(rename = "period", default)]
    pub periods: Vec<Period>,
}

/// A stretch of some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// What holds in it.
    pub mode: Mode,
    /// The days on which it begins.
    #[serde(default)]
    pub days: Days,
    /// When it begins.
    #[serde(default)]
    pub from: TimeOfDay,
    /// When it ends; on the next day when that is not after `from`.
    #[serde(default = "midnight")]
    pub to: TimeOfDay,
}

/// What a score over the threshold leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// An alarm, everywhere.
    #[default]
    Armed,
    /// An alarm in the journal, on the page and in the recorder; no relay closes and no message is sent.
    Quiet,
    /// Nothing: scores go on, and no alarm is raised.
    Off,
}

/// Days of the week: bit 0 is Monday, bit 6 Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Days(pub u8);

/// A time of day: minutes since midnight, 0 to 1440.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(pub u16);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Schedule {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
        if !(1..=64).contains(&self.time_zone.len()) || !self.time_zone.bytes().all(plain) {
            let remedy = "write one such as `Europe/Berlin`, or `UTC`";
            problems.push(Problem::new("schedule.time_zone", "is no time zone's name", remedy));
        }
        if self.periods.len() > PERIODS_MAX {
            let problem = format!("lists {} periods, more than {PERIODS_MAX}", self.periods.len());
            problems.push(Problem::new(
                "schedule.period",
                problem,
                "join some of them: a period may name several days",
            ));
        }
        for (n, period) in self.periods.iter().enumerate() {
            let key = |name: &str| format!("schedule.period[{n}].{name}");
            if period.days.0 == 0 || period.days.0 > Days::ALL.0 {
                problems.push(Problem::new(
                    key("days"),
                    "names no day",
                    "write `mon-fri`, or leave it out for all days",
                ));
            }
            if period.from.0 >= DAY_MINUTES {
                problems.push(Problem::new(key("from"), "is after the day's end", "write 00:00 to 23:59"));
            }
            if period.to.0 > DAY_MINUTES {
                problems.push(Problem::new(key("to"), "is after the day's end", "write 00:00 to 24:00"));
            }
            if period.from == period.to {
                let remedy = "for a whole day leave out both; over midnight, `to` is before `from`";
                problems.push(Problem::new(key("to"), "is when the period begins", remedy));
            }
        }
    }
}

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// Whether a day is one of them; Monday is 0.
    pub fn hold(self, day: u8) -> bool {
        day < 7 && (self.0 >> day) & 1 == 1
    }

    /// `mon-fri`, `sat`, `mon, wed, fri-sun`.
    fn parse(text: &str) -> Option<Self> {
        let number = |name: &str| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()));
        let mut days = 0u8;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            // Over the week's end if need be: fri-mon.
            (0..=(last + 7 - first) % 7).for_each(|n| days |= 1u8 << ((first + n) % 7));
        }
        Some(Self(days))
    }
}

impl Default for Days {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = (0u8..7).filter(|day| self.hold(*day)).map(|day| NAMES[usize::from(day)]).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl std::str::FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let read = |part: &str| two(part).then(|| part.parse::<u16>().ok()).flatten();
        let minutes = text.split_once(':').and_then(|(hours, minutes)| {
            let minutes = read(minutes).filter(|minutes| *minutes < 60)?;
            Some(read(hours)? * 60 + minutes)
        });
        let found = minutes.filter(|minutes| *minutes <= DAY_MINUTES).map(Self);
        found.ok_or_else(|| format!("`{text}` is no time of day; write it as `22:00`, 00:00 to 24:00"))
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DaysVisitor)
    }
}

/// One text, or a list of them.
struct DaysVisitor;

impl<'de> Visitor<'de> for DaysVisitor {
    type Value = Days;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("days such as \"mon-fri\" or [\"sat\", \"sun\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Days, E> {
        Days::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Days, A::Error> {
        let mut days = 0u8;
        while let Some(text) = list.next_element::<String>()? {
            days |= DaysVisitor.visit_str::<A::Error>(&text)?.0;
        }
        Ok(Days(days))
    }
}

fn midnight() -> TimeOfDay {
    TimeOfDay(DAY_MINUTES)
}
