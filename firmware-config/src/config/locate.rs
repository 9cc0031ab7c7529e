//! Where in the text a key stands, and which key stands at a place: so that every problem can name both.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Problem;

/// A TOML document that knows where its keys are.
pub(super) struct Document<'t> {
    text: &'t str,
    /// Path and span of every key and value, parents before children.
    places: Vec<(String, Range<usize>)>,
}

impl<'t> Document<'t> {
    /// Parse the text as TOML, whatever its keys.
    pub(super) fn parse(text: &'t str) -> Result<Self, toml::de::Error> {
        let table = DeTable::parse(text)?;
        let mut places = Vec::new();
        collect_table("", table.get_ref(), &mut places);
        Ok(Self { text, places })
    }

    /// Line and column of the value at `key`, or of the nearest parent that is written.
    pub(super) fn place_of(&self, key: &str) -> Option<(usize, usize)> {
        let mut key = key;
        loop {
            if let Some((_, span)) = self.places.iter().rev().find(|(path, _)| path == key) {
                return Some(line_and_column(self.text, span.start));
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    /// A key that is unknown or missing, or a value of the wrong type.
    pub(super) fn content_problem(&self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let holds = |place: &Range<usize>| place.start <= span.start && span.end <= place.end;
        let around = self.places.iter().filter(|(_, place)| holds(place)).min_by_key(|(_, place)| place.len());
        let key = if span.is_empty() { "" } else { around.map_or("", |(path, _)| path) };
        let message = error.message().trim_end();
        let (key, problem, remedy) = if let Some(rest) = message.strip_prefix("unknown field ") {
            let allowed = rest.split_once("expected ").map_or("", |(_, allowed)| allowed);
            let allowed = allowed.trim_start_matches("one of ");
            (key.to_owned(), "is not a key that is known here".to_owned(), format!("allowed here: {allowed}"))
        } else if let Some(name) = message.strip_prefix("missing field ") {
            let name = name.trim_matches('`');
            let path = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            (path, "is missing".to_owned(), "add it; docs/ref/config.md lists every key".to_owned())
        } else {
            let remedy = match key {
                "camera" => "write `[[camera]]` with two brackets, once for each camera",
                _ => "docs/ref/config.md tells what every key takes",
            };
            let remedy = remedy.to_owned();
            (key.to_owned(), format!("cannot be read: {message}"), remedy)
        };
        Problem { place: Some(line_and_column(self.text, span.start)), key, problem, remedy }
    }
}

/// Text that is not TOML.
pub(super) fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    Problem {
        place: Some(line_and_column(text, start)),
        key: String::new(),
        problem: format!("this is not TOML: {}", error.message().trim_end()),
        remedy: "correct the line; deploy/tadpole.example.toml shows the form".into(),
    }
}

fn collect_table(path: &str, table: &DeTable<'_>, places: &mut Vec<(String, Range<usize>)>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        places.push((path.clone(), key.span()));
        collect_value(&path, value.span(), value.get_ref(), places);
    }
}

fn collect_value(path: &str, span: Range<usize>, value: &DeValue<'_>, places: &mut Vec<(String, Range<usize>)>) {
    places.push((path.to_owned(), span));
    match value {
        DeValue::Table(table) => collect_table(path, table, places),
        DeValue::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                collect_value(&format!("{path}[{n}]"), item.span(), item.get_ref(), places);
            }
        }
        _ => {}
    }
}

/// Line and column of a byte, both from 1; columns count characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
