//! Figures by class of event, where the names of videos tell it: `RoadAccidents022_x264`, `wrong-way-000123`,
//! `v=..._label_B1-0-0` as XD-Violence has them.

use std::collections::BTreeMap;

use runtime::Result;

use super::Way;
use super::page::{Section, paragraph, table};
use crate::evaluate::{Scored, detection, figures};

/// The class that a video's name tells; none where it tells nothing.
pub(super) fn class(name: &str) -> Option<String> {
    if let Some((_, labels)) = name.rsplit_once("label_") {
        let codes: Vec<&str> = labels.split('-').take_while(|code| *code != "0").collect();
        let words = codes.iter().map(|code| match *code {
            "A" => "Normal",
            "B1" => "Fighting",
            "B2" => "Shooting",
            "B4" => "Riot",
            "B5" => "Abuse",
            "B6" => "Car accident",
            "G" => "Explosion",
            other => other,
        });
        let words: Vec<&str> = words.collect();
        return (!words.is_empty()).then(|| words.join(", "));
    }
    let end = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let word = name[..end].trim_end_matches(['-', '_', ' ', '.']);
    (word.chars().filter(|c| c.is_alphabetic()).count() >= 3).then(|| word.to_owned())
}

/// The abnormal videos' classes with their videos; none where names tell fewer than two, or hardly two videos share one.
fn classes<'a, 'b>(scored: &'b [Scored<'a>]) -> Option<BTreeMap<String, Vec<&'b Scored<'a>>>> {
    let mut classes: BTreeMap<String, Vec<&Scored<'_>>> = BTreeMap::new();
    let abnormal = || scored.iter().filter(|item| item.video.entry.abnormal);
    for item in abnormal() {
        classes.entry(class(&item.video.entry.video)?).or_default().push(item);
    }
    (classes.len() >= 2 && classes.len() * 3 <= abnormal().count() * 2).then_some(classes)
}

/// The section, where there are classes.
pub fn section(ways: &[Way<'_>], fps: f64) -> Result<Option<Section>> {
    // As a camera scores, where that was done.
    let Some(way) = ways.last() else { return Ok(None) };
    let Some(classes) = classes(&way.scored) else { return Ok(None) };
    let normal: Vec<Scored<'_>> = way.scored.iter().filter(|item| !item.video.entry.abnormal).cloned().collect();
    let mut rows = Vec::new();
    for (class, videos) in classes {
        let own: Vec<Scored<'_>> = videos.into_iter().cloned().collect();
        let events: usize = own.iter().map(|item| item.video.entry.events.len()).sum();
        let count = own.len();
        let together = [own, normal.clone()].concat();
        let figures = figures(&together)?;
        let point = detection::curve(&together, &[super::WORKING_RATE], fps)?.pop();
        let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        rows.push((
            figures.frame_auc.unwrap_or(0.0),
            vec![
                class,
                count.to_string(),
                events.to_string(),
                number(figures.frame_auc),
                number(figures.frame_ap),
                number(figures.abnormal_auc),
                number(figures.video_auc),
                point.map_or("-".into(), |point| format!("{:.0} %", 100.0 * point.detected)),
                point.and_then(|point| point.delay_s).map_or("-".into(), |seconds| format!("{seconds:.1} s")),
            ],
        ));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
    let found = format!("found at {}/h", super::WORKING_RATE);
    let head = [
        "class",
        "videos",
        "events",
        "frame AUC",
        "frame AP",
        "inside its videos",
        "video AUC",
        found.as_str(),
        "median delay",
    ];
    let text = format!(
        "Scored {}; the videos of one class together with all normal ones, the hardest class first. \"Inside its videos\" is the AUC among \
         the frames of the class's own videos. Few videos make a figure that the next few would change.",
        way.name
    );
    Ok(Some(Section { id: "classes", title: "Classes", html: paragraph(&text) + &table(&head, &rows) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_known_sets_tell_the_class() {
        let of = |name: &str| class(name).unwrap_or_default();
        assert_eq!(of("RoadAccidents022_x264"), "RoadAccidents");
        assert_eq!(of("Normal_Videos_641_x264"), "Normal_Videos");
        assert_eq!(of("wrong-way-000123"), "wrong-way");
        assert_eq!(of("v=YtSxP__#1_label_B1-0-0"), "Fighting");
        assert_eq!(of("Bad.Boys.1995__#01-11-55_01-12-40__0_label_G-B2-B6"), "Explosion, Shooting, Car accident");
        for name in ["01_0014", "a1", "0042"] {
            assert_eq!(class(name), None, "{name}");
        }
    }
}
