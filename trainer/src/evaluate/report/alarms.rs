//! What an operator gets: events found and their delay, against false alarms an hour of normal footage.

use runtime::Result;
use runtime::replay::digits;

use super::page::{Key, Section, figure, paragraph, plots, table};
use super::plot::{Axis, Plot};
use super::{Way, duration, normal_hours, working_point};
use crate::evaluate::detection::{Point, curve};

/// Rates of the curve, at equal distances on its axis.
const RATES: usize = 61;

/// Lowest and highest false alarms an hour of the curve.
const RANGE: [f64; 2] = [0.1, 100.0];

/// Rates of the table.
const TABLE: [f64; 5] = [0.1, 0.5, 2.0, 10.0, 60.0];

/// The section.
pub fn section(ways: &[Way<'_>], fps: f64) -> Result<Section> {
    let (id, title) = ("alarms", "Alarms");
    let hours = normal_hours(&ways[0].scored, fps);
    let step = (RANGE[1] / RANGE[0]).ln() / (RATES - 1) as f64;
    let rates: Vec<f64> = (0..RATES).map(|i| RANGE[0] * (step * i as f64).exp()).collect();
    let curves: Vec<Vec<Point>> = ways.iter().map(|way| curve(&way.scored, &rates, fps)).collect::<Result<_>>()?;
    if curves.iter().any(Vec::is_empty) {
        let html = paragraph("Without normal videos and events there is no telling what an operator would get.");
        return Ok(Section { id, title, html });
    }
    let delays = || curves.iter().flatten().filter_map(|point| point.delay_s);
    let longest = delays().fold(1.0, f64::max);
    let x = || Axis::log("false alarms an hour of normal footage", RANGE[0], RANGE[1]);
    let mut found = Plot::new(x(), Axis::share("share of events found"), 270.0);
    let mut late = Plot::new(x(), Axis::linear("median delay, s", 0.0, longest * 1.05, 5), 270.0);
    let once = 1.0 / hours;
    if once > RANGE[0] {
        found.band("blind", RANGE[0], once.min(RANGE[1]));
        late.band("blind", RANGE[0], once.min(RANGE[1]));
    }
    let mut keys = Vec::new();
    for (way, points) in ways.iter().zip(&curves) {
        found.line(way.class, &points.iter().map(|p| (p.false_alarms_per_hour, p.detected)).collect::<Vec<_>>());
        let delays: Vec<(f64, f64)> =
            points.iter().filter_map(|p| Some((p.false_alarms_per_hour, p.delay_s?))).collect();
        late.line(way.class, &delays);
        keys.push((Key::Line(way.class), way.name.to_owned()));
        if let Some(point) = &way.working {
            found.dot(way.class, (point.false_alarms_per_hour, point.detected));
        }
    }
    keys.push((Key::Area("blind"), "fewer than one in all the footage".into()));
    let dots: Vec<(Key, String)> =
        ways.iter().filter(|way| way.working.is_some()).map(|way| (Key::Dot(way.class), working_point())).collect();
    let keys_found: Vec<(Key, String)> = keys.iter().cloned().chain(dots.into_iter().take(1)).collect();
    let footage = format!("The test list has {} of normal footage", duration(hours * 3600.0));
    let captions = [
        format!(
            "How many events a camera would report (up) for the false alarms that its operator puts up with (right). High at \
             the left is good. {footage}: left of one false alarm in all of it (grey) the curve can only be flat."
        ),
        "Seconds from an event's first frame to the end of the first segment over the threshold in it; the middle one of those \
         found. A lower threshold finds more events, and late ones among them, so the line need not fall."
            .to_owned(),
    ];
    let figures = [
        figure(
            "Events found",
            &found.svg("Share of events found against false alarms an hour"),
            &keys_found,
            &captions[0],
        ),
        figure("Delay", &late.svg("Median delay against false alarms an hour"), &keys, &captions[1]),
    ];
    let mut lines = Vec::new();
    for way in ways {
        for point in curve(&way.scored, &TABLE, fps)? {
            lines.push(vec![
                way.name.to_owned(),
                format!("{}", point.false_alarms_per_hour),
                digits(point.threshold, 4),
                format!("{:.0} %", 100.0 * point.detected),
                point.delay_s.map_or("-".into(), |seconds| format!("{seconds:.1} s")),
            ]);
        }
    }
    let head = ["", "false alarms an hour, at most", "threshold", "events found", "median delay"];
    let intro = paragraph(
        "One score over the threshold is an alarm here; a run of them in a normal video is one false alarm. A camera also asks for a \
         minimum length and cools down, so it has fewer of both.",
    );
    Ok(Section { id, title, html: intro + &plots(&figures) + &table(&head, &lines) })
}
