//! A web server on loopback that takes every alarm it is sent, and counts. It ends with the process.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The longest message.
const BYTES_MAX: usize = 1 << 20;

/// The server.
pub struct Hook {
    /// Where it is posted to.
    pub url: String,
    heard: Arc<Mutex<Heard>>,
}

/// What it was sent.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// How many messages.
    pub messages: u64,
    /// Their ids.
    pub ids: HashSet<String>,
    /// How many of each camera and phase.
    phases: HashMap<(String, String), u64>,
}

impl Heard {
    /// Messages of a camera that tell of this phase.
    pub fn of(&self, camera: &str, phase: &str) -> u64 {
        self.phases.get(&(camera.to_owned(), phase.to_owned())).copied().unwrap_or_default()
    }

    /// Take in a message.
    pub fn take(&mut self, message: &Value) {
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        self.messages += 1;
        self.ids.insert(text("event_id"));
        *self.phases.entry((text("camera"), text("phase"))).or_default() += 1;
    }
}

impl Hook {
    /// Listen.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
        let url = format!("http://{}/alarms", listener.local_addr()?);
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                // Who hangs up has nothing more to say.
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Ok(Self { url, heard })
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection, request after request.
fn serve(mut stream: TcpStream, heard: &Mutex<Heard>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length.min(BYTES_MAX)];
        reader.read_exact(&mut body)?;
        // What is no message is not acknowledged.
        let Ok(message) = serde_json::from_slice(&body) else { return Ok(()) };
        heard.lock().unwrap_or_else(PoisonError::into_inner).take(&message);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_connection_are_counted_and_acknowledged() {
        let hook = Hook::start().unwrap();
        let address = hook.url.trim_start_matches("http://").trim_end_matches("/alarms").to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        for (id, phase) in [("1", "started"), ("2", "ended"), ("2", "ended")] {
            let body = format!("{{\"event_id\":\"{id}\",\"camera\":\"a\",\"phase\":\"{phase}\"}}");
            write!(stream, "POST /alarms HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
            let mut rest = [0; 23];
            stream.read_exact(&mut rest).unwrap();
        }
        let heard = hook.heard();
        assert_eq!((heard.messages, heard.ids.len(), heard.of("a", "started"), heard.of("a", "ended")), (3, 2, 1, 2));
    }
}
