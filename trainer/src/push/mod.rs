//! `tadpole-trainer push`: a bundle and the names of cameras come in; each camera has the model, tries it, and keeps it or not; a table of
//! how it ended goes out.
//!
//! | file | what |
//! |---|---|
//! | [`targets`] | which cameras |
//! | [`waves`] | in which order |
//! | [`rollout`] | several at once, wave after wave |
//! | [`camera`] | one of them: upload, activation, wait |
//! | [`link`] | how it is reached |
//!
//! What a camera refuses, and why, is the camera's to say: nothing is judged here but that the file is a bundle with a signature
//! that fits it. docs/ref/http.md tells what is sent.

pub mod camera;
pub mod link;
pub mod rollout;
pub mod targets;
pub mod waves;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runtime::{Error, Result};
use serde_json::{Value, json};

use crate::progress::say;
use crate::site::client::Package;
use camera::{End, Patience, Step, bring};
use link::Dialled;
use rollout::Plan;
use targets::Target;
use waves::Waves;

/// Send a model to cameras, and wait until each has tried it and keeps it.
///
/// A camera proves the model on itself, lets it score beside its present one, switches, and confirms it; where anything is wrong
/// it goes on with the one before and says why. That takes twice the config's `[trial] stage_s`, 20 minutes unless it is set. Exits
/// with 1 if any camera is not on the new model at the end.
#[derive(Args, Clone, Debug)]
pub struct PushArgs {
    /// The bundle, as `export` made it.
    bundle: PathBuf,
    /// Cameras: NAME, NAME=ADDRESS[:PORT], or @FILE with one of these a line. The name is that of the camera's certificate.
    #[arg(long, required = true, value_delimiter = ',', num_args = 1.., value_name = "CAMERA")]
    to: Vec<String>,
    /// The site's folder, as `tadpole-trainer site new` made it: whose cameras are believed, and who is asking.
    #[arg(long, value_name = "DIR")]
    site: PathBuf,
    /// Who is asking: a client of the site with the role `push`. The only one when absent.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Who gets it when: counts or shares of all cameras, each with those before. The next wave waits for the end of this one.
    #[arg(long, default_value = "100%")]
    waves: Waves,
    /// Failures, of all waves together, with which the next wave still begins.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_failures: usize,
    /// Cameras at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Minutes to wait for the end of a camera's trial.
    #[arg(long, value_name = "MINUTES", default_value_t = 45)]
    wait: u32,
    /// Seconds that a camera may be silent before it is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    silence: u32,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Push.
///
/// # Errors
/// Of kind `InvalidInput`, `Corrupt` or `Untrusted` when nothing can be sent; `Failed` when a camera is not on the new model.
pub fn run(args: &PushArgs) -> Result<()> {
    let targets = targets::read("--to", &args.to)?;
    let package = Package::read(&args.bundle)?;
    let credentials = link::credentials(&args.site, args.client.as_deref())?;
    let patience = Patience {
        silence: Duration::from_secs(args.silence.into()),
        trial: Duration::from_secs(u64::from(args.wait) * 60),
        pause: Duration::from_secs(1),
    };
    let plan = Plan { waves: args.waves.clone(), failures_max: args.max_failures, parallel: args.parallel.into() };
    let lines = MultiProgress::new();
    let waves = args.waves.sizes(targets.len()).len();
    let ends = plan.run(
        &targets,
        &mut |n, these| {
            if waves > 1 {
                log::info!("wave {n} of {waves}: {}", names(these));
            }
        },
        &|target| {
            let line = Line::new(&lines, target, package.bytes.len() as u64);
            let end = match Dialled::new(&credentials, target) {
                Ok(link) => bring(&link, &package, patience, &mut |step| line.show(step)),
                Err(error) => End::Failed(error.to_string()),
            };
            line.done(&end);
            end
        },
    );
    if args.json {
        say(&to_json(&package, &targets, &ends).to_string())?;
    } else {
        say(&table(&targets, &ends))?;
    }
    let good = ends.iter().filter(|end| end.is_good()).count();
    if good == ends.len() {
        return Ok(());
    }
    Err(Error::failed(
        "push",
        format!("{} of {} cameras are not on the new model", ends.len() - good, ends.len()),
        "mend what the table says, and push again: cameras that have it are passed over",
    ))
}

/// A camera's line of progress.
struct Line<'a> {
    bar: ProgressBar,
    target: &'a Target,
}

impl<'a> Line<'a> {
    fn new(lines: &MultiProgress, target: &'a Target, bytes: u64) -> Self {
        // The template is a constant: it parses, or the default style serves.
        let style = ProgressStyle::with_template("{prefix:16} {bar:24} {bytes:>10}/{total_bytes:10} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = lines.add(ProgressBar::new(bytes).with_prefix(target.name.clone()).with_style(style));
        Self { bar, target }
    }

    fn show(&self, step: Step<'_>) {
        match step {
            Step::Sent(bytes) => self.bar.set_position(bytes),
            Step::Trial(stage) => {
                self.bar.set_position(self.bar.length().unwrap_or_default());
                self.tell(stage);
            }
            Step::Again(why) => self.tell(why),
        }
    }

    /// Where there is no terminal, each news is a line of the log.
    fn tell(&self, news: &str) {
        if self.bar.message() != news {
            if self.bar.is_hidden() {
                log::info!("{}: {news}", self.target.name);
            }
            self.bar.set_message(news.to_owned());
        }
    }

    fn done(self, end: &End) {
        self.bar.finish_with_message(word(end).to_owned());
        if self.bar.is_hidden() {
            log::info!("{}: {}", self.target.name, word(end));
        }
    }
}

fn names(targets: &[Target]) -> String {
    targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn word(end: &End) -> &str {
    match end {
        End::Confirmed => "confirmed",
        End::Already => "had it already",
        End::Failed(_) => "not on it",
        End::Skipped => "not tried",
    }
}

fn reason(end: &End) -> &str {
    match end {
        End::Failed(reason) => reason,
        End::Skipped => "too many cameras before it failed",
        End::Confirmed | End::Already => "",
    }
}

fn table(targets: &[Target], ends: &[End]) -> String {
    let width = targets.iter().map(|target| target.name.len()).max().unwrap_or_default().max(6);
    let row =
        |(name, word, reason): (&str, &str, &str)| format!("{name:width$}  {word:14}  {reason}").trim_end().to_owned();
    let rows = targets.iter().zip(ends).map(|(target, end)| row((&target.name, word(end), reason(end))));
    std::iter::once(row(("camera", "model", "why"))).chain(rows).collect::<Vec<_>>().join("\n")
}

fn to_json(package: &Package, targets: &[Target], ends: &[End]) -> Value {
    let camera = |(target, end): (&Target, &End)| json!({ "name": target.name, "address": target.address, "end": word(end), "reason": reason(end), "on_it": end.is_good() });
    json!({
        "model": package.id,
        "sha256": package.sha256,
        "bytes": package.bytes.len(),
        "cameras": targets.iter().zip(ends).map(camera).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_for_people() {
        let targets =
            ["pole-1", "pole-12", "pole-3", "x"].map(|name| Target { name: name.into(), address: "a:1".into() });
        let ends = [End::Confirmed, End::Failed("dropped: it gave NaN".into()), End::Already, End::Skipped];
        insta::assert_snapshot!(table(&targets, &ends), @r"
        camera   model           why
        pole-1   confirmed
        pole-12  not on it       dropped: it gave NaN
        pole-3   had it already
        x        not tried       too many cameras before it failed
        ");
    }
}
