//! What only the emulator can see: a word of the board's memory, such as the register that shows its pins' levels. Spoken
//! is QMP, the emulator's own protocol: one JSON object a line, over a socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A connection to an emulator.
pub struct Qmp {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Qmp {
    /// Connect to the emulator that listens at `socket`, waiting for it until `until`.
    pub fn connect(socket: &Path, until: Instant) -> Result<Self> {
        let to = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= until => {
                    return Err(error).with_context(|| format!("the emulator does not answer at {}", socket.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        to.set_read_timeout(Some(ANSWER_MAX)).context("cannot limit how long to wait for the emulator")?;
        let mut qmp = Self { from: BufReader::new(to.try_clone().context("cannot share a socket")?), to };
        qmp.line()?;
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// The 32-bit word at `address` of the board's memory.
    pub fn word(&mut self, address: u64) -> Result<u32> {
        let line = format!("xp /1wx {address:#x}");
        let shown = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        word(shown.as_str().unwrap_or_default())
    }

    fn execute(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let mut line = json!({ "execute": name, "arguments": arguments }).to_string();
        line.push('\n');
        self.to.write_all(line.as_bytes()).context("the emulator is gone")?;
        loop {
            let mut said = self.line()?;
            if let Some(error) = said.get("error") {
                bail!("the emulator refuses {name}: {error}");
            }
            // Events come in between.
            if let Some(answer) = said.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.from.read_line(&mut line).context("the emulator does not answer")?;
        if read == 0 {
            bail!("the emulator is gone");
        }
        serde_json::from_str(&line).context("the emulator says something that is not JSON")
    }
}

/// `000000003f200034: 0x00020000`, as the emulator shows a word.
fn word(shown: &str) -> Result<u32> {
    let digits = shown.trim().rsplit("0x").next().unwrap_or_default();
    u32::from_str_radix(digits, 16).with_context(|| format!("the emulator shows no word: {shown}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::word;

    #[test]
    fn a_word_is_read_as_the_emulator_shows_it() {
        assert_eq!(word("000000003f200034: 0x00020000\r\n").unwrap(), 1 << 17);
        assert!(word("Cannot access memory\r\n").is_err());
    }
}
