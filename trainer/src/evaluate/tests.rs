use super::*;
use crate::dataset::{Entry, Header};
use std::path::PathBuf;

pub(crate) fn video(abnormal: bool, frames: u64, events: &[(u64, u64)], rows: usize) -> Video {
    Video {
        entry: Entry { video: "v".into(), abnormal, frames: Some(frames), events: events.to_vec() },
        path: PathBuf::new(),
        header: Header { rows, crops: 1, width: 1 },
        text: None,
    }
}

#[test]
fn frames_are_counted_as_the_rule_says() {
    // Frame by frame against `floor(f T / N)` and 1-based events.
    for (frames, rows) in [(10, 4), (7, 7), (100, 3), (5, 8)] {
        let video = video(true, frames, &[(2, 3), (5, 5)], rows);
        let scored = Scored { video: &video, scores: vec![0.5; rows] };
        let mut expected = vec![(0, 0); rows];
        for frame in 0..frames {
            let event = [(2, 3), (5, 5)].iter().any(|&(a, b)| (a..=b).contains(&(frame + 1)));
            let row = &mut expected[row_of_frame(frame, frames, rows)];
            if event { row.0 += 1 } else { row.1 += 1 }
        }
        let actual: Vec<_> = observations(&scored).unwrap().iter().map(|o| (o.positives, o.negatives)).collect();
        assert_eq!(actual, expected, "{frames} frames, {rows} rows");
    }
}

#[test]
fn a_test_video_without_frames_or_events_is_refused() {
    let mut nameless = video(true, 10, &[(1, 2)], 2);
    nameless.entry.frames = None;
    let error = observations(&Scored { video: &nameless, scores: vec![0.1, 0.2] }).unwrap_err();
    assert!(error.to_string().contains("video v: has no number of frames"), "{error}");
    let eventless = video(true, 10, &[], 2);
    assert!(observations(&Scored { video: &eventless, scores: vec![0.1, 0.2] }).is_err());
}

/// A scorer whose score is the segment's own number: it shows which rows a window held.
#[expect(clippy::unnecessary_wraps, reason = "what `score` takes")]
fn echo(windows: &[f32], _: usize) -> Result<Vec<f32>> {
    Ok(windows.to_vec())
}

#[test]
fn offline_scores_come_back_to_their_rows() {
    let rows: Vec<f32> = (0..200).map(|i| i as f32).collect();
    let scores = score_video(&rows, 1, 64, Mode::Offline, &mut echo).unwrap();
    assert_eq!(scores.len(), 200);
    // Segment 0 is rows 0..3 (linspace edge 3.125), segment 63 rows 196..200.
    assert_eq!(&scores[..4], [1.0, 1.0, 1.0, 4.0]);
    assert_eq!(scores[199], 197.5);
    assert_eq!(score_video(&[1.0, 2.0, 3.0], 1, 64, Mode::Offline, &mut echo).unwrap(), [1.0, 2.0, 3.0]);
}

#[test]
fn streaming_scores_see_the_newest_row_last_and_none_later() {
    let rows: Vec<f32> = (0..150).map(|i| i as f32).collect();
    assert_eq!(score_video(&rows, 1, 64, Mode::Streaming, &mut echo).unwrap(), rows);
    // The oldest segment of the window: row 0 while the ring fills, then the row 63 before.
    let mut oldest =
        |windows: &[f32], _: usize| Ok(windows.chunks_exact(64).flat_map(|window| [window[0]; 64]).collect());
    let firsts = score_video(&rows, 1, 64, Mode::Streaming, &mut oldest).unwrap();
    assert!(firsts[..64].iter().all(|&row| row == 0.0));
    assert_eq!(firsts[64..], rows[1..87]);
}

#[test]
fn figures_of_a_perfect_and_a_blind_scorer() {
    let (quiet, crash) = (video(false, 8, &[], 4), video(true, 8, &[(3, 4)], 4));
    let figures = |quiet_scores: [f32; 4], crash_scores: [f32; 4]| {
        let scored = [
            Scored { video: &quiet, scores: quiet_scores.to_vec() },
            Scored { video: &crash, scores: crash_scores.to_vec() },
        ];
        super::figures(&scored).unwrap()
    };
    let perfect = figures([0.1; 4], [0.1, 0.9, 0.1, 0.1]);
    assert_eq!(perfect.frame_auc, Some(1.0));
    assert_eq!(perfect.frame_ap, Some(1.0));
    assert_eq!(perfect.abnormal_auc, Some(1.0));
    assert_eq!(perfect.video_auc, Some(1.0));
    let blind = figures([0.5; 4], [0.5; 4]);
    assert_eq!((blind.frame_auc, blind.frame_ap), (Some(0.5), Some(2.0 / 16.0)));
}

#[test]
fn detection_trades_false_alarms_for_delay() {
    // One hour of normal footage at 1 frame a second, in rows of 600 s, with peaks .3 and .6; an event from second 1200 on.
    let (quiet, crash) = (video(false, 3600, &[], 6), video(true, 3600, &[(1201, 3000)], 6));
    let scored = [
        Scored { video: &quiet, scores: vec![0.1, 0.6, 0.1, 0.3, 0.1, 0.0] },
        Scored { video: &crash, scores: vec![0.0, 0.0, 0.4, 0.7, 0.7, 0.0] },
    ];
    let points = detection::curve(&scored, &[0.5, 1.0, 2.0], 1.0).unwrap();
    assert_eq!((points[0].threshold, points[0].detected, points[0].delay_s), (0.6, 1.0, Some(1200.0)));
    assert_eq!((points[1].threshold, points[1].delay_s), (0.3, Some(600.0)));
    assert_eq!(points[2].threshold, 0.0);
}
