//! Docs that must say what the programs say.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use system_tests::{root, succeed};

/// Every command's `--help`, in the order in which the program lists them.
fn reference(program: &str) -> String {
    let mut text = format!("\n## {program}\n\n```text\n{}```\n", help(program, &[]));
    for command in commands(&help(program, &[])) {
        let own = help(program, &[&command]);
        let _ = write!(text, "\n### {program} {command}\n\n```text\n{own}```\n");
        for nested in commands(&own) {
            let _ = write!(
                text,
                "\n### {program} {command} {nested}\n\n```text\n{}```\n",
                help(program, &[&command, &nested])
            );
        }
    }
    text
}

fn help(program: &str, command: &[&str]) -> String {
    succeed(program, command.iter().chain(&["--help"]))
}

/// The names under `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(Into::into).collect()
}

#[test]
fn the_command_reference_is_what_help_says() {
    let path = root().join("docs/ref/commands.md");
    let mut expected = String::from(
        "# Commands\n\nWhat `--help` says, of every command. Exit codes: 0 done, 1 the work failed, 2 the input or the command \
         line was\nwrong. With `--json`, one object on standard output and nothing else; logs and progress bars go to standard \
         error.\n",
    );
    expected += &reference("tadpole");
    expected += &reference("tadpole-trainer");
    // Defaults that depend on the machine.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let expected =
        expected.replace(&format!("one engine each [default: {cores}]"), "one engine each [default: all cores]");
    if std::env::var_os("TADPOLE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == expected,
        "{} is out of date: TADPOLE_WRITE_DOCS=1 cargo xtask test the_command_reference",
        path.display()
    );
}
