//! The recorder with its thread: cameras that show frames and raise alarms, and what is in the folder then.

use std::path::Path;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde_json::Value;

use super::reel::Looked;
use super::*;
use crate::output::Outputs;
use crate::output::event::tests::{ended, started};
use crate::source::{Advance, FrameHeader, PixelFormat, Source, SourceInfo};

const PATIENCE: Duration = Duration::from_secs(20);

/// A grey frame.
pub(super) fn grey((width, height): (u32, u32), luma: u8) -> Frame {
    let data = vec![luma; (width * height) as usize];
    Frame { data, format: PixelFormat::Grey8, width, height, stride: width, jpeg: Vec::new() }
}

/// A grey JPEG.
pub(super) fn jpeg((width, height): (u32, u32), grey: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let rgb = vec![grey; (width * height * 3) as usize];
    JpegEncoder::new_with_quality(&mut out, 75).encode(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

pub(super) fn looked(number: u64, score: f32) -> Looked {
    let segment = Segment { number, ..Segment::default() };
    Looked { segment, score, row: vec![number as f32, 1.0].into() }
}

/// A camera of 10 frames a second that shows its frame's number.
struct Camera(SourceInfo, u64);

impl Camera {
    fn new() -> Self {
        let info = SourceInfo {
            uri: "test".into(),
            width: 32,
            height: 16,
            rate_hz: Some(10.0),
            constant_rate: true,
            frames: None,
            live: true,
        };
        Self(info, 0)
    }
}

impl Source for Camera {
    fn info(&self) -> &SourceInfo {
        &self.0
    }

    fn advance(&mut self) -> Result<Advance> {
        self.1 += 1;
        Ok(Advance::Frame(FrameHeader { number: self.1, pts_ns: (self.1 - 1) * 100_000_000 }))
    }

    fn read(&mut self, frame: &mut Frame) -> Result<()> {
        *frame = grey((32, 16), (self.1 % 200) as u8);
        Ok(())
    }
}

fn settings(folder: &Path) -> Settings {
    let limits = Limits { quota_bytes: 10_000_000, hours_max: 24, free_bytes: 1 };
    Settings {
        folder: folder.join("alarms"),
        pre_roll: Duration::from_secs(2),
        post_roll: Duration::from_secs(1),
        limits,
    }
}

fn frames(source: Opened) -> Box<dyn Source> {
    let Opened::Frames(frames) = source else { panic!("frames") };
    frames
}

/// Let the camera give `count` frames, not faster than the recorder can take them.
fn pass(recorder: &Recorder, source: &mut dyn Source, count: u64) {
    for _ in 0..count {
        assert!(matches!(source.advance().unwrap(), Advance::Frame(_)));
        idle(recorder);
    }
}

/// Wait until no frame waits.
fn idle(recorder: &Recorder) {
    let begun = Instant::now();
    while recorder.shared.cameras.iter().any(|camera| camera.waiting.load(Ordering::Relaxed) > 0) {
        assert!(begun.elapsed() < PATIENCE, "the recorder is stuck");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The alarms in the folder, by name, with their `event.json`.
fn kept(settings: &Settings) -> Vec<(String, Value)> {
    let Ok(entries) = std::fs::read_dir(&settings.folder) else { return Vec::new() };
    let event = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let text = std::fs::read(path.join("event.json")).ok()?;
        Some((path.file_name()?.to_string_lossy().into_owned(), serde_json::from_slice(&text).unwrap()))
    };
    let mut kept: Vec<_> = entries.filter_map(event).collect();
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    kept
}

fn begins(camera: &str, id: u64, start_s: f64) -> AlarmEvent {
    AlarmEvent { start_s, ..started(camera, id) }
}

fn ends(camera: &str, id: u64, start_s: f64, end_s: f64) -> AlarmEvent {
    AlarmEvent { start_s, end_s, ..ended(camera, id) }
}

#[test]
fn an_alarm_is_kept_with_what_came_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (recorder, recording) = Recorder::start(settings.clone(), &["north", "south"]).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(recorder.output());
    let mut north = frames(recorder.over(0, Opened::Frames(Box::new(Camera::new()))));
    // Frames are handed on, whether they were shown or not.
    let mut frame = Frame::default();
    for expected in 1..=100 {
        pass(&recorder, north.as_mut(), 1);
        north.read(&mut frame).unwrap();
        assert_eq!(frame.data[0], expected);
    }
    assert!(outputs.alarm(&begins("north", 1, 9.5)).is_empty());
    pass(&recorder, north.as_mut(), 20);
    for n in 0..3 {
        recorder.send(Note::Segment {
            camera: 0,
            segment: Segment { number: n, ..Segment::default() },
            score: 0.9,
            row: vec![0.5; 3].into(),
        });
    }
    assert!(outputs.alarm(&ends("north", 1, 9.5, 11.0)).is_empty());
    pass(&recorder, north.as_mut(), 20);
    eventually("an alarm is kept", || recorder.counts().kept == 1);
    let alarms = kept(&settings);
    let (name, event) = &alarms[0];
    assert_eq!(name, "00000001-0-north");
    let (start_s, count) = (event["clip"]["start_s"].as_f64().unwrap(), event["clip"]["frames"].as_u64().unwrap());
    assert!((7.5..7.8).contains(&start_s), "{event}");
    // From 7.5 s to the last picture at or before 12.0 s.
    assert!((21..=24).contains(&count), "{event}");
    assert_eq!((event["segments"].as_array().unwrap().len(), &event["cut"]), (3, &Value::Bool(false)));
    assert_eq!(event["alarm"]["end_s"], 11.0);
    assert_eq!(recorder.counts().dropped, 0);
    recording.end(PATIENCE);
}

/// So many alarms, one after the other, and the bytes of the folder when the last of them was put there.
fn bytes_after(alarms: u64, quota_bytes: u64) -> (u64, Vec<(String, Value)>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let settings = Settings { limits: Limits { quota_bytes, ..settings.limits }, ..settings };
    let (recorder, recording) = Recorder::start(settings.clone(), &["north"]).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(recorder.output());
    let mut north = frames(recorder.over(0, Opened::Frames(Box::new(Camera::new()))));
    for id in 1..=alarms {
        let start_s = 10.0 * id as f64;
        pass(&recorder, north.as_mut(), 60);
        outputs.alarm(&begins("north", id, start_s));
        pass(&recorder, north.as_mut(), 20);
        outputs.alarm(&ends("north", id, start_s, start_s + 1.0));
        pass(&recorder, north.as_mut(), 20);
        eventually("an alarm is kept", || recorder.counts().kept == id);
        // The thread has more to do than to count.
        pass(&recorder, north.as_mut(), 1);
    }
    recording.end(PATIENCE);
    let bytes = kept(&settings).iter().map(|(name, _)| shelf_bytes(&settings.folder.join(name))).sum();
    (bytes, kept(&settings))
}

fn shelf_bytes(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_quota_holds_when_an_alarm_is_over_and_not_only_when_the_next_begins() {
    let (one, _) = bytes_after(1, 10_000_000);
    let (bytes, kept) = bytes_after(2, one * 3 / 2);
    assert!(one > 1000 && bytes <= one * 3 / 2, "{bytes} bytes, {one} of one");
    assert_eq!(kept.len(), 1);
    assert!(kept[0].0.starts_with("00000002-"), "the newest stays: {kept:?}");
}

#[test]
fn a_stream_that_breaks_and_a_run_that_ends_finish_what_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (recorder, recording) = Recorder::start(settings.clone(), &["north", "south"]).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(recorder.output());
    let mut sources = [0, 1].map(|n| frames(recorder.over(n, Opened::Frames(Box::new(Camera::new())))));
    for (source, name) in sources.iter_mut().zip(["north", "south"]) {
        pass(&recorder, source.as_mut(), 10);
        outputs.alarm(&begins(name, 1, 0.9));
        pass(&recorder, source.as_mut(), 10);
    }
    // A new source of the same camera: as after a failure.
    let _again = recorder.over(0, Opened::Frames(Box::new(Camera::new())));
    outputs.alarm(&ends("north", 1, 0.9, 1.9));
    eventually("the broken one is kept", || recorder.counts().kept == 1);
    recording.end(PATIENCE);
    let kept = kept(&settings);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|(_, event)| event["cut"] == true), "{kept:?}");
    assert_eq!((&kept[0].1["alarm"]["phase"], &kept[1].1["alarm"]["phase"]), (&"ended".into(), &"started".into()));
}

#[test]
fn a_folder_that_cannot_be_made_is_a_fault_that_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    std::fs::write(&settings.folder, "in the way").unwrap();
    let (recorder, recording) = Recorder::start(settings.clone(), &["north"]).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(recorder.output());
    eventually("a fault", || {
        outputs.fault().is_some_and(|fault| fault.contains("recorder") && fault.contains("alarms"))
    });
    assert!(outputs.alarm(&begins("north", 1, 0.0)).is_empty(), "nobody is held up by it");
    outputs.alarm(&ends("north", 1, 0.0, 1.0));
    std::fs::remove_file(&settings.folder).unwrap();
    eventually("it heals", || outputs.fault().is_none());
    let mut north = frames(recorder.over(0, Opened::Frames(Box::new(Camera::new()))));
    pass(&recorder, north.as_mut(), 10);
    outputs.alarm(&begins("north", 2, 0.5));
    pass(&recorder, north.as_mut(), 5);
    recording.end(PATIENCE);
    assert_eq!(kept(&settings).len(), 1);
}

#[test]
fn a_recorder_that_is_behind_costs_frames_that_are_counted_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    // A recorder whose thread has stopped.
    let (sender, notes) = sync_channel(QUEUE);
    let shared = Arc::new(Shared { cameras: vec![Seen::default()], ..Shared::default() });
    let recorder = Recorder { sender, shared };
    let mut north = frames(recorder.over(0, Opened::Frames(Box::new(Camera::new()))));
    let begun = Instant::now();
    for _ in 0..1000 {
        north.advance().unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Every second frame is shown, and twelve of them wait.
    assert_eq!((recorder.counts().kept, recorder.counts().dropped), (0, 488));
    drop((notes, folder));
}

#[test]
fn a_disk_that_does_not_answer_is_said_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, recording) = Recorder::start(settings(folder.path()), &["north"]).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(recorder.output());
    assert_eq!(outputs.fault(), None);
    // As if the note of now had been begun long ago.
    let long_ago = Instant::now().checked_sub(SLOW + Duration::from_secs(1));
    recorder.shared.set_working(long_ago);
    assert!(outputs.fault().unwrap().contains("not answered"));
    // The next note is taken, and done with.
    assert!(outputs.alarm(&begins("south", 1, 9.5)).is_empty());
    eventually("it is forgotten", || outputs.fault().is_none());
    recording.end(PATIENCE);
}
