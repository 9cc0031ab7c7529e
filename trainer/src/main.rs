//! `tadpole-trainer`: the workstation's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trainer::ablate::AblateArgs;
use trainer::bench::BenchHeadsArgs;
use trainer::bench::train::BenchArgs;
use trainer::collect::CollectArgs;
use trainer::embed::EmbedArgs;
use trainer::evaluate::command::EvaluateArgs;
use trainer::evaluate::compare::CompareArgs;
use trainer::export::command::ExportArgs;
use trainer::extract::ExtractArgs;
use trainer::extractor::ExtractorArgs;
use trainer::import::ImportArgs;
use trainer::provision::ProvisionArgs;
use trainer::push::PushArgs;
use trainer::simulate::SimulateArgs;
use trainer::site::SiteCommand;
use trainer::train::command::TrainArgs;

/// Train anomaly detectors from videos labelled as a whole, and export them for cameras.
///
/// In the order of a life: simulate (or film), extractor, extract (or import), train, evaluate, keygen, export, site, provision, push,
/// collect.
#[derive(Parser)]
#[command(name = "tadpole-trainer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

mod allocator;

#[derive(Subcommand)]
enum Command {
    /// Write a folder of simulated roadside recordings with video-level labels.
    Simulate(SimulateArgs),
    /// Build the feature extractor lite0-160 from published weights and training footage.
    Extractor(ExtractorArgs),
    /// Turn recordings into a data set of segment features, through the camera's own pipeline.
    Extract(ExtractArgs),
    /// Turn published features, lists and truth files into a data set.
    ///
    /// Everything is found in the SOURCEs by its name. Videos whose features and truth differ in length are cut to the whole rows
    /// that both have; DIR/import.csv says which, and by how much.
    Import(ImportArgs),
    /// Turn timed captions into a vector of text beside each row of a data set, for `train --text`.
    Embed(EmbedArgs),
    Train(TrainArgs),
    Evaluate(EvaluateArgs),
    Compare(CompareArgs),
    Ablate(AblateArgs),
    /// Make the key that signs bundles.
    Keygen {
        /// File to write the private key to; keep it to yourself.
        file: PathBuf,
    },
    /// Put a trained model into a signed bundle.
    Export(ExportArgs),
    Provision(ProvisionArgs),
    Push(PushArgs),
    Collect(CollectArgs),
    #[command(subcommand)]
    Site(SiteCommand),
    Bench(BenchArgs),
    // Our side of `cargo xtask bench`, of no use to others.
    #[command(hide = true)]
    BenchHeads(BenchHeadsArgs),
}

fn main() -> ExitCode {
    allocator::keep();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,trainer=info,tiny_skia=off"))
        .format_timestamp(None)
        .format_target(false)
        .init();
    let result = match Cli::parse().command {
        Command::Simulate(args) => trainer::simulate::run(&args),
        Command::Extractor(args) => trainer::extractor::run(&args),
        Command::Extract(args) => trainer::extract::run(&args),
        Command::Import(args) => trainer::import::run(&args),
        Command::Embed(args) => trainer::embed::run(&args),
        Command::Train(args) => trainer::train::command::run(&args),
        Command::Evaluate(args) => trainer::evaluate::command::run(&args),
        Command::Compare(args) => trainer::evaluate::compare::run(&args),
        Command::Ablate(args) => trainer::ablate::run(&args),
        Command::Keygen { file } => trainer::export::command::keygen(&file),
        Command::Export(args) => trainer::export::command::run(&args),
        Command::Provision(args) => trainer::provision::run(&args),
        Command::Push(args) => trainer::push::run(&args),
        Command::Collect(args) => trainer::collect::run(&args),
        Command::Site(command) => trainer::site::run(&command),
        Command::Bench(args) => trainer::bench::train::run(&args),
        Command::BenchHeads(args) => trainer::bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tadpole-trainer: {error}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}
