//! The firmware while it runs: what the kernel says of its process, what it says itself at `/metrics`, and what lies in its folder. It is killed
//! when this is dropped.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::footage::program;
use crate::run::command;

/// How long it may take to start.
const START_MAX: Duration = Duration::from_mins(2);
/// How long it may take to end, of which it promises two seconds.
const END_MAX: Duration = Duration::from_secs(20);
/// How long an answer may take, and how often it is asked for.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const ASKS: usize = 5;

/// What was seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Resident memory, kB.
    pub resident_kb: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Bytes of the outbox.
    pub outbox_bytes: u64,
    /// Bytes of the recorder's folder.
    pub clips_bytes: u64,
    /// Alarms that were being recorded.
    pub films: u64,
    /// What it said.
    pub metrics: Metrics,
}

/// Samples of `/metrics`, as they stand there: name with labels, value.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    /// Read the text.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .filter_map(|line| line.rsplit_once(' '))
                .filter_map(|(k, v)| Some((k.into(), v.parse().ok()?)))
                .collect(),
        )
    }

    /// A family's value for a camera; where other labels tell several apart, all of them together.
    pub fn of(&self, family: &str, camera: &str) -> f64 {
        let label = format!("camera=\"{camera}\"");
        let of =
            |key: &str| key.split_once('{').is_some_and(|(name, labels)| name == family && labels.contains(&label));
        self.0.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }
}

/// The firmware.
pub struct Watched {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
    /// Where its page is.
    address: String,
    /// What was seen so far.
    pub samples: Vec<Sample>,
}

impl Watched {
    /// Run a config. Its log is kept beside it.
    pub fn start(config: &Path) -> Result<Self> {
        let folder = config.parent().unwrap_or(Path::new(".")).to_owned();
        let log = folder.join("log.txt");
        let file = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut run = command(&program("tadpole"));
        run.args(["run", "--config"]).arg(config).env("RUST_LOG", "info");
        let child =
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().context("cannot start tadpole")?;
        let mut firmware = Self { child, folder, log, address: String::new(), samples: Vec::new() };
        let begun = Instant::now();
        loop {
            firmware.lives()?;
            let said = fs::read_to_string(&firmware.log).unwrap_or_default();
            if let Some((_, after)) = said.split_once("page: http://")
                && let Some((address, _)) = after.split_once('/')
            {
                address.clone_into(&mut firmware.address);
                return Ok(firmware);
            }
            if begun.elapsed() > START_MAX {
                bail!("the firmware serves no page; see {}", firmware.log.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Look at it.
    pub fn sample(&mut self) -> Result<&Sample> {
        self.lives()?;
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status")).context("the kernel tells nothing of the firmware")?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        let clips = self.folder.join("alarms");
        let films = names(&clips).iter().filter(|name| name.ends_with(".part")).count();
        let sample = Sample {
            resident_kb: number("VmRSS:"),
            descriptors: fs::read_dir(proc.join("fd")).context("its descriptors cannot be counted")?.count() as u64,
            threads: number("Threads:"),
            outbox_bytes: bytes(&self.folder.join("outbox")),
            clips_bytes: bytes(&clips),
            films: films as u64,
            metrics: self.metrics()?,
        };
        self.samples.push(sample);
        self.samples.last().context("there is no sample")
    }

    /// Tell it to stop; the exit code, if it had one in time.
    pub fn stop(&mut self) -> Result<Option<i32>> {
        crate::run::run(command("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let begun = Instant::now();
        while begun.elapsed() < END_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    fn lives(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the firmware ended with {status}; see {}", self.log.display()),
        }
    }

    fn metrics(&self) -> Result<Metrics> {
        let mut answer = Ok(Metrics::default());
        for _ in 0..ASKS {
            answer = self.ask();
            if answer.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        answer.context("the firmware tells no metrics")
    }

    fn ask(&self) -> Result<Metrics> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(Metrics::read(body)),
            _ => bail!("it answers {}", answer.lines().next().unwrap_or("nothing")),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// The highest number of an alarm in the recorder's folder; 0 when there is none.
pub fn newest_clip(folder: &Path) -> Result<u64> {
    fs::read_dir(folder).with_context(|| format!("{} is not there", folder.display()))?;
    let number = |name: &String| name.split_once('-')?.0.parse().ok();
    Ok(names(folder).iter().filter_map(number).max().unwrap_or_default())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Bytes of all files in a folder, and in those inside of it. What goes meanwhile is not counted.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_told_from_others_of_its_beginning_and_labels_are_added_up() {
        let metrics = Metrics::read(
            "# HELP a_total What.\na_total{camera=\"north\"} 7\na_total_more{camera=\"north\"} 1\na_total{camera=\"north-2\"} 2\n\
             e_total{camera=\"north\",kind=\"x\"} 1\ne_total{camera=\"north\",kind=\"y\"} 3\nup 1.5\n",
        );
        assert_eq!((metrics.of("a_total", "north"), metrics.of("e_total", "north")), (7.0, 4.0));
        assert_eq!((metrics.of("a_total", "north-2"), metrics.of("a_total", "south")), (2.0, 0.0));
    }
}
