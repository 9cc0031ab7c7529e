//! Which mode to set: what a driver offers and what the URI asks come in, the pixel format, size and interval that
//! suit best go out. Pure.
//!
//! The nearest size counts most, then a rate that is fast enough, then pixels that need no decoding. A size that is
//! not offered is replaced by the smallest that holds it, else by the largest; a rate by the next faster, else by the
//! fastest. What is not asked is [`SIZE_WANTED`] and [`RATE_WANTED_HZ`], which is what the model looks at.

use firmware_config::v4l::{V4lFormat, V4lUri};

/// The size where the URI asks for none, in pixels.
pub const SIZE_WANTED: (u32, u32) = (640, 480);
/// Frames per second where the URI asks for none.
pub const RATE_WANTED_HZ: f64 = 25.0;

/// Pixels that can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pixels {
    /// Packed 4:2:2.
    Yuyv,
    /// Luma, then interleaved chroma.
    Nv12,
    /// A JPEG picture for each frame.
    Mjpg,
    /// Luma alone: last, since a model has learned from colour.
    Grey,
}

impl Pixels {
    /// The pixels that a driver's code means, if they can be read here.
    pub fn of(code: [u8; 4]) -> Option<Self> {
        match &code {
            b"YUYV" => Some(Self::Yuyv),
            b"NV12" => Some(Self::Nv12),
            b"GREY" => Some(Self::Grey),
            b"MJPG" | b"JPEG" => Some(Self::Mjpg),
            _ => None,
        }
    }

    fn suits(self, asked: V4lFormat) -> bool {
        match asked {
            V4lFormat::Auto => true,
            V4lFormat::Yuyv => self == Self::Yuyv,
            V4lFormat::Nv12 => self == Self::Nv12,
            V4lFormat::Grey => self == Self::Grey,
            V4lFormat::Mjpg => self == Self::Mjpg,
        }
    }
}

/// Time from one frame to the next, in seconds, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Above the line.
    pub numerator: u32,
    /// Below the line.
    pub denominator: u32,
}

impl Interval {
    /// The interval of `rate` frames per second.
    pub fn of_rate(rate_hz: f64) -> Self {
        Self { numerator: 1000, denominator: (rate_hz * 1000.0).round() as u32 }
    }

    /// Frames per second; `None` for a driver that tells nothing sensible.
    pub fn rate_hz(self) -> Option<f64> {
        (self.numerator > 0 && self.denominator > 0).then(|| f64::from(self.denominator) / f64::from(self.numerator))
    }
}

/// The intervals that a driver offers for one format and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervals {
    /// It does not tell.
    Unknown,
    /// These.
    Listed(Vec<Interval>),
    /// All between two.
    Between {
        /// The shortest.
        shortest: Interval,
        /// The longest.
        longest: Interval,
    },
}

/// One format and size of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The driver's code.
    pub code: [u8; 4],
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The intervals.
    pub intervals: Intervals,
}

/// What to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The driver's code.
    pub code: [u8; 4],
    /// What it means.
    pub pixels: Pixels,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Time from frame to frame.
    pub interval: Interval,
}

/// The size that is asked.
pub fn size_wanted(uri: &V4lUri) -> (u32, u32) {
    uri.size.unwrap_or(SIZE_WANTED)
}

/// The side of a stepwise range that is nearest to `wanted`, larger if it can be.
pub fn fit(wanted: u32, (min, max): (u32, u32), step: u32) -> u32 {
    let steps = wanted.clamp(min, max.max(min)) - min;
    let up = min + steps.div_ceil(step.max(1)) * step.max(1);
    if up <= max { up } else { min + steps / step.max(1) * step.max(1) }
}

/// The offer that suits best.
///
/// # Errors
/// When none can be read here or none is of the format that is asked: the codes that are offered.
pub fn choose(offers: &[Offer], uri: &V4lUri) -> Result<Mode, String> {
    let wanted = size_wanted(uri);
    let rate = uri.rate_hz.map_or(RATE_WANTED_HZ, f64::from);
    let modes = offers.iter().filter_map(|offer| {
        let pixels = Pixels::of(offer.code).filter(|pixels| pixels.suits(uri.format))?;
        let interval = nearest(&offer.intervals, rate);
        // Thousandths of a frame per second: floating point knows no order.
        let slow = (rate - interval.rate_hz().unwrap_or(rate)).max(0.0) * 1e3;
        let rank = (distance(offer.size, wanted), slow.round() as u64, pixels);
        Some((rank, Mode { code: offer.code, pixels, size: offer.size, interval }))
    });
    modes.min_by_key(|(rank, _)| *rank).map(|(_, mode)| mode).ok_or_else(|| codes(offers))
}

/// The interval nearest to `rate`, faster rather than slower.
fn nearest(intervals: &Intervals, rate_hz: f64) -> Interval {
    // 29.97 will do for 30.
    let enough = |rate: f64| rate >= rate_hz * 0.99;
    let of = |interval: &Interval| interval.rate_hz().unwrap_or(0.0);
    match intervals {
        Intervals::Unknown => Interval::of_rate(rate_hz),
        Intervals::Listed(listed) => {
            let fast = listed.iter().filter(|i| enough(of(i))).min_by(|a, b| of(a).total_cmp(&of(b)));
            let best = fast.or_else(|| listed.iter().max_by(|a, b| of(a).total_cmp(&of(b))));
            best.copied().unwrap_or_else(|| Interval::of_rate(rate_hz))
        }
        Intervals::Between { shortest, longest } => {
            if of(shortest) < rate_hz {
                *shortest
            } else if of(longest) > rate_hz {
                *longest
            } else {
                Interval::of_rate(rate_hz)
            }
        }
    }
}

/// How far a size is from the one wanted: 0 is the same, then those that hold it, then those that do not.
fn distance(size: (u32, u32), wanted: (u32, u32)) -> u64 {
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    if size == wanted {
        0
    } else if size.0 >= wanted.0 && size.1 >= wanted.1 {
        area(size) - area(wanted)
    } else {
        (1 << 40) + area(wanted).saturating_sub(area(size))
    }
}

/// The codes of all offers, each once.
fn codes(offers: &[Offer]) -> String {
    let mut codes: Vec<_> = offers.iter().map(|offer| code_name(offer.code)).collect();
    codes.dedup();
    if codes.is_empty() { "no format at all".into() } else { codes.join(", ") }
}

/// A driver's code for people.
pub fn code_name(code: [u8; 4]) -> String {
    let shown = |byte: u8| if byte.is_ascii_graphic() { char::from(byte) } else { ' ' };
    code.map(shown).iter().collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(code: [u8; 4], size: (u32, u32), rates: &[u32]) -> Offer {
        let listed = rates.iter().map(|&rate| Interval { numerator: 1, denominator: rate }).collect();
        Offer { code, size, intervals: Intervals::Listed(listed) }
    }

    fn uri(settings: &str) -> V4lUri {
        V4lUri::parse(&format!("v4l:///dev/video0?{settings}")).unwrap()
    }

    fn chosen(offers: &[Offer], settings: &str) -> (Pixels, (u32, u32), f64) {
        let mode = choose(offers, &uri(settings)).unwrap();
        (mode.pixels, mode.size, mode.interval.rate_hz().unwrap())
    }

    /// As a common web camera.
    fn webcam() -> Vec<Offer> {
        vec![
            offer(*b"MJPG", (1280, 720), &[30, 15]),
            offer(*b"MJPG", (640, 480), &[30, 15]),
            offer(*b"YUYV", (320, 240), &[30]),
            offer(*b"YUYV", (640, 480), &[30, 20, 10]),
            offer(*b"YUYV", (1280, 720), &[10, 5]),
            offer(*b"H264", (640, 480), &[30]),
        ]
    }

    #[test]
    fn undecoded_pixels_where_they_are_fast_enough() {
        assert_eq!(chosen(&webcam(), ""), (Pixels::Yuyv, (640, 480), 30.0));
        assert_eq!(chosen(&webcam(), "size=1280x720"), (Pixels::Mjpg, (1280, 720), 30.0));
        assert_eq!(chosen(&webcam(), "size=1280x720&rate=8"), (Pixels::Yuyv, (1280, 720), 10.0));
        assert_eq!(chosen(&webcam(), "format=mjpg&rate=15"), (Pixels::Mjpg, (640, 480), 15.0));
    }

    #[test]
    fn a_size_that_is_not_offered_becomes_the_next_larger_else_the_largest() {
        assert_eq!(chosen(&webcam(), "size=352x288").1, (640, 480));
        assert_eq!(chosen(&webcam(), "size=1920x1080").1, (1280, 720));
    }

    #[test]
    fn a_rate_that_is_not_offered_becomes_the_next_faster_else_the_fastest() {
        assert_eq!(chosen(&webcam(), "format=yuyv&rate=11").2, 20.0);
        assert_eq!(chosen(&webcam(), "format=yuyv&rate=60").2, 30.0);
        let ntsc = Intervals::Listed(vec![Interval { numerator: 1001, denominator: 30_000 }]);
        let offers = [Offer { intervals: ntsc, ..offer(*b"YUYV", (640, 480), &[]) }];
        assert!((chosen(&offers, "rate=30").2 - 29.97).abs() < 0.001);
    }

    #[test]
    fn ranges_and_silence_about_rates() {
        let (shortest, longest) = (Interval::of_rate(60.0), Interval::of_rate(5.0));
        let between = Offer { intervals: Intervals::Between { shortest, longest }, ..offer(*b"NV12", (640, 480), &[]) };
        for (asked, got) in [("rate=12.5", 12.5), ("rate=200", 60.0), ("rate=2", 5.0)] {
            assert_eq!(chosen(std::slice::from_ref(&between), asked).2, got);
        }
        let unknown = Offer { intervals: Intervals::Unknown, ..between };
        assert_eq!(chosen(&[unknown], ""), (Pixels::Nv12, (640, 480), RATE_WANTED_HZ));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_code() {
        let raw = [
            offer(*b"pgAA", (640, 480), &[30]),
            offer(*b"pgAA", (320, 240), &[30]),
            offer(*b"Y10 ", (640, 480), &[30]),
        ];
        assert_eq!(choose(&raw, &uri("")).unwrap_err(), "pgAA, Y10");
        assert_eq!(choose(&webcam(), &uri("format=grey")).unwrap_err(), "MJPG, YUYV, H264");
        assert_eq!(choose(&[], &uri("")).unwrap_err(), "no format at all");
    }

    #[test]
    fn stepwise_sizes_round_up_inside_their_range() {
        assert_eq!(fit(640, (48, 1920), 2), 640);
        assert_eq!(fit(641, (48, 1920), 16), 656);
        assert_eq!(fit(5000, (48, 1920), 2), 1920);
        assert_eq!(fit(10, (48, 1920), 2), 48);
        assert_eq!(fit(100, (50, 99), 20), 90, "the last step that is in the range");
        assert_eq!(fit(7, (0, 0), 0), 0);
    }

    proptest::proptest! {
        #[test]
        fn a_fitted_side_is_one_that_is_offered(wanted: u16, min in 1u32..5000, more in 0u32..5000, step in 0u32..100) {
            let side = fit(wanted.into(), (min, min + more), step);
            proptest::prop_assert!((min..=min + more).contains(&side) && (side - min).is_multiple_of(step.max(1)));
        }
    }
}
