//! Small folders in the published layouts, made up. A feature is `1000 row + 10 crop + column` unless said.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::Parser;
use half::f16;
use npyz::{Order, WriterBuilder};

use super::*;
use crate::dataset::{Dataset, Video};

/// The command line, without the program's name.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ImportArgs,
}

/// `import LAYOUT SOURCE OUT FLAGS`, in the folder `root`.
fn import(root: &Path, layout: &str, flags: &[&str]) -> Result<Dataset> {
    let (source, out) = (root.join("published"), root.join("out"));
    let mut words: Vec<OsString> = vec!["import".into(), layout.into(), source.into(), out.clone().into()];
    words.extend(flags.iter().map(OsString::from));
    run(&Line::try_parse_from(words).unwrap().args)?;
    Dataset::open(&out)
}

/// `import` fails with a message that holds all of `parts`, and writes no data set.
fn refused(root: &Path, layout: &str, flags: &[&str], parts: &[&str]) {
    let error = import(root, layout, flags).unwrap_err();
    assert_eq!(error.kind.exit_code(), 2, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
    assert!(!root.join("out/train.csv").exists() && !root.join("out/test.csv").exists());
}

fn write<T: npyz::AutoSerialize>(path: &Path, shape: &[u64], order: Order, values: impl IntoIterator<Item = T>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<T>::new().default_dtype().shape(shape).order(order);
    let mut npy = options.writer(&mut bytes).begin_nd().unwrap();
    npy.extend(values).unwrap();
    npy.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

fn value(row: usize, crop: usize, column: usize) -> f32 {
    (1000 * row + 10 * crop + column) as f32
}

/// `[rows, crops, width]`.
fn stack(path: &Path, rows: usize, crops: usize, width: usize) {
    let at = |i: usize| value(i / (crops * width), i / width % crops, i % width);
    write(path, &[rows as u64, crops as u64, width as u64], Order::C, (0..rows * crops * width).map(at));
}

/// `[rows, width]` of one crop.
fn plain(path: &Path, rows: usize, crop: usize, width: usize) {
    let at = |i: usize| value(i / width, crop, i % width);
    write(path, &[rows as u64, width as u64], Order::C, (0..rows * width).map(at));
}

fn text(path: &Path, lines: &[&str]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, lines.join("\n")).unwrap();
}

fn video<'a>(dataset: &'a Dataset, split: Split, name: &str) -> &'a Video {
    dataset.videos(split).unwrap().iter().find(|video| video.entry.video == name).unwrap()
}

/// UCF-Crime as RTFM publishes it: stacks of ten crops, lists of another machine's paths, the truth of the data set itself.
fn ucf(root: &Path) {
    let folder = root.join("published");
    for (name, rows) in [("Abuse001_x264", 40), ("Arson002_x264", 3), ("Normal_Videos001_x264", 20)] {
        stack(&folder.join(format!("UCF_Train_ten_i3d/{name}_i3d.npy")), rows, 10, 4);
    }
    for (name, rows) in [("Abuse028_x264", 20), ("Normal_Videos_003_x264", 18)] {
        stack(&folder.join(format!("UCF_Test_ten_i3d/{name}_i3d.npy")), rows, 10, 4);
    }
    let train =
        ["Abuse001_x264", "Arson002_x264", "Normal_Videos001_x264"].map(|v| format!(r"G:\My Drive\{v}_i3d.npy"));
    text(&folder.join("list/ucf-i3d.list"), &train.each_ref().map(String::as_str));
    let test =
        ["Normal_Videos_003_x264", "Abuse028_x264"].map(|v| format!("/home/yu/UCF_Test_ten_crop_i3d/{v}_i3d.npy"));
    text(&folder.join("list/ucf-i3d-test.list"), &test.each_ref().map(String::as_str));
    let truth =
        ["Abuse028_x264.mp4  Abuse  165  240  300  331", "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1", ""];
    text(&folder.join("Temporal_Anomaly_Annotation_for_Testing_Videos.txt"), &truth);
}

#[test]
fn ucf_crime_with_stacks_of_ten_crops() {
    let root = tempfile::tempdir().unwrap();
    ucf(root.path());
    let dataset = import(root.path(), "ucf-crime", &[]).unwrap();
    assert_eq!(dataset.width(), 4);
    let labels = |split| -> Vec<(String, bool)> {
        dataset.both_classes(split).unwrap().iter().map(|v| (v.entry.video.clone(), v.entry.abnormal)).collect()
    };
    let expected = [("Abuse001_x264", true), ("Arson002_x264", true), ("Normal_Videos001_x264", false)];
    assert_eq!(labels(Split::Train), expected.map(|(v, l)| (v.to_owned(), l)));
    assert_eq!(labels(Split::Test)[0], ("Normal_Videos_003_x264".to_owned(), false), "in the list's order");
    let abuse = video(&dataset, Split::Test, "Abuse028_x264");
    // 20 rows of 16 frames: the second event ends after them.
    assert_eq!((abuse.entry.frames, &abuse.entry.events[..]), (Some(320), &[(165, 240), (300, 320)][..]));
    let rows = abuse.read().unwrap();
    assert_eq!((rows.header.rows, rows.header.crops, rows.header.width), (20, 10, 4));
    assert_eq!(rows.crop(7)[4..8], [1070.0, 1071.0, 1072.0, 1073.0]);
    assert_eq!(rows.mean_crop()[..2], [45.0, 46.0]);
    let cuts = fs::read_to_string(root.path().join("out/import.csv")).unwrap();
    let expected =
        "list,video,rows,truth_frames,rows_kept,frames_kept,event_frames_cut\ntest,Abuse028_x264,20,,20,320,11\n";
    assert_eq!(cuts, expected);
    let error = import(root.path(), "ucf-crime", &[]).unwrap_err();
    assert!(error.to_string().contains("holds a data set already"), "{error}");
}

#[test]
fn ucf_crime_with_the_labels_of_all_frames_in_one_array() {
    let root = tempfile::tempdir().unwrap();
    ucf(root.path());
    let folder = root.path().join("published");
    fs::remove_file(folder.join("Temporal_Anomaly_Annotation_for_Testing_Videos.txt")).unwrap();
    refused(root.path(), "ucf-crime", &[], &["ucf-i3d-test.list: is a test list without frame truth", "--truth"]);
    // In the list's order: 18 rows of a normal video, 20 of an abnormal one.
    let labels = |frames: u64| (0..frames).map(|f| f64::from(u8::from((388..398).contains(&f))));
    write(&folder.join("list/gt-ucf.npy"), &[608], Order::C, labels(608));
    let dataset = import(root.path(), "ucf-crime", &[]).unwrap();
    assert_eq!(video(&dataset, Split::Test, "Abuse028_x264").entry.events, [(101, 110)]);
    fs::remove_dir_all(root.path().join("out")).unwrap();
    write(&folder.join("list/gt-ucf.npy"), &[609], Order::C, labels(609));
    refused(root.path(), "ucf-crime", &[], &["gt-ucf.npy: holds 609 labels", "cover 608 frames"]);
    write(&folder.join("list/gt-ucf.npy"), &[600], Order::C, labels(600));
    refused(root.path(), "ucf-crime", &[], &["ends at frame 600, before those of Abuse028_x264"]);
}

#[test]
fn crops_in_files_of_their_own_become_one_array() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("published");
    for (split, name) in
        [("train", "Abuse001_x264"), ("train", "Normal_Videos001_x264"), ("test", "Normal_Videos_003_x264")]
    {
        for crop in 0..10 {
            // One crop of one video is a row shorter, as happens.
            let rows = if (name, crop) == ("Abuse001_x264", 4) { 29 } else { 30 };
            plain(&folder.join(format!("{split}/{name}__{crop}.npy")), rows, crop, 400);
        }
    }
    text(&folder.join("Temporal_Anomaly_Annotation.txt"), &["Normal_Videos_003_x264.mp4 Normal -1 -1 -1 -1"]);
    // No lists: the folders' names tell.
    let dataset = import(root.path(), "ucf-crime", &[]).unwrap();
    assert_eq!(dataset.width(), 400);
    let abuse = video(&dataset, Split::Train, "Abuse001_x264").read().unwrap();
    assert_eq!((abuse.header.rows, abuse.header.crops), (29, 10));
    assert_eq!(abuse.crop(9)[400..402], [1090.0, 1091.0]);
    let cuts = fs::read_to_string(root.path().join("out/import.csv")).unwrap();
    assert!(cuts.contains("train,Abuse001_x264,30,,29,464,0"), "{cuts}");
    fs::remove_dir_all(root.path().join("out")).unwrap();
    fs::remove_file(folder.join("train/Abuse001_x264__4.npy")).unwrap();
    refused(root.path(), "ucf-crime", &[], &["Abuse001_x264__5.npy", "crop 4 of Abuse001_x264 is missing"]);
}

/// XD-Violence: five crops in files of their own, sound, events that end before their last number.
fn xd(root: &Path) {
    let folder = root.join("published");
    let names = [
        ("train", "RGB", "v=a__#1_label_A"),
        ("train", "RGB", "Bad.Boys__#01-11-55_01-12-40_label_G-B2-B6"),
        ("test", "RGBTest", "v=b__#1_label_B4-0-0"),
        ("test", "RGBTest", "v=c__#1_label_A"),
    ];
    let mut lists = [Vec::new(), Vec::new()];
    for (split, pictures, name) in names {
        for crop in 0..5 {
            plain(&folder.join(format!("i3d-features/{pictures}/{name}__{crop}.npy")), 25, crop, 6);
            lists[usize::from(split == "test")].push(format!("/media/peng/i3d-features/{pictures}/{name}__{crop}.npy"));
        }
        // Sound has a row less than pictures here and there.
        let rows = if name.starts_with("v=b") { 24 } else { 25 };
        let sound = (0..rows * 2).map(|i| -f32::from(i as u8));
        write(&folder.join(format!("vggish-features/{split}/{name}__vggish.npy")), &[rows as u64, 2], Order::C, sound);
    }
    for (list, name) in lists.iter().zip(["rgb.list", "rgb_test.list"]) {
        text(&folder.join("list").join(name), &list.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text(&folder.join("annotations.txt"), &["v=b__#1_label_B4-0-0 0 100 120 200 190 230"]);
}

#[test]
fn xd_violence_with_crop_files_and_sound() {
    let root = tempfile::tempdir().unwrap();
    xd(root.path());
    let dataset = import(root.path(), "xd-violence", &[]).unwrap();
    assert_eq!(dataset.width(), 6);
    assert_eq!(dataset.both_classes(Split::Train).unwrap().len(), 2);
    let b = video(&dataset, Split::Test, "v=b__#1_label_B4-0-0");
    assert_eq!((b.entry.frames, &b.entry.events[..]), (Some(400), &[(1, 100), (121, 230)][..]));
    assert_eq!(b.read().unwrap().header.crops, 5);
    fs::remove_dir_all(root.path().join("out")).unwrap();

    let dataset = import(root.path(), "xd-violence", &["--audio"]).unwrap();
    assert_eq!(dataset.width(), 8);
    let rows = video(&dataset, Split::Test, "v=b__#1_label_B4-0-0").read().unwrap();
    assert_eq!(rows.header.rows, 24);
    assert_eq!(rows.crop(3)[8..16], [1030., 1031., 1032., 1033., 1034., 1035., -2.0, -3.0]);
    fs::remove_dir_all(root.path().join("out")).unwrap();
    fs::remove_file(root.path().join("published/vggish-features/train/v=a__#1_label_A__vggish.npy")).unwrap();
    refused(root.path(), "xd-violence", &["--audio"], &["v=a__#1_label_A__0.npy: has no sound", "__vggish.npy"]);
    // Flow beside the pictures would be another width, or the same by accident.
    plain(&root.path().join("published/i3d-features/Flow/v=a__#1_label_A__0.npy"), 25, 0, 6);
    refused(root.path(), "xd-violence", &[], &["holds what", "name as sources only the folders that are wanted"]);
}

#[test]
fn tad_with_crops_first_and_truth_in_the_test_list() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("published");
    for (name, rows) in [("01_Accident_001", 30), ("Normal_001", 10), ("05_else_002", 63), ("Normal_012", 30)] {
        let at = |i: usize| value(i / 3 % rows, i / (3 * rows), i % 3);
        // [crops, T, D], float64, Fortran order for one of them.
        let (order, values): (_, Vec<f64>) = if name == "05_else_002" {
            let place = |i: usize| (i / 10 % rows, i % 10, i / (10 * rows));
            let fortran = |i: usize| {
                let (row, crop, column) = place(i);
                f64::from(value(row, crop, column))
            };
            (Order::Fortran, (0..30 * rows).map(fortran).collect())
        } else {
            (Order::C, (0..30 * rows).map(|i| f64::from(at(i))).collect())
        };
        write(&folder.join(format!("TAD_10crop/{name}_clip.npy")), &[10, rows as u64, 3], order, values);
    }
    text(&folder.join("label/trains.txt"), &["01_Accident_001.mp4 480 3 90", "Normal_001.mp4 170 -1 -1"]);
    text(&folder.join("label/vals.txt"), &["05_else_002.mp4 1000 100 180 990 1000", "Normal_012.mp4 475 -1 -1"]);
    let dataset = import(root.path(), "tad", &[]).unwrap();
    let found = video(&dataset, Split::Test, "05_else_002");
    // 62 whole rows of 16 frames in 1000.
    assert_eq!((found.entry.frames, &found.entry.events[..]), (Some(992), &[(100, 180), (990, 992)][..]));
    let rows = found.read().unwrap();
    assert_eq!((rows.header.rows, rows.header.crops), (62, 10));
    assert_eq!(rows.crop(4)[6..9], [2040.0, 2041.0, 2042.0]);
    let normal = video(&dataset, Split::Train, "Normal_001").read().unwrap();
    // Ten rows of ten crops could be either; the other files tell.
    assert_eq!(normal.crop(2)[3..6], [1020.0, 1021.0, 1022.0]);
    let cuts = fs::read_to_string(root.path().join("out/import.csv")).unwrap();
    assert!(cuts.contains("test,05_else_002,63,1000,62,992,8"), "{cuts}");
    assert!(cuts.contains("test,Normal_012,30,475,29,464,0"), "{cuts}");
}

/// ShanghaiTech: half precision, labels in the lists, an array of labels per abnormal video.
fn shanghai(root: &Path) {
    let folder = root.join("published");
    for (name, rows) in [("01_0014", 17), ("01_002", 20), ("01_0015", 30), ("01_001", 40)] {
        let values = (0..rows * 8).map(|i| f16::from_f32(i as f32));
        write(&folder.join(format!("features/{name}_i3d.npy")), &[rows, 1, 8], Order::C, values);
    }
    text(&folder.join("SH_Train_new.txt"), &["01_0014,1", "01_002,0"]);
    text(&folder.join("SH_Test_NEW.txt"), &["01_0015,1", "01_001,0"]);
    let labels = (0..470_u32).map(|frame| u8::from((95..=100).contains(&frame) || frame >= 460));
    write(&folder.join("test_frame_mask/01_0015.npy"), &[470], Order::C, labels);
    // Masks of pixels lie beside them.
    write(&folder.join("test_pixel_mask/01_0015.npy"), &[2, 2, 2], Order::C, [0_u8; 8]);
}

#[test]
fn shanghaitech_with_an_array_of_labels_per_video() {
    let root = tempfile::tempdir().unwrap();
    shanghai(root.path());
    let dataset = import(root.path(), "shanghaitech", &[]).unwrap();
    assert_eq!(dataset.both_classes(Split::Train).unwrap().len(), 2);
    let abnormal = video(&dataset, Split::Test, "01_0015");
    // 29 whole rows in 470 frames.
    assert_eq!((abnormal.entry.frames, &abnormal.entry.events[..]), (Some(464), &[(96, 101), (461, 464)][..]));
    assert_eq!(abnormal.read().unwrap().data[8], 8.0);
    let written = fs::read(&abnormal.path).unwrap();
    assert!(String::from_utf8_lossy(&written[..64]).contains("<f2"), "float16 stays float16");
    assert!(video(&dataset, Split::Test, "01_001").entry.events.is_empty());
}

#[test]
fn what_contradicts_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    shanghai(root.path());
    let folder = root.path().join("published");
    let (layout, test) = ("shanghaitech", folder.join("SH_Test_NEW.txt"));
    refused(&root.path().join("nowhere"), layout, &[], &["published: cannot be read"]);

    text(&test, &["01_0015,1", "01_001,0", "01_0777,1"]);
    refused(root.path(), layout, &[], &["SH_Test_NEW.txt: lists 1 videos without features, the first is 01_0777"]);
    assert!(import(root.path(), layout, &["--skip-missing"]).is_ok());
    fs::remove_dir_all(root.path().join("out")).unwrap();

    text(&test, &["01_0015,1", "01_002,0"]);
    refused(root.path(), layout, &[], &["01_002: is in the training list and in the test list"]);
    text(&test, &["01_0015,0", "01_001,0"]);
    refused(root.path(), layout, &[], &["has events of the normal video 01_0015"]);
    text(&test, &["01_0015,1", "01_001,1"]);
    refused(root.path(), layout, &[], &["test_frame_mask: holds no labels of the abnormal video 01_001"]);
    text(&test, &["01_0015,1", "01_001,0"]);

    text(&folder.join("other-test.txt"), &["01_0015,1"]);
    refused(root.path(), layout, &[], &["other-test.txt: and", "could both be the test list", "--test-list"]);
    let list = test.to_str().unwrap();
    assert!(import(root.path(), layout, &["--test-list", list]).is_ok());
    fs::remove_dir_all(root.path().join("out")).unwrap();
    fs::remove_file(folder.join("other-test.txt")).unwrap();

    let one = folder.join("features/01_001_i3d.npy");
    let good = fs::read(&one).unwrap();
    plain(&one, 40, 0, 9);
    refused(root.path(), layout, &[], &["01_001_i3d.npy: has rows of width 9, others have 8"]);
    write(&one, &[40, 8], Order::C, (0..320).map(|i| if i == 100 { f32::NAN } else { 0.0 }));
    refused(root.path(), layout, &[], &["01_001_i3d.npy: holds NaN in row 12"]);
    write(&one, &[40, 8], Order::C, 0..320_i64);
    refused(root.path(), layout, &[], &["01_001_i3d.npy: holds whole numbers"]);
    write(&one, &[2, 20, 40, 8], Order::C, (0..12800).map(|i| i as f32));
    refused(root.path(), layout, &[], &["01_001_i3d.npy: has shape [2, 20, 40, 8]"]);
    fs::write(&one, &good[..good.len() - 2]).unwrap();
    refused(root.path(), layout, &[], &["01_001_i3d.npy: is truncated"]);
    fs::write(&one, &good).unwrap();

    // All of its events after the end of its features.
    let labels = (0..900_u32).map(|frame| u8::from(frame >= 600));
    write(&folder.join("test_frame_mask/01_0015.npy"), &[900], Order::C, labels);
    refused(root.path(), layout, &[], &["01_0015_i3d.npy: ends at frame 480, before the video's first event"]);
    write(&folder.join("test_frame_mask/01_0015.npy"), &[8], Order::C, [0_u8, 1, 0, 0, 0, 0, 0, 0]);
    refused(root.path(), layout, &[], &["01_0015_i3d.npy: has no row that all of it has: 8 frames"]);
}

#[test]
fn rows_of_any_width_are_taken() {
    for width in [400, 1024, 2048, 4096] {
        let root = tempfile::tempdir().unwrap();
        for name in ["train/Abuse001_x264", "train/Normal_Videos001_x264"] {
            plain(&root.path().join(format!("published/{name}.npy")), 2, 0, width);
        }
        assert_eq!(import(root.path(), "ucf-crime", &[]).unwrap().width(), width, "without a test list");
    }
}
