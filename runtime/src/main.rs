//! `tadpole`: the firmware's command line.

#![allow(clippy::print_stdout)]

mod commands;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use firmware_config::config::Log;

/// Watch a road and close a relay moments after an incident begins.
///
/// Try `tadpole demo` first: a simulated road, the shipped model, no camera and no relay needed.
#[derive(Parser)]
#[command(name = "tadpole", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(commands::demo::DemoArgs),
    Run(commands::run::RunArgs),
    Replay(commands::replay::ReplayArgs),
    Check(commands::check::CheckArgs),
    Calibrate(commands::calibrate::CalibrateArgs),
    Cameras(commands::cameras::CamerasArgs),
    Gpio(commands::gpio::GpioArgs),
    Bench(commands::bench::BenchArgs),
    /// Look at models, and change the one that this device runs.
    #[command(subcommand)]
    Model(commands::model::ModelCommand),
}

fn main() -> ExitCode {
    let begun = Instant::now();
    runtime::memory::keep_no_large_blocks();
    let command = Cli::parse().command;
    // `run` logs as its config says.
    if !matches!(command, Command::Run(_)) {
        commands::logging::start(&Log::default(), &[]);
    }
    let done = match command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Run(args) => commands::run::run(&args).map(|()| true),
        Command::Replay(args) => commands::replay::run(&args).map(|()| true),
        Command::Check(args) => commands::check::run(&args).map(|()| true),
        Command::Calibrate(args) => commands::calibrate::run(&args).map(|()| true),
        Command::Cameras(args) => commands::cameras::run(&args).map(|()| true),
        Command::Gpio(args) => commands::gpio::run(&args).map(|()| true),
        Command::Bench(args) => commands::bench::run(&args, begun).map(|()| true),
        Command::Model(command) => commands::model::run(&command).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tadpole: {error}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}
