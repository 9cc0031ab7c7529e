//! `tadpole gpio`: what lines this machine has, and one of them switched by hand, to test the wiring.

use clap::{Args, ValueEnum};
use runtime::Result;

/// List GPIO chips and lines, or switch one to test the wiring.
///
/// `tadpole gpio` lists; `tadpole gpio 17 blink --chip gpiochip0` opens and closes a relay on line 17. A line is held
/// only while the command runs, and is put back to open before it ends; `tadpole run` must not hold it meanwhile.
#[derive(Args)]
pub struct GpioArgs {
    /// The line to switch: its number, or its name.
    #[arg(requires = "action")]
    line: Option<String>,
    /// What to do with it.
    action: Option<Action>,
    /// The chip that the line is on: name, label or path. Not needed for a line's name.
    #[arg(long, requires = "line")]
    chip: Option<String>,
    /// The relay closes at the low level.
    #[arg(long, requires = "line")]
    active_low: bool,
    /// How long, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long, conflicts_with = "line")]
    json: bool,
}

/// What a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Close the relay.
    On,
    /// Open it.
    Off,
    /// Close and open it, half a second each.
    Blink,
}

/// Say that only Linux has them.
#[cfg(not(target_os = "linux"))]
pub fn run(_: &GpioArgs) -> Result<()> {
    Err(runtime::Error::invalid("gpio", "only Linux has GPIO character devices", "run it on the board"))
}

/// List, or switch.
#[cfg(target_os = "linux")]
pub fn run(args: &GpioArgs) -> Result<()> {
    match (&args.line, args.action) {
        (Some(line), Some(action)) => linux::switch(line, action, args),
        _ => linux::list(args.json),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use embedded_hal::digital::OutputPin as _;
    use firmware_config::config::LineId;
    use runtime::output::gpio::{Polarity, cdev};
    use runtime::{Error, Result};
    use signal_hook::consts::{SIGINT, SIGTERM};

    use super::{Action, GpioArgs};

    /// How long a blinking relay is closed, and open.
    const BLINK: Duration = Duration::from_millis(500);
    /// How often it looks whether it is to stop.
    const GLANCE: Duration = Duration::from_millis(20);

    pub(super) fn list(json: bool) -> Result<()> {
        let chips = cdev::survey()?;
        if json {
            return crate::commands::show::print_json(&serde_json::json!({ "chips": chips }));
        }
        if chips.is_empty() {
            println!("no GPIO chip: this machine has none, or its driver is not loaded");
        }
        for chip in &chips {
            println!("{}  {}", chip.name, chip.label);
            if let Some(problem) = &chip.problem {
                println!("    cannot be used: {problem}");
            }
            for line in &chip.lines {
                let direction = if line.output { "output" } else { "input" };
                let held = if line.held_by.is_empty() { String::new() } else { format!(", held by {}", line.held_by) };
                println!("    {:>3}  {:<24} {direction}{held}", line.number, line.name);
            }
        }
        Ok(())
    }

    pub(super) fn switch(line: &str, action: Action, args: &GpioArgs) -> Result<()> {
        let id = line.parse().map_or_else(|_| LineId::Name(line.into()), LineId::Number);
        if matches!(id, LineId::Number(_)) && args.chip.is_none() {
            let problem = "is a number, and stands for a line on every chip";
            return Err(Error::invalid(format!("line {line}"), problem, "add `--chip gpiochip0`"));
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|e| {
                Error::failed("signals", format!("cannot be caught: {e}"), "free some memory; report this as a bug")
            })?;
        }
        let polarity = if args.active_low { Polarity::ActiveLow } else { Polarity::ActiveHigh };
        let mut pin = cdev::output(args.chip.as_deref(), &id, polarity.level(false))?;
        let mut set = |closed: bool| {
            println!("line {line}: {}", if closed { "closed" } else { "open" });
            pin.set_state(polarity.level(closed)).map_err(|e| {
                Error::failed(
                    format!("line {line}"),
                    format!("cannot be set: {e}"),
                    "check that the chip is still there",
                )
            })
        };
        let begun = Instant::now();
        let over = || stop.load(Ordering::Relaxed) || begun.elapsed() >= Duration::from_secs(args.seconds);
        set(action != Action::Off)?;
        let mut closed = action != Action::Off;
        let mut turn = begun + BLINK;
        while !over() {
            std::thread::sleep(GLANCE);
            if action == Action::Blink && Instant::now() >= turn {
                closed = !closed;
                turn += BLINK;
                set(closed)?;
            }
        }
        if closed { set(false) } else { Ok(()) }
    }
}
