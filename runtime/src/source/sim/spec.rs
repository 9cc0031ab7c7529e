//! What to simulate: a `sim://` URI in, a [`SimSpec`] out, and back. Everything that the URI leaves open is drawn from
//! the seed here, once, so a spec says all there is to say about the footage.
//!
//! Refused: unknown keys, keys named twice, values outside their range, an onset so late that nothing would be seen.

use std::fmt;
use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{SIZE, SIZE_MAX, SIZE_MIN};
use crate::{Error, Result};

/// The rate of the simulated camera, frames per second.
pub const RATE_HZ: u32 = 25;
/// The least time between an incident's onset and the end of the footage, seconds.
pub const ONSET_TO_END_S_MIN: f64 = 8.0;
const KEYS: &str = "seed, seconds, incident, at, lasting, light, rain, size";

/// What goes wrong on the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IncidentKind {
    /// A vehicle runs into another; both come to rest skewed across the lanes.
    Collision,
    /// A vehicle turns round across the lanes, blocking them as it shuffles.
    IllegalTurn,
    /// A vehicle stops in a live lane and stays.
    IllegalOccupation,
    /// Vehicles drive against the traffic.
    WrongWay,
    /// People walk and loiter in the lanes.
    PedestrianOnRoad,
    /// A lorry loses its load over the lanes.
    SpilledLoad,
    /// A vehicle burns.
    Fire,
}

impl IncidentKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Collision,
        Self::IllegalTurn,
        Self::IllegalOccupation,
        Self::WrongWay,
        Self::PedestrianOnRoad,
        Self::SpilledLoad,
        Self::Fire,
    ];

    /// The kind's name in URIs and reports, such as `illegal-turn`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Collision => "collision",
            Self::IllegalTurn => "illegal-turn",
            Self::IllegalOccupation => "illegal-occupation",
            Self::WrongWay => "wrong-way",
            Self::PedestrianOnRoad => "pedestrian-on-road",
            Self::SpilledLoad => "spilled-load",
            Self::Fire => "fire",
        }
    }
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for IncidentKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            Error::invalid(
                "incident",
                format!("there is no incident '{name}'"),
                format!("use one of {}", names.join(", ")),
            )
        })
    }
}

/// The light on the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Light {
    /// Full daylight, sunny or overcast.
    Day,
    /// Low sun or none, lamps just lit.
    Dusk,
    /// Street lamps and headlights.
    Night,
}

impl Light {
    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Dusk => "dusk",
            Self::Night => "night",
        }
    }
}

/// A simulated recording, complete: the same spec gives the same bytes, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SimSpec {
    /// Chooses the viewpoint, the road, the weather and all traffic.
    pub seed: u64,
    /// Length of the footage in seconds, 2 to 86,400.
    pub seconds: f64,
    /// What goes wrong, if anything.
    pub incident: Option<IncidentKind>,
    /// When the incident is set off, in seconds. It becomes visible at or soon after this; until then the footage is
    /// that of the same seed without an incident.
    pub onset_s: f64,
    /// For how long the incident goes on before it is cleared, seconds. It never outlasts the footage.
    pub incident_seconds: f64,
    /// The light, instead of the one drawn from the seed.
    pub light: Option<Light>,
    /// Rain or none, instead of what is drawn from the seed.
    pub rain: Option<bool>,
    /// Width and height of the pictures, pixels: what [`size`] takes.
    pub size: (u32, u32),
}

/// Read a size such as `128x72`: even numbers of pixels (chroma has half of them), [`SIZE_MIN`] to [`SIZE_MAX`].
///
/// # Errors
/// Says what a size may be.
pub fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let numbers: Option<(u32, u32)> =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |(width, height): &(u32, u32)| {
        (SIZE_MIN.0..=SIZE_MAX.0).contains(width)
            && (SIZE_MIN.1..=SIZE_MAX.1).contains(height)
            && width % 2 == 0
            && height % 2 == 0
    };
    let told = || {
        let ((w, h), (wide, high)) = (SIZE_MIN, SIZE_MAX);
        format!("give even numbers of pixels from {w}x{h} to {wide}x{high}")
    };
    numbers.filter(fits).ok_or_else(told)
}

impl SimSpec {
    /// Footage of `seconds`, with `incident` set off at a time, and lasting for a time, drawn from the seed.
    pub fn new(seed: u64, seconds: f64, incident: Option<IncidentKind>) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x0005_e75e_ed00);
        let latest = (seconds - ONSET_TO_END_S_MIN).max(0.0);
        let onset_s = (latest * rng.random_range(0.2..0.8) * 100.0).round() / 100.0;
        let incident_seconds = f64::from(rng.random_range(120_u32..300)) / 10.0;
        Self { seed, seconds, incident, onset_s, incident_seconds, light: None, rain: None, size: SIZE }
    }

    /// Read a URI such as `sim://?seed=7&seconds=90&incident=collision&at=55`. Keys: `seed` (default 1), `seconds`
    /// (90), `incident` (a kind or `none`, the default), `at` and `lasting` (seconds; drawn from the seed),
    /// `light` (`day`, `dusk`, `night`) and `rain` (`yes`, `no`), both drawn from the seed, and `size` (`640x360`; fewer pixels
    /// are painted faster, of the same world).
    ///
    /// # Errors
    /// Names the key that cannot be used and what it may be.
    pub fn parse(uri: &str) -> Result<Self> {
        let bad = |key: &str, problem: String, remedy: &str| Error::invalid(format!("{uri}: {key}"), problem, remedy);
        let Some(rest) = uri.strip_prefix("sim://") else {
            return Err(bad("scheme", "not a sim:// URI".into(), "write sim://?seed=1&incident=collision"));
        };
        let query = match rest.split_once('?') {
            Some(("" | "/", query)) => query,
            None if rest.is_empty() || rest == "/" => "",
            _ => {
                return Err(bad("path", format!("'{rest}' is not empty"), "write keys after sim://?"));
            }
        };
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(bad(pair, "has no value".into(), "write key=value"));
            };
            if !KEYS.split(", ").any(|known| known == key) {
                return Err(bad(key, "no such key".into(), &format!("use {KEYS}")));
            }
            if seen.iter().any(|(before, _)| *before == key) {
                return Err(bad(key, "is given twice".into(), "give it once"));
            }
            seen.push((key, value));
        }
        let get = |key: &str| seen.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
        let number = |key: &str, low: f64, high: f64| -> Result<Option<f64>> {
            let Some(text) = get(key) else {
                return Ok(None);
            };
            match text.parse::<f64>() {
                Ok(value) if (low..=high).contains(&value) => Ok(Some(value)),
                _ => Err(bad(
                    key,
                    format!("'{text}' cannot be used"),
                    &format!("give a number of seconds from {low} to {high}"),
                )),
            }
        };

        let seed = match get("seed") {
            None => 1,
            Some(text) => text.parse().map_err(|_| {
                bad("seed", format!("'{text}' cannot be used"), "give a whole number from 0 to 18446744073709551615")
            })?,
        };
        let seconds = number("seconds", 2.0, 86_400.0)?.unwrap_or(90.0);
        let incident = match get("incident") {
            None | Some("none") => None,
            Some(name) => Some(
                name.parse::<IncidentKind>()
                    .map_err(|error| bad("incident", error.problem, &format!("{}, none", error.remedy)))?,
            ),
        };
        let mut spec = Self::new(seed, seconds, incident);
        let latest = seconds - ONSET_TO_END_S_MIN;
        if incident.is_some() && latest < 0.0 {
            return Err(bad(
                "seconds",
                format!("{seconds} s are too short to show an incident"),
                &format!("give at least {ONSET_TO_END_S_MIN} s, or incident=none"),
            ));
        }
        let latest = if incident.is_some() { latest } else { 86_400.0 };
        spec.onset_s = number("at", 0.0, latest)?.unwrap_or(spec.onset_s);
        spec.incident_seconds = number("lasting", 4.0, 86_400.0)?.unwrap_or(spec.incident_seconds);
        spec.light = match get("light") {
            None => None,
            Some("day") => Some(Light::Day),
            Some("dusk") => Some(Light::Dusk),
            Some("night") => Some(Light::Night),
            Some(text) => {
                return Err(bad("light", format!("'{text}' cannot be used"), "use day, dusk or night"));
            }
        };
        spec.rain = match get("rain") {
            None => None,
            Some("yes") => Some(true),
            Some("no") => Some(false),
            Some(text) => {
                return Err(bad("rain", format!("'{text}' cannot be used"), "use yes or no"));
            }
        };
        if let Some(text) = get("size") {
            spec.size = size(text).map_err(|remedy| bad("size", format!("'{text}' cannot be used"), &remedy))?;
        }
        Ok(spec)
    }

    /// Number of frames of the footage.
    pub fn frames(&self) -> u64 {
        (self.seconds * f64::from(RATE_HZ)).round().max(1.0) as u64
    }
}

impl fmt::Display for SimSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim://?seed={}&seconds={}", self.seed, self.seconds)?;
        match self.incident {
            None => write!(f, "&incident=none")?,
            Some(kind) => write!(f, "&incident={kind}")?,
        }
        write!(f, "&at={}&lasting={}", self.onset_s, self.incident_seconds)?;
        if let Some(light) = self.light {
            write!(f, "&light={}", light.name())?;
        }
        if let Some(rain) = self.rain {
            write!(f, "&rain={}", if rain { "yes" } else { "no" })?;
        }
        if self.size != SIZE {
            write!(f, "&size={}x{}", self.size.0, self.size.1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_survives_the_round_trip() {
        for uri in [
            "sim://",
            "sim://?seed=7&seconds=90&incident=collision&at=55",
            "sim://?incident=none",
            "sim://?seed=18446744073709551615&seconds=12.5&incident=wrong-way&light=night&rain=no&lasting=4.25",
            "sim://?seed=3&size=128x72",
        ] {
            let spec = SimSpec::parse(uri).unwrap();
            assert_eq!(SimSpec::parse(&spec.to_string()).unwrap(), spec, "{uri}");
        }
        let spec = SimSpec::parse("sim://?seed=7&seconds=90&incident=illegal-turn&at=55").unwrap();
        assert_eq!((spec.seed, spec.seconds, spec.onset_s), (7, 90.0, 55.0));
        assert_eq!(spec.incident, Some(IncidentKind::IllegalTurn));
        assert_eq!(spec.frames(), 2250);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (uri, key, allowed) in [
            ("file://x", "scheme", "sim://"),
            ("sim://road", "path", "sim://?"),
            ("sim://?sede=1", "sede", "seed, seconds"),
            ("sim://?seed=-1", "seed", "whole number"),
            ("sim://?seed=1&seed=2", "seed", "once"),
            ("sim://?seconds=nan", "seconds", "2 to 86400"),
            ("sim://?seconds=1", "seconds", "2 to 86400"),
            ("sim://?incident=flood", "incident", "spilled-load, fire, none"),
            ("sim://?seconds=20&incident=fire&at=13", "at", "0 to 12"),
            ("sim://?seconds=5&incident=fire", "seconds", "8 s"),
            ("sim://?light=noon", "light", "dusk"),
            ("sim://?rain=1", "rain", "yes or no"),
            ("sim://?rain", "rain", "key=value"),
            ("sim://?size=640", "size", "64x36 to 1920x1080"),
            ("sim://?size=127x72", "size", "even"),
            ("sim://?size=32x32", "size", "64x36"),
        ] {
            let error = SimSpec::parse(uri).unwrap_err();
            assert!(error.subject.ends_with(key), "{uri}: {error}");
            assert!(error.remedy.contains(allowed), "{uri}: {error}");
        }
    }

    #[test]
    fn kinds_have_their_names() {
        for kind in IncidentKind::ALL {
            assert_eq!(kind.to_string().parse::<IncidentKind>().unwrap(), kind);
        }
        assert_eq!(IncidentKind::PedestrianOnRoad.to_string(), "pedestrian-on-road");
    }
}
