//! Where the shipped model lies: for `demo` and `replay`, which need no `--model`.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// File name of the shipped bundle.
pub const SHIPPED: &str = "roadside-lite0.tadpole";

/// The shipped bundle: `models/` above the current folder or above the program, or where the package installs it.
///
/// # Errors
/// When it is nowhere.
pub fn shipped() -> Result<PathBuf> {
    let above = |start: Option<PathBuf>| {
        start
            .as_deref()
            .into_iter()
            .flat_map(Path::ancestors)
            .map(|folder| folder.join("models").join(SHIPPED))
            .collect::<Vec<_>>()
    };
    let here = above(std::env::current_dir().ok());
    let beside = above(std::env::current_exe().ok());
    let installed = PathBuf::from("/usr/share/tadpole/models").join(SHIPPED);
    here.into_iter().chain(beside).chain([installed]).find(|path| path.is_file()).ok_or_else(|| {
        Error::invalid(
            format!("models/{SHIPPED}"),
            "the shipped model is not here, nor beside this program",
            "name a bundle with --model, or run from the project's folder",
        )
    })
}
