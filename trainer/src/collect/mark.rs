//! One mark: a line of a device's `marks.jsonl` (docs/ref/page.md) comes in; an alarm, what was said of it and its feature rows go
//! out. Pure. Refused: lines that are no mark, rows that are shorter or longer than they say, or hold what is no finite number.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firmware_config::{ClipContract, FeatureContract};
use serde::Deserialize;

/// A longer name for a video's file is refused, bytes.
const NAME_BYTES_MAX: usize = 200;

/// What people say of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// Something was there.
    True,
    /// Nothing was.
    False,
}

/// A mark. What is not of use here is left out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Mark {
    /// Which alarm, unlike any other of the device.
    pub event: String,
    /// What it was; `None` takes back what was said before.
    pub mark: Option<Said>,
    /// Number of the segment that raised it.
    pub segment: u64,
    /// When it was raised, in seconds of the camera's stream.
    pub start_s: f64,
    /// When it was over, or when it was marked, seconds.
    pub end_s: f64,
    /// Hash of the contract of its rows.
    pub contract: Option<String>,
    /// That contract.
    pub features: Option<FeatureContract>,
    /// The feature rows around it.
    pub rows: Option<Rows>,
}

/// Feature rows of consecutive segments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Coded")]
pub struct Rows {
    /// Number of the first row's segment.
    pub first: u64,
    /// Width of a row.
    pub width: usize,
    /// `[T, width]`, T at least 1.
    pub values: Vec<f32>,
}

/// Rows as they are written.
#[derive(Deserialize)]
struct Coded {
    first_segment: u64,
    segments: usize,
    width: usize,
    float32_le: String,
}

impl TryFrom<Coded> for Rows {
    type Error = String;

    fn try_from(coded: Coded) -> Result<Self, String> {
        let Coded { first_segment, segments, width, float32_le } = coded;
        let bytes = BASE64_STANDARD.decode(float32_le).map_err(|error| format!("its rows are no base64: {error}"))?;
        let wanted = segments.checked_mul(width).and_then(|numbers| numbers.checked_mul(4));
        if bytes.is_empty() || wanted != Some(bytes.len()) {
            return Err(format!("its rows have {} bytes, not {segments} x {width} numbers", bytes.len()));
        }
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("its rows hold {value}")),
            None => Ok(Self { first: first_segment, width, values }),
        }
    }
}

impl Rows {
    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.values.len() / self.width) as u64
    }
}

impl Mark {
    /// Read a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// The name of its video in a data set; `None` when there can be none.
    pub fn video(&self, device: &str) -> Option<String> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let event: String = self.event.chars().map(plain).collect();
        let name = format!("{device}-{event}");
        (!event.is_empty() && name.len() <= NAME_BYTES_MAX).then_some(name)
    }

    /// First and last frame of the alarm in the video of its rows, 1-based, at so many frames a segment as a clip has ticks: from the segment
    /// that raised it on, for as long as it lasted, as far as there are rows.
    pub fn frames(&self, rows: &Rows, contract: &FeatureContract) -> (u64, u64) {
        let (ticks, seconds) = clip(contract);
        let newest = rows.first + rows.count() - 1;
        let first = self.segment.clamp(rows.first, newest);
        // What is no number is no length.
        let length = (((self.end_s - self.start_s) / seconds).round() as u64).max(1);
        let last = first.saturating_add(length - 1).min(newest);
        ((first - rows.first) * ticks + 1, (last - rows.first + 1) * ticks)
    }
}

/// Ticks and seconds of a clip.
pub fn clip(contract: &FeatureContract) -> (u64, f64) {
    let input = contract.input.as_ref();
    (input.map_or(16, |clip| clip.clip_ticks.into()), input.map_or(0.64, ClipContract::segment_seconds))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A mark as a device writes it: alarm `id`, raised by segment 20, with `count` rows of width 2 from segment `first` on.
    pub(in crate::collect) fn line(id: u64, mark: Option<&str>, first: u64, count: usize) -> Value {
        let bytes: Vec<u8> = (0..2 * count).flat_map(|i| (i as f32 + id as f32).to_le_bytes()).collect();
        let features = FeatureContract::external(2);
        json!({
            "event": format!("00ff-north-{id}"), "mark": mark, "camera": "north", "segment": 20, "start_s": 13.44,
            "end_s": 15.36, "peak": 0.75, "threshold": 0.5, "model": "4f", "contract": features.hash(),
            "features": features,
            "rows": { "first_segment": first, "segments": count, "width": 2, "float32_le": BASE64_STANDARD.encode(bytes) },
        })
    }

    fn mark(line: &Value) -> Result<Mark, String> {
        Mark::parse(line.to_string().as_bytes())
    }

    #[test]
    fn a_line_is_read_with_its_rows() {
        let read = mark(&line(3, Some("false"), 10, 4)).unwrap();
        assert_eq!((read.mark, read.video("pole-12").unwrap()), (Some(Said::False), "pole-12-00ff-north-3".into()));
        let rows = read.rows.unwrap();
        assert_eq!((rows.count(), rows.width, &rows.values[..3]), (4, 2, &[3.0, 4.0, 5.0][..]));
        assert_eq!(mark(&line(3, None, 10, 4)).unwrap().mark, None);
        let mut early = line(3, Some("true"), 10, 4);
        (early["rows"], early["features"], early["contract"]) = (Value::Null, Value::Null, Value::Null);
        assert_eq!(mark(&early).unwrap().rows, None);
    }

    #[test]
    fn what_is_no_mark_is_refused() {
        let mut short = line(3, Some("false"), 10, 4);
        short["rows"]["segments"] = 5.into();
        assert!(mark(&short).unwrap_err().contains("32 bytes, not 5 x 2"));
        let mut nan = line(3, Some("false"), 10, 1);
        nan["rows"]["float32_le"] =
            BASE64_STANDARD.encode([f32::NAN.to_le_bytes(), 1_f32.to_le_bytes()].concat()).into();
        assert!(mark(&nan).unwrap_err().contains("hold NaN"));
        let mut empty = line(3, Some("false"), 10, 1);
        (empty["rows"]["segments"], empty["rows"]["float32_le"]) = (0.into(), "".into());
        assert!(mark(&empty).is_err());
        assert!(mark(&line(3, Some("perhaps"), 10, 1)).is_err());
        assert!(Mark::parse(b"{\"event\":\"a\"").is_err());
        let mut odd = line(3, Some("false"), 10, 1);
        odd["event"] = "../a b".into();
        assert_eq!(mark(&odd).unwrap().video("p").unwrap(), "p-___a_b");
    }

    #[test]
    fn the_event_begins_with_what_raised_it() {
        let contract = FeatureContract::external(2);
        let frames = |first, count, change: &dyn Fn(&mut Mark)| {
            let mut mark = mark(&line(1, Some("true"), first, count)).unwrap();
            change(&mut mark);
            mark.frames(mark.rows.as_ref().unwrap(), &contract)
        };
        // Segments 20 to 22 of 10 to 29.
        assert_eq!(frames(10, 20, &|_| ()), (10 * 16 + 1, 13 * 16));
        assert_eq!(frames(20, 2, &|_| ()), (1, 32), "no more than there are rows of");
        assert_eq!(frames(25, 4, &|_| ()), (1, 48), "rows that begin later");
        assert_eq!(frames(10, 20, &|m| m.end_s = f64::NAN), (10 * 16 + 1, 11 * 16));
    }
}
