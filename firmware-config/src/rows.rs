//! The URI of recorded feature rows: text comes in, a checked [`RowsUri`] goes out. Nothing is opened or looked up here.
//!
//! ```text
//! features:///path/rows.npy               as fast as they are taken
//! features:///path/rows.npy?speed=60      sixty times as fast as a camera would give them, and no faster
//! ```
//!
//! Refused: settings that are not known or told twice, and speeds below that of life.

/// The lowest speed, that of life: who waits for longer than a segment for a row cannot be stopped in time.
pub const ROWS_SPEED_MIN: f64 = 1.0;
/// The highest.
pub const ROWS_SPEED_MAX: f64 = 1e6;

/// Recorded rows, and how fast they come.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsUri {
    /// The file.
    pub path: String,
    /// How many times faster than a camera's, at most; as fast as they are taken when absent.
    pub speed: Option<f64>,
}

/// Why a URI names no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct RowsUriError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl RowsUri {
    /// The scheme, with what parts it from the rest.
    pub const SCHEME: &'static str = "features://";

    /// Read a URI, or a plain path.
    ///
    /// # Errors
    /// With the setting that is wrong.
    pub fn parse(uri: &str) -> Result<Self, RowsUriError> {
        let rest = uri.strip_prefix(Self::SCHEME).unwrap_or(uri);
        let (path, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let mut found = Self { path: path.to_owned(), speed: None };
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            if key != "speed" {
                return refuse(format!("has the unknown setting `{key}`"), "`speed` is known");
            }
            if found.speed.is_some() {
                return refuse("sets `speed` twice", "set it once");
            }
            let speed = value.parse::<f64>().ok().filter(|speed| (ROWS_SPEED_MIN..=ROWS_SPEED_MAX).contains(speed));
            if speed.is_none() {
                return refuse(
                    format!("has the speed `{value}`"),
                    format!("write {ROWS_SPEED_MIN} for that of life, {ROWS_SPEED_MAX} at most, or leave it out"),
                );
            }
            found.speed = speed;
        }
        Ok(found)
    }
}

fn refuse<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, RowsUriError> {
    Err(RowsUriError { problem: problem.into(), remedy: remedy.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_may_be_asked_for() {
        let rows = |path: &str, speed| Ok(RowsUri { path: path.into(), speed });
        assert_eq!(RowsUri::parse("features:///a/rows.npy"), rows("/a/rows.npy", None));
        assert_eq!(RowsUri::parse("features://rows.npy?"), rows("rows.npy", None));
        assert_eq!(RowsUri::parse("features:///a/rows.npy?speed=2.5"), rows("/a/rows.npy", Some(2.5)));
    }

    #[test]
    fn what_is_no_speed_is_named() {
        for (settings, part) in [
            ("speed=0.5", "`0.5`"),
            ("speed=", "``"),
            ("speed=NaN", "`NaN`"),
            ("speed=1e7", "`1e7`"),
            ("speed=2&speed=2", "twice"),
            ("rate=2", "`rate`"),
        ] {
            let error = RowsUri::parse(&format!("features:///a.npy?{settings}")).unwrap_err().to_string();
            assert!(error.contains(part), "{settings}: {error}");
        }
    }
}
