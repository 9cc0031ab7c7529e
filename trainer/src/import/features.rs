//! The feature files of one video, in any published shape, as `[T, crops, D]`: `[T, D]`, `[T, crops, D]`, `[crops, T, D]`, or
//! `[T, D]` of each crop in a file of its own; with the sound's `[T, A]` beside each row, `[T, crops, D + A]`.

use std::path::{Path, PathBuf};

use runtime::{Error, Result};

use super::folder::{Files, Found};
use crate::dataset::Header;
use crate::dataset::npy::{self, Element, Outline};

/// Crops at most: which axis they are on is told by their number.
const CROPS_MAX: usize = 16;

/// Which axis of a stack the crops are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// `[crops, T, D]`.
    First,
    /// `[T, crops, D]`.
    Second,
}

/// A video's files, their headers read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The crops' files in order, or the one of all.
    files: Vec<(PathBuf, Outline)>,
    audio: Option<(PathBuf, Outline)>,
}

impl Source {
    /// Read the headers.
    ///
    /// # Errors
    /// On shapes that no published features have, crops that are missing, and with `audio` sound that is missing.
    pub fn open(video: &str, files: &Files, found: &Found, audio: bool) -> Result<Self> {
        let several = files.crops.len() > 1 || !files.crops.contains_key(&None);
        let mut opened = Vec::with_capacity(files.crops.len());
        for (place, (crop, path)) in files.crops.iter().enumerate() {
            if several && *crop != Some(place) {
                let problem = format!("is not alone: crop {place} of {video} is missing beside it");
                return Err(refused(path, problem, "add the crop's file, or remove the video's others"));
            }
            opened.push((path.clone(), outline(path, if several { 2 } else { 3 })?));
        }
        let audio = match (audio, found.audio.get(video), opened.first()) {
            (false, ..) => None,
            (true, Some(path), _) => Some((path.clone(), outline(path, 2)?)),
            (true, None, first) => {
                let path = first.map_or_else(|| Path::new(video), |(path, _)| path.as_path());
                let remedy = format!("add {video}__vggish.npy to the sources, or leave out --audio");
                return Err(refused(path, "has no sound beside it", remedy));
            }
        };
        let source = Self { files: opened, audio };
        if let Some((path, outline)) =
            source.files.iter().find(|(_, o)| o.shape.last() != source.files[0].1.shape.last())
        {
            let problem = format!("is {:?}, another width than that of crop 0", outline.shape);
            return Err(refused(path, problem, "extract all crops with the same extractor"));
        }
        Ok(source)
    }

    /// The first of its files, for messages.
    pub fn path(&self) -> &Path {
        &self.files[0].0
    }

    /// The axis that its crops are on, where its shape tells.
    pub fn axis(&self) -> Option<Axis> {
        match self.files[0].1.shape[..] {
            [a, b, _] if a <= CROPS_MAX && b > CROPS_MAX => Some(Axis::First),
            [a, b, _] if a > CROPS_MAX && b <= CROPS_MAX => Some(Axis::Second),
            _ => None,
        }
    }

    /// Rows, of the file with the fewest and that with the most.
    pub fn rows(&self, axis: Axis) -> (usize, usize) {
        let rows = |outline: &Outline| match outline.shape[..] {
            [_, rows, _] if axis == Axis::First => rows,
            [rows, ..] => rows,
            [] => 0,
        };
        let all = self.files.iter().chain(&self.audio).map(|(_, outline)| rows(outline));
        (all.clone().min().unwrap_or(0), all.max().unwrap_or(0))
    }

    /// D, and with the sound's.
    pub fn width(&self) -> usize {
        let width = |outline: &Outline| outline.shape.last().copied().unwrap_or(0);
        width(&self.files[0].1) + self.audio.as_ref().map_or(0, |(_, outline)| width(outline))
    }

    /// How it is written: float16 where all of it is.
    pub fn element(&self) -> Element {
        let half = self.files.iter().chain(&self.audio).all(|(_, outline)| outline.element == Element::Half);
        if half { Element::Half } else { Element::Float }
    }

    /// Its first `rows` rows, `[rows, crops, D]`.
    ///
    /// # Errors
    /// When a file is damaged, or holds NaN.
    pub fn read(&self, axis: Axis, rows: usize) -> Result<(Header, Vec<f32>)> {
        // Each part: what file, from where in it a crop's row comes.
        let mut parts: Vec<(Vec<f32>, Strides)> = Vec::new();
        for (path, outline) in &self.files {
            parts.push((npy::numbers(path, outline)?, Strides::of(outline, axis)));
        }
        let sound = match &self.audio {
            Some((path, outline)) => Some((npy::numbers(path, outline)?, Strides::of(outline, axis))),
            None => None,
        };
        let crops: usize = parts.iter().map(|(_, strides)| strides.crops).sum();
        let header = Header { rows, crops, width: self.width() };
        let mut out = Vec::with_capacity(rows * crops * header.width);
        for row in 0..rows {
            for (data, strides) in &parts {
                for crop in 0..strides.crops {
                    out.extend_from_slice(strides.at(data, row, crop));
                    if let Some((data, strides)) = &sound {
                        out.extend_from_slice(strides.at(data, row, 0));
                    }
                }
            }
        }
        Ok((header, out))
    }
}

/// Where a crop's row is in a file.
#[derive(Clone, Copy, Debug)]
struct Strides {
    crops: usize,
    row: usize,
    crop: usize,
    width: usize,
}

impl Strides {
    fn of(outline: &Outline, axis: Axis) -> Self {
        match outline.shape[..] {
            [crops, rows, width] if axis == Axis::First => Self { crops, row: width, crop: rows * width, width },
            [_, crops, width] => Self { crops, row: crops * width, crop: width, width },
            _ => {
                let width = outline.shape.last().copied().unwrap_or(0);
                Self { crops: 1, row: width, crop: 0, width }
            }
        }
    }

    fn at<'a>(&self, data: &'a [f32], row: usize, crop: usize) -> &'a [f32] {
        let start = row * self.row + crop * self.crop;
        &data[start..start + self.width]
    }
}

/// A header with `axes_max` axes at most, of features.
fn outline(path: &Path, axes_max: usize) -> Result<Outline> {
    let mut outline = npy::outline(path)?;
    if let [rows, 1, width] = outline.shape[..] {
        outline.shape = vec![rows, width];
    }
    let shape = &outline.shape;
    let crops = if let [a, b, _] = shape[..] { a.min(b) } else { 1 };
    if shape.len() < 2 || shape.len() > axes_max || shape.contains(&0) || crops > CROPS_MAX {
        let problem = format!("has shape {shape:?}");
        let wanted = if axes_max == 2 { "[T, D]" } else { "[T, D], [T, crops, D] or [crops, T, D]" };
        return Err(refused(path, problem, format!("save it as {wanted}, of {CROPS_MAX} crops at most")));
    }
    if outline.element == Element::Label {
        return Err(refused(path, "holds whole numbers", "save features as float16 or float32"));
    }
    Ok(outline)
}

fn refused(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::invalid(path.display().to_string(), problem, remedy)
}
