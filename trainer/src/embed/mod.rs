//! `embed`: timed captions in, a vector of text beside each row of a data set out.
//!
//! ```text
//! embed CAPTIONS... DATASET --encoder ENCODER.onnx --tokenizer tokenizer.json   ->   DATASET/text/text.json, DATASET/text/train/VIDEO.npy
//! ```
//! Each sentence becomes a vector ([`encoder`]), each row the mean of what was said of its time ([`spread`]). The vectors are written as
//! float16, and `text.json` last: before, there is no text. Videos without captions get zeros, and are counted by label: where the one
//! label lacks captions more often than the other, their absence alone tells them apart.

pub mod captions;
pub mod encoder;
pub mod spread;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use clap::Args;
use runtime::{Error, Result};

use self::encoder::Encoder;
use crate::dataset::npy::Element;
use crate::dataset::write::write_crops;
use crate::dataset::{Dataset, Header};
use crate::progress;

/// Arguments of `embed`.
#[derive(Args, Clone, Debug)]
pub struct EmbedArgs {
    /// JSON files of timed captions, or folders of them: {VIDEO: {duration, timestamps: [[start, end]], sentences: []}}, in
    /// seconds.
    #[arg(required = true, value_name = "CAPTIONS")]
    captions: Vec<PathBuf>,
    /// The data set whose videos they are of.
    dataset: PathBuf,
    /// The sentence encoder, an ONNX file.
    #[arg(long, value_name = "FILE")]
    encoder: PathBuf,
    /// Its tokenizer, as `tokenizer.json`.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// The folder to write to, instead of DATASET/text.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Embed.
///
/// # Errors
/// When captions, data set or encoder cannot be used, or no caption is of a video of the data set.
pub fn run(args: &EmbedArgs) -> Result<()> {
    let dataset = Dataset::open(&args.dataset)?;
    let out = args.out.clone().unwrap_or_else(|| dataset.root.join("text"));
    if out.join("text.json").exists() {
        return Err(Error::invalid(out.display().to_string(), "holds text already", "name another folder with --out"));
    }
    let all = captions::read(&args.captions)?;
    let sentences: BTreeSet<&str> = dataset
        .all()
        .filter_map(|(_, video)| all.get(&video.entry.video))
        .flat_map(|captions| captions.captions.iter().map(|caption| caption.sentence.as_str()))
        .collect();
    if sentences.is_empty() {
        return Err(Error::invalid(
            dataset.root.display().to_string(),
            "has no video of which there are captions",
            "name captions of its videos, by the same names",
        ));
    }
    let encoder = Encoder::open(&args.encoder, &args.tokenizer)?;
    let bar = progress::bar(sentences.len() as u64, "embed");
    let order: Vec<&str> = sentences.into_iter().collect();
    let made = encoder.encode(&order, &bar)?;
    bar.finish_and_clear();
    let width = made[0].len();
    let vectors: HashMap<&str, Vec<f32>> = order.into_iter().zip(made).collect();

    let (mut silent, mut void) = ([0, 0], 0);
    for (split, video) in dataset.all() {
        let header = Header { rows: video.header.rows, crops: 1, width };
        let rows = if let Some(captions) = all.get(&video.entry.video) {
            void += captions.void();
            spread::rows(captions, &vectors, header.rows, width)
        } else {
            silent[usize::from(video.entry.abnormal)] += 1;
            vec![0.0; header.rows * width]
        };
        let path = out.join(split.name()).join(format!("{}.npy", video.entry.video));
        write_crops(&path, &header, &rows, Element::Half)?;
    }
    encoder.contract(width).write(&out)?;
    log::info!("{}: {} sentences, vectors of width {width}", out.display(), vectors.len());
    if void > 0 {
        log::warn!("{void} captions lie outside of their video or have no length, and stand for nothing");
    }
    if silent != [0, 0] {
        log::warn!("without captions, and zeros: {} normal and {} abnormal videos", silent[0], silent[1]);
    }
    Ok(())
}
