//! Debian's packages in folders of ours: a suite and names come in, unpacked files come out. apt works on a state of its
//! own under `target/`, so the machine's sources, architectures and packages stay as they are, and nobody needs to be root.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

use super::Lacking;
use crate::run::{command, there};

/// The distribution that the emulated boards run, and that the emulator comes from.
pub const SUITE: &str = "bookworm";
/// Where apt looks when the machine's own sources name no archive of Debian.
const ARCHIVE: &str = "http://deb.debian.org/debian/";
/// Whose signature the archive bears.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with a state of its own.
pub struct Apt {
    folder: PathBuf,
    /// Debian's name for this machine's processor.
    pub host: String,
}

impl Apt {
    /// With its state in `folder`: packages of the boards' processor and of this machine's, and newer ones for this machine
    /// alone. The lists are fetched.
    ///
    /// # Errors
    /// [`Lacking`] where there is no apt, or no network.
    pub fn new(folder: &Path) -> Result<Self> {
        for (program, package) in [("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("tar", "tar"), ("xz", "xz-utils")] {
            if !there(program, "--version") {
                bail!(Lacking(format!("{program} (package {package}), to fetch Debian's kernel and emulator")));
            }
        }
        if !Path::new(KEYRING).is_file() {
            bail!(Lacking(format!("{KEYRING} (package debian-archive-keyring)")));
        }
        let host = told(command("dpkg").arg("--print-architecture"))?.trim().to_owned();
        let archive = archive();
        for below in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(below)).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut sources = String::new();
        let both = if host == "arm64" { "arm64".to_owned() } else { format!("arm64,{host}") };
        // Its emulator has the Raspberry Pi 4.
        for (suite, processors) in [(SUITE, &both), (&format!("{SUITE}-backports"), &host)] {
            let _ = writeln!(sources, "deb [arch={processors} signed-by={KEYRING}] {archive} {suite} main");
        }
        let at = folder.display();
        let settings = format!(
            "Dir::State \"{at}/state\";\nDir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
             Dir::Etc::sourcelist \"{at}/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             APT::Architectures {{ \"{host}\"; \"arm64\"; }};\nAPT::Sandbox::User \"\";\nAcquire::Languages \"none\";\n\
             Acquire::Retries \"2\";\n"
        );
        // No package counts as installed: what depends on another brings it.
        for (name, text) in [("status", ""), ("sources.list", &sources), ("apt.conf", &settings)] {
            fs::write(folder.join(name), text).with_context(|| format!("cannot write {at}/{name}"))?;
        }
        let apt = Self { folder: folder.to_owned(), host };
        if let Err(error) = told(apt.run("apt-get").args(["update", "-qq"])) {
            bail!(Lacking(format!("a network, to fetch Debian's kernel and emulator: {error:#}")));
        }
        Ok(apt)
    }

    /// Unpack `packages` into `into`, with all that they depend on.
    pub fn with_dependencies(&self, packages: &[&str], into: &Path) -> Result<()> {
        let mut fetch = self.run("apt-get");
        fetch.args(["install", "-y", "-qq", "--no-install-recommends", "--download-only"]);
        told(fetch.args(["-t", &format!("{SUITE}-backports")]).args(packages))?;
        let archives = self.folder.join("cache/archives");
        self.unpack(&archives, into)
    }

    /// Unpack `packages`, and nothing else, into `into`.
    pub fn alone(&self, packages: &[&str], into: &Path) -> Result<()> {
        let folder = self.folder.join("alone");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        told(self.run("apt-get").current_dir(&folder).args(["download", "-qq"]).args(packages))?;
        self.unpack(&folder, into)
    }

    fn unpack(&self, archives: &Path, into: &Path) -> Result<()> {
        fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
        let files = fs::read_dir(archives).with_context(|| format!("cannot list {}", archives.display()))?;
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                told(self.run("dpkg-deb").arg("-x").arg(&path).arg(into))?;
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// What the newest version of a package depends on first, and its version.
    pub fn first_dependency(&self, package: &str) -> Result<(String, String)> {
        let shown = told(self.run("apt-cache").args(["show", "--no-all-versions", package]))?;
        let field = |name: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.with_context(|| format!("{package} has no {name}"))
        };
        let first = field("Depends")?.split([' ', ',']).next().unwrap_or_default().to_owned();
        Ok((first, field("Version")?.to_owned()))
    }

    fn run(&self, program: &str) -> Command {
        let mut run = command(program);
        run.env("APT_CONFIG", self.folder.join("apt.conf")).env("DEBIAN_FRONTEND", "noninteractive");
        run
    }
}

/// The archive that this machine's packages come from, if it is Debian's.
pub fn archive() -> String {
    let targets = command("apt-get").args(["indextargets", "--format", "$(REPO_URI) $(CODENAME)"]).output();
    let targets = targets.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let own = targets.lines().find_map(|line| line.strip_suffix(SUITE)?.strip_suffix(' ').map(str::to_owned));
    own.unwrap_or_else(|| ARCHIVE.into())
}

/// What a command printed, which must succeed.
pub fn told(run: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = run.output().with_context(|| format!("cannot start {run:?}"))?;
    if !status.success() {
        let why = String::from_utf8_lossy(&stderr);
        bail!("{run:?} ended with {status}: {}", why.trim());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
