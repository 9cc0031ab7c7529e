//! Feature files: NumPy arrays `[T, D]` or `[T, crops, D]` of float16 or float32, C order. Every refusal names the file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use half::f16;
use npyz::{DType, NpyFile, Order, TypeChar};
use runtime::{Error, Result};

/// Shape and element type of a feature file.
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

/// Read and check a file's header.
pub(super) fn header(path: &Path) -> Result<Header> {
    let npy = open(path)?;
    let refuse = |problem: String| {
        Error::corrupt(
            path.display().to_string(),
            problem,
            "save it as a C-order float16 or float32 array [rows, width] or [rows, crops, width]",
        )
    };
    let (rows, crops, width) = match *npy.shape() {
        [rows, width] => (rows, 1, width),
        [rows, crops, width] => (rows, crops, width),
        ref other => return Err(refuse(format!("has shape {other:?}"))),
    };
    if rows == 0 || crops == 0 || width == 0 {
        return Err(refuse("has no rows".into()));
    }
    if npy.order() != Order::C {
        return Err(refuse("is in Fortran order".into()));
    }
    let element = element_bytes(&npy.dtype()).ok_or_else(|| refuse(format!("holds {}", npy.dtype().descr())))?;
    let elements = rows.checked_mul(crops).and_then(|n| n.checked_mul(width)).filter(|&n| n <= 1 << 33);
    let expected = elements.ok_or_else(|| refuse("is larger than 2^33 numbers".into()))? * element;
    let length = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if length < expected {
        return Err(Error::corrupt(
            path.display().to_string(),
            format!("is truncated: {length} bytes, its header promises more than {expected}"),
            "extract or copy it again",
        ));
    }
    Ok(Header { rows: rows as usize, crops: crops as usize, width: width as usize })
}

fn element_bytes(dtype: &DType) -> Option<u64> {
    let DType::Plain(plain) = dtype else { return None };
    match (plain.type_char(), plain.num_bytes()) {
        (TypeChar::Float, Some(bytes @ (2 | 4))) => Some(bytes as u64),
        _ => None,
    }
}

/// Read the rows of a file whose header was checked.
pub(super) fn read(path: &Path, header: &Header) -> Result<Rows> {
    let npy = open(path)?;
    let damaged = |problem: String| {
        Error::corrupt(path.display().to_string(), problem, "extract or copy it again, or take it off the list")
    };
    let data: Vec<f32> = if element_bytes(&npy.dtype()) == Some(2) {
        let halves: Vec<f16> = npy.into_vec().map_err(|error| damaged(format!("is truncated: {error}")))?;
        halves.into_iter().map(f16::to_f32).collect()
    } else {
        npy.into_vec().map_err(|error| damaged(format!("is truncated: {error}")))?
    };
    if data.len() != header.rows * header.crops * header.width {
        return Err(damaged("changed while it was read".into()));
    }
    if let Some(at) = data.iter().position(|value| !value.is_finite()) {
        return Err(damaged(format!("holds {} in row {}", data[at], at / (header.crops * header.width))));
    }
    Ok(Rows { data, header: *header })
}
