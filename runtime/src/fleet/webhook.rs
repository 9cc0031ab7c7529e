//! Alarms to a web server, one after another, each until it was answered with 2xx: messages of the outbox go out as JSON, signed. A thread of
//! its own; a server that is away, slow or wrong is tried again after longer and longer pauses, and holds up nobody else. A message that it
//! refuses for an hour, as one that it cannot take, is set aside, and the next comes.
//!
//! The request is that of [Standard Webhooks](https://www.standardwebhooks.com) 1.0, which receivers have libraries for:
//!
//! | header | what |
//! |---|---|
//! | `webhook-id` | the message's `event_id`: who gets it twice drops the second |
//! | `webhook-timestamp` | when it was sent, by this machine's clock, seconds since 1970 |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY` |

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use rustls::ClientConfig;
use ureq::Agent;

use super::bell::Bell;
use super::https;
use super::pace::Pace;
use crate::health::date;
use crate::output::outbox::Outbox;
use crate::output::outbox::record::Message;
use crate::{Error, Result};

/// In logs, and among the outbox's receivers.
pub const NAME: &str = "webhook";
/// What a secret begins with that is base64 behind it; another is taken as it is.
const SECRET_PREFIX: &str = "whsec_";
/// The shortest secret, in bytes.
const SECRET_BYTES_MIN: usize = 16;
/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long one message may take, answer and all.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How often it looks whether the run ends.
const GLANCE: Duration = Duration::from_millis(100);
/// After an answer nothing is waited for; this is what the pace counts from.
const WELL: Duration = Duration::from_secs(1);

/// For so long a message is sent that is refused, and so often at least: whoever changed the server has time to see it.
const REFUSED: Patience = Patience { time: Duration::from_hours(1), tries: 6 };

/// How long a refusal is not believed.
#[derive(Clone, Copy, Debug)]
struct Patience {
    time: Duration,
    tries: u32,
}

/// A message that was refused.
struct Refused {
    seq: u64,
    since: Instant,
    tries: u32,
}

/// A web server that is told.
pub struct Webhook {
    agent: Agent,
    url: String,
    /// For logs: what follows the host may be a secret.
    server: String,
    key: hmac::Key,
    outbox: Outbox,
    bell: Bell,
    pace: Pace,
    patience: Patience,
    refused: Option<Refused>,
}

impl Webhook {
    /// For the server at `url`, by `tls` where that is HTTPS.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the secret will not do.
    pub fn new(url: &str, secret: &str, tls: &Arc<ClientConfig>, outbox: Outbox, bell: Bell) -> Result<Self> {
        let settings = Agent::config_builder()
            .user_agent(concat!("tadpole/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            // A redirected message would go where nobody said it may.
            .max_redirects(0)
            .build();
        let server = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let (url, key, pace) = (url.to_owned(), key(secret)?, Pace::of(outbox.device()));
        Ok(Self {
            agent: https::agent(settings, tls),
            url,
            server,
            key,
            outbox,
            bell,
            pace,
            patience: REFUSED,
            refused: None,
        })
    }

    /// Deliver, until the run ends.
    pub fn run(mut self) {
        let mut said = String::new();
        while !self.bell.over() {
            let Some(record) = self.outbox.wait(NAME, GLANCE) else { continue };
            match self.post(&record.message) {
                Ok(()) => {
                    self.pace.well(WELL);
                    self.outbox.done(NAME, record.seq);
                    if !said.is_empty() {
                        log::info!("{NAME}: {} answers again", self.server);
                        said.clear();
                    }
                }
                Err(error) if self.refuses(&error, record.seq) => {
                    let id = &record.message.event_id;
                    log::error!("{NAME}: {}: {}; message {id} is set aside", self.server, explain(&error));
                    self.pace.well(WELL);
                    self.outbox.set_aside(NAME, record.seq);
                }
                Err(error) => {
                    let (problem, pause) = (explain(&error), self.pace.failed());
                    if problem != said {
                        let (waiting, _) = self.outbox.standing(NAME);
                        log::warn!(
                            "{NAME}: {}: {problem}; {waiting} messages wait, and it is tried again",
                            self.server
                        );
                        said = problem;
                    }
                    self.bell.pause(pause);
                }
            }
        }
    }

    /// Whether message `seq` was refused for long enough to be believed.
    fn refuses(&mut self, error: &ureq::Error, seq: u64) -> bool {
        if !matches!(error, ureq::Error::StatusCode(code) if is_refusal(*code)) {
            return false;
        }
        let before = self.refused.take().filter(|before| before.seq == seq);
        let mut now = before.unwrap_or(Refused { seq, since: Instant::now(), tries: 0 });
        now.tries += 1;
        let believed = now.tries >= self.patience.tries && now.since.elapsed() >= self.patience.time;
        self.refused = (!believed).then_some(now);
        believed
    }

    fn post(&self, message: &Message) -> std::result::Result<(), ureq::Error> {
        let (id, body, at) = (&message.event_id, message.json(), date::clock());
        let request = self.agent.post(&self.url).header("Content-Type", "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", at.to_string());
        let answer = request.header("webhook-signature", signature(&self.key, id, at, &body)).send(&body)?;
        // 1xx and 3xx are no acknowledgement either.
        if answer.status().is_success() { Ok(()) } else { Err(ureq::Error::StatusCode(answer.status().as_u16())) }
    }
}

/// Whether a secret will do.
///
/// # Errors
/// Of kind `InvalidInput` when it will not.
pub(super) fn check_secret(secret: &str) -> Result<()> {
    key(secret).map(|_| ())
}

/// What signs: of `whsec_BASE64`, the bytes behind it; of any other text, the text.
fn key(secret: &str) -> Result<hmac::Key> {
    let bytes = match secret.strip_prefix(SECRET_PREFIX) {
        Some(coded) => BASE64_STANDARD.decode(coded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    };
    let Some(bytes) = bytes.filter(|bytes| bytes.len() >= SECRET_BYTES_MIN) else {
        return Err(Error::invalid(
            "output.webhook.secret_file",
            format!("holds no secret of at least {SECRET_BYTES_MIN} bytes"),
            "write `whsec_` and the base64 of 32 random bytes into it",
        ));
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(key: &hmac::Key, id: &str, at: u64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
}

/// Whether an answer says that this message cannot be taken. Who may send, where to and when are mended at the server, for all messages:
/// those wait.
fn is_refusal(code: u16) -> bool {
    (400..500).contains(&code) && !matches!(code, 401 | 403 | 404 | 405 | 407 | 408 | 410 | 421 | 425 | 429)
}

fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code @ (401 | 403)) => {
            format!("answers {code}: check the secret and the clocks of both")
        }
        ureq::Error::StatusCode(code @ 404) => format!("answers {code}: check the address"),
        ureq::Error::StatusCode(code) => format!("answers {code}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::health::calendar::Calendar;
    use crate::output::event::tests::{ended, started};
    use crate::output::outbox::Writing;
    use crate::output::{AlarmEvent, Output as _};
    use crate::store::disk::RealDisk;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PATIENCE: Duration = Duration::from_mins(1);

    /// TLS that nobody speaks here.
    fn tls() -> Arc<ClientConfig> {
        let calendar = Calendar::open(Path::new("no date is kept here"));
        super::super::tls::client(None, &Arc::new(calendar)).unwrap()
    }

    /// A request: its headers, and its body.
    type Heard = (HashMap<String, String>, String);

    /// A server that answers one request after another with these codes; 0: it hangs up. The last is for all that follow.
    fn server(codes: &'static [u16]) -> (String, Receiver<Heard>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/secret-place", listener.local_addr().unwrap());
        let (heard, hears) = channel();
        std::thread::spawn(move || {
            let codes = codes.iter().chain(std::iter::repeat(codes.last().unwrap()));
            for (stream, code) in listener.incoming().zip(codes) {
                let mut stream = stream.unwrap();
                if *code == 0 {
                    continue;
                }
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let lines = reader
                    .by_ref()
                    .lines()
                    .map(std::result::Result::unwrap)
                    .skip(1)
                    .take_while(|line| !line.is_empty());
                let headers: HashMap<_, _> = lines
                    .map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())).unwrap())
                    .collect();
                let mut body = vec![0; headers["content-length"].parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let more = "Location: http://127.0.0.1:9/\r\nContent-Length: 0\r\nConnection: close";
                stream.write_all(format!("HTTP/1.1 {code} X\r\n{more}\r\n\r\n").as_bytes()).unwrap();
                if heard.send((headers, String::from_utf8(body).unwrap())).is_err() {
                    return;
                }
            }
        });
        (url, hears)
    }

    /// An outbox with these alarms.
    fn outbox(alarms: &[AlarmEvent]) -> (tempfile::TempDir, Outbox, Writing) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        let (outbox, writing) = Outbox::open(Box::new(RealDisk), &path, 100, &[NAME], "pole-12").unwrap();
        alarms.iter().for_each(|alarm| outbox.output().alarm(alarm).unwrap());
        (folder, outbox, writing)
    }

    #[test]
    fn alarms_arrive_in_order_signed_and_again_until_they_are_answered_well() {
        let (url, hears) = server(&[500, 204]);
        let (_folder, outbox, _writing) = outbox(&[started("north", 1), ended("north", 1)]);
        let bell = Bell::default();
        let webhook = Webhook::new(&url, SECRET, &tls(), outbox.clone(), bell.clone()).unwrap();
        let running = std::thread::spawn(move || webhook.run());
        let heard: Vec<Heard> = (0..3).map(|_| hears.recv_timeout(PATIENCE).unwrap()).collect();
        let phases =
            heard.iter().map(|(_, body)| serde_json::from_str::<serde_json::Value>(body).unwrap()["phase"].clone());
        assert_eq!(phases.collect::<Vec<_>>(), ["started", "started", "ended"]);
        let ids: Vec<_> = heard.iter().map(|(headers, _)| &headers["webhook-id"]).collect();
        assert!(ids[0] == ids[1] && ids[1] != ids[2], "the same message has the same id");
        for (headers, body) in &heard {
            let at = headers["webhook-timestamp"].parse().unwrap();
            let signed = signature(&key(SECRET).unwrap(), &headers["webhook-id"], at, body);
            assert_eq!(headers["webhook-signature"], signed);
            assert!(body.contains(&headers["webhook-id"]) && headers["content-type"] == "application/json");
        }
        let begun = std::time::Instant::now();
        while outbox.standing(NAME) != (0, 0) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(outbox.standing(NAME), (0, 0));
        bell.end();
        running.join().unwrap();
        assert!(hears.try_recv().is_err(), "nothing twice");
    }

    #[test]
    fn what_is_refused_for_long_is_set_aside_and_the_next_comes() {
        let (url, hears) = server(&[422, 200]);
        let (_folder, outbox, _writing) = outbox(&[started("north", 1), ended("north", 1)]);
        let bell = Bell::default();
        let mut webhook = Webhook::new(&url, SECRET, &tls(), outbox.clone(), bell.clone()).unwrap();
        let refused = ureq::Error::StatusCode(422);
        assert!(!webhook.refuses(&refused, 1) && !webhook.refuses(&refused, 1), "not at once");
        webhook.patience = Patience { time: Duration::ZERO, tries: 3 };
        assert!(!webhook.refuses(&ureq::Error::StatusCode(503), 1) && !webhook.refuses(&refused, 2));
        webhook.patience.tries = 1;
        webhook.refused = None;
        let running = std::thread::spawn(move || webhook.run());
        let phases = [(); 2].map(|()| hears.recv_timeout(PATIENCE).unwrap().1);
        assert!(phases[0].contains("started") && phases[1].contains("ended"), "{phases:?}");
        let begun = Instant::now();
        while outbox.standing(NAME) != (0, 1) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!((outbox.standing(NAME), outbox.fault()), ((0, 1), None), "one was taken since");
        bell.end();
        running.join().unwrap();
        for (code, is) in
            [(400, true), (413, true), (422, true), (401, false), (404, false), (429, false), (500, false)]
        {
            assert_eq!(is_refusal(code), is, "{code}");
        }
    }

    #[test]
    fn nothing_but_2xx_is_an_acknowledgement() {
        let (url, hears) = server(&[302, 404, 0, 200]);
        let (_folder, outbox, _writing) = outbox(&[started("north", 1)]);
        let webhook = Webhook::new(&url, SECRET, &tls(), outbox.clone(), Bell::default()).unwrap();
        let message = outbox.next(NAME).unwrap().message;
        let told = [(); 3].map(|()| explain(&webhook.post(&message).unwrap_err()));
        assert_eq!(told[..2], ["answers 302", "answers 404: check the address"]);
        assert!(!told.iter().any(|told| told.contains("secret-place")), "{told:?}");
        webhook.post(&message).unwrap();
        assert_eq!(hears.iter().take(3).count(), 3);
        assert_eq!(webhook.server, url.replace("/hooks/secret-place", ""));
    }

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the Standard Webhooks libraries.
        let key = key(SECRET).unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_are_none() {
        for secret in ["short", "whsec_", "whsec_not base64 at all, however long", "whsec_c2hvcnQ="] {
            assert!(key(secret).unwrap_err().to_string().contains("secret_file"), "{secret}");
        }
        key("a text of sixteen or more").unwrap();
    }
}
