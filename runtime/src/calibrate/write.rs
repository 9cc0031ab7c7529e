//! A config's text and what a calibration found come in; the same text with threshold and provenance goes out, every comment and
//! everything else as it was. Refused: a text that would not be the same config but for them.

use firmware_config::Config;
use firmware_config::config::Calibration;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value, value};

use super::Calibrated;
use crate::{Error, Result};

impl Calibrated {
    /// What a config says of it.
    pub fn provenance(&self, model: String, date: String) -> Calibration {
        Calibration {
            false_alarms_per_day: self.rate as f32,
            low: two_digits(self.low),
            high: two_digits(self.high),
            segments: self.segments,
            model,
            date,
        }
    }
}

/// A range is not known to more digits.
fn two_digits(rate: f64) -> f32 {
    format!("{rate:.1e}").parse().unwrap_or(rate as f32)
}

/// `config` with this threshold.
pub fn with_threshold(config: &Config, threshold: f32, calibration: Calibration) -> Config {
    let mut config = config.clone();
    config.alarm.threshold = Some(threshold);
    config.alarm.calibration = Some(calibration);
    config
}

/// `text`, which is `config`, with this threshold and where it is from.
///
/// # Errors
/// When the text would not be that config.
pub fn into_text(text: &str, config: &Config, threshold: f32, calibration: &Calibration) -> Result<String> {
    let unlike = |problem: String| {
        let remedy = format!("write `threshold = {threshold}` under [alarm] by hand");
        Error::failed("the config", problem, remedy)
    };
    let mut document: DocumentMut = text.parse().map_err(|error| unlike(format!("cannot be changed: {error}")))?;
    let alarm = document.entry("alarm").or_insert_with(|| Item::Table(Table::new()));
    let inline = alarm.is_inline_table();
    let Some(alarm) = alarm.as_table_like_mut() else { return Err(unlike("has an `alarm` that is no table".into())) };
    put(alarm, "threshold", shortest(threshold));
    let Calibration { false_alarms_per_day, low, high, segments, model, date } = calibration;
    let mut provenance = Table::new();
    provenance.insert("false_alarms_per_day", value(shortest(*false_alarms_per_day)));
    provenance.insert("low", value(shortest(*low)));
    provenance.insert("high", value(shortest(*high)));
    provenance.insert("segments", value(i64::try_from(*segments).unwrap_or(i64::MAX)));
    provenance.insert("model", value(model.as_str()));
    provenance.insert("date", value(date.as_str()));
    let item = match (inline, alarm.get("calibration").and_then(Item::as_table)) {
        (true, _) => value(provenance.into_inline_table()),
        (false, former) => {
            // What stood before its header stays there.
            if let Some(former) = former {
                *provenance.decor_mut() = former.decor().clone();
                provenance.set_position(former.position());
            }
            Item::Table(provenance)
        }
    };
    replace(alarm, "calibration", item);
    let text = document.to_string();
    let found = Config::from_toml(&text).map_err(|error| unlike(format!("would not be one any more: {error}")))?;
    if found == with_threshold(config, threshold, calibration.clone()) {
        return Ok(text);
    }
    Err(unlike("would say something else".into()))
}

/// Set a key; comments around a former value stay.
fn put(table: &mut dyn TableLike, key: &str, number: f64) {
    let mut new = Value::from(number);
    if let Some(former) = table.get(key).and_then(Item::as_value) {
        *new.decor_mut() = former.decor().clone();
    }
    replace(table, key, Item::Value(new));
}

/// Put an item into a table. Inserting where there is one would take the comments before its key away.
fn replace(table: &mut dyn TableLike, key: &str, item: Item) {
    match table.get_mut(key) {
        Some(former) => *former = item,
        None => _ = table.insert(key, item),
    }
}

/// A float as people write it: the shortest digits that mean it, and not those of the double beside it.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

    fn calibration() -> Calibration {
        Calibration {
            false_alarms_per_day: 1.0,
            low: 0.4,
            high: 2.5,
            segments: 135_000,
            model: "roadside-lite0 3".into(),
            date: "2026-11-22".into(),
        }
    }

    fn changed(alarm: &str) -> String {
        let text = format!(
            "# mine\n[[camera]]\nname = \"n\" # north\nsource = \"sim://\"\n[model]\nbundle = \"m\"\ntrusted_keys = [\"{KEY}\"]\n{alarm}"
        );
        let config = Config::from_toml(&text).unwrap();
        let text = into_text(&text, &config, 0.71, &calibration()).unwrap();
        let again = Config::from_toml(&text).unwrap();
        assert_eq!(into_text(&text, &again, 0.71, &calibration()).unwrap(), text, "twice is once");
        assert!(text.starts_with("# mine\n") && text.contains("\"n\" # north"));
        text.split_once("\"]\n").unwrap().1.to_owned()
    }

    const TOLD: &str = "[alarm.calibration]\nfalse_alarms_per_day = 1.0\nlow = 0.4\nhigh = 2.5\nsegments = 135000\n\
                        model = \"roadside-lite0 3\"\ndate = \"2026-11-22\"\n";

    #[test]
    fn a_config_without_an_alarm_gets_one() {
        assert_eq!(changed(""), format!("\n[alarm]\nthreshold = 0.71\n\n{TOLD}"));
    }

    #[test]
    fn comments_stay() {
        let before = "[alarm]\n# our own\nthreshold = 0.5 # was 0.4\ncool_down_s = 30\n\n[output.journal]\npath = \"/j\" # here\n";
        let after = changed(before);
        assert!(after.starts_with("[alarm]\n# our own\nthreshold = 0.71 # was 0.4\ncool_down_s = 30\n"), "{after}");
        assert!(after.contains("[output.journal]\npath = \"/j\" # here\n") && after.contains(TOLD), "{after}");
    }

    #[test]
    fn a_former_calibration_is_replaced() {
        let former = TOLD.replace("2.5", "9.5").replace("2026", "2025");
        let after = changed(&format!("[alarm]\nthreshold = 0.5\n\n# by hand\n{former}\n[output]\n"));
        assert!(after.contains(&format!("\n# by hand\n{TOLD}")) && !after.contains("2025"), "{after}");
    }

    #[test]
    fn an_alarm_in_a_line_stays_in_it() {
        let rest = format!(
            "[[camera]]\nname = \"n\"\nsource = \"sim://\"\n[model]\nbundle = \"m\"\ntrusted_keys = [\"{KEY}\"]\n"
        );
        let text = format!("alarm = {{ release_ratio = 0.8 }} # short\n{rest}");
        let config = Config::from_toml(&text).unwrap();
        let after = into_text(&text, &config, 0.71, &calibration()).unwrap();
        assert!(after.starts_with("alarm = { release_ratio = 0.8") && after.ends_with(&rest), "{after}");
    }
}
