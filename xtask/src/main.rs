//! `cargo xtask`: everything one does with this repository that is not plain cargo.

#![allow(clippy::print_stdout)]

mod bench;
mod board;
mod cross;
mod demo;
mod dist;
mod elf;
mod image;
mod run;
mod setup;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set up, show, test and measure Tadpole.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what this machine lacks for building and testing, or name it.
    Setup,
    /// Build the firmware and watch it catch an incident on a simulated road. Needs cargo and a C compiler, no more.
    Demo(demo::DemoArgs),
    /// Set up, build and run every test.
    Test(test::TestArgs),
    /// Clippy and rustfmt, every warning an error.
    Lint,
    /// Our times against onnxruntime's and the machine's floors, or with --train against PyTorch's; writes docs/design/performance.md.
    Bench(bench::BenchArgs),
    /// The firmware on emulated boards: lost cameras, relays, Raspberry Pis. Exit code 77: not on this machine.
    Board(board::BoardArgs),
    /// The firmware for a board, with its licences and checksums, in target/dist; its Debian package with --deb.
    Dist(dist::DistArgs),
    /// What is written to a board's card: Debian, the firmware, and a place for what `tadpole-trainer provision` puts there.
    Image(image::ImageArgs),
    /// Long measurements that do not belong into the tests.
    Soak(soak::SoakArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup => setup::everything().map(|()| 0),
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::test(&args),
        Task::Lint => test::lint(),
        Task::Bench(args) => bench::run(&args),
        Task::Board(args) => board::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Image(args) => image::run(&args),
        Task::Soak(args) => soak::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
