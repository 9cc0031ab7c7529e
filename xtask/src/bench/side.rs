//! One side of a benchmark: a program that says what it is on its first line, as JSON, and then answers each case's name on its
//! standard input with the milliseconds that the case takes.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A running program; it is ended with this.
pub struct Side {
    name: &'static str,
    child: Child,
    asked: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    /// Its first line.
    pub facts: Value,
}

impl Side {
    /// Start it and wait for its first line.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let asked = child.stdin.take().context("no standard input")?;
        let told = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let mut side = Self { name, child, asked, told, facts: Value::Null };
        side.facts = side.answer()?;
        Ok(side)
    }

    /// The median time of one run of a case, milliseconds.
    pub fn time(&mut self, case: &str) -> Result<f64> {
        writeln!(self.asked, "{case}").with_context(|| format!("{} is gone", self.name))?;
        let answer = self.answer()?;
        answer["ms"].as_f64().with_context(|| format!("{} answered {answer}", self.name))
    }

    fn answer(&mut self) -> Result<Value> {
        let line = self.told.next().with_context(|| format!("{} ended; see what it said above", self.name))??;
        serde_json::from_str(&line).with_context(|| format!("{} said no JSON: {line}", self.name))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
