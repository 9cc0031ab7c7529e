//! Recorded features: a few simulated recordings, half of them with incidents, turned into rows by the shipped model's own extractor, and
//! repeated for as long as is asked for. The least that makes a day: neither a score nor memory, files and counters depend on whether
//! rows were seen before.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::run::{command, root, run, target};

/// What a row stands for, in seconds.
pub const SEGMENT_S: f64 = 0.64;
/// Recordings of about a minute: one with each kind of incident, and as many without.
const VIDEOS: &str = "14";
/// Seeds that no model was trained, chosen or judged on.
const FIRST_SEED: &str = "930000";

/// Rows, and who signed the model that takes them.
pub struct Footage {
    /// The key of the shipped bundle.
    pub key: String,
    /// The contract of the rows, JSON.
    contract: Vec<u8>,
    /// Rows of each recording.
    videos: Vec<Rows>,
}

/// The rows of a recording, as its file has them.
struct Rows {
    descr: String,
    width: usize,
    bytes: Vec<u8>,
}

/// The shipped bundle.
pub fn bundle() -> PathBuf {
    root().join("models/roadside-lite0.tadpole")
}

/// A program that was built.
pub fn program(name: &str) -> String {
    target().join("debug").join(name).display().to_string()
}

impl Footage {
    /// Simulate and extract into `folder`.
    pub fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = |name: &str| folder.join(name).display().to_string();
        let shown = command(&program("tadpole")).args(["model", "show", "--json"]).arg(bundle()).output();
        let shown = shown.context("cannot start tadpole")?;
        let shown: Value = serde_json::from_slice(&shown.stdout).context("`tadpole model show --json` told no JSON")?;
        let key = shown["signature"]["key"].as_str().ok_or_else(|| anyhow!("the shipped bundle tells no key"))?;
        let contract = serde_json::to_vec_pretty(&shown["contract"])?;

        // A bundle is a plain archive. The extractor wants its contract beside it.
        run(command("tar").arg("-xf").arg(bundle()).args(["-C", &path(""), "extractor.onnx"]))?;
        fs::write(path("extractor.contract.json"), &contract).context("cannot write the contract")?;
        let trainer = program("tadpole-trainer");
        run(command(&trainer).args(["simulate", &path("videos"), "--videos", VIDEOS, "--seed", FIRST_SEED]))?;
        run(command(&trainer)
            .args(["extract", &path("videos"), "--extractor"])
            .args([&path("extractor.onnx"), &path("data")]))?;

        let mut files: Vec<PathBuf> = fs::read_dir(path("data/train"))
            .context("nothing was extracted")?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|end| end == "npy"));
        files.sort();
        let videos = files.iter().map(|file| Rows::read(file)).collect::<Result<Vec<_>>>()?;
        let Some(first) = videos.first() else { bail!("nothing was extracted") };
        if videos.iter().any(|rows| (&rows.descr, rows.width) != (&first.descr, first.width)) {
            bail!("the recordings' rows are of several kinds");
        }
        Ok(Self { key: key.to_owned(), contract, videos })
    }

    /// Write `count` rows to `file`, with their contract beside them; each camera begins with another recording.
    pub fn write(&self, file: &Path, camera: usize, count: u64) -> Result<()> {
        let begin = camera * self.videos.len() / super::CAMERAS;
        let rows = self.videos.iter().cycle().skip(begin).flat_map(Rows::each);
        self.write_rows(file, rows, count)
    }

    /// Write `count` rows of zeros: what a camera always sees, and nothing else.
    pub fn write_nothing(&self, file: &Path, count: u64) -> Result<()> {
        let row = vec![0; self.videos[0].row_bytes()];
        self.write_rows(file, std::iter::repeat(row.as_slice()), count)
    }

    fn write_rows<'a>(&self, file: &Path, rows: impl Iterator<Item = &'a [u8]>, count: u64) -> Result<()> {
        let told = || format!("cannot write {}", file.display());
        let mut out = BufWriter::new(fs::File::create(file).with_context(told)?);
        let Rows { descr, width, .. } = &self.videos[0];
        out.write_all(&header(descr, count, *width)).with_context(told)?;
        for row in rows.take(count as usize) {
            out.write_all(row).with_context(told)?;
        }
        out.flush().with_context(told)?;
        fs::write(file.with_file_name("contract.json"), &self.contract).with_context(told)
    }
}

impl Rows {
    /// An `.npy` file of two dimensions.
    fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&bytes).ok_or_else(|| anyhow!("{} holds no rows", file.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let length = usize::from(u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]));
        let text = std::str::from_utf8(bytes.get(10..10 + length)?).ok()?;
        let descr = ["<f2", "<f4"].into_iter().find(|descr| text.contains(*descr))?.to_owned();
        let shape = text.split_once('(')?.1.split_once(')')?.0;
        let mut sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse::<usize>);
        let (rows, width) = (sizes.next()?.ok()?, sizes.next()?.ok()?);
        let found = Self { descr, width, bytes: bytes.get(10 + length..)?.to_vec() };
        let whole = sizes.next().is_none() && rows > 0 && found.bytes.len() == rows * found.row_bytes();
        whole.then_some(found)
    }

    fn row_bytes(&self) -> usize {
        self.width * if self.descr == "<f2" { 2 } else { 4 }
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.row_bytes())
    }
}

/// What stands before the rows.
fn header(descr: &str, rows: u64, width: usize) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_repeated_from_another_recording_for_each_camera() {
        let video = |first: u8| Rows { descr: "<f2".into(), width: 1, bytes: vec![first, 0, first + 1, 0] };
        let footage = Footage { key: String::new(), contract: b"{}".to_vec(), videos: [1, 3, 5, 7].map(video).into() };
        let folder = std::env::temp_dir().join(format!("tadpole-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.npy");
        footage.write(&file, 3, 5).unwrap();
        let rows = Rows::read(&file).unwrap();
        assert_eq!((rows.width, rows.bytes), (1, vec![7, 0, 8, 0, 1, 0, 2, 0, 3, 0]));
        footage.write_nothing(&file, 2).unwrap();
        assert_eq!(Rows::read(&file).unwrap().bytes, [0; 4]);
        fs::write(&file, "no rows").unwrap();
        assert!(Rows::read(&file).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
