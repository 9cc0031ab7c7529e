//! The bundle that the boards carry where the shipped one would take too long: a head as it ships, trained for two steps
//! on a few simulated roads, behind an extractor of a few kilobytes (`tests/board/small.onnx`: two pictures of 32 x 32, means
//! of blocks, a fixed projection to 16 numbers). Its scores mean nothing; all that handles them is the firmware's own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::run::{command, root, run, target};

/// Where `tadpole-trainer` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trainer {
    /// It is built now.
    Build,
    /// The tests have built it. To build it alone, without what tests need, would build half of its dependencies anew.
    AsTested,
}

/// `tadpole-trainer`'s path.
pub fn trainer(from: Trainer) -> Result<String> {
    if from == Trainer::Build {
        run(command("cargo").args(["build", "--workspace", "--bins"]))?;
    }
    Ok(target().join("debug/tadpole-trainer").display().to_string())
}

/// Releases of it that are made, from 1.
const RELEASES: u32 = 3;

/// Make it in `folder`, unless it is there.
pub fn make(folder: &Path, from: Trainer) -> Result<PathBuf> {
    releases(folder, from).map(|mut releases| releases.swap_remove(0))
}

/// As [`make`], and more releases of it.
pub fn releases(folder: &Path, from: Trainer) -> Result<Vec<PathBuf>> {
    let bundles: Vec<_> = (1..=RELEASES).map(|n| folder.join(format!("small-{n}.tadpole"))).collect();
    if bundles.iter().all(|bundle| bundle.is_file()) {
        return Ok(bundles);
    }
    let trainer = trainer(from)?;
    let work = folder.join("small");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let extractor = root().join("tests/board/small.onnx").display().to_string();
    let key = root().join("models/demo-signing-key.pem").display().to_string();
    for line in [
        "simulate roads --videos 8 --seed 5 --min-seconds 42 --max-seconds 45",
        "extract roads --extractor EXTRACTOR rows",
        "train rows --out run --steps 2 --pairs 2 --seed 1 --validation-share 0",
    ] {
        let words = line.split(' ').map(|word| if word == "EXTRACTOR" { &extractor } else { word });
        run(command(&trainer).args(words).current_dir(&work))?;
    }
    for (release, bundle) in (1..).zip(&bundles) {
        let mut export = command(&trainer);
        export.args(["export", "run", "--extractor", &extractor, "--sign", &key, "--release", &release.to_string()]);
        let made = work.join("small.tadpole");
        run(export.arg("--out").arg(&made).current_dir(&work))?;
        fs::rename(&made, bundle).with_context(|| format!("cannot write {}", bundle.display()))?;
    }
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    Ok(bundles)
}
