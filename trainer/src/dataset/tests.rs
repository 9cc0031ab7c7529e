use std::fs;
use std::path::Path;

use npyz::WriterBuilder;
use proptest::prelude::*;

use super::*;

fn entry(video: &str, abnormal: bool, events: &[(u64, u64)]) -> Entry {
    Entry { video: video.into(), abnormal, frames: Some(100), events: events.to_vec() }
}

/// A data set of width 2 with one normal and one abnormal training video.
fn small(root: &Path) {
    let mut writer = Writer::create(root, FeatureContract::external(2)).unwrap();
    writer.add(Split::Train, entry("quiet", false, &[]), &[1.0, 2.0, 3.0, 4.0]).unwrap();
    writer.add(Split::Train, entry("loud", true, &[]), &[5.0, 6.0]).unwrap();
    writer.add(Split::Test, entry("crash", true, &[(3, 9), (20, 20)]), &[7.0, 8.0]).unwrap();
    writer.finish().unwrap();
}

/// Opening (and reading all of) the folder fails with a message that holds all of `parts`.
fn refused(root: &Path, parts: &[&str]) {
    let result = Dataset::open(root).and_then(|dataset| {
        let videos = dataset.both_classes(Split::Train)?;
        scan(videos, |_| true, |_, _| ()).map(|_| ())
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind.exit_code(), 2, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

fn write_array(path: &Path, shape: &[u64], values: &[f32]) {
    let mut bytes = Vec::new();
    let mut npy = npyz::WriteOptions::<f32>::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    npy.extend(values.iter().copied()).unwrap();
    npy.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.contract, FeatureContract::external(2));
    let train = dataset.both_classes(Split::Train).unwrap();
    assert_eq!(train[0].entry, entry("quiet", false, &[]));
    assert_eq!(train[0].read().unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(train[0].header, Header { rows: 2, crops: 1, width: 2 });
    assert_eq!(dataset.videos(Split::Test).unwrap()[0].entry.events, [(3, 9), (20, 20)]);
    let (statistics, hash) = scan(train, |_| true, |_, _| ()).unwrap();
    assert_eq!(statistics.mean, [3.0, 4.0]);
    assert!((statistics.deviation[0] - (8.0_f32 / 3.0).sqrt()).abs() < 1e-6);
    assert_eq!(scan(train, |_| true, |_, _| ()).unwrap().1, hash);
    assert!(Writer::create(folder.path(), FeatureContract::external(2)).is_err());
}

#[test]
fn training_videos_of_others_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let (own, more) = (folder.path().join("own"), folder.path().join("more"));
    small(&own);
    let mut writer = Writer::create(&more, FeatureContract::external(2)).unwrap();
    writer.add(Split::Train, entry("false alarm", false, &[]), &[1.0; 8]).unwrap();
    writer.add(Split::Test, entry("not looked at", true, &[(1, 2)]), &[1.0; 8]).unwrap();
    writer.finish().unwrap();
    let own = Dataset::open(&own).unwrap();
    let grown = own.with_added(std::slice::from_ref(&more)).unwrap();
    let names: Vec<_> = grown.videos(Split::Train).unwrap().iter().map(|v| v.entry.video.as_str()).collect();
    assert_eq!(names, ["quiet", "loud", "false alarm"]);
    assert_eq!((grown.videos(Split::Test).unwrap().len(), &grown.added), (1, &vec![more.clone()]));
    assert_eq!(grown.videos(Split::Train).unwrap()[2].read().unwrap().data, [1.0; 8]);
    let told = grown.told_added(&own, 64).unwrap();
    let begin = "training videos added: 1 normal, 0 abnormal, of 4 rows where others have 2 (medians)";
    assert!(told.starts_with(begin) && told.ends_with("(1 of these)"), "{told}");

    let refused = |roots: &[PathBuf], part: &str| {
        let error = own.with_added(roots).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is not in: {error}");
    };
    refused(&[more.clone(), more.clone()], "lists false alarm, which is there already");
    let other = FeatureContract { name: "another".into(), ..FeatureContract::external(2) };
    fs::write(more.join("contract.json"), serde_json::to_string(&other).unwrap()).unwrap();
    refused(&[more], "has features of contract another (");
    refused(&[folder.path().join("none")], "is not a folder");
}

#[test]
fn crops_are_averaged_or_taken_alone() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    write_array(&folder.path().join("train/quiet.npy"), &[2, 2, 2], &[1., 2., 3., 4., 5., 6., 7., 8.]);
    let dataset = Dataset::open(folder.path()).unwrap();
    let rows = dataset.videos(Split::Train).unwrap()[0].read().unwrap();
    assert_eq!(rows.mean_crop(), [2., 3., 6., 7.]);
    assert_eq!(rows.crop(1), [3., 4., 7., 8.]);
}

#[test]
fn half_precision_is_read() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let mut bytes = Vec::new();
    let mut npy =
        npyz::WriteOptions::<half::f16>::new().default_dtype().shape(&[1, 2]).writer(&mut bytes).begin_nd().unwrap();
    npy.extend([half::f16::from_f32(0.5), half::f16::from_f32(-2.0)]).unwrap();
    npy.finish().unwrap();
    fs::write(folder.path().join("train/loud.npy"), bytes).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.videos(Split::Train).unwrap()[1].read().unwrap().data, [0.5, -2.0]);
}

#[test]
fn every_fault_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    refused(&root.join("nowhere"), &["nowhere: is not a folder"]);
    refused(root, &["holds neither train.csv nor test.csv"]);
    small(root);
    let (loud, list) = (root.join("train/loud.npy"), root.join("train.csv"));
    let good = (fs::read(&loud).unwrap(), fs::read_to_string(&list).unwrap());

    fs::remove_file(&loud).unwrap();
    refused(root, &["train/loud.npy: is missing"]);
    fs::write(&loud, &good.0[..good.0.len() - 4]).unwrap();
    refused(root, &["train/loud.npy: is truncated"]);
    fs::write(&loud, b"not an array").unwrap();
    refused(root, &["train/loud.npy: is no NumPy array"]);
    write_array(&loud, &[1, 3], &[1., 2., 3.]);
    refused(root, &["train/loud.npy: has rows of width 3, not 2"]);
    write_array(&loud, &[0, 2], &[]);
    refused(root, &["train/loud.npy: has no rows"]);
    write_array(&loud, &[2], &[1., 2.]);
    refused(root, &["train/loud.npy: has shape [2]"]);
    write_array(&loud, &[2, 2], &[1., 2., 3., f32::NAN]);
    refused(root, &["train/loud.npy: holds NaN in row 1"]);
    write_array(&loud, &[1, 2], &[1., f32::INFINITY]);
    refused(root, &["train/loud.npy: holds inf in row 0"]);
    fs::write(&loud, &good.0).unwrap();

    for (lines, parts) in [
        ("quiet,0,,\n", &["train.csv: lists normal videos only"][..]),
        ("", &["train.csv: lists no videos"]),
        ("quiet,0,,\nloud,2,,\n", &["train.csv line 3: has label \"2\""]),
        ("quiet,0,,\nquiet,1,,\n", &["train.csv line 3: lists quiet twice"]),
        ("../quiet,0,,\n", &["train.csv line 2", "is no name for a video"]),
        ("loud,1,100,0-4\n", &["train.csv line 2: has the event \"0-4\""]),
        ("loud,1,100,9-4\n", &["has the event \"9-4\""]),
        ("loud,1,100,101-109\n", &["which begins after the video's end"]),
        ("loud,1,100,5-9;9-12\n", &["has overlapping events"]),
        ("loud,1,100,x\n", &["has the event \"x\""]),
        ("quiet,0,100,1-4\n", &["has events in a normal video"]),
        ("loud,1,-3,\n", &["has \"-3\" frames"]),
    ] {
        fs::write(&list, format!("video,label,frames,events\n{lines}")).unwrap();
        refused(root, parts);
    }
    fs::write(&list, &good.1).unwrap();
    fs::write(root.join("contract.json"), "{").unwrap();
    refused(root, &["contract.json: is no feature contract"]);
    let other = serde_json::to_string(&FeatureContract::external(3)).unwrap();
    fs::write(root.join("contract.json"), other).unwrap();
    refused(root, &["train/quiet.npy: has rows of width 2, not 3"]);
    fs::remove_file(root.join("contract.json")).unwrap();
    fs::remove_file(&list).unwrap();
    refused(root, &["train.csv: is missing"]);
    assert!(Dataset::open(root).unwrap().videos(Split::Test).is_ok());
}

#[test]
fn segments_are_means_of_slices() {
    // Six rows in four segments: edges 0, 1, 3, 4, 6.
    assert_eq!(to_segments(&[1., 2., 3., 4., 5., 6.], 1, 4), [1.0, 2.5, 4.0, 5.5]);
    // Three rows in four segments: rows 0, 0, 1, 2.
    assert_eq!(to_segments(&[1., 2., 3.], 1, 4), [1., 1., 2., 3.]);
    let mut out = [0.0; 4];
    stretch(&[1., 2., 3.], 1, 4, &mut out);
    assert_eq!(out, [1., 1., 2., 3.]);
}

proptest! {
    #[test]
    fn each_row_is_in_the_segment_that_covers_it(rows in 1_usize..400, count in 1_usize..80, pick in 0.0_f64..1.0) {
        let row = ((rows as f64 * pick) as usize).min(rows - 1);
        let segment = segment_of_row(rows, count, row);
        prop_assert!(segment < count);
        prop_assert!(segment_edges(rows, count, segment).contains(&row));
    }

    #[test]
    fn segments_cover_all_rows_in_order(rows in 1_usize..400, count in 1_usize..80) {
        prop_assert_eq!(segment_edges(rows, count, 0).start, 0);
        prop_assert_eq!(segment_edges(rows, count, count - 1).end, rows);
        for i in 1..count {
            let (before, range) = (segment_edges(rows, count, i - 1), segment_edges(rows, count, i));
            prop_assert!(range.start >= before.start && range.end >= before.end);
            prop_assert!(range.start <= before.end && !range.is_empty());
        }
    }
}
