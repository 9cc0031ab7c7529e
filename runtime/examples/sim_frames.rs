//! Write frames of a simulated recording as PNG files, to look at:
//! `cargo run --workspace --example sim_frames -- 'sim://?seed=7&incident=fire' OUT 100 2 8 [--small]` writes 8 frames,
//! from the first after second 100 on, 2 seconds apart; `--small` as the model sees them, 160 x 160. Without times:
//! 8 frames spread over the incident.

use anyhow::{Context, Result};
use image::RgbImage;
use image::imageops::{FilterType, resize};
use runtime::source::sim::SimSource;
use runtime::source::{Advance, Frame, Source};

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let small = args.iter().position(|arg| arg == "--small").map(|i| args.remove(i)).is_some();
    let uri = args.first().context("give a sim:// URI")?;
    let out = std::path::Path::new(args.get(1).context("give a folder for the PNG files")?);
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut source = SimSource::open(uri)?;
    let truth = source.truth();
    let end = source.info().frames.unwrap_or(1) as f64 / 25.0;
    let (from, to) = truth.as_ref().map_or((0.0, end), |t| (t.start_s, t.end_s));
    let number = |i: usize, default: f64| args.get(i).map_or(Ok(default), |text| text.parse::<f64>());
    let count = number(4, 8.0)?;
    let first = number(2, from)?;
    let step = number(3, (to - from) / count)?;
    log_line(&format!("{}: {truth:?}", source.spec()));
    let (mut frame, mut written) = (Frame::default(), 0.0);
    while let Advance::Frame(header) = source.advance()? {
        let t = header.pts_ns as f64 / 1e9;
        if written >= count || t + 1e-9 < first + written * step {
            continue;
        }
        written += 1.0;
        source.read(&mut frame)?;
        let mut picture =
            RgbImage::from_raw(frame.width, frame.height, frame.data.clone()).context("a frame of another size")?;
        if small {
            picture = resize(&picture, 160, 160, FilterType::Triangle);
        }
        picture.save(out.join(format!("{:06}.png", header.number)))?;
    }
    Ok(())
}

fn log_line(text: &str) {
    use std::io::Write;
    // Nothing can be done when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}
