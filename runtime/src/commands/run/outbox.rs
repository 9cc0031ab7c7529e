//! The outbox of a run: `[outbox]` of a config comes in, an output that takes alarms and a thread that writes them down go out.

use std::path::Path;
use std::time::Duration;

use firmware_config::config::Config;
use runtime::Result;
use runtime::output::Outputs;
use runtime::output::outbox::{NAME, Outbox, Writing};
use runtime::store::disk::RealDisk;

use super::beside;

/// How long the end of a run waits for the disk.
const WRITING_MAX: Duration = Duration::from_millis(400);

/// The outbox of `config`, which is the file `file`, told of alarms by `outputs`; nothing when there is none, or nobody to send to.
///
/// # Errors
/// When another process uses its folder.
pub fn open(config: &Config, file: &Path, outputs: &mut Outputs) -> Result<Option<(Outbox, Writing)>> {
    let Some(outbox) = &config.outbox else { return Ok(None) };
    let named = [("mqtt", config.output.mqtt.is_some()), ("webhook", config.output.webhook.is_some())];
    let receivers: Vec<_> = named.into_iter().filter(|(_, named)| *named).map(|(name, _)| name).collect();
    if receivers.is_empty() {
        log::warn!("{NAME}: there is neither [output.mqtt] nor [output.webhook] to send to");
        return Ok(None);
    }
    let folder = beside(file, &outbox.path);
    let opened = Outbox::open(Box::new(RealDisk), &folder, outbox.events_max as usize, &receivers, &device())?;
    outputs.push(opened.0.output());
    Ok(Some(opened))
}

/// The run ends: what is not on the disk yet is written.
pub fn end(outbox: Option<(Outbox, Writing)>) {
    if let Some((_, writing)) = outbox {
        writing.end(WRITING_MAX);
    }
}

/// What this device calls itself.
fn device() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
