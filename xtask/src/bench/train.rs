//! `cargo xtask bench --train`: a training step of DE-Net, ours against PyTorch's, on the CPU with as many threads as each likes, or on
//! a GPU.
//!
//! Both get the same weights and the same batch and must come to the same losses without dropout, or nothing is timed; then they take turns.
//! Prints the table, or with `--json` one object, and writes the table into `docs/design/performance.md`.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::side::Side;
use super::{BenchArgs, PAGE, built, commit, machine, page, turns};
use crate::run::{command, root, target};
use crate::setup;

/// How far the two sides' losses may be apart, relative to them: sums are taken in another order.
const TOLERANCE: f64 = 1e-3;

/// One case.
struct Row {
    name: String,
    ours_ms: f64,
    peer_ms: f64,
    /// Largest relative difference of the first losses.
    difference: f64,
}

/// Measure, print, write.
pub fn run(args: &BenchArgs) -> Result<u8> {
    let on_gpu = args.device != "cpu";
    setup::pytorch(on_gpu)?;
    let features: &[&str] = if on_gpu { &["--features", "trainer/cuda"] } else { &[] };
    let trainer = built(args.release, features)?.join("tadpole-trainer").display().to_string();
    let folder = target().join("bench-train");
    let mut ours = command(&trainer);
    ours.args(["bench", "--device", &args.device, "--serve"]).arg(&folder);
    let mut ours = Side::start("tadpole-trainer", &mut ours)?;
    let cases = ours.facts["cases"].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = cases.iter().map(|case| case["name"].as_str().unwrap_or_default().to_owned()).collect();
    let mut python = command(&setup::python().display().to_string());
    python.arg(root().join("xtask/peer_train.py")).arg(&folder).arg(&args.device).args(&names);
    let mut peer = Side::start("peer_train.py", &mut python)?;
    let mut rows = Vec::new();
    for (case, name) in cases.iter().zip(names) {
        let difference = difference(case, &peer.facts["cases"][&name])
            .with_context(|| format!("{name}: {case} and {} cannot be compared", peer.facts["cases"][&name]))?;
        ensure!(
            difference <= TOLERANCE,
            "{name}: ours and PyTorch's losses differ by {difference:.1e} of themselves: {case} and {}",
            peer.facts["cases"][&name]
        );
        let (ours_ms, peer_ms) = turns(&mut ours, &mut peer, &name, args.rounds)?;
        rows.push(Row { name, ours_ms, peer_ms, difference });
    }
    let profile = if args.release { "release" } else { "dev" };
    let head = format!(
        "{}. Commit {}, profile `{profile}`, {} rounds; PyTorch {}, {}.",
        machine::describe(),
        commit().as_deref().unwrap_or("unknown"),
        args.rounds,
        peer.facts["version"].as_str().unwrap_or("?"),
        peer.facts["device"].as_str().unwrap_or("?"),
    );
    let table = table(&head, &rows);
    if args.json {
        println!("{}", object(&rows, &head));
    } else {
        println!("{table}");
    }
    if !on_gpu {
        page::write(PAGE, "bench-train", &table)?;
    }
    Ok(0)
}

/// The largest relative difference of the first steps' losses; none where one side has none, or they erase of other windows at first.
fn difference(ours: &Value, peer: &Value) -> Option<f64> {
    let losses = |side: &Value| side["losses"].as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
    let (a, b) = (losses(ours)?, losses(peer)?);
    let same = ours["erased_windows"][0].is_u64() && ours["erased_windows"][0] == peer["erased_windows"][0];
    if a.is_empty() || a.len() != b.len() || !same {
        return None;
    }
    Some(a.iter().zip(&b).map(|(a, b)| (a - b).abs() / b.abs()).fold(0.0, f64::max))
}

fn object(rows: &[Row], head: &str) -> Value {
    let each = |of: fn(&Row) -> Value| -> Value {
        rows.iter().map(|row| (row.name.clone(), of(row))).collect::<Map<_, _>>().into()
    };
    json!({
        "ratios": each(|row| json!(row.ours_ms / row.peer_ms)),
        "milliseconds": each(|row| json!({ "ours": row.ours_ms, "peer": row.peer_ms })),
        "loss_differences": each(|row| json!(row.difference)),
        "machine": head,
    })
}

fn table(head: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "{head}\n\n| case | ours, ms | PyTorch, ms | ours / PyTorch | losses differ by |\n|---|---|---|---|---|\n"
    );
    for Row { name, ours_ms, peer_ms, difference } in rows {
        // Writing to a string cannot fail.
        let ratio = ours_ms / peer_ms;
        let _ = writeln!(text, "| `{name}` | {ours_ms:.1} | {peer_ms:.1} | {ratio:.3} | {difference:.1e} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_compared_by_losses_and_by_what_they_erase() {
        let side = |losses: &[f64], erased: u64| json!({ "losses": losses, "erased_windows": [erased, 9] });
        let ours = side(&[2.0, 1.0], 5);
        assert_eq!(difference(&ours, &side(&[2.5, 1.0], 5)), Some(0.2));
        assert_eq!(difference(&ours, &side(&[2.0, 1.0], 6)), None, "other windows");
        assert_eq!(difference(&ours, &side(&[2.0], 5)), None);
        assert_eq!(difference(&ours, &Value::Null), None);
        assert_eq!(difference(&Value::Null, &Value::Null), None);
    }

    #[test]
    fn the_ratio_is_ours_over_theirs() {
        let rows = [Row { name: "denet_edge_256".into(), ours_ms: 30.0, peer_ms: 40.0, difference: 2e-6 }];
        assert_eq!(object(&rows, "a machine")["ratios"], json!({ "denet_edge_256": 0.75 }));
        let text = table("A machine.", &rows);
        assert!(text.ends_with("| `denet_edge_256` | 30.0 | 40.0 | 0.750 | 2.0e-6 |\n"), "{text}");
    }
}
