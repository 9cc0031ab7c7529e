//! Arrays of numbers in NumPy's `.npy` form. Feature files are `[T, D]` or `[T, crops, D]` of float16, float32 or float64, in C
//! or Fortran order; `import` reads other shapes of them, and arrays of labels. In memory everything is float32 in C order.
//! Every refusal names the file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use half::f16;
use npyz::{DType, NpyFile, Order, TypeChar};
use runtime::{Error, Result};

/// Shape of a feature file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Rows (segments or clips), at least 1.
    pub rows: usize,
    /// Crops per row, at least 1.
    pub crops: usize,
    /// Features per row and crop.
    pub width: usize,
}

/// The rows of one video, `[T, crops, D]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The numbers, row by row.
    pub data: Vec<f32>,
    /// Their shape.
    pub header: Header,
}

impl Rows {
    /// `[T, D]`, the mean over crops: what is scored.
    pub fn mean_crop(&self) -> Vec<f32> {
        let Header { crops, width, .. } = self.header;
        if crops == 1 {
            return self.data.clone();
        }
        let mut out = Vec::with_capacity(self.header.rows * width);
        for row in self.data.chunks_exact(crops * width) {
            out.extend((0..width).map(|d| {
                let sum: f32 = (0..crops).map(|crop| row[crop * width + d]).sum();
                sum / crops as f32
            }));
        }
        out
    }

    /// `[T, D]` of one crop: what training sees.
    pub fn crop(&self, crop: usize) -> Vec<f32> {
        let Header { crops, width, .. } = self.header;
        self.data.chunks_exact(crops * width).flat_map(|row| &row[crop * width..(crop + 1) * width]).copied().collect()
    }
}

/// How one number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// float16.
    Half,
    /// float32 or float64.
    Float,
    /// Whole numbers and truth values: labels, never features.
    Label,
}

/// What a file's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// What it holds.
    pub element: Element,
}

fn open(path: &Path) -> Result<NpyFile<BufReader<File>>> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::invalid(&name, "is missing", "extract or import this video's features, or take it off the list")
        }
        _ => Error::failed(&name, format!("cannot be opened: {error}"), "check its permissions"),
    })?;
    NpyFile::new(BufReader::with_capacity(1 << 18, file))
        .map_err(|error| Error::corrupt(name, format!("is no NumPy array: {error}"), "extract or copy it again"))
}

/// What to do about an array that is not as feature files are.
const REMEDY: &str = "save it as a float16, float32 or float64 array [rows, width] or [rows, crops, width]";

/// Read and check a file's header: an array of numbers, as long as it promises, of any shape.
pub(crate) fn outline(path: &Path) -> Result<Outline> {
    let npy = open(path)?;
    let refuse = |problem: String| Error::corrupt(path.display().to_string(), problem, REMEDY);
    let (element, bytes) = element(&npy.dtype()).ok_or_else(|| refuse(format!("holds {}", npy.dtype().descr())))?;
    let numbers = npy.shape().iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis)).filter(|&n| n <= 1 << 33);
    let expected = numbers.ok_or_else(|| refuse("is larger than 2^33 numbers".into()))? * bytes;
    let length = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if length < expected {
        return Err(Error::corrupt(
            path.display().to_string(),
            format!("is truncated: {length} bytes, its header promises more than {expected}"),
            "extract or copy it again",
        ));
    }
    Ok(Outline { shape: npy.shape().iter().map(|&axis| axis as usize).collect(), element })
}

/// Read and check a feature file's header.
pub(super) fn header(path: &Path) -> Result<Header> {
    let Outline { shape, element } = outline(path)?;
    let refuse = |problem: String| Error::corrupt(path.display().to_string(), problem, REMEDY);
    let (rows, crops, width) = match *shape {
        [rows, width] => (rows, 1, width),
        [rows, crops, width] => (rows, crops, width),
        _ => return Err(refuse(format!("has shape {shape:?}"))),
    };
    if rows == 0 || crops == 0 || width == 0 {
        return Err(refuse("has no rows".into()));
    }
    if element == Element::Label {
        return Err(refuse("holds whole numbers".into()));
    }
    Ok(Header { rows, crops, width })
}

/// What is stored, and in how many bytes each.
fn element(dtype: &DType) -> Option<(Element, u64)> {
    let DType::Plain(plain) = dtype else { return None };
    Some(match (plain.type_char(), plain.num_bytes()?) {
        (TypeChar::Float, 2) => (Element::Half, 2),
        (TypeChar::Float, bytes @ (4 | 8)) => (Element::Float, bytes as u64),
        (TypeChar::Int | TypeChar::Uint, bytes @ (1 | 2 | 4 | 8)) => (Element::Label, bytes as u64),
        (TypeChar::Bool, 1) => (Element::Label, 1),
        _ => return None,
    })
}

/// Read a file whose header was checked: all numbers, all finite, in C order.
pub(crate) fn numbers(path: &Path, outline: &Outline) -> Result<Vec<f32>> {
    let npy = open(path)?;
    let damaged = |problem: String| {
        Error::corrupt(path.display().to_string(), problem, "extract or copy it again, or take it off the list")
    };
    let fortran = npy.order() == Order::Fortran;
    let data = converted(npy).map_err(|error| damaged(format!("is truncated: {error}")))?;
    if data.len() != outline.shape.iter().product::<usize>() {
        return Err(damaged("changed while it was read".into()));
    }
    let data = if fortran { from_fortran(&data, &outline.shape) } else { data };
    if let Some(at) = data.iter().position(|value| !value.is_finite()) {
        let row: usize = outline.shape.iter().skip(1).product();
        return Err(damaged(format!("holds {} in row {}", data[at], at / row.max(1))));
    }
    Ok(data)
}

/// All numbers, as they are stored, to the nearest float32.
fn converted(npy: NpyFile<BufReader<File>>) -> std::io::Result<Vec<f32>> {
    fn of<T: npyz::Deserialize>(npy: NpyFile<BufReader<File>>, number: fn(T) -> f32) -> std::io::Result<Vec<f32>> {
        npy.data::<T>()
            .map_err(|error| std::io::Error::other(error.to_string()))?
            .map(|value| value.map(number))
            .collect()
    }
    let DType::Plain(plain) = npy.dtype() else { return Err(std::io::Error::other("no numbers")) };
    match (plain.type_char(), plain.num_bytes()) {
        (TypeChar::Float, Some(2)) => of(npy, f16::to_f32),
        (TypeChar::Float, Some(8)) => of(npy, |value: f64| value as f32),
        (TypeChar::Bool, _) => of(npy, |value: bool| f32::from(u8::from(value))),
        (TypeChar::Int, Some(1)) => of(npy, |value: i8| f32::from(value)),
        (TypeChar::Int, Some(2)) => of(npy, |value: i16| f32::from(value)),
        (TypeChar::Int, Some(4)) => of(npy, |value: i32| value as f32),
        (TypeChar::Int, _) => of(npy, |value: i64| value as f32),
        (TypeChar::Uint, Some(1)) => of(npy, |value: u8| f32::from(value)),
        (TypeChar::Uint, Some(2)) => of(npy, |value: u16| f32::from(value)),
        (TypeChar::Uint, Some(4)) => of(npy, |value: u32| value as f32),
        (TypeChar::Uint, _) => of(npy, |value: u64| value as f32),
        _ => npy.into_vec(),
    }
}

/// Fortran order (the first axis fastest) to C order (the last axis fastest).
fn from_fortran(data: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    while out.len() < data.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &axis)| at * axis + i);
        out.push(data[at]);
        for (i, &axis) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < axis {
                break;
            }
            *i = 0;
        }
    }
    out
}

/// Read the rows of a feature file whose header was checked.
pub(super) fn read(path: &Path, header: &Header) -> Result<Rows> {
    let outline = outline(path)?;
    let data = numbers(path, &outline)?;
    if data.len() != header.rows * header.crops * header.width {
        return Err(Error::corrupt(
            path.display().to_string(),
            "changed since it was opened",
            "start again when it is complete",
        ));
    }
    Ok(Rows { data, header: *header })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_turned_into_c_order() {
        // [[1, 2, 3], [4, 5, 6]], column by column.
        assert_eq!(from_fortran(&[1., 4., 2., 5., 3., 6.], &[2, 3]), [1., 2., 3., 4., 5., 6.]);
        // arange(12) as [2, 3, 2]: NumPy's asfortranarray(...).ravel('K').
        let stored = [0., 6., 2., 8., 4., 10., 1., 7., 3., 9., 5., 11.];
        let expected: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(from_fortran(&stored, &[2, 3, 2]), expected);
        assert_eq!(from_fortran(&[], &[0, 3]), [0.0_f32; 0]);
    }
}
