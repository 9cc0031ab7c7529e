//! `cargo xtask soak --day`: what a device does all day, and whether it could go on so. The real firmware watches four cameras twice:
//!
//! | part | cameras | beside them | time |
//! |---|---|---|---|
//! | rows | 24 h of recorded features each, faster than life | journal, outbox with a web server, page | minutes |
//! | pixels | 30 min of simulated road each | the same, and the recorder with a small quota | life's own |
//!
//! Meanwhile its memory, descriptors, threads, disk use and `/metrics` are sampled. At the end every segment must have been scored, nothing
//! may have grown, the disk must be within its bounds, and journal, web server and counters must tell the same alarms. A fifth
//! camera, whose rows say that nothing happens, keeps the firmware running until its counters were read. The table goes to `target/soak/day.md`.
//!
//! | file | what |
//! |---|---|
//! | here | the two parts: configs, and what is expected of them |
//! | [`footage`] | recorded features: a few simulated recordings, extracted once and repeated |
//! | [`hook`] | a web server that takes alarms |
//! | [`watched`] | the firmware, and what it uses and says |
//! | [`judge`] | figures → checks; pure |

mod footage;
mod hook;
mod judge;
mod watched;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::run::{command, target};
use footage::{Footage, SEGMENT_S};
use hook::Hook;
use judge::{Check, Ended, Journal};
use watched::Watched;

/// How many cameras there are, but for the one that only keeps the firmware running.
const CAMERAS: usize = 4;
/// The camera that only keeps the firmware running.
const CLOCK: &str = "clock";
/// What the recorder may use, in MB of 10^6 bytes: a few minutes of clips of four cameras, so that old ones have to go.
const QUOTA_MB: u64 = 60;
/// The shipped model scores most of ordinary traffic below 1e-6, and some second of every minute or so above this: enough to record,
/// and nothing that lasts.
const PIXELS_ALARM: &str = "threshold = 0.00001\nrelease_ratio = 0.9\nmin_length_s = 0\ncool_down_s = 10\n";
/// No progress for so long: it hangs.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// How long the last alarms may take to the web server.
const DELIVERY_MAX: Duration = Duration::from_mins(1);
/// How many samples there are to be of each part.
const SAMPLES: f64 = 240.0;

/// How long it is to be.
pub struct Day {
    /// Hours of recorded features; 0 leaves that part out.
    pub hours: f64,
    /// Minutes of pixels; 0 leaves that part out.
    pub minutes: f64,
    /// How many times faster than life recorded features come, at most.
    pub speed: f64,
}

/// One of the two.
struct Part {
    title: String,
    folder: PathBuf,
    /// URIs of the cameras.
    sources: Vec<String>,
    /// Segments of each.
    segments: u64,
    /// How long it takes, if all is well.
    lasts_s: f64,
    /// What its config has more than the other's.
    more: String,
    /// What the recorder may use.
    quota_bytes: Option<u64>,
}

/// Both parts. Exit code 1 when a check fails.
pub fn run(day: &Day) -> Result<u8> {
    if !(2.0..=1e6).contains(&day.speed) || day.hours < 0.0 || day.minutes < 0.0 {
        bail!("--hours and --pixels-minutes are 0 or more, --speed is 2 to 1000000");
    }
    crate::run::run(command("cargo").args(["build", "--workspace", "--bins"]))?;
    let folder = target().join("soak/day");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let footage = Footage::make(&folder.join("footage"))?;

    let mut parts = Vec::new();
    if day.hours > 0.0 {
        parts.push(rows(day, &folder.join("rows"), &footage)?);
    }
    if day.minutes > 0.0 {
        parts.push(pixels(day, &folder.join("pixels"))?);
    }
    let (mut text, mut held) = (String::new(), true);
    for part in &parts {
        let checks = play(part, &footage)?;
        held &= checks.iter().all(|check| check.holds);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n", table(&part.title, &checks));
    }
    println!("{text}");
    let file = target().join("soak/day.md");
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(u8::from(!held))
}

fn rows(day: &Day, folder: &Path, footage: &Footage) -> Result<Part> {
    make(folder)?;
    let segments = (day.hours * 3600.0 / SEGMENT_S).round().max(1.0) as u64;
    let mut sources = Vec::new();
    for n in 0..CAMERAS {
        let file = folder.join(format!("camera-{n}.npy"));
        footage.write(&file, n, segments)?;
        sources.push(format!("features://{}?speed={}", file.display(), day.speed));
    }
    let title = format!("{CAMERAS} cameras, {} h of recorded features at {} times life's speed", day.hours, day.speed);
    let lasts_s = segments as f64 * SEGMENT_S / day.speed;
    Ok(Part { title, folder: folder.into(), sources, segments, lasts_s, more: String::new(), quota_bytes: None })
}

fn pixels(day: &Day, folder: &Path) -> Result<Part> {
    make(folder)?;
    let segments = (day.minutes * 60.0 / SEGMENT_S).floor().max(20.0) as u64;
    // And half a segment, so that the last whole one is so beyond doubt.
    let seconds = (segments as f64 + 0.5) * SEGMENT_S;
    let kinds = ["collision", "pedestrian-on-road", "fire", "illegal-occupation"];
    let source =
        |(n, kind): (usize, &&str)| format!("sim://?seed={}&seconds={seconds:.2}&incident={kind}", 940_000 + n);
    let sources = kinds.iter().take(CAMERAS).enumerate().map(source).collect();
    let more = format!(
        "[alarm]\n{PIXELS_ALARM}[recorder]\npath = \"alarms\"\nquota_mb = {QUOTA_MB}\nfree_mb = 0\npre_roll_s = 5\npost_roll_s = 5\n"
    );
    let title = format!("{CAMERAS} cameras, {} min of pixels", day.minutes);
    let quota_bytes = Some(QUOTA_MB * 1_000_000);
    Ok(Part { title, folder: folder.into(), sources, segments, lasts_s: seconds, more, quota_bytes })
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

impl Part {
    /// The cameras' names.
    fn names(&self) -> Vec<String> {
        (0..self.sources.len()).map(|n| format!("camera-{n}")).collect()
    }

    /// Write the config; its path.
    fn config(&self, footage: &Footage, url: &str) -> Result<PathBuf> {
        let clock = self.folder.join("clock.npy");
        // Longer than the rest may take.
        footage.write_nothing(&clock, ((3.0 * self.lasts_s + 3600.0) / SEGMENT_S) as u64)?;
        let clock = format!("features://{}?speed=1", clock.display());
        let mut text = String::new();
        let all = self.names().into_iter().zip(self.sources.clone()).chain([(CLOCK.to_owned(), clock)]);
        for (name, source) in all {
            let _ = writeln!(text, "[[camera]]\nname = \"{name}\"\nsource = \"{source}\"");
        }
        let _ = writeln!(
            text,
            "[model]\nbundle = \"{}\"\ntrusted_keys = [\"{}\"]\nengine = \"tract\"\n[output.gpio]\nkind = \"memory\"\n\
             [output.journal]\npath = \"events.jsonl\"\n[output.webhook]\nurl = \"{url}\"\nsecret_file = \"secret\"\n\
             [outbox]\npath = \"outbox\"\n[page]\nlisten = \"127.0.0.1:0\"\n{}",
            footage::bundle().display(),
            footage.key,
            self.more
        );
        let write = |name: &str, text: &str| {
            let path = self.folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok::<_, anyhow::Error>(path)
        };
        write("secret", "a secret of no value")?;
        write("tadpole.toml", &text)
    }
}

/// Run the firmware on a part, and judge.
fn play(part: &Part, footage: &Footage) -> Result<Vec<Check>> {
    eprintln!("{}: {:.1} min", part.title, part.lasts_s / 60.0);
    let hook = Hook::start()?;
    let config = part.config(footage, &hook.url)?;
    let mut firmware = Watched::start(&config)?;
    let (names, period) = (part.names(), Duration::from_secs_f64((part.lasts_s / SAMPLES).clamp(0.25, 5.0)));
    let (mut scored, mut moved) = (0.0, Instant::now());
    while scored < (part.segments * names.len() as u64) as f64 {
        std::thread::sleep(period);
        let sample = firmware.sample()?;
        let now: f64 = names.iter().map(|name| sample.metrics.of("tadpole_segments_scored_total", name)).sum();
        if now > scored {
            (scored, moved) = (now, Instant::now());
        }
        if moved.elapsed() > SILENCE_MAX {
            eprintln!("nothing was scored for {} s", SILENCE_MAX.as_secs());
            break;
        }
    }
    // The last alarms end with their recordings, and go to the web server.
    let begun = Instant::now();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let metrics = firmware.sample()?.metrics.clone();
        let alarms: f64 = names.iter().map(|name| metrics.of("tadpole_alarms_total", name)).sum();
        let heard = hook.heard();
        let both: u64 = names.iter().map(|name| heard.of(name, "started") + heard.of(name, "ended")).sum();
        if both as f64 >= 2.0 * alarms || begun.elapsed() > DELIVERY_MAX {
            break;
        }
    }
    let code = firmware.stop()?;
    let journal = fs::read_to_string(part.folder.join("events.jsonl")).context("there is no journal")?;
    let ended = Ended {
        cameras: &names,
        segments: part.segments,
        samples: &firmware.samples,
        heard: hook.heard(),
        journal: Journal::read(&journal)?,
        clips: part.quota_bytes.map(|_| watched::newest_clip(&part.folder.join("alarms"))).transpose()?,
        quota_bytes: part.quota_bytes,
        code,
    };
    Ok(ended.checks())
}

fn table(title: &str, checks: &[Check]) -> String {
    let mut text = format!("{title}\n\n| what | seen | wanted | |\n|---|---|---|---|\n");
    for Check { what, seen, wanted, holds } in checks {
        let _ = writeln!(text, "| {what} | {seen} | {wanted} | {} |", if *holds { "holds" } else { "**fails**" });
    }
    text
}
