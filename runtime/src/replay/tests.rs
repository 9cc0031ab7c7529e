//! The files of a report: their form, their sameness, and the refusal to leave halves behind.

use super::*;
use crate::ErrorKind;

/// A recording of 90 s with an incident at 55 s.
struct Example {
    scores: Vec<ScoreRow>,
    alarms: Vec<AlarmSpan>,
    truth: Vec<TruthSpan>,
    thumbnails: Vec<Thumbnail>,
}

impl Example {
    fn new() -> Self {
        let mut best = Best::new(timeline::THUMBNAILS_MAX, 3.0);
        let mut scores = Vec::new();
        for segment in 0..140u64 {
            let time_s = (segment + 1) as f64 * 0.64;
            let bump = (-((time_s - 60.0) / 4.0).powi(2)).exp() as f32;
            let ripple = 0.5 + 0.5 * (segment as f32 * 0.9).sin() * (segment as f32 * 0.13).cos();
            let score = (0.06 + 0.12 * ripple + 0.78 * bump).min(1.0);
            scores.push(ScoreRow {
                segment,
                first_frame: segment * 16 + 1,
                last_frame: segment * 16 + 16,
                time_s,
                score,
            });
            best.offer(time_s, score, |rgb| {
                for y in 0..60u8 {
                    for x in 0..80u8 {
                        let road = (20..60).contains(&(i32::from(x) - i32::from(y) / 4));
                        let car = (24..34).contains(&y) && x.abs_diff((segment % 60) as u8 + 10) < 8;
                        rgb.extend(match (car, road) {
                            (true, _) => [190, 40, 40],
                            (_, true) => [90, 92, 96],
                            _ => [120 + y, 150, 110],
                        });
                    }
                }
                (80, 60)
            });
        }
        Self {
            scores,
            alarms: vec![AlarmSpan { start_s: 57.0, end_s: 64.5, first_frame: 1426, last_frame: 1612, peak: 0.94 }],
            truth: vec![TruthSpan { start_s: 55.0, end_s: 65.0 }],
            thumbnails: best.into_vec(),
        }
    }

    fn report(&self) -> Report<'_> {
        Report {
            title: "sim://?seed=1&incident=collision",
            frames: 2250,
            duration_s: 90.0,
            threshold: 0.62,
            aspect: 4.0 / 3.0,
            scores: &self.scores,
            alarms: &self.alarms,
            truth: Some(&self.truth),
            thumbnails: &self.thumbnails,
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_report_is_three_files_and_the_same_bytes_each_time() {
    let example = Example::new();
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("deep/a"), folder.path().join("b"));
    example.report().write(&a).unwrap();
    example.report().write(&b).unwrap();
    example.report().write(&b).unwrap();
    assert_eq!(names(&a), ["alarms.jsonl", "scores.csv", "timeline.png"]);
    for name in names(&a) {
        assert_eq!(std::fs::read(a.join(&name)).unwrap(), std::fs::read(b.join(&name)).unwrap(), "{name}");
    }
    let alarms = std::fs::read_to_string(a.join("alarms.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<AlarmSpan>(alarms.trim()).unwrap(), example.alarms[0]);
    let mut table = csv::Reader::from_path(a.join("scores.csv")).unwrap();
    let rows: Vec<ScoreRow> = table.deserialize().map(|row| row.unwrap()).collect();
    assert_eq!(rows, example.scores);
    let picture = image::open(a.join("timeline.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (1200, 516));
    // For looking at: TADPOLE_TIMELINE=/tmp cargo test.
    if let Ok(copy) = std::env::var("TADPOLE_TIMELINE") {
        std::fs::copy(a.join("timeline.png"), Path::new(&copy).join("timeline.png")).unwrap();
    }
}

#[test]
fn the_picture_shows_alarms_truth_and_holes() {
    let example = Example::new();
    let pixel = |report: &Report<'_>, x: u32, y: u32| {
        let png = timeline::png(report).unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8().get_pixel(x, y).0
    };
    let full = example.report();
    // 60 s of 90 is at x = 76 + 1100 * 2 / 3.
    let x = 809;
    assert_eq!(pixel(&full, x, 327), [0xD1, 0x2F, 0x2F], "an alarm is on");
    assert_eq!(pixel(&full, x, 347), [0x2E, 0x8B, 0x57], "something happens");
    assert_eq!(pixel(&full, 200, 327), [0xF1, 0xF3, 0xF5], "no alarm there");
    let silent = Report { alarms: &[], truth: None, ..full };
    assert_eq!(pixel(&silent, x, 327), [0xF1, 0xF3, 0xF5]);
    assert_eq!(pixel(&silent, x, 347), [255; 3]);
    // Scores that are not numbers leave the plot empty there.
    let mut holes = example.scores.clone();
    for row in &mut holes[85..100] {
        row.score = f32::NAN;
    }
    let broken = Report { scores: &holes, alarms: &[], thumbnails: &[], ..full };
    assert_eq!(pixel(&broken, x, 270), [255; 3]);
    assert_ne!(pixel(&silent, x, 270), [255; 3]);
}

#[test]
fn an_empty_report_is_drawn_too() {
    let report = Report {
        title: "",
        frames: 0,
        duration_s: 0.0,
        threshold: 0.5,
        aspect: f32::NAN,
        scores: &[],
        alarms: &[],
        truth: Some(&[]),
        thumbnails: &[],
    };
    assert!(timeline::png(&report).is_ok());
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_is_left() {
    let example = Example::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let e = example.report().write(&file).unwrap_err();
    assert_eq!(e.kind, ErrorKind::InvalidInput);
    assert!(e.to_string().contains(file.to_str().unwrap()), "{e}");
    // A folder stands where a file should be: the old state stays, no temporary file is left.
    let out = folder.path().join("out");
    std::fs::create_dir_all(out.join("scores.csv/x")).unwrap();
    assert!(example.report().write(&out).is_err());
    assert_eq!(names(&out), ["scores.csv"]);
}

#[test]
fn what_is_not_1_does_not_seem_to_be() {
    let shown = [0.5, 0.9949, 0.9999, 0.999_994_75, 1.0, 0.0].map(|score| digits(score, 2));
    assert_eq!(shown, ["0.50", "0.99", "0.9999", "0.99999", "1.00", "0.00"]);
}
