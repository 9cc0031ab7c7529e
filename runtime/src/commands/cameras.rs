//! `tadpole cameras`: what cameras this machine has, and what to write into a config for them.

use clap::Args;
use runtime::Result;

/// List the cameras of this machine with their formats, sizes and rates.
///
/// What is not marked as readable is sensor data or compressed video that a `v4l://` source cannot use.
#[derive(Args)]
pub struct CamerasArgs {
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// Say that this build reads none.
#[cfg(not(feature = "v4l"))]
pub fn run(args: &CamerasArgs) -> Result<()> {
    let _ = args.json;
    Err(runtime::source::v4l::not_built("cameras"))
}

/// List them.
#[cfg(feature = "v4l")]
pub fn run(args: &CamerasArgs) -> Result<()> {
    use runtime::source::v4l::survey::{FoundCamera, survey};

    let found = survey();
    if args.json {
        return super::show::print_json(&serde_json::json!({ "cameras": found }));
    }
    if found.is_empty() {
        println!("no camera: plug one in, and check that this user is in the group `video`");
    }
    for camera in &found {
        let FoundCamera { path, links, name, driver, formats, problem } = camera;
        println!("{path}  {name} ({driver})");
        let source = links.first().unwrap_or(path);
        match problem {
            Some(problem) => println!("    cannot be used: {problem}"),
            None => println!("    source = \"v4l://{source}\""),
        }
        for format in formats {
            let use_it = if format.readable { "" } else { ", not readable here" };
            println!("    {} ({}{use_it})", format.code, format.description);
            for size in &format.sizes {
                println!("        {}", describe(size));
            }
        }
    }
    Ok(())
}

/// A size and its rates in a line.
#[cfg(feature = "v4l")]
fn describe(found: &runtime::source::v4l::survey::FoundSize) -> String {
    let (width, height) = found.size;
    let size = match (found.smallest, found.step) {
        (Some((w, h)), Some((dw, dh))) => format!("{w}x{h} to {width}x{height} in steps of {dw}x{dh}"),
        _ => format!("{width}x{height}"),
    };
    let rates: Vec<_> = found.rates_hz.iter().map(|rate| ((rate * 100.0).round() / 100.0).to_string()).collect();
    match (rates.is_empty(), found.rates_between) {
        (true, _) => size,
        (_, true) => format!("{size} at {} Hz", rates.join(" to ")),
        (_, false) => format!("{size} at {} Hz", rates.join(", ")),
    }
}

#[cfg(all(test, feature = "v4l"))]
mod tests {
    use super::*;
    use runtime::source::v4l::survey::FoundSize;

    #[test]
    fn sizes_and_rates_in_a_line() {
        let rates_hz = vec![30.0, 29.97003];
        let one = FoundSize { size: (640, 480), smallest: None, step: None, rates_hz, rates_between: false };
        assert_eq!(describe(&one), "640x480 at 30, 29.97 Hz");
        let range = FoundSize { smallest: Some((48, 32)), step: Some((16, 2)), rates_between: true, ..one.clone() };
        assert_eq!(describe(&range), "48x32 to 640x480 in steps of 16x2 at 30 to 29.97 Hz");
        assert_eq!(describe(&FoundSize { rates_hz: vec![], ..one }), "640x480");
    }
}
