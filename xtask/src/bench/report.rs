//! Measured times as a JSON object and as a table.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// One case, both sides and the floor.
pub struct Row {
    /// Such as `step_f32_256`.
    pub name: String,
    /// Median of our rounds, milliseconds.
    pub ours_ms: f64,
    /// Median of the peer's.
    pub peer_ms: f64,
    /// What the machine cannot do it in less than.
    pub floor_ms: f64,
    /// Between the step's score and the full window's, where there are both.
    pub largest_difference: Option<f64>,
}

/// All that was measured.
pub struct Report {
    /// Cases.
    pub rows: Vec<Row>,
    /// Our side's first line.
    pub ours: Value,
    /// The peer's.
    pub peer: Value,
    /// What `tadpole bench --json` printed, for one camera and for more.
    pub cameras: Vec<Value>,
    /// The machine.
    pub machine: String,
    /// The commit, if known.
    pub commit: Option<String>,
    /// Cargo's profile.
    pub profile: &'static str,
    /// Turns that each side took.
    pub rounds: u32,
}

/// The floor of a case of our side's first line: its `bytes` at the speed of memory, or its `multiply_adds` at the speed of the
/// faster of two matrix products. NaN when a figure is missing.
pub fn floor_ms(case: &Value, ours: &Value, peer: &Value) -> f64 {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let bytes = number(&case["bytes"]) / number(&ours["read_bytes_per_s"]);
    let products = number(&ours["multiply_adds_per_s"]).max(number(&peer["multiply_adds_per_s"]));
    let seconds = if bytes.is_nan() { number(&case["multiply_adds"]) / products } else { bytes };
    seconds * 1e3
}

/// The middle one; NaN of nothing.
pub fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// Best matrix product of both sides, 10^9 multiply-adds a second.
    fn multiply_adds(&self) -> f64 {
        let rate = |side: &Value| side["multiply_adds_per_s"].as_f64().unwrap_or(f64::NAN);
        rate(&self.ours).max(rate(&self.peer)) / 1e9
    }

    /// 10^9 bytes a second.
    fn bandwidth(&self) -> f64 {
        self.ours["read_bytes_per_s"].as_f64().unwrap_or(f64::NAN) / 1e9
    }

    /// What `tadpole bench --json` printed for one camera.
    fn tadpole(&self) -> &Value {
        self.cameras.first().unwrap_or(&Value::Null)
    }

    /// The object that `--json` prints.
    pub fn json(&self) -> Value {
        let each = |of: fn(&Row) -> Value| -> Value {
            self.rows.iter().map(|row| (row.name.clone(), of(row))).collect::<Map<_, _>>().into()
        };
        json!({
            "ratios": each(|row| json!(row.ours_ms / row.peer_ms)),
            "floors": each(|row| json!(row.ours_ms / row.floor_ms)),
            "milliseconds": each(|row| json!({ "ours": row.ours_ms, "peer": row.peer_ms, "floor": row.floor_ms })),
            "largest_differences": self.rows.iter()
                .filter_map(|row| Some((row.name.clone(), json!(row.largest_difference?))))
                .collect::<Map<_, _>>(),
            "read_gb_per_s": self.bandwidth(),
            "giga_multiply_adds_per_s": self.multiply_adds(),
            "tadpole": self.tadpole(),
            "cameras": self.cameras,
            "peer": { "engine": self.peer["engine"], "version": self.peer["version"] },
            "machine": self.machine,
            "commit": self.commit,
            "profile": self.profile,
            "rounds": self.rounds,
        })
    }

    /// The tables of the page.
    pub fn markdown(&self) -> String {
        let told = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        // Writing to a string cannot fail, here and below.
        let mut text = format!(
            "{}. Commit {}, profile `{}`, {} rounds; {} {}, {} {}. One thread reads {:.1} GB/s and does {:.1} G \
             multiply-adds/s.\n\n",
            self.machine,
            self.commit.as_deref().unwrap_or("unknown"),
            self.profile,
            self.rounds,
            told(&self.tadpole()["engine"]),
            told(&self.tadpole()["engine_version"]),
            told(&self.peer["engine"]),
            told(&self.peer["version"]),
            self.bandwidth(),
            self.multiply_adds(),
        );
        text += "| case | ours, ms | peer, ms | ours / peer | floor, ms | ours / floor | largest difference |\n";
        text += "|---|---|---|---|---|---|---|\n";
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| `{}` | {:.4} | {:.4} | {:.3} | {:.4} | {:.2} | {} |",
                row.name,
                row.ours_ms,
                row.peer_ms,
                row.ours_ms / row.peer_ms,
                row.floor_ms,
                row.ours_ms / row.floor_ms,
                row.largest_difference.map_or(String::new(), |d| format!("{d:.1e}")),
            );
        }
        text += "\n| stage of a camera | median, ms | p99, ms |\n|---|---|---|\n";
        let show = |value: &Value, digits: usize| value.as_f64().map_or("?".into(), |x| format!("{x:.digits$}"));
        for name in ["decode", "resize", "extract", "score", "alarm"] {
            let stage = &self.tadpole()["stages"][name];
            let _ = writeln!(text, "| {name} | {} | {} |", show(&stage["median_ms"], 4), show(&stage["p99_ms"], 4));
        }
        let _ = writeln!(
            text,
            "\nResident {} MB after {} s of work, {} MB at most; {} ms from the start of `main` until the first score \
             was possible.",
            show(&self.tadpole()["resident_mb"], 1),
            show(&self.tadpole()["seconds"], 0),
            show(&self.tadpole()["peak_mb"], 1),
            show(&self.tadpole()["start_ms"], 0),
        );
        text += "\n| cameras | segments a second | extract, median ms | score, median ms | resident, MB |\n|---|---|---|---|---|\n";
        for run in &self.cameras {
            let rate =
                run["segments"].as_f64().zip(run["seconds"].as_f64()).map(|(segments, seconds)| segments / seconds);
            let median = |stage: &str| show(&run["stages"][stage]["median_ms"], 2);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                show(&run["cameras"], 0),
                show(&json!(rate), 1),
                median("extract"),
                median("score"),
                show(&run["resident_mb"], 1),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let stage = json!({ "median_ms": 1.0, "p99_ms": 2.0 });
        Report {
            rows: vec![
                Row {
                    name: "step_f32_256".into(),
                    ours_ms: 0.5,
                    peer_ms: 5.0,
                    floor_ms: 0.25,
                    largest_difference: Some(1e-7),
                },
                Row {
                    name: "lite0_160".into(),
                    ours_ms: 30.0,
                    peer_ms: 25.0,
                    floor_ms: 15.0,
                    largest_difference: None,
                },
            ],
            ours: json!({ "read_bytes_per_s": 1e10, "multiply_adds_per_s": 5e10 }),
            peer: json!({ "engine": "onnxruntime", "version": "1", "multiply_adds_per_s": 6e10 }),
            cameras: vec![
                json!({ "engine": "tract", "engine_version": "0", "stages": { "decode": stage }, "peak_mb": null }),
                json!({ "cameras": 2, "segments": 30, "seconds": 10, "resident_mb": 50.0 }),
            ],
            machine: "a machine".into(),
            commit: None,
            profile: "dev",
            rounds: 3,
        }
    }

    #[test]
    fn ratios_and_floors_are_ours_over_theirs() {
        let json = report().json();
        assert_eq!(json["ratios"], json!({ "step_f32_256": 0.1, "lite0_160": 1.2 }));
        assert_eq!(json["floors"], json!({ "step_f32_256": 2.0, "lite0_160": 2.0 }));
        assert_eq!(json["largest_differences"], json!({ "step_f32_256": 1e-7 }));
    }

    #[test]
    fn the_table_has_a_line_a_case_and_says_what_is_not_known() {
        let text = report().markdown();
        assert!(text.contains("| `step_f32_256` | 0.5000 | 5.0000 | 0.100 | 0.2500 | 2.00 | 1.0e-7 |"), "{text}");
        assert!(text.contains("10.0 GB/s and does 60.0 G multiply-adds/s"), "{text}");
        assert!(text.contains("| decode | 1.0000 | 2.0000 |\n| resize | ? | ? |"), "{text}");
        assert!(text.contains("| 2 | 3.0 | ? | ? | 50.0 |"), "{text}");
    }

    #[test]
    fn a_floor_is_of_bytes_or_of_arithmetic() {
        let ours = json!({ "read_bytes_per_s": 1e9, "multiply_adds_per_s": 1e9 });
        let peer = json!({ "multiply_adds_per_s": 2e9 });
        assert_eq!(floor_ms(&json!({ "bytes": 1e6 }), &ours, &peer), 1.0);
        assert_eq!(floor_ms(&json!({ "multiply_adds": 1e6 }), &ours, &peer), 0.5);
        assert!(floor_ms(&json!({}), &ours, &peer).is_nan());
    }

    #[test]
    fn a_median_needs_no_order() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }
}
