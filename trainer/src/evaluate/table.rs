//! What `evaluate --json` says, as a small table for people.

use serde_json::Value;

/// Names of the figures' columns, and what they are called in JSON.
pub(super) const COLUMNS: [(&str, &str); 4] = [
    ("frame AUC", "frame_auc"),
    ("frame AP", "frame_ap"),
    ("abnormal AUC", "abnormal_auc"),
    ("video AUC", "video_auc"),
];

/// A line of the table.
fn line(name: &str, cells: &[String; 4]) -> String {
    cells.iter().fold(format!("{name:10}"), |line, cell| format!("{line} {cell:>15}"))
}

/// The lines of one way of scoring: its figures, and under them their intervals.
fn rows(name: &str, figures: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_f64().map_or("-".into(), |value| format!("{value:.4}"));
    let mut lines = vec![line(name, &COLUMNS.map(|(_, key)| number(&figures[key])))];
    let interval = |key: &str| {
        let bounds = figures[format!("{key}_interval")].as_array()?;
        Some(bounds.iter().map(number).collect::<Vec<_>>().join(" "))
    };
    let intervals = COLUMNS.map(|(_, key)| interval(key));
    if intervals.iter().any(Option::is_some) {
        lines.push(line("  95 %", &intervals.map(|cell| cell.unwrap_or("-".into()))));
    }
    lines
}

/// The figures as a small table for people.
pub fn table(json: &Value) -> String {
    let mut lines = vec![
        format!("{} videos, {} frames", json["videos"], json["frames"]),
        line("", &COLUMNS.map(|(name, _)| name.into())),
    ];
    let modes =
        |of: &Value| ["offline", "streaming"].into_iter().filter(|mode| of[*mode].is_object()).collect::<Vec<_>>();
    for mode in modes(json) {
        lines.extend(rows(mode, &json[mode]));
        if json["deviation"][mode].is_object() {
            lines.extend(rows("  +/-", &json["deviation"][mode]));
        }
    }
    for graph in json["graphs"].as_array().into_iter().flatten() {
        let text = |key: &str| graph[key].as_str().unwrap_or("-").to_owned();
        lines.push(format!("{}, {}", text("graph"), text("precision")));
        lines.extend(modes(graph).into_iter().flat_map(|mode| rows(mode, &graph[mode])));
    }
    let against = &json["against"];
    if against.is_object() {
        lines.push(format!("against {}, and the difference, video by video", against["model"].as_str().unwrap_or("-")));
        for mode in modes(against) {
            lines.extend(rows(mode, &against[mode]));
            lines.extend(rows("  more", &against["difference"][mode]));
        }
    }
    for warning in json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        lines.push(format!("warning: {warning}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_differences_stand_under_their_figures() {
        let json = serde_json::json!({
            "videos": 2, "frames": 9,
            "offline": { "frame_auc": 0.75, "frame_auc_interval": [0.7, 0.8], "frame_ap": 0.5, "video_auc": null },
            "against": {
                "model": "other",
                "offline": { "frame_auc": 0.7 },
                "difference": { "offline": { "frame_auc": 0.05, "frame_auc_interval": [-0.01, 0.11] } },
            },
        });
        let table = table(&json);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[2], ["offline", "0.7500", "0.5000", "-", "-"]);
        assert_eq!(lines[3], ["95", "%", "0.7000", "0.8000", "-", "-", "-"]);
        assert_eq!(lines[6], ["more", "0.0500", "-", "-", "-"]);
        assert_eq!(lines[7][2..4], ["-0.0100", "0.1100"]);
    }
}
