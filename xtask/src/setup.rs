//! What a fresh machine lacks: Debian packages (installed as root, named otherwise) and a virtual environment for
//! the Python judges of our ONNX files, under `target/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{command, run, sbin, target, there};

/// Program, flag that makes it exit 0, Debian packages that bring it, why.
const PROGRAMS: [(&str, &str, &str, &str); 4] = [
    ("cc", "--version", "build-essential", "tract's kernels are assembled by the C compiler"),
    ("git", "--version", "git", "sources"),
    ("ffmpeg", "-version", "ffmpeg", "reading recordings and network cameras"),
    ("python3", "--version", "python3", "onnx and onnxruntime judge every exported graph"),
];

/// What the judges need; versions pinned so that a parity failure is ours.
const PYTHON: [&str; 3] = ["numpy==2.2.6", "onnx==1.19.1", "onnxruntime==1.23.2"];

/// The peer of `cargo xtask bench --train`, and of nothing else: not part of what tests need.
const PYTORCH: &str = "2.9.1";

/// Where PyTorch has its builds without CUDA.
const PYTORCH_CPU: &str = "https://download.pytorch.org/whl/cpu";

/// The Python of the judges' environment.
pub fn python() -> PathBuf {
    target().join("venv/bin/python")
}

/// The library of that environment's onnxruntime, for our own engine.
pub fn onnxruntime() -> Option<PathBuf> {
    let folder = |path: &PathBuf| path.join("site-packages/onnxruntime/capi");
    let inside =
        |folder: PathBuf| std::fs::read_dir(folder).ok().into_iter().flatten().flatten().map(|file| file.path());
    let libraries = inside(target().join("venv/lib")).flat_map(|python| inside(folder(&python)));
    let is_library =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"));
    libraries.filter(is_library).max()
}

/// Only what the demo needs: a C compiler.
pub fn for_demo() -> Result<()> {
    let missing: Vec<_> = PROGRAMS[..1].iter().filter(|p| !there(p.0, p.1)).collect();
    install(&missing.iter().map(|p| p.2).collect::<Vec<_>>())
}

/// What building for another processor needs: programs with the packages that bring them, and Rust's standard library.
pub fn for_cross(programs: &[(&str, &str)], triple: &str) -> Result<()> {
    let packages = programs.iter().filter(|p| !there(p.0, "--version")).flat_map(|p| p.1.split(' '));
    install(&packages.collect::<Vec<_>>())?;
    if there_target(triple) {
        return Ok(());
    }
    run(command("rustup").args(["target", "add", triple]))
        .with_context(|| format!("the standard library for {triple} is missing, and there is no rustup to add it"))
}

/// Programs, each with a flag that makes it exit 0 and the Debian package that brings it.
pub fn programs(programs: &[(&str, &str, &str)]) -> Result<()> {
    let is_there = |program: &str, flag| sbin(program).arg(flag).output().is_ok_and(|out| out.status.success());
    let missing = programs.iter().filter(|(program, flag, _)| !is_there(program, flag));
    install(&missing.map(|(_, _, package)| *package).collect::<Vec<_>>())
}

/// True when whoever runs this may install and mount.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n")
}

/// What the firmware's default feature `v4l` is built with: libclang, by which bindgen reads the kernel's headers.
pub fn libclang() -> Result<()> {
    let inside = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_libclang = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("libclang.so") || (name.starts_with("libclang-") && !name.starts_with("libclang-cpp"))
    };
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    // Debian's: /usr/lib/x86_64-linux-gnu and /usr/lib/llvm-14/lib.
    let below = inside("/usr/lib".into()).flat_map(|folder| [folder.join("lib"), folder]);
    let there = libraries.into_iter().chain(below).any(|folder| inside(folder).any(is_libclang));
    if there || std::env::var_os("LIBCLANG_PATH").is_some() {
        return Ok(());
    }
    install(&["libclang-dev"])
}

/// True when rustc has a standard library for `triple`, however it came.
fn there_target(triple: &str) -> bool {
    let out = Command::new("rustc").args(["--print", "target-libdir", "--target", triple]).output();
    out.is_ok_and(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()).is_dir())
}

/// All that tests need.
pub fn everything() -> Result<()> {
    let mut packages: Vec<&str> = PROGRAMS.iter().filter(|p| !there(p.0, p.1)).map(|p| p.2).collect();
    if !python().exists() && !there_venv() {
        packages.push("python3-venv");
    }
    // The broker of the fleet's tests. It knows no flag that makes it exit 0.
    if sbin("mosquitto").arg("-h").output().is_err() {
        packages.push("mosquitto");
    }
    install(&packages)?;
    browser();
    libclang()?;
    environment()
}

/// The browser of the live page's test, which skips without one: distributions differ in what they call it, so it may be missing.
fn browser() {
    if ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| there(name, "--version")) {
        return;
    }
    if let Err(error) = install(&["chromium"]) {
        eprintln!("no Chromium, and the live page is not tried in a browser: {error:#}");
    }
}

fn there_venv() -> bool {
    Command::new("python3").args(["-c", "import venv, ensurepip"]).output().is_ok_and(|out| out.status.success())
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !is_root() || !there("apt-get", "--version") {
        bail!("this machine lacks {}; install them, on Debian or Ubuntu with: sudo {line}", packages.join(", "));
    }
    eprintln!("installing {}", packages.join(", "));
    run(command("apt-get").args(["update", "-qq"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// PyTorch in the judges' environment, which must be there already; for a GPU the build with CUDA.
pub fn pytorch(gpu: bool) -> Result<()> {
    let python = python().display().to_string();
    let code = "import torch; print(torch.__version__.split('+')[0], torch.version.cuda is not None)";
    let found =
        command(&python).args(["-c", code]).output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let found = found.unwrap_or_default();
    if found.split_whitespace().next() == Some(PYTORCH) && (!gpu || found.contains("True")) {
        return Ok(());
    }
    let wanted = format!("torch=={PYTORCH}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--force-reinstall", &wanted];
    let into = target().join("venv").display().to_string();
    if !gpu {
        eprintln!("installing PyTorch {PYTORCH} for the CPU, some 200 MB, into {into}");
        let own = ["--retries", "1", "--index-url", PYTORCH_CPU];
        if run(command(&python).args(pip).args(own)).is_ok() {
            return Ok(());
        }
        eprintln!("{PYTORCH_CPU} did not give it; trying PyPI");
    }
    eprintln!("installing PyTorch {PYTORCH} with CUDA's libraries, several gigabytes, into {into}");
    run(command(&python).args(pip)).with_context(|| {
        format!("pip could not install {wanted}, which training is timed against; is there a network, and room for it?")
    })
}

fn environment() -> Result<()> {
    let stamp = target().join("venv/tadpole-requirements.txt");
    let wanted = PYTHON.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    eprintln!("making the Python environment {}", target().join("venv").display());
    run(command("python3").args(["-m", "venv"]).arg(target().join("venv")))?;
    run(command(&python().display().to_string())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(PYTHON))
    .context("pip could not install the packages that judge our ONNX files; is there a network?")?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
