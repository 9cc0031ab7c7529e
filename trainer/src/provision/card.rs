//! A card's data partition: files come in and are put there, or are read from there. Where it is mounted they are plain files;
//! in an image, or on a card that is not mounted, `debugfs` and `e2fsck` (Debian's e2fsprogs) do it, without privileges beyond
//! those of writing to the image.
//!
//! Refused: what has no such partition, and one that is damaged beyond what e2fsck repairs by itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use runtime::{Error, Result};

use super::partition;

/// A file for the data partition, root's.
pub struct Put<'a> {
    /// Its path from the partition's root, without a leading slash.
    pub to: &'a str,
    /// What it holds.
    pub content: Vec<u8>,
    /// Who may do what with it.
    pub mode: u32,
}

/// A data partition.
pub enum Card {
    /// At so many bytes of an image, a card or a partition's device.
    Inside(PathBuf, u64),
    /// Mounted at a folder.
    Mounted(PathBuf),
}

impl Card {
    /// Find it in `path`: an image, a device, or the folder where it is mounted.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let subject = path.display().to_string();
        let unreadable =
            |error: std::io::Error| Error::unreadable(&subject, &error, "check the name; a card's device is root's");
        let name =
            "name an image that `cargo xtask image` made, a card that it was written to, or where that is mounted";
        let path = std::path::absolute(path).map_err(unreadable)?;
        if fs::metadata(&path).map_err(unreadable)?.is_dir() {
            return Ok(Self::Mounted(path));
        }
        if path.to_string_lossy().contains('?') {
            return Err(Error::invalid(
                subject,
                "has a question mark in its name, which debugfs cannot take",
                "rename it",
            ));
        }
        match partition::find(File::open(&path).map_err(unreadable)?).map_err(unreadable)? {
            Some(start) => Ok(Self::Inside(path, start)),
            None => Err(Error::invalid(subject, "has no third partition with the label `tadpole-data`", name)),
        }
    }

    /// What errors call it.
    pub fn subject(&self) -> String {
        match self {
            Self::Inside(path, _) | Self::Mounted(path) => path.display().to_string(),
        }
    }

    /// Put files there, in place of those that were. A folder that is missing is made, in one that is there.
    ///
    /// # Errors
    /// When that cannot be; some of them may have been put.
    pub fn put(&self, files: &[Put<'_>]) -> Result<()> {
        match self {
            Self::Mounted(folder) => files.iter().try_for_each(|file| put_plainly(folder, file)),
            Self::Inside(..) => {
                self.repair()?;
                let work = work()?;
                let mut requests = String::new();
                let folders: BTreeSet<&str> =
                    files.iter().filter_map(|file| Some(file.to.rsplit_once('/')?.0)).collect();
                for folder in folders {
                    // To make one that is there would damage the partition: debugfs forgets an inode.
                    if !self.has_folder(folder)? {
                        let _ = writeln!(requests, "mkdir /{folder}");
                    }
                }
                for (number, file) in files.iter().enumerate() {
                    let from = work.path().join(number.to_string());
                    fs::write(&from, &file.content).map_err(|error| no_room(&error))?;
                    let (folder, name) = file.to.rsplit_once('/').unwrap_or(("", file.to));
                    // The first is refused where there is no such file, and that is well.
                    let _ = write!(
                        requests,
                        "rm /{to}\ncd /{folder}\nwrite {number} {name}\nsif /{to} mode 0100{mode:o}\n",
                        to = file.to,
                        mode = file.mode
                    );
                }
                self.debugfs(work.path(), &requests, true)?;
                self.repair()
            }
        }
    }

    /// A file's content; `None` where there is no such file.
    ///
    /// # Errors
    /// When the partition cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let at = |path: &Path| match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::failed(self.subject(), format!("/{name} cannot be read: {error}"), "try as root")),
        };
        match self {
            Self::Mounted(folder) => at(&folder.join(name)),
            Self::Inside(..) => {
                let work = work()?;
                self.debugfs(work.path(), &format!("dump /{name} file\n"), false)?;
                at(&work.path().join("file"))
            }
        }
    }

    /// Have `look` see a file of the partition as a file of this machine.
    ///
    /// # Errors
    /// As [`Card::read`] and `look`.
    pub fn with_file<T>(&self, name: &str, look: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        match self {
            Self::Mounted(folder) => look(&folder.join(name)),
            Self::Inside(..) => {
                let work = work()?;
                self.debugfs(work.path(), &format!("dump /{name} file\n"), false)?;
                look(&work.path().join("file"))
            }
        }
    }

    /// Whether a partition that is not mounted has this folder.
    fn has_folder(&self, name: &str) -> Result<bool> {
        let out = output(e2fsprogs("debugfs").arg("-R").arg(format!("stat /{name}")).arg(self.named()))?;
        Ok(String::from_utf8_lossy(&out.stdout).contains("Type: directory"))
    }

    /// The partition as e2fsprogs name it.
    fn named(&self) -> String {
        match self {
            Self::Inside(path, start) => format!("{}?offset={start}", path.display()),
            Self::Mounted(path) => path.display().to_string(),
        }
    }

    /// Take up what its journal holds and mend what a power cut left; an error where more is wrong, or it is mounted.
    fn repair(&self) -> Result<()> {
        let out = output(e2fsprogs("e2fsck").args(["-f", "-p"]).arg(self.named()))?;
        match out.status.code() {
            // Nothing was wrong; something was, and is not any more.
            Some(0 | 1) => Ok(()),
            _ => Err(Error::failed(
                self.subject(),
                format!("e2fsck does not approve of its data partition: {}", said(&out)),
                "unmount it if it is mounted, and see that you may write to it; else write the image again",
            )),
        }
    }

    /// Have debugfs do what `requests` say, in the folder `work` of this machine. It tells no failure of a request by its
    /// exit code: what was done is to be looked at.
    fn debugfs(&self, work: &Path, requests: &str, write: bool) -> Result<()> {
        fs::write(work.join("requests"), requests).map_err(|error| no_room(&error))?;
        let mut run = e2fsprogs("debugfs");
        if write {
            run.arg("-w");
        }
        let out = output(run.current_dir(work).args(["-f", "requests"]).arg(self.named()))?;
        if out.status.success() {
            return Ok(());
        }
        Err(Error::failed(
            self.subject(),
            format!("debugfs failed: {}", said(&out)),
            "see that you may read and write it",
        ))
    }
}

/// Into a folder where the partition is mounted; whole, or not at all.
fn put_plainly(folder: &Path, file: &Put<'_>) -> Result<()> {
    let path = folder.join(file.to);
    let put = || -> std::io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            fs::create_dir(folder)?;
        }
        runtime::files::write(&path, &file.content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
        chown(&path, Some(0), Some(0))
    };
    put().map_err(|error| {
        Error::failed(
            path.display().to_string(),
            format!("cannot be written: {error}"),
            "do it as root: the files are root's",
        )
    })
}

/// A folder for what goes to and from a partition, gone with its handle.
fn work() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| no_room(&error))
}

fn no_room(error: &std::io::Error) -> Error {
    Error::failed(
        "the folder for temporary files",
        format!("cannot be written to: {error}"),
        "make room, or set TMPDIR",
    )
}

/// A program that may lie where only root looks for programs.
fn e2fsprogs(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Error::unavailable(program, format!("cannot be started: {error}"), "install e2fsprogs")
    })
}

/// What a program said, in a line.
fn said(out: &Output) -> String {
    let both = [out.stdout.as_slice(), out.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).split_whitespace().collect::<Vec<_>>().join(" ")
}
