//! Alarms to a web server, one after another, each until it was answered with 2xx: messages of the outbox go out as JSON, signed. A thread of
//! its own; a server that is away, slow or wrong is tried again after longer and longer pauses, and holds up nobody else.
//!
//! The request is that of [Standard Webhooks](https://www.standardwebhooks.com) 1.0, which receivers have libraries for:
//!
//! | header | what |
//! |---|---|
//! | `webhook-id` | the message's `event_id`: who gets it twice drops the second |
//! | `webhook-timestamp` | when it was sent, by this machine's clock, seconds since 1970 |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY` |

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::bell::Bell;
use super::pace::Pace;
use crate::health::clock;
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
}

impl Webhook {
    /// For the server at `url`, whose certificate one of `authority` or of the web's own authorities signed.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the secret will not do.
    pub fn new(
        url: &str,
        secret: &str,
        authority: Option<&[CertificateDer<'static>]>,
        outbox: Outbox,
        bell: Bell,
    ) -> Result<Self> {
        let roots = authority.map_or(RootCerts::WebPki, |certificates| {
            certificates.iter().map(|one| Certificate::from_der(one).to_owned()).into()
        });
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(ring).build())
            .user_agent(concat!("tadpole/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            // A redirected message would go where nobody said it may.
            .max_redirects(0)
            .build();
        let server = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let (url, key, pace) = (url.to_owned(), key(secret)?, Pace::of(url));
        Ok(Self { agent: agent.into(), url, server, key, outbox, bell, pace })
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

    fn post(&self, message: &Message) -> std::result::Result<(), ureq::Error> {
        let (id, body, at) = (&message.event_id, message.json(), clock::label_unix_s());
        let request = self.agent.post(&self.url).header("Content-Type", "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", at.to_string());
        let answer = request.header("webhook-signature", signature(&self.key, id, at, &body)).send(&body)?;
        // 1xx and 3xx are no acknowledgement either.
        if answer.status().is_success() { Ok(()) } else { Err(ureq::Error::StatusCode(answer.status().as_u16())) }
    }
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
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the Standard Webhooks libraries.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
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
