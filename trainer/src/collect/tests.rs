use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::mark::tests::line;
use super::*;
use crate::collect::camera::Marked;
use crate::dataset::{Dataset, Split};

/// A device's file of marks, of which so many bytes are answered at once.
struct Device {
    file: RefCell<Vec<u8>>,
    answer: usize,
    asked: RefCell<Vec<u64>>,
}

impl Device {
    fn new(lines: &[Value]) -> Self {
        let device = Self { file: RefCell::default(), answer: 1 << 20, asked: RefCell::default() };
        lines.iter().for_each(|line| device.say(line));
        device
    }

    fn say(&self, line: &Value) {
        self.file.borrow_mut().extend(format!("{line}\n").bytes());
    }
}

impl Marked for Device {
    fn marks(&self, from: u64) -> Result<Vec<u8>> {
        self.asked.borrow_mut().push(from);
        let file = self.file.borrow();
        let rest = file.get(from as usize..).unwrap_or_default();
        let part = &rest[..rest.len().min(self.answer)];
        let whole = part.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        Ok(part[..whole].to_vec())
    }
}

/// A device that answers twice, and is gone.
struct Cut<'a>(&'a Device);

impl Marked for Cut<'_> {
    fn marks(&self, from: u64) -> Result<Vec<u8>> {
        if self.0.asked.borrow().len() == 2 {
            return Err(Error::unavailable("a", "is gone", "try again"));
        }
        self.0.marks(from)
    }
}

fn collect(device: &Device, name: &str, root: &Path) -> Result<Taken> {
    let patience = Patience { silence: Duration::ZERO, trial: Duration::ZERO, pause: Duration::ZERO };
    gather(device, name, &Folder::open(root, None)?, patience, &mut |_| {})
}

/// Names and labels of what was collected.
fn videos(root: &Path) -> Vec<(String, bool)> {
    let dataset = Dataset::open(root).unwrap();
    dataset.videos(Split::Train).unwrap().iter().map(|v| (v.entry.video.clone(), v.entry.abnormal)).collect()
}

#[test]
fn marks_become_a_data_set_and_the_newest_holds() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(&[
        line(1, Some("false"), 10, 4),
        line(2, Some("true"), 10, 20),
        line(3, Some("false"), 10, 4),
        line(1, Some("true"), 10, 20),
        line(3, None, 10, 4),
    ]);
    let taken = collect(&device, "pole-1", folder.path()).unwrap();
    assert_eq!((taken.new, taken.back), (4, 1), "one was said otherwise: it counts again");
    assert_eq!(videos(folder.path()), ["1", "2"].map(|id| (format!("pole-1-00ff-north-{id}"), true)));
    let dataset = Dataset::open(folder.path()).unwrap();
    let video = &dataset.videos(Split::Train).unwrap()[1];
    assert_eq!((video.header.rows, video.entry.frames, &video.entry.events[..]), (20, Some(320), &[(161, 208)][..]));
    assert_eq!(video.read().unwrap().data[..3], [2.0, 3.0, 4.0]);
    assert!(!folder.path().join("train/pole-1-00ff-north-3.npy").exists());
}

#[test]
fn again_brings_what_is_new_alone() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(&[line(1, Some("false"), 10, 4), line(2, Some("false"), 10, 4)]);
    let all = device.file.borrow().len();
    assert_eq!(collect(&device, "pole-1", folder.path()).unwrap().new, 2);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let before = (read("collect.json"), read("train.csv"));
    device.asked.borrow_mut().clear();
    assert_eq!(collect(&device, "pole-1", folder.path()).unwrap(), Taken::default());
    assert_eq!((read("collect.json"), read("train.csv")), before);
    assert_eq!(*device.asked.borrow(), [(all / 2) as u64, all as u64], "the last line, and what is behind it");
    device.say(&line(4, Some("true"), 10, 20));
    assert_eq!(collect(&device, "pole-1", folder.path()).unwrap().new, 1);
    // Another device may have had the same alarm.
    assert_eq!(collect(&device, "pole-2", folder.path()).unwrap().new, 3);
    assert_eq!(videos(folder.path()).len(), 6);
}

#[test]
fn a_device_whose_file_was_removed_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    collect(&Device::new(&[line(1, Some("false"), 10, 9), line(2, Some("false"), 10, 4)]), "a", folder.path()).unwrap();
    for device in [
        Device::new(&[line(7, Some("false"), 10, 4)]),
        Device::new(&[line(8, Some("false"), 10, 40), line(9, Some("false"), 10, 40)]),
    ] {
        assert!(collect(&device, "a", folder.path()).unwrap().new > 0);
    }
    assert_eq!(videos(folder.path()).len(), 5);
}

#[test]
fn a_link_that_breaks_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::new(&(1..=9).map(|id| line(id, Some("false"), 10, 4)).collect::<Vec<_>>());
    // Not quite three lines at a time.
    device.answer = device.file.borrow().len() / 3 - 10;
    let patience = Patience { silence: Duration::ZERO, trial: Duration::ZERO, pause: Duration::ZERO };
    let open = Folder::open(folder.path(), None).unwrap();
    assert!(gather(&Cut(&device), "a", &open, patience, &mut |_| {}).unwrap_err().to_string().contains("is gone"));
    assert_eq!(videos(folder.path()).len(), 4, "two answers of two");
    assert_eq!(collect(&device, "a", folder.path()).unwrap().new, 5);
    assert_eq!(videos(folder.path()).len(), 9);
}

#[test]
fn features_of_other_contracts_are_refused_or_passed_over() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut strange = line(2, Some("false"), 10, 4);
    strange["features"]["name"] = "another".into();
    let features: firmware_config::FeatureContract = serde_json::from_value(strange["features"].clone()).unwrap();
    strange["contract"] = features.hash().into();
    let device = Device::new(&[line(1, Some("false"), 10, 4), strange.clone(), line(3, Some("false"), 10, 4)]);
    let error = collect(&device, "pole-1", folder.path()).unwrap_err().to_string();
    for part in ["pole-1: its alarm 00ff-north-2", "contract another (", "external (", "--like DATASET"] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!folder.path().join("train.csv").exists(), "all of an answer, or nothing");
    // What is collected of one extractor says which of the others' marks are wanted.
    collect(&Device::new(&[line(9, Some("true"), 10, 4)]), "pole-2", other.path()).unwrap();
    let patience = Patience { silence: Duration::ZERO, trial: Duration::ZERO, pause: Duration::ZERO };
    let like = Folder::open(folder.path(), Some(other.path())).unwrap();
    let taken = gather(&device, "pole-1", &like, patience, &mut |_| {}).unwrap();
    assert_eq!((taken.new, taken.other), (2, 1));
    // A hash that is not that of what it names.
    let third = tempfile::tempdir().unwrap();
    strange["contract"] = "00".into();
    let error = collect(&Device::new(&[strange]), "pole-1", third.path()).unwrap_err();
    assert!(error.to_string().contains("does not say how the rows"), "{error}");
}

#[test]
fn marks_without_features_and_damaged_lines_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut early = line(2, Some("true"), 10, 4);
    (early["rows"], early["features"], early["contract"]) = (Value::Null, Value::Null, Value::Null);
    let device = Device::new(&[early, line(1, Some("false"), 10, 4)]);
    device.file.borrow_mut().extend(b"{\"event\": cut short by a power c\n");
    device.say(&line(3, Some("false"), 10, 4));
    let taken = collect(&device, "pole-1", folder.path()).unwrap();
    let open = Folder::open(folder.path(), None).unwrap();
    let totals = open.totals("pole-1");
    assert_eq!((taken.new, taken.damaged, totals), (2, 1, Totals { normal: 2, abnormal: 0, waiting: 1 }));
    let target = Target { name: "pole-1".into(), address: "a:1".into() };
    let gone = Target { name: "pole-12".into(), address: "a:2".into() };
    let fault = Some("pole-12: cannot be asked: no route; see that it is on".to_owned());
    let told = [
        Told { target: &target, taken, totals, fault: None },
        Told { target: &gone, taken: Taken::default(), totals: Totals::default(), fault },
    ];
    insta::assert_snapshot!(table(&told), @r"
    camera     new  false   true  remarks
    pole-1       2      2      0  1 without features: mark them again; 1 damaged
    pole-12      0      0      0  pole-12: cannot be asked: no route; see that it is on
    ");
    device.say(&line(2, Some("true"), 10, 4));
    collect(&device, "pole-1", folder.path()).unwrap();
    let totals = Folder::open(folder.path(), None).unwrap().totals("pole-1");
    assert_eq!(totals, Totals { normal: 2, abnormal: 1, waiting: 0 });
}

#[test]
fn a_first_collection_that_was_killed_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(&[line(1, Some("false"), 10, 4)]);
    drop(Folder::open(folder.path(), None).unwrap_or_else(|error| panic!("{error}")));
    // The lists were written, and the device's place was not.
    let whole = tempfile::tempdir().unwrap();
    collect(&device, "a", whole.path()).unwrap();
    for file in ["contract.json", "train.csv"] {
        std::fs::copy(whole.path().join(file), folder.path().join(file)).unwrap();
    }
    assert_eq!(collect(&device, "a", folder.path()).unwrap().new, 1);
    assert_eq!(videos(folder.path()), videos(whole.path()));
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), "video,label,frames,events\n").unwrap();
    let Err(error) = Folder::open(folder.path(), None) else { panic!("taken") };
    assert!(error.to_string().contains("that `collect` did not make"), "{error}");
    std::fs::remove_file(folder.path().join("train.csv")).unwrap();
    std::fs::write(folder.path().join("collect.json"), "{").unwrap();
    let Err(error) = Folder::open(folder.path(), None) else { panic!("taken") };
    assert!(error.to_string().contains("collect.json: is no state"), "{error}");
}
