//! `simulate`: a folder of simulated roadside recordings with video-level labels, as one would film them.
//!
//! ```text
//! DIR/train.csv  DIR/test.csv        video,label,frames,events (events only in test: training never sees them)
//! DIR/train/VIDEO.sim                one line: the sim:// URI that renders the recording, frame by frame
//! ```
//! A recording is its URI: the same seed renders the same bytes, and 400 of them weigh a few kilobytes. `--mp4` also
//! writes the pixels.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use indicatif::ProgressBar;
use runtime::source::sim::{IncidentKind, SimSource, SimSpec, spec};
use runtime::source::{Advance, Frame, Source};
use runtime::{Error, Result};

use crate::progress;

/// Arguments of `simulate`.
#[derive(Args, Debug)]
pub struct SimulateArgs {
    /// Folder to write; must not exist yet.
    dir: PathBuf,
    /// Training recordings; every other one holds an incident, the seven kinds in turn (see --normal).
    #[arg(long, default_value_t = 100)]
    videos: u32,
    /// Test recordings, with frame-level truth.
    #[arg(long, default_value_t = 0)]
    test: u32,
    /// Seed of the first recording; each recording takes the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shortest recording, seconds.
    #[arg(long, default_value_t = 45.0)]
    min_seconds: f64,
    /// Longest recording, seconds.
    #[arg(long, default_value_t = 75.0)]
    max_seconds: f64,
    /// Normal traffic only, to calibrate a threshold on.
    #[arg(long)]
    normal: bool,
    /// Size of the pictures, pixels: fewer of them are painted faster.
    #[arg(long, value_name = "WxH", value_parser = spec::size, default_value = "640x360")]
    size: (u32, u32),
    /// Also write each recording as an MP4 file (needs ffmpeg).
    #[arg(long)]
    mp4: bool,
}

/// Write the folder.
///
/// # Errors
/// When the folder exists, the numbers make no sense, or a file cannot be written.
pub fn run(args: &SimulateArgs) -> Result<()> {
    if args.dir.exists() {
        return Err(Error::invalid(
            args.dir.display().to_string(),
            "the folder exists already",
            "name a new one, or remove it first",
        ));
    }
    if !(15.0..=3600.0).contains(&args.min_seconds) || !(args.min_seconds..=3600.0).contains(&args.max_seconds) {
        return Err(Error::invalid(
            "--min-seconds, --max-seconds",
            format!("{} to {} is not a range within 15 to 3600", args.min_seconds, args.max_seconds),
            "give 15 <= min <= max <= 3600",
        ));
    }
    let total = u64::from(args.videos) + u64::from(args.test);
    let bar = progress::bar(total, "simulate");
    write_split(args, "train", 0, args.videos, &bar)?;
    if args.test > 0 {
        write_split(args, "test", u64::from(args.videos), args.test, &bar)?;
    }
    bar.finish_and_clear();
    log::info!("{}: {} training and {} test recordings", args.dir.display(), args.videos, args.test);
    Ok(())
}

fn write_split(args: &SimulateArgs, split: &str, first: u64, count: u32, bar: &ProgressBar) -> Result<()> {
    let folder = args.dir.join(split);
    std::fs::create_dir_all(&folder).map_err(|e| cannot_write(&folder, &e))?;
    let mut csv = String::from("video,label,frames,events\n");
    for i in 0..u64::from(count) {
        let spec = spec_of(args, first + i, i);
        let source = SimSource::new(spec);
        let frames = source.info().frames.unwrap_or(0);
        let name = spec_name(source.spec());
        let events = match source.truth() {
            Some(truth) if split == "test" => format!("{}-{}", truth.first_frame, truth.last_frame),
            _ => String::new(),
        };
        let label = u8::from(source.spec().incident.is_some());
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{name},{label},{frames},{events}");
        let file = folder.join(format!("{name}.sim"));
        std::fs::write(&file, format!("{}\n", source.spec())).map_err(|e| cannot_write(&file, &e))?;
        if args.mp4 {
            write_mp4(source, &folder.join(format!("{name}.mp4")))?;
        }
        bar.inc(1);
    }
    let list = args.dir.join(format!("{split}.csv"));
    std::fs::write(&list, csv).map_err(|e| cannot_write(&list, &e))
}

/// The recording of number `index`: every other one with an incident, the kinds in turn, lengths spread evenly.
fn spec_of(args: &SimulateArgs, index: u64, in_split: u64) -> SimSpec {
    let seed = args.seed + index;
    let spread = (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1u64 << 24) as f64;
    let seconds = (args.min_seconds + spread * (args.max_seconds - args.min_seconds)).round();
    let kind = IncidentKind::ALL[(in_split / 2) as usize % IncidentKind::ALL.len()];
    let incident = (in_split % 2 == 1 && !args.normal).then_some(kind);
    SimSpec { size: args.size, ..SimSpec::new(seed, seconds, incident) }
}

fn spec_name(spec: &SimSpec) -> String {
    let kind = spec.incident.map_or("normal".into(), |k| k.to_string());
    format!("{kind}-{:06}", spec.seed)
}

fn write_mp4(mut source: SimSource, path: &Path) -> Result<()> {
    let size = format!("{}x{}", source.info().width, source.info().height);
    let no_ffmpeg = |e: &dyn std::fmt::Display| {
        Error::failed(
            path.display().to_string(),
            format!("ffmpeg cannot write it: {e}"),
            "install ffmpeg (apt install ffmpeg), or leave out --mp4",
        )
    };
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size])
        .args(["-r", "25", "-i", "-", "-pix_fmt", "yuv420p", "-y"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| no_ffmpeg(&e))?;
    let mut pipe = child.stdin.take();
    let mut frame = Frame::default();
    while let Advance::Frame(_) = source.advance()? {
        source.read(&mut frame)?;
        if let Some(pipe) = &mut pipe {
            std::io::Write::write_all(pipe, &frame.data).map_err(|e| no_ffmpeg(&e))?;
        }
    }
    drop(pipe);
    let status = child.wait().map_err(|e| no_ffmpeg(&e))?;
    if status.success() { Ok(()) } else { Err(no_ffmpeg(&status)) }
}

fn cannot_write(path: &Path, e: &std::io::Error) -> Error {
    Error::failed(
        path.display().to_string(),
        format!("cannot be written: {e}"),
        "check the folder's permissions and free space",
    )
}
