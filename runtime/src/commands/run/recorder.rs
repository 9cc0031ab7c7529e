//! The recorder of a run: `[recorder]` of a config comes in, an output that is told of alarms and a thread that keeps them go out.

use std::path::Path;
use std::time::Duration;

use firmware_config::config::Config;
use runtime::Result;
use runtime::output::Outputs;
use runtime::recorder::{Recorder, Recording, Settings};

use super::beside;

/// How long the end of a run waits for what is being recorded.
const RECORDING_MAX: Duration = Duration::from_millis(400);

/// The recorder of `config`, which is the file `file`, told of alarms by `outputs`; nothing when there is none.
///
/// # Errors
/// When there is no thread.
pub fn start(config: &Config, file: &Path, outputs: &mut Outputs) -> Result<Option<(Recorder, Recording)>> {
    let Some(recorder) = &config.recorder else { return Ok(None) };
    let names: Vec<_> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    let started = Recorder::start(Settings::of(recorder, beside(file, &recorder.path)), &names)?;
    outputs.push(started.0.output());
    Ok(Some(started))
}

/// The run ends: what is being recorded is finished.
pub fn end(recording: Option<Recording>) {
    if let Some(recording) = recording {
        recording.end(RECORDING_MAX);
    }
}
