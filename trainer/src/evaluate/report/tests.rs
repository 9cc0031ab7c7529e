use super::*;
use crate::evaluate::tests::video;

fn scored(video: &Video, scores: &[f32]) -> Scored<'static> {
    Scored { video: Box::leak(Box::new(video.clone())), scores: scores.to_vec() }
}

/// A normal video and one with an event in its second row, four rows of a frame each.
fn pair() -> [Video; 2] {
    [video(false, 4, &[], 4), video(true, 4, &[(2, 2)], 4)]
}

#[test]
fn a_video_is_as_right_as_its_comparisons() {
    let [quiet, crash] = pair();
    let scored = [scored(&quiet, &[0.1, 0.2, 0.6, 0.2]), scored(&crash, &[0.1, 0.5, 0.9, 0.1])];
    // The event's frame (.5) outranks .1 .2 .2 .1 .1 of seven others; of the quiet video's four frames it outranks three.
    let right = videos::rightness(&scored).unwrap();
    assert_eq!(right, [Some(0.75), Some(5.0 / 7.0)]);
}

#[test]
fn a_long_video_keeps_its_peaks() {
    let mut scores = vec![0.0; 1000];
    scores[503] = 1.0;
    let levels = videos::levels(&scores, 1000, 10.0);
    assert_eq!(levels.len(), 3, "equal levels are one");
    assert!(levels[1].2 == 1.0 && levels[1].0 <= 50.3 && levels[1].1 > 50.3, "{:?}", levels[1]);
    assert_eq!((levels[0].0, levels[2].1), (0.0, 100.0));
}

#[test]
fn calibration_counts_frames_by_score() {
    let [quiet, crash] = pair();
    let scored = [scored(&quiet, &[0.05, 0.05, 0.95, 0.05]), scored(&crash, &[0.05, 1.0, 0.95, 0.05])];
    let bins = reliability::bins(&scored).unwrap();
    // Lowest bin: five frames, none in an event; highest: .95, .95 and 1, one of them in it.
    assert!((reliability::calibration_error(&bins) - (0.25 + 1.9) / 8.0).abs() < 1e-6);
    assert_eq!(reliability::false_alarms(&scored, 0.5), 1);
    assert_eq!(reliability::false_alarms(&scored, 0.0), 1, "one run of rows is one alarm");
}
