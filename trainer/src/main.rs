//! `tadpole-trainer`: the workstation's command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trainer::evaluate::command::EvaluateArgs;
use trainer::train::command::TrainArgs;

/// Train anomaly detectors from videos labelled as a whole, and export them for cameras.
#[derive(Parser, Debug)]
#[command(name = "tadpole-trainer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Train(TrainArgs),
    Evaluate(EvaluateArgs),
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let result = match Cli::parse().command {
        Command::Train(args) => trainer::train::command::run(&args),
        Command::Evaluate(args) => trainer::evaluate::command::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}
