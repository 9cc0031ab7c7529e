//! The licences of what is linked into the firmware: cargo says which packages those are and where their sources lie; one
//! text with every package, its licence and its notices comes out. Equal texts are written once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::run::command;

/// The text's name.
pub const FILE: &str = "LICENCES-OF-OTHERS";

/// Names of files that licences and notices are kept in begin so.
const NOTICES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// All that `runtime` with `features` links on `triple`, with the licence of each.
pub fn of_dependencies(triple: &str, features: &[String]) -> Result<String> {
    let mut metadata = command("cargo");
    metadata.args(["metadata", "--format-version", "1", "--filter-platform", triple, "--manifest-path"]);
    metadata.arg("runtime/Cargo.toml");
    if !features.is_empty() {
        metadata.args(["--features", &features.join(",")]);
    }
    let out = metadata.output().context("cannot start cargo")?;
    if !out.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&out.stdout).context("cargo metadata printed no JSON")?;
    text(&metadata)
}

fn text(metadata: &Value) -> Result<String> {
    let packages: HashMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let root = packages.iter().find(|(_, package)| package["name"] == "runtime").map(|(id, _)| *id);
    let linked = linked(metadata, root.context("the package `runtime` is not in cargo's metadata")?);

    // Workspace members have no source: their licences lie beside this text.
    let mut table = BTreeSet::new();
    let mut notices: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in linked.iter().filter_map(|id| packages.get(id)).filter(|package| !package["source"].is_null()) {
        let of = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", of("name"), of("version"));
        let licence = match (of("license"), of("license_file")) {
            ("", "") => bail!("{name} states no licence: ask its authors, or do without it"),
            ("", _) => "see below",
            (licence, _) => licence,
        };
        table.insert(format!("{name}: {licence}"));
        for notice in of_package(Path::new(of("manifest_path")))? {
            notices.entry(notice).or_default().insert(name.clone());
        }
    }
    let mut text = String::from("Tadpole's firmware is linked with these packages, under these licences:\n\n");
    for line in table {
        let _ = writeln!(text, "{line}");
    }
    for (notice, of) in notices {
        let of: Vec<String> = of.into_iter().collect();
        let _ = write!(text, "\n{}\n{}\n\n{}\n", "-".repeat(80), of.join(", "), notice.trim_end());
    }
    Ok(text)
}

/// The packages that end up in the binary: by normal dependencies alone, not those of builds and tests.
fn linked<'a>(metadata: &'a Value, root: &'a str) -> BTreeSet<&'a str> {
    let nodes: HashMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let mut linked = BTreeSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !linked.insert(id) {
            continue;
        }
        let normal = |dependency: &&Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
        let needs = nodes.get(id).map(|node| list(&node["deps"])).into_iter().flatten().filter(normal);
        open.extend(needs.filter_map(|dependency| dependency["pkg"].as_str()));
    }
    linked
}

/// The texts of licences and notices beside a package's manifest.
fn of_package(manifest: &Path) -> Result<Vec<String>> {
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let mut texts = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NOTICES.iter().any(|notice| name.starts_with(notice)) {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            texts.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        }
    }
    Ok(texts)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_linked_is_listed_and_what_only_builds_or_tests_is_not() {
        let text = of_dependencies("aarch64-unknown-linux-gnu", &[]).unwrap();
        let (table, notices) = text.split_once("\n-----").unwrap();
        for linked in ["tract-linalg ", "clap ", "serde ", "ed25519-dalek "] {
            assert!(table.contains(&format!("\n{linked}")), "{linked}is not among\n{table}");
        }
        for not in ["\ncc ", "\nproptest ", "\nburn", "\nwindows-sys "] {
            assert!(!table.contains(not), "{not} is among\n{table}");
        }
        assert!(notices.contains("Permission is hereby granted") && notices.contains("Apache License"));
    }
}
