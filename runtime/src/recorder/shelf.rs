//! The recorder's folder: alarms one behind the other, by number. The oldest goes when there are more than the quota allows, when it is too
//! old, and when others need the disk. Nothing else in the folder is touched.
//!
//! A name is `NUMBER-HOUR-CAMERA`. The hour counts hours in which the recorder ran, and not the date's, which jumps: an alarm's age is that of a
//! device that is always on. A device that stands still for a month keeps its alarms a month longer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::take::{PART, bytes_of};
use crate::files;
use crate::store::disk::{Disk as _, RealDisk};

/// Where the hours are kept.
const HOURS: &str = "hours";

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of all alarms.
    pub quota_bytes: u64,
    /// The oldest alarm, in hours.
    pub hours_max: u64,
    /// Bytes that stay free on the disk.
    pub free_bytes: u64,
}

/// An alarm that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    name: String,
    number: u64,
    hour: u64,
    bytes: u64,
}

/// The folder.
pub struct Shelf {
    folder: PathBuf,
    limits: Limits,
    /// Oldest first.
    kept: Vec<Kept>,
    number: u64,
    hours: u64,
    /// What of the next hour has passed.
    begun: Duration,
    /// Alarms that went since somebody asked.
    evicted: u64,
}

impl Shelf {
    /// The shelf in `folder`, which is made where it is missing. What a power cut left unfinished is kept if there is a picture in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(folder: &Path, limits: Limits) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let mut name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_dir() || parse(name.trim_end_matches(PART)).is_none() {
                continue;
            }
            if let Some(whole) = name.strip_suffix(PART).map(str::to_owned) {
                if !settle(&entry.path(), &folder.join(&whole))? {
                    continue;
                }
                name = whole;
            }
            if let Some((number, hour)) = parse(&name) {
                kept.push(Kept { bytes: bytes_of(&folder.join(&name))?, name, number, hour });
            }
        }
        kept.sort_by_key(|kept| kept.number);
        let newest = kept.last();
        let hours = fs::read_to_string(folder.join(HOURS)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let hours = hours.max(newest.map_or(0, |kept| kept.hour));
        let number = newest.map_or(1, |kept| kept.number + 1);
        Ok(Self { folder: folder.to_owned(), limits, kept, number, hours, begun: Duration::ZERO, evicted: 0 })
    }

    /// Where the next alarm goes.
    pub fn next(&mut self, camera: &str) -> PathBuf {
        let name = format!("{:08}-{}-{camera}", self.number, self.hours);
        self.number += 1;
        self.folder.join(name)
    }

    /// An alarm was put where [`Shelf::next`] said.
    pub fn add(&mut self, path: &Path, bytes: u64) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((number, hour)) = parse(&name) {
            let at = self.kept.partition_point(|kept| kept.number < number);
            self.kept.insert(at, Kept { name, number, hour, bytes });
        }
    }

    /// Take away what must go, for `writing` bytes that are being written and count too. False when there is no room all the same.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make_room(&mut self, writing: u64) -> io::Result<bool> {
        loop {
            let free = RealDisk.free_bytes(&self.folder)?;
            if !self.must_go(writing, free) {
                return Ok(free >= self.limits.free_bytes && writing <= self.limits.quota_bytes);
            }
            let oldest = self.kept.remove(0);
            match fs::remove_dir_all(self.folder.join(&oldest.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    self.kept.insert(0, oldest);
                    return Err(error);
                }
                _ => {
                    self.evicted += 1;
                    log::debug!("recorder: {} made room", oldest.name);
                }
            }
        }
    }

    /// Alarms that are kept, and their bytes.
    pub fn held(&self) -> (u64, u64) {
        (self.kept.len() as u64, self.kept.iter().map(|kept| kept.bytes).sum())
    }

    /// Alarms that went since this was asked last.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Time has passed; the hours are kept on the disk.
    ///
    /// # Errors
    /// When the disk refuses; they go on being counted.
    pub fn pass(&mut self, time: Duration) -> io::Result<()> {
        const HOUR: Duration = Duration::from_hours(1);
        self.begun += time;
        if self.begun < HOUR {
            return Ok(());
        }
        self.begun -= HOUR;
        self.hours += 1;
        files::write(&self.folder.join(HOURS), self.hours.to_string().as_bytes())
    }

    fn must_go(&self, writing: u64, free: u64) -> bool {
        let Some(oldest) = self.kept.first() else { return false };
        let all: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        self.hours.saturating_sub(oldest.hour) > self.limits.hours_max
            || all + writing > self.limits.quota_bytes
            || free < self.limits.free_bytes
    }
}

/// Number and hour of a name.
fn parse(name: &str) -> Option<(u64, u64)> {
    let mut parts = name.splitn(3, '-');
    let number = parts.next().filter(|digits| digits.len() >= 8)?;
    let (hour, _) = (parts.next()?, parts.next()?);
    Some((number.parse().ok()?, hour.parse().ok()?))
}

/// Give what is not whole its name, if it has a clip; else it goes.
fn settle(part: &Path, whole: &Path) -> io::Result<bool> {
    let has_clip = fs::metadata(part.join("clip.avi")).is_ok_and(|clip| clip.len() > 1024);
    if has_clip && !whole.exists() {
        fs::rename(part, whole)?;
        return Ok(true);
    }
    fs::remove_dir_all(part)?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { quota_bytes: 10_000, hours_max: 48, free_bytes: 1 };

    fn put(shelf: &mut Shelf, camera: &str, bytes: usize) -> PathBuf {
        let path = shelf.next(camera);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("clip.avi"), vec![0; bytes]).unwrap();
        shelf.add(&path, bytes as u64);
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != HOURS)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_goes_by_quota_and_strangers_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mine")).unwrap();
        fs::write(folder.path().join("00000000-0-note"), "a file").unwrap();
        let mut shelf = Shelf::open(folder.path(), LIMITS).unwrap();
        (0..3).for_each(|n| _ = put(&mut shelf, &format!("cam-{n}"), 3000));
        assert!(shelf.make_room(500).unwrap());
        assert_eq!(names(folder.path()).len(), 5);
        assert!(shelf.make_room(4000).unwrap());
        let left = ["00000000-0-note", "00000002-0-cam-1", "00000003-0-cam-2", "mine"];
        assert_eq!(names(folder.path()), left);
        assert_eq!((shelf.held(), shelf.take_evicted(), shelf.take_evicted()), ((2, 6000), 1, 0));
        assert!(!shelf.make_room(20_000).unwrap(), "more than the quota alone");
        assert_eq!(names(folder.path()), ["00000000-0-note", "mine"]);
    }

    #[test]
    fn what_is_too_old_goes_and_hours_outlast_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(folder.path(), LIMITS).unwrap();
        let old = put(&mut shelf, "north", 10);
        for _ in 0..30 {
            shelf.pass(Duration::from_mins(60)).unwrap();
        }
        put(&mut shelf, "north", 10);
        let mut shelf = Shelf::open(folder.path(), LIMITS).unwrap();
        for _ in 0..18 {
            shelf.pass(Duration::from_mins(60)).unwrap();
            assert!(shelf.make_room(0).unwrap() && old.exists());
        }
        shelf.pass(Duration::from_mins(60)).unwrap();
        shelf.make_room(0).unwrap();
        assert_eq!(names(folder.path()), ["00000002-30-north"]);
        assert_eq!(shelf.next("south").file_name().unwrap(), "00000003-49-south");
    }

    #[test]
    fn with_too_little_free_nothing_is_kept_and_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(folder.path(), LIMITS).unwrap();
        put(&mut shelf, "north", 10);
        shelf.limits.free_bytes = u64::MAX;
        assert!(!shelf.make_room(0).unwrap());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn what_a_power_cut_left_is_kept_if_it_has_pictures() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("00000007-3-north.part", 2000), ("00000008-3-north.part", 3)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("clip.avi"), vec![0; bytes]).unwrap();
        }
        let mut shelf = Shelf::open(folder.path(), LIMITS).unwrap();
        assert_eq!(names(folder.path()), ["00000007-3-north"]);
        assert_eq!(shelf.next("a").file_name().unwrap(), "00000008-3-a");
    }
}
