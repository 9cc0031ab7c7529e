//! Which promises can be kept: every field of a manifest has limits, and fields must agree with each other.

use std::collections::HashSet;

use super::{BUNDLE_BYTES_MAX, FILE_BYTES_MAX, FILES_MAX, FileRole, Manifest, ManifestError};
use crate::contract::ClipContract;

/// Names that a bundle uses itself.
const RESERVED: [&str; 2] = ["manifest", "manifest.sig"];

impl Manifest {
    /// Check every field against its limits and against the others.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn validate(&self) -> Result<(), ManifestError> {
        plain_name("name", &self.name, 64)?;
        text("created", &self.created, 64)?;
        self.check_contract()?;
        between("window", self.window, 1, 1024)?;
        between("min_segments", self.min_segments, 1, self.window)?;
        between("look_ahead", self.look_ahead, 0, self.window - 1)?;
        self.check_alarm()?;
        self.check_files()?;
        self.check_golden()?;
        ensure(self.notes.len() <= 64, "notes", || format!("has {} entries, more than 64", self.notes.len()))?;
        for (n, note) in self.notes.iter().enumerate() {
            text(&format!("notes[{n}].title"), &note.title, 64)?;
            text(&format!("notes[{n}].text"), &note.text, 64 << 10)?;
        }
        Ok(())
    }

    fn check_contract(&self) -> Result<(), ManifestError> {
        let contract = &self.contract;
        plain_name("contract.name", &contract.name, 64)?;
        between("contract.feature_width", contract.feature_width, 1, 16_384)?;
        let Some(input) = &contract.input else {
            return Ok(());
        };
        let ClipContract { width, height, rate_hz, clip_ticks, ticks, extractor_sha256 } = input;
        between("contract.input.width", *width, 1, 1024)?;
        between("contract.input.height", *height, 1, 1024)?;
        between("contract.input.rate_hz", *rate_hz, 1, 240)?;
        between("contract.input.clip_ticks", *clip_ticks, 1, 256)?;
        let ascending = ticks.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = ticks.last().is_some_and(|last| last < clip_ticks);
        ensure(ascending && inside, "contract.input.ticks", || {
            format!("must ascend and stay below clip_ticks ({clip_ticks})")
        })?;
        let digits = extractor_sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        ensure(extractor_sha256.len() == 64 && digits, "contract.input.extractor_sha256", || {
            "must be 64 lower-case hexadecimal digits".into()
        })
    }

    fn check_alarm(&self) -> Result<(), ManifestError> {
        let count = self.thresholds.len();
        ensure((1..=16).contains(&count), "thresholds", || format!("has {count} entries, not 1 to 16"))?;
        for (n, threshold) in self.thresholds.iter().enumerate() {
            inside(&format!("thresholds[{n}].value"), threshold.value)?;
            limit(&format!("thresholds[{n}].false_alarms_per_hour"), threshold.false_alarms_per_hour, 1e6)?;
            limit(&format!("thresholds[{n}].calibration_hours"), threshold.calibration_hours, 1e6)?;
        }
        inside("alarm.release_ratio", self.alarm.release_ratio)?;
        limit("alarm.min_length_s", self.alarm.min_length_s, 600.0)?;
        limit("alarm.cool_down_s", self.alarm.cool_down_s, 86_400.0)
    }

    fn check_files(&self) -> Result<(), ManifestError> {
        let count = self.files.len();
        ensure((1..=FILES_MAX).contains(&count), "files", || format!("has {count} entries, not 1 to {FILES_MAX}"))?;
        let (mut names, mut total) = (HashSet::new(), 0u64);
        for (n, file) in self.files.iter().enumerate() {
            let field = format!("files[{n}].name");
            plain_name(&field, &file.name, 100)?;
            ensure(!RESERVED.contains(&file.name.as_str()), &field, || format!("must not be `{}`", file.name))?;
            ensure(names.insert(&file.name), &field, || format!("is `{}` a second time", file.name))?;
            ensure((1..=FILE_BYTES_MAX).contains(&file.bytes), &format!("files[{n}].bytes"), || {
                format!("is {}, not 1 to {FILE_BYTES_MAX}", file.bytes)
            })?;
            total += file.bytes;
        }
        ensure(total <= BUNDLE_BYTES_MAX, "files", || format!("hold {total} bytes, more than {BUNDLE_BYTES_MAX}"))?;
        for (role, most) in [(FileRole::Head, 1), (FileRole::Extractor, 1), (FileRole::Step, 1)] {
            let found = self.files.iter().filter(|file| file.role == role).count();
            ensure(found <= most, "files", || format!("have {found} of role {role}, more than {most}"))?;
        }
        ensure(self.file(FileRole::Head).is_some(), "files", || "have none of role head".into())?;
        let Some(extractor) = self.file(FileRole::Extractor) else {
            return Ok(());
        };
        let promised = self.contract.input.as_ref().map(|input| input.extractor_sha256.clone());
        ensure(promised == Some(hex::encode(extractor.sha256)), "contract.input.extractor_sha256", || {
            format!("is not that of the extractor `{}`", extractor.name)
        })
    }

    fn check_golden(&self) -> Result<(), ManifestError> {
        let golden = &self.golden;
        let (window, width) = (self.window as usize, self.contract.feature_width as usize);
        ensure(golden.tolerance > 0.0 && golden.tolerance <= 0.01, "golden.tolerance", || {
            format!("is {}, not above 0 and at most 0.01", golden.tolerance)
        })?;
        numbers("golden.head_input", &golden.head_input, window * width)?;
        numbers("golden.head_scores", &golden.head_scores, window)?;
        ensure(golden.head_scores.iter().all(|score| (0.0..=1.0).contains(score)), "golden.head_scores", || {
            "must lie between 0 and 1".into()
        })?;
        let has_extractor = self.file(FileRole::Extractor).is_some();
        ensure(golden.extractor.is_some() == has_extractor, "golden.extractor", || {
            "must be there exactly when an extractor is".into()
        })?;
        golden.extractor.as_ref().map_or(Ok(()), |golden| numbers("golden.extractor.row", &golden.row, width))
    }
}

fn ensure(kept: bool, field: &str, problem: impl FnOnce() -> String) -> Result<(), ManifestError> {
    if kept { Ok(()) } else { Err(ManifestError::Field { field: field.into(), problem: problem() }) }
}

/// A name that is the same on every file system: letters, digits, `.`, `-`, `_`, not beginning with a dot.
fn plain_name(field: &str, name: &str, most: usize) -> Result<(), ManifestError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    ensure((1..=most).contains(&name.len()) && plain && !name.starts_with('.'), field, || {
        format!("must be 1 to {most} letters, digits, `.`, `-` or `_`, not beginning with a dot")
    })
}

/// Text that cannot take over the terminal that shows it.
fn text(field: &str, text: &str, most: usize) -> Result<(), ManifestError> {
    let clean = text.chars().all(|c| !c.is_control() || c == '\n');
    ensure(text.len() <= most && clean, field, || format!("must be at most {most} bytes without control characters"))
}

fn between(field: &str, value: u32, least: u32, most: u32) -> Result<(), ManifestError> {
    ensure((least..=most).contains(&value), field, || format!("is {value}, not {least} to {most}"))
}

/// Above 0 and below 1; NaN is neither.
fn inside(field: &str, value: f32) -> Result<(), ManifestError> {
    ensure(value > 0.0 && value < 1.0, field, || format!("is {value}, not above 0 and below 1"))
}

fn limit(field: &str, value: f32, most: f32) -> Result<(), ManifestError> {
    ensure((0.0..=most).contains(&value), field, || format!("is {value}, not 0 to {most}"))
}

fn numbers(field: &str, values: &[f32], want: usize) -> Result<(), ManifestError> {
    ensure(values.len() == want, field, || format!("has {} numbers, not {want}", values.len()))?;
    ensure(values.iter().all(|value| value.is_finite()), field, || "holds a number that is not finite".into())
}
