//! Arrays of floats in `NumPy`'s `.npy` form: the header judged before a byte of data is believed, then rows.
//!
//! Taken: C order, little-endian f16 or f32, shape `[T, D]` or `[T, crops, D]`, every value finite. Refused, by file
//! and cause: other types and shapes, no rows, more than [`BYTES_MAX`], a file shorter or longer than its header says.
//! (The header is read here and not by `npyz`, which panics when a shape's product overflows.)

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use half::f16;

use crate::{Error, Result};

/// The largest array that is read, in bytes: 1 GiB.
pub const BYTES_MAX: u64 = 1 << 30;

/// A header longer than this is damage: two dimensions take 128 bytes.
const HEADER_BYTES_MAX: usize = 1 << 14;

const REMEDY: &str =
    "write it with numpy.save as a C-ordered float16 or float32 array of shape [T, D] or [T, crops, D]";

/// How one value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    F16,
    F32,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// A whole array in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows (segments), T.
    pub rows: usize,
    /// Crops per row; 1 for `[T, D]`.
    pub crops: usize,
    /// Width of a row, D.
    pub width: usize,
    /// Values, `[rows, crops, width]`.
    pub data: Vec<f32>,
}

impl Matrix {
    /// The mean over the crops: `[rows, 1, width]`.
    #[must_use]
    pub fn crop_mean(self) -> Self {
        if self.crops == 1 {
            return self;
        }
        let mut data = Vec::with_capacity(self.rows * self.width);
        for row in self.data.chunks_exact(self.crops * self.width) {
            mean_onto(row, self.width, &mut data);
        }
        Self { crops: 1, data, ..self }
    }

    /// Row `row` of crop `crop`: D values.
    ///
    /// # Panics
    /// When there is no such row or crop.
    pub fn row(&self, row: usize, crop: usize) -> &[f32] {
        let start = (row * self.crops + crop) * self.width;
        &self.data[start..start + self.width]
    }
}

/// Append the mean of the `width`-wide parts of `parts` to `out`.
fn mean_onto(parts: &[f32], width: usize, out: &mut Vec<f32>) {
    let crops = parts.len() / width;
    let start = out.len();
    out.extend_from_slice(&parts[..width]);
    for part in parts[width..].chunks_exact(width) {
        for (sum, value) in out[start..].iter_mut().zip(part) {
            *sum += value;
        }
    }
    if crops > 1 {
        for sum in &mut out[start..] {
            *sum /= crops as f32;
        }
    }
}

/// Reads an array row by row.
#[derive(Debug)]
pub struct RowReader {
    name: String,
    input: BufReader<File>,
    element: Element,
    rows: usize,
    crops: usize,
    width: usize,
    next: usize,
    raw: Vec<u8>,
    values: Vec<f32>,
}

impl RowReader {
    /// Open the file and judge its header against the file's length.
    ///
    /// # Errors
    /// `InvalidInput` for what is not there or not such an array, `Corrupt` for what is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        super::ffmpeg::probe::check_file(path)?;
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| Error::unreadable(&name, &e, "check its permissions and disk");
        let file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        let mut input = BufReader::new(file);
        let (header, header_bytes) = read_header(&mut input).map_err(|what| Error::corrupt(&name, what, REMEDY))?;
        let (element, shape) = judge(&header).map_err(|what| Error::invalid(&name, what, REMEDY))?;
        let [rows, crops, width] = shape;
        let bytes = shape
            .iter()
            .try_fold(element.bytes() as u64, |product, &n| product.checked_mul(n))
            .filter(|&bytes| bytes <= BYTES_MAX)
            .ok_or_else(|| {
                let claim = format!("its header claims {rows} x {crops} x {width} values, more than 1 GiB");
                Error::corrupt(&name, claim, "split the recording, or write the file again")
            })?;
        let held = file_bytes.saturating_sub(header_bytes as u64);
        if bytes != held {
            let verb = if held < bytes { "truncated" } else { "too long" };
            return Err(Error::corrupt(
                &name,
                format!("{verb}: its header promises {bytes} bytes of data, the file holds {held}"),
                "copy or write it again",
            ));
        }
        // All three are below 2^30, as their product is and none is zero.
        let (rows, crops, width) = (rows as usize, crops as usize, width as usize);
        let row_values = crops * width;
        Ok(Self {
            name,
            input,
            element,
            rows,
            crops,
            width,
            next: 0,
            raw: vec![0; row_values * element.bytes()],
            values: Vec::with_capacity(row_values),
        })
    }

    /// Number of rows, T.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width of a row, D.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Read one row with all its crops; `None` after the last.
    ///
    /// # Errors
    /// When the file fails, or a value is not finite.
    fn next_values(&mut self) -> Result<Option<&[f32]>> {
        if self.next == self.rows {
            return Ok(None);
        }
        self.input.read_exact(&mut self.raw).map_err(|e| {
            Error::corrupt(&self.name, format!("row {} cannot be read: {e}", self.next + 1), "copy it again")
        })?;
        self.values.clear();
        match self.element {
            Element::F16 => {
                self.values.extend(self.raw.as_chunks::<2>().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()));
            }
            Element::F32 => self.values.extend(self.raw.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b))),
        }
        self.next += 1;
        if let Some(at) = self.values.iter().position(|v| !v.is_finite()) {
            return Err(Error::corrupt(
                &self.name,
                format!(
                    "row {} of {} holds {} in column {}",
                    self.next,
                    self.rows,
                    self.values[at],
                    at % self.width + 1
                ),
                "extract the features again",
            ));
        }
        Ok(Some(&self.values))
    }

    /// Read the next row, averaged over its crops, into `row` (cleared, then D values); false after the last.
    ///
    /// # Errors
    /// When the file fails, or a value is not finite.
    pub fn next_row(&mut self, row: &mut Vec<f32>) -> Result<bool> {
        let width = self.width;
        row.clear();
        let Some(values) = self.next_values()? else {
            return Ok(false);
        };
        mean_onto(values, width, row);
        Ok(true)
    }
}

/// Read a whole `.npy` file, crops kept apart.
///
/// # Errors
/// As [`RowReader`].
pub fn load_npy(path: &Path) -> Result<Matrix> {
    let mut reader = RowReader::open(path)?;
    let mut data = Vec::with_capacity(reader.rows * reader.crops * reader.width);
    while let Some(values) = reader.next_values()? {
        data.extend_from_slice(values);
    }
    Ok(Matrix { rows: reader.rows, crops: reader.crops, width: reader.width, data })
}

/// The header's text and the number of bytes before the data.
fn read_header(input: &mut impl Read) -> std::result::Result<(String, usize), String> {
    let short = |_| "it ends inside its header".to_owned();
    let mut magic = [0; 8];
    input.read_exact(&mut magic).map_err(|_| "is not an .npy file".to_owned())?;
    if &magic[..6] != b"\x93NUMPY" {
        return Err("is not an .npy file".into());
    }
    let (length, before) = match magic[6] {
        1 => {
            let mut bytes = [0; 2];
            input.read_exact(&mut bytes).map_err(short)?;
            (usize::from(u16::from_le_bytes(bytes)), 10)
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            input.read_exact(&mut bytes).map_err(short)?;
            (u32::from_le_bytes(bytes) as usize, 12)
        }
        version => return Err(format!("is of .npy version {version}, which is unknown")),
    };
    if length > HEADER_BYTES_MAX {
        return Err(format!("claims a header of {length} bytes"));
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text).map_err(short)?;
    Ok((String::from_utf8_lossy(&text).into_owned(), before + length))
}

/// Type and shape `[rows, crops, width]` from a header such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (64, 1024), }`.
fn judge(header: &str) -> std::result::Result<(Element, [u64; 3]), String> {
    let value = |key: &str| {
        let at = header.find(&format!("'{key}'")).or_else(|| header.find(&format!("\"{key}\"")));
        at.and_then(|at| header[at + key.len() + 2..].trim_start().strip_prefix(':'))
            .map(str::trim_start)
            .ok_or_else(|| format!("its header has no '{key}'"))
    };
    let descr = value("descr")?;
    let descr = descr
        .strip_prefix(['\'', '"'])
        .and_then(|d| d.split(['\'', '"']).next())
        .ok_or("holds records, not numbers")?;
    let element = match descr {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        other => return Err(format!("holds values of type '{other}'")),
    };
    if !value("fortran_order")?.starts_with("False") {
        return Err("is in Fortran order".into());
    }
    let shape = value("shape")?
        .strip_prefix('(')
        .and_then(|s| s.split_once(')'))
        .ok_or("its header has a shape that is none")?
        .0;
    let sizes: Vec<u64> = shape
        .split(',')
        .map(|s| s.trim().trim_end_matches('L'))
        .filter(|s| !s.is_empty())
        .map(|s| s.parse().map_err(|_| format!("its header has a shape ({shape}) that is none")))
        .collect::<std::result::Result<_, _>>()?;
    let shape = match sizes[..] {
        [rows, width] => [rows, 1, width],
        [rows, crops, width] => [rows, crops, width],
        _ => return Err(format!("has the shape ({shape})")),
    };
    if shape.contains(&0) {
        return Err("has no rows".into());
    }
    Ok((element, shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    /// An .npy file as numpy writes it.
    fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        while (10 + text.len() + 1) % 64 != 0 {
            text.push(' ');
        }
        text.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn load(bytes: &[u8]) -> Result<Matrix> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        load_npy(file.path())
    }

    #[test]
    fn rows_of_both_types_and_crops() {
        let data: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let m = load(&npy("<f4", "False", "(2, 6)", &f32s(&data))).unwrap();
        assert_eq!((m.rows, m.crops, m.width, m.row(1, 0)), (2, 1, 6, &data[6..]));
        let m = load(&npy("<f4", "False", "(2, 3, 2)", &f32s(&data))).unwrap();
        assert_eq!((m.rows, m.crops, m.width, m.row(1, 2)), (2, 3, 2, &data[10..]));
        assert_eq!(m.crop_mean().data, [2.0, 3.0, 8.0, 9.0]);
        let halves: Vec<u8> = data.iter().flat_map(|&v| f16::from_f32(v / 4.0).to_le_bytes()).collect();
        let m = load(&npy("<f2", "False", "(3, 4)", &halves)).unwrap();
        assert_eq!(m.data, data.iter().map(|v| v / 4.0).collect::<Vec<_>>());
    }

    #[test]
    fn rows_come_one_by_one_averaged() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), npy("<f4", "False", "(2, 2, 2)", &f32s(&[1., 2., 3., 4., 5., 6., 7., 8.])))
            .unwrap();
        let mut reader = RowReader::open(file.path()).unwrap();
        let mut row = vec![9.0; 7];
        assert!(reader.next_row(&mut row).unwrap());
        assert_eq!(row, [2.0, 3.0]);
        assert!(reader.next_row(&mut row).unwrap());
        assert_eq!(row, [6.0, 7.0]);
        assert!(!reader.next_row(&mut row).unwrap());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let eight = f32s(&[0.0; 2]);
        for (bytes, kind, word) in [
            (b"not numpy at all".to_vec(), ErrorKind::Corrupt, "not an .npy"),
            (b"\x93NUMPY".to_vec(), ErrorKind::Corrupt, "not an .npy"),
            (npy("<f8", "False", "(1, 1)", &eight), ErrorKind::InvalidInput, "'<f8'"),
            (npy("<f4", "True", "(1, 2)", &eight), ErrorKind::InvalidInput, "Fortran"),
            (npy("<f4", "False", "(2,)", &eight), ErrorKind::InvalidInput, "shape (2,)"),
            (npy("<f4", "False", "(0, 2)", &[]), ErrorKind::InvalidInput, "no rows"),
            (npy("<f4", "False", "(1, -2)", &eight), ErrorKind::InvalidInput, "shape"),
            (npy("<f4", "False", "(2, 2)", &eight), ErrorKind::Corrupt, "truncated"),
            (npy("<f4", "False", "(1, 1)", &eight), ErrorKind::Corrupt, "too long"),
            (npy("<f4", "False", "(99999999, 99999)", &eight), ErrorKind::Corrupt, "1 GiB"),
            (npy("<f4", "False", "(9999999999999, 9999999999999)", &eight), ErrorKind::Corrupt, "1 GiB"),
            (
                npy("<f4", "False", "(1, 2)", &f32s(&[0.0, f32::NAN])),
                ErrorKind::Corrupt,
                "row 1 of 1 holds NaN in column 2",
            ),
            (npy("<f4", "False", "(2, 1)", &f32s(&[0.0, f32::INFINITY])), ErrorKind::Corrupt, "row 2 of 2 holds inf"),
        ] {
            let e = load(&bytes).expect_err(word);
            assert!(e.kind == kind && e.to_string().contains(word), "{word}: {e}");
        }
        assert_eq!(load_npy(Path::new("/no/such.npy")).unwrap_err().kind, ErrorKind::InvalidInput);
    }

    proptest! {
        #[test]
        fn damage_gives_errors_never_panics(at in 0usize..136, value: u8, length in 0usize..136) {
            let mut bytes = npy("<f4", "False", "(1, 2)", &f32s(&[1.0, 2.0]));
            prop_assert_eq!(bytes.len(), 136);
            bytes[at] = value;
            bytes.truncate(length);
            prop_assert!(load(&bytes).is_err());
        }
    }
}
