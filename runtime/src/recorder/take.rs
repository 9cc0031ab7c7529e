//! One alarm as it is kept: a folder with the clip, a thumbnail, what the model saw and what it made of it. It is written under a name that
//! ends in [`PART`], and gets its own when it is whole.
//!
//! | file | what |
//! |---|---|
//! | `clip.avi` | Motion JPEG, [`RATE_HZ`] pictures a second |
//! | `thumbnail.jpg` | the picture of the highest score |
//! | `features.npy` | `[segments, D]` f32: the window before the alarm, and all segments to the end |
//! | `contract.json` | the contract of the features; absent for features that were made elsewhere |
//! | `event.json` | the alarm, the clip's beginning, and of each segment time and score |

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firmware_config::FeatureContract;
use npyz::WriterBuilder as _;
use serde_json::{Value, json};

use super::avi::Avi;
use super::picture::Picture;
use super::reel::Looked;
use crate::files;
use crate::output::AlarmEvent;

/// Pictures a second of a clip.
pub const RATE_HZ: u32 = 5;
/// What a folder that is not whole ends in.
pub const PART: &str = ".part";
/// The longest clip, in ticks: five minutes. An alarm may last longer.
const TICKS_MAX: u64 = 300 * RATE_HZ as u64;
/// The most segments.
const SEGMENTS_MAX: usize = 1024;
/// One tick, in nanoseconds.
const TICK_NS: u64 = 1_000_000_000 / RATE_HZ as u64;

/// An alarm that is being recorded.
pub struct Take {
    /// Where it will be.
    folder: PathBuf,
    part: PathBuf,
    alarm: AlarmEvent,
    unix_s: u64,
    contract: Option<Arc<FeatureContract>>,
    clip: Option<Clip>,
    /// Pictures that are not in the clip.
    left_out: u64,
    looked: Vec<Looked>,
    newest: Option<Arc<[u8]>>,
    best: Option<(f32, Arc<[u8]>)>,
}

/// Its pictures.
struct Clip {
    avi: Avi<BufWriter<File>>,
    size: (u32, u32),
    begin_ns: u64,
}

impl Take {
    /// Begin to record `alarm`, which began at `unix_s` by this machine's clock, into a folder that is not there yet.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(folder: &Path, alarm: AlarmEvent, unix_s: u64) -> io::Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let part = folder.with_file_name(format!("{name}{PART}"));
        fs::create_dir(&part)?;
        Ok(Self {
            folder: folder.to_owned(),
            part,
            alarm,
            unix_s,
            contract: None,
            clip: None,
            left_out: 0,
            looked: Vec::new(),
            newest: None,
            best: None,
        })
    }

    /// The next picture.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn see(&mut self, picture: &Picture) -> io::Result<()> {
        self.newest = Some(Arc::clone(&picture.jpeg));
        let clip = if let Some(clip) = self.clip.take() {
            clip
        } else {
            let file = BufWriter::new(File::create_new(self.part.join("clip.avi"))?);
            let avi = Avi::begin(file, picture.size, RATE_HZ)?;
            Clip { avi, size: picture.size, begin_ns: picture.pts_ns }
        };
        let clip = self.clip.insert(clip);
        let tick = (picture.pts_ns.saturating_sub(clip.begin_ns) + TICK_NS / 2) / TICK_NS;
        let frames = u64::from(clip.avi.frames());
        if tick >= TICKS_MAX || tick < frames || picture.size != clip.size {
            self.left_out += 1;
            return Ok(());
        }
        for _ in frames..tick {
            clip.avi.put(&[])?;
        }
        clip.avi.put(&picture.jpeg)
    }

    /// The next segment.
    pub fn look(&mut self, looked: Looked) {
        let best = self.best.as_ref().is_none_or(|(score, _)| looked.score > *score);
        if let (true, Some(newest)) = (best && looked.score.is_finite(), &self.newest) {
            self.best = Some((looked.score, Arc::clone(newest)));
        }
        if self.looked.len() < SEGMENTS_MAX {
            self.looked.push(looked);
        }
    }

    /// Rows are of this contract from now on; those of another are not kept.
    pub fn contract(&mut self, contract: Option<Arc<FeatureContract>>) {
        if self.contract != contract {
            self.looked.clear();
            self.contract = contract;
        }
    }

    /// The alarm's end is known.
    pub fn ended(&mut self, alarm: AlarmEvent) {
        self.alarm = alarm;
    }

    /// Bytes of the clip so far.
    pub fn bytes(&self) -> u64 {
        self.clip.as_ref().map_or(0, |clip| clip.avi.bytes())
    }

    /// Finish it; `cut` when it is not all that was to be seen. Its size in bytes.
    ///
    /// # Errors
    /// When the disk refuses; what there is stays in the folder that ends in [`PART`].
    pub fn finish(mut self, cut: bool) -> io::Result<u64> {
        let event = self.event(cut);
        if let Some(clip) = self.clip.take() {
            clip.avi.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        if let Some(jpeg) = self.best.as_ref().map(|(_, jpeg)| jpeg).or(self.newest.as_ref()) {
            files::write(&self.part.join("thumbnail.jpg"), jpeg)?;
        }
        if let Some(width) = self.looked.first().map(|looked| looked.row.len()).filter(|width| *width > 0) {
            files::write_with(&self.part.join("features.npy"), |out| {
                let shape = [self.looked.len() as u64, width as u64];
                let mut npy =
                    npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(&mut *out).begin_nd()?;
                npy.extend(self.looked.iter().flat_map(|looked| looked.row.iter().copied()))?;
                npy.finish()?;
                out.flush()
            })?;
        }
        if let Some(contract) = &self.contract {
            files::write(&self.part.join("contract.json"), &serde_json::to_vec_pretty(contract.as_ref())?)?;
        }
        files::write(&self.part.join("event.json"), &serde_json::to_vec_pretty(&event)?)?;
        let bytes = bytes_of(&self.part)?;
        fs::rename(&self.part, &self.folder)?;
        File::open(self.folder.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }

    /// Leave nothing behind.
    pub fn abandon(self) {
        let Self { part, clip, .. } = self;
        drop(clip);
        // Of no use to anyone, and the next start clears it away.
        let _ = fs::remove_dir_all(part);
    }

    fn event(&self, cut: bool) -> Value {
        let clip = self.clip.as_ref().map(|clip| {
            json!({
                "start_s": seconds(clip.begin_ns),
                "rate_hz": RATE_HZ,
                "frames": clip.avi.frames(),
                "width": clip.size.0,
                "height": clip.size.1,
                "left_out": self.left_out,
            })
        });
        let segment = |looked: &Looked| {
            let Looked { segment, score, .. } = looked;
            let (start_s, end_s) = (seconds(segment.start_ns), seconds(segment.end_ns));
            json!({ "number": segment.number, "start_s": start_s, "end_s": end_s, "score": score, "held": segment.held })
        };
        json!({
            "alarm": self.alarm,
            "unix_s": self.unix_s,
            "cut": cut,
            "clip": clip,
            "contract": self.contract.as_ref().map(|contract| contract.hash()),
            "segments": self.looked.iter().map(segment).collect::<Vec<_>>(),
        })
    }
}

/// Bytes of a folder's files.
///
/// # Errors
/// When it cannot be read.
pub fn bytes_of(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::tests::{jpeg, looked};
    use super::*;
    use crate::output::event::tests::{ended, started};
    use crate::source::rows::RowSource;

    fn picture(ms: u64, grey: u8) -> Picture {
        Picture { pts_ns: ms * 1_000_000, size: (32, 16), jpeg: jpeg((32, 16), grey).into() }
    }

    #[test]
    fn an_alarm_is_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000001-0-north");
        let mut take = Take::begin(&path, started("north", 1), 1_790_000_000).unwrap();
        for (n, score) in [0.1, 0.9, 0.4].into_iter().enumerate() {
            // A camera of 10 pictures a second, of which one did not come.
            for at in (0..7).filter(|at| (n, *at) != (1, 3)) {
                take.see(&picture(n as u64 * 700 + at * 100, 100 + n as u8)).unwrap();
            }
            take.look(looked(n as u64, score));
        }
        take.ended(ended("north", 1));
        assert!(take.bytes() > 1000 && !path.exists());
        let bytes = take.finish(false).unwrap();
        assert_eq!(bytes, bytes_of(&path).unwrap());
        let event: Value = serde_json::from_slice(&fs::read(path.join("event.json")).unwrap()).unwrap();
        assert_eq!((&event["alarm"]["phase"], &event["cut"]), (&json!("ended"), &json!(false)));
        assert_eq!(event["clip"]["frames"], 11, "two seconds and the first");
        assert_eq!(event["segments"][1]["score"], json!(0.9f32));
        let mut rows = RowSource::open(&path.join("features.npy").display().to_string()).unwrap();
        let mut row = Vec::new();
        assert_eq!((rows.rows(), rows.width()), (3, 2));
        assert!(rows.next_row(&mut row).unwrap() && row == [0.0, 1.0]);
        assert_eq!(fs::read(path.join("thumbnail.jpg")).unwrap(), jpeg((32, 16), 101), "of the highest score");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn pictures_of_another_size_and_endless_alarms_do_not_break_a_clip() {
        let folder = tempfile::tempdir().unwrap();
        let mut take = Take::begin(&folder.path().join("a"), started("north", 1), 0).unwrap();
        take.see(&picture(0, 1)).unwrap();
        take.see(&Picture { size: (64, 48), ..picture(200, 1) }).unwrap();
        take.see(&picture(600_000, 1)).unwrap();
        assert_eq!((take.left_out, take.clip.as_ref().unwrap().avi.frames()), (2, 1));
        (0..2000).for_each(|n| take.look(looked(n, 0.5)));
        assert_eq!(take.looked.len(), SEGMENTS_MAX);
        take.abandon();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn rows_of_two_contracts_never_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut take = Take::begin(&path, started("north", 1), 0).unwrap();
        take.contract(Some(Arc::new(FeatureContract::external(2))));
        take.look(looked(0, 0.5));
        let other = FeatureContract { name: "other".into(), ..FeatureContract::external(2) };
        take.contract(Some(Arc::new(other.clone())));
        take.look(looked(1, 0.5));
        take.finish(true).unwrap();
        let rows = RowSource::open(&path.join("features.npy").display().to_string()).unwrap();
        assert_eq!((rows.rows(), rows.contract()), (1, &other));
    }
}
