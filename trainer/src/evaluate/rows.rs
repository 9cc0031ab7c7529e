//! Judged models side by side: rows in; Markdown for people, CSV and JSON for programs out.
//!
//! A figure is the mean over a row's runs; its deviation is over the runs (seeds), its interval over the test videos, and the
//! difference is to the first row, resample by resample on the same videos.

use runtime::{Error, Result};
use serde::Serialize;

use super::Figures;
use super::command::{Judged, Resampled};
use super::seeds::{deviation, difference};
use super::table::COLUMNS;

/// One model.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Runs (seeds) that it is the mean of.
    pub runs: usize,
    /// Offline.
    pub offline: Cells,
    /// Streaming, if it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Cells>,
}

/// One way of scoring.
#[derive(Clone, Debug, Serialize)]
pub struct Cells {
    /// Means over the runs, with intervals over the videos.
    #[serde(flatten)]
    pub figures: Figures,
    /// Over the runs; nothing in it for a single one.
    pub deviation: Figures,
    /// Each run's; empty for a single one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<Figures>,
    /// How much more than the first row, with its paired interval; none in the first row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Figures>,
}

impl Cells {
    fn new(one: &Resampled, first: Option<&Resampled>) -> Self {
        Self {
            figures: one.figures.clone(),
            deviation: deviation(&one.each),
            each: one.each.clone(),
            difference: first.map(|first| difference(one, first)),
        }
    }
}

/// A row for each model, in order; all judged on the same videos.
pub fn rows(judged: &[(String, Judged)]) -> Vec<Row> {
    let row = |(i, (name, one)): (usize, &(String, Judged))| {
        let first = (i > 0).then(|| &judged[0].1);
        Row {
            name: name.clone(),
            runs: one.offline.each.len().max(1),
            offline: Cells::new(&one.offline, first.map(|first| &first.offline)),
            // Without a first row's there is no difference, but the figures stand.
            streaming: one
                .streaming
                .as_ref()
                .map(|one| Cells::new(one, first.and_then(|first| first.streaming.as_ref()))),
        }
    };
    judged.iter().enumerate().map(row).collect()
}

/// The rows as Markdown tables, one for each way of scoring; `first` names the column of names.
pub fn markdown(rows: &[Row], first: &str) -> String {
    let mut lines = Vec::new();
    for (mode, of) in modes() {
        let of_mode: Vec<(&Row, &Cells)> = rows.iter().filter_map(|row| Some((row, of(row)?))).collect();
        if of_mode.is_empty() {
            continue;
        }
        lines.push(format!("{mode}\n"));
        lines.push(format!("| {first} | runs | {} |", COLUMNS.map(|(title, _)| title).join(" | ")));
        lines.push("|---|---|---|---|---|---|".into());
        for (row, cells) in &of_mode {
            let (values, deviations) = (cells.figures.values(), cells.deviation.values());
            let intervals = cells.figures.intervals.values();
            let text = std::array::from_fn(|i| figure(values[i], deviations[i], intervals[i]));
            lines.push(line(&row.name, &row.runs.to_string(), &text));
        }
        if of_mode.iter().any(|(_, cells)| cells.difference.is_some()) {
            lines.push(format!("\n{mode}, more than {}\n", rows[0].name));
            lines.push(format!("| {first} | {} |", COLUMNS.map(|(title, _)| title).join(" | ")));
            lines.push("|---|---|---|---|---|".into());
        }
        for (row, cells) in of_mode {
            let Some(more) = &cells.difference else { continue };
            let (values, intervals) = (more.values(), more.intervals.values());
            let text: [String; 4] = std::array::from_fn(|i| signed(values[i], intervals[i]));
            lines.push(format!("| {} | {} |", escaped(&row.name), text.join(" | ")));
        }
        lines.push(String::new());
    }
    lines.push(
        "Mean (deviation over runs) [95 % interval over the test videos]. A difference in **bold** lies outside of"
            .into(),
    );
    lines.push("what other videos of the same kind would explain: its paired interval leaves out 0.".into());
    lines.join("\n") + "\n"
}

fn line(name: &str, runs: &str, cells: &[String; 4]) -> String {
    format!("| {} | {runs} | {} |", escaped(name), cells.join(" | "))
}

/// A name as the cell of a Markdown table.
fn escaped(name: &str) -> String {
    name.replace('|', "\\|")
}

fn figure(value: Option<f64>, deviation: Option<f64>, interval: Option<[f64; 2]>) -> String {
    let Some(value) = value else { return "-".into() };
    let deviation = deviation.map(|deviation| format!(" ({deviation:.4})")).unwrap_or_default();
    let interval = interval.map(|[low, high]| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
    format!("{value:.4}{deviation}{interval}")
}

fn signed(value: Option<f64>, interval: Option<[f64; 2]>) -> String {
    let Some(value) = value else { return "-".into() };
    let Some([low, high]) = interval else { return format!("{value:+.4}") };
    let text = format!("{value:+.4} [{low:+.3}, {high:+.3}]");
    if low > 0.0 || high < 0.0 { format!("**{text}**") } else { text }
}

type Of = fn(&Row) -> Option<&Cells>;

fn modes() -> [(&'static str, Of); 2] {
    [("Offline", |row| Some(&row.offline)), ("Streaming", |row| row.streaming.as_ref())]
}

/// The rows as CSV, a line for each model, way of scoring and figure.
pub fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |error: String| Error::failed("the table", error, "report this");
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["name", "scored", "figure", "runs", "mean", "deviation", "low", "high"];
    header.extend(["difference", "difference_low", "difference_high", "each"]);
    csv.write_record(header).map_err(|error| failed(error.to_string()))?;
    for row in rows {
        for (mode, of) in modes() {
            let Some(cells) = of(row) else { continue };
            for (i, (_, key)) in COLUMNS.iter().enumerate() {
                let bounds = cells.figures.intervals.values()[i];
                let more = cells.difference.as_ref();
                let more_bounds = more.and_then(|more| more.intervals.values()[i]);
                let each: Vec<String> = cells.each.iter().map(|figures| number(figures.values()[i])).collect();
                let record = [
                    row.name.clone(),
                    mode.to_lowercase(),
                    (*key).to_owned(),
                    row.runs.to_string(),
                    number(cells.figures.values()[i]),
                    number(cells.deviation.values()[i]),
                    number(bounds.map(|[low, _]| low)),
                    number(bounds.map(|[_, high]| high)),
                    number(more.and_then(|more| more.values()[i])),
                    number(more_bounds.map(|[low, _]| low)),
                    number(more_bounds.map(|[_, high]| high)),
                    each.join(" "),
                ];
                csv.write_record(record).map_err(|error| failed(error.to_string()))?;
            }
        }
    }
    csv.into_inner().map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, auc: f64, difference: Option<[f64; 3]>) -> Row {
        let figures = |auc: f64, bounds: Option<[f64; 2]>| Figures {
            intervals: [bounds, None, None, None].into(),
            ..Figures::of([Some(auc), None, None, Some(0.9)])
        };
        let cells = Cells {
            figures: figures(auc, Some([auc - 0.05, auc + 0.05])),
            deviation: Figures::of([Some(0.01), None, None, None]),
            each: vec![figures(auc - 0.01, None), figures(auc + 0.01, None)],
            difference: difference.map(|[more, low, high]| figures(more, Some([low, high]))),
        };
        Row { name: name.into(), runs: 2, offline: cells, streaming: None }
    }

    #[test]
    fn a_difference_that_leaves_out_nothing_is_bold() {
        let rows = [
            row("full", 0.75, None),
            row("a|b", 0.7, Some([-0.05, -0.08, -0.01])),
            row("c", 0.74, Some([-0.01, -0.04, 0.02])),
        ];
        let text = markdown(&rows, "model");
        assert!(text.contains("| full | 2 | 0.7500 (0.0100) [0.700, 0.800] | - | - | 0.9000 |"), "{text}");
        assert!(text.contains("Offline, more than full"), "{text}");
        assert!(text.contains("| a\\|b | **-0.0500 [-0.080, -0.010]** | - | - | +0.9000 |"), "{text}");
        assert!(text.contains("| c | -0.0100 [-0.040, +0.020] |"), "{text}");
        assert!(!text.contains("Streaming"), "{text}");
    }

    #[test]
    fn programs_get_every_run() {
        let text = String::from_utf8(csv(&[row("full", 0.75, None)]).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 4);
        assert!(lines[1].starts_with("full,offline,frame_auc,2,0.75,0.01,0.7,0.8,,,,0.74 0.76"), "{}", lines[1]);
        assert!(lines[2].starts_with("full,offline,frame_ap,2,,,,,,,, "), "{}", lines[2]);
    }
}
