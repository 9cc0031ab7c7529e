//! Progress bars, on standard error, one below the other; hidden by themselves where standard error is no terminal.

use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All bars: each has a line of its own.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A bar of `total` steps under the name `what`.
pub fn bar(total: u64, what: &'static str) -> ProgressBar {
    // The template is a constant: it parses, or the default style serves.
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    below(ProgressBar::new(total).with_prefix(what).with_style(style))
}

/// A bar below those that there are.
pub fn below(bar: ProgressBar) -> ProgressBar {
    BARS.add(bar)
}

/// Print `text` on standard output.
///
/// # Errors
/// When it is closed.
pub fn say(text: &str) -> runtime::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{text}")
        .map_err(|e| runtime::Error::failed("standard output", e.to_string(), "check where it is sent"))
}
