//! Carries [`ddi`](super) over HTTP: questions and feedback go out with the device's token, answers come in as types, a bundle as bytes
//! from any place on.
//!
//! Links to what is hawkBit's are followed on the configured server, whatever host they name: behind a proxy hawkBit often writes a wrong one. Only
//! a bundle may lie elsewhere, and there the token is not shown: its bytes are judged by hash and signature.
//!
//! Refused: answers longer than [`ANSWER_BYTES_MAX`], or that are no such JSON. Every failure is of kind `Unavailable`: asking again may help.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use firmware_config::config::Hawkbit;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::super::https;
use super::{Cancel, Deployment, Feedback, Link, Poll, plain_id};
use crate::{Error, Result};

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long a connection may take, and how long a server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long one answer may take. A bundle that takes longer is gone on with.
const ANSWER_MAX: Duration = Duration::from_mins(30);
/// Of errors and logs.
const NAME: &str = "hawkbit";

/// A device at a hawkBit server.
pub struct Client {
    agent: Agent,
    /// `https://host:port`.
    server: String,
    /// Where the device's resources are.
    base: String,
    /// The header's value; never shown.
    token: String,
}

impl Client {
    /// The device of a config, with its token, that speaks TLS by `tls`.
    pub fn new(config: &Hawkbit, token: &str, tls: &Arc<ClientConfig>) -> Self {
        let settings = Agent::config_builder()
            .user_agent(concat!("tadpole/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(SILENCE_MAX))
            .timeout_recv_response(Some(SILENCE_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .timeout_per_write(Some(SILENCE_MAX))
            .timeout_global(Some(ANSWER_MAX))
            .max_redirects(3)
            .build();
        let server = config.server.trim_end_matches('/').to_owned();
        let base = format!("{server}/{}/controller/v1/{}", config.tenant, config.device);
        Self { agent: https::agent(settings, tls), server, base, token: format!("TargetToken {token}") }
    }

    /// What does the server want?
    ///
    /// # Errors
    /// See the module.
    pub fn poll(&self) -> Result<Poll> {
        self.get(&self.base)
    }

    /// A deployment that a poll told of.
    ///
    /// # Errors
    /// See the module.
    pub fn deployment(&self, link: &Link) -> Result<Deployment> {
        let deployment: Deployment = self.get(&self.here(link)?)?;
        plain_id(&deployment.id)?;
        Ok(deployment)
    }

    /// A wish to give a deployment up, which a poll told of.
    ///
    /// # Errors
    /// See the module.
    pub fn cancel(&self, link: &Link) -> Result<Cancel> {
        let cancel: Cancel = self.get(&self.here(link)?)?;
        plain_id(&cancel.id)?;
        Ok(cancel)
    }

    /// Tell of a deployment.
    ///
    /// # Errors
    /// See the module.
    pub fn tell(&self, id: &str, feedback: &Feedback) -> Result<()> {
        self.post(&format!("{}/deploymentBase/{id}/feedback", self.base), id, feedback)
    }

    /// Answer a wish to give a deployment up.
    ///
    /// # Errors
    /// See the module.
    pub fn tell_cancel(&self, id: &str, feedback: &Feedback) -> Result<()> {
        self.post(&format!("{}/cancelAction/{id}/feedback", self.base), id, feedback)
    }

    /// Say what the device is; attributes of other names stay.
    ///
    /// # Errors
    /// See the module.
    pub fn attributes(&self, data: &Value) -> Result<()> {
        let url = format!("{}/configData", self.base);
        let body = json!({ "mode": "merge", "data": data }).to_string();
        let request = self.agent.put(&url).header("Authorization", &self.token);
        request.header("Content-Type", "application/json").send(&body).map(drop).map_err(|error| self.away(&error))
    }

    /// The bytes of a file from byte `from` on. The server may begin earlier: with which byte it does comes back with them.
    ///
    /// # Errors
    /// See the module.
    pub fn file(&self, url: &str, from: u64) -> Result<(u64, impl Read + use<>)> {
        let (url, here) = self.place(url);
        let mut request = self.agent.get(&url);
        if here {
            request = request.header("Authorization", &self.token);
        }
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let response = request.call().map_err(|error| self.away(&error))?;
        let begins = if response.status() == 206 { begin_of(&response).ok_or_else(|| self.odd())? } else { 0 };
        // The store holds it to the length that was announced.
        Ok((begins, response.into_body().into_with_config().limit(u64::MAX).reader()))
    }

    fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let request = self.agent.get(url).header("Authorization", &self.token).header("Accept", "application/hal+json");
        let mut response = request.call().map_err(|error| self.away(&error))?;
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|error| self.away(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::unavailable(
                NAME,
                format!("{} answers what is no answer: {error}", self.server),
                "is it a hawkBit server?",
            )
        })
    }

    fn post(&self, url: &str, id: &str, feedback: &Feedback) -> Result<()> {
        let Feedback { execution, finished, detail } = feedback;
        let status = json!({ "execution": execution, "result": { "finished": finished }, "details": [detail] });
        let body = json!({ "id": id, "status": status }).to_string();
        let request = self.agent.post(url).header("Authorization", &self.token);
        request.header("Content-Type", "application/json").send(&body).map(drop).map_err(|error| self.away(&error))
    }

    /// A link, on the configured server.
    fn here(&self, link: &Link) -> Result<String> {
        let path = path_of(&link.href).ok_or_else(|| self.odd())?;
        Ok(format!("{}{path}", self.server))
    }

    /// Where a file is fetched, and whether that is from the configured server.
    pub(crate) fn place(&self, url: &str) -> (String, bool) {
        let own = self.base.strip_prefix(&self.server).unwrap_or(&self.base);
        let path = path_of(url).filter(|path| path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')));
        if let Some(path) = path {
            return (format!("{}{path}", self.server), true);
        }
        (url.to_owned(), url.strip_prefix(&self.server).is_some_and(|rest| rest.starts_with('/')))
    }

    fn away(&self, error: &ureq::Error) -> Error {
        let remedy = match error {
            ureq::Error::StatusCode(401 | 403) => {
                "check the token, the tenant and that target tokens are allowed there"
            }
            ureq::Error::StatusCode(404) => {
                "check the device's name and the tenant, and that the target is known there"
            }
            ureq::Error::StatusCode(429) => "let the server's polling time be longer",
            _ => "check the network and the server; it is asked again",
        };
        Error::unavailable(NAME, format!("{} does not do its part: {error}", self.server), remedy)
    }

    fn odd(&self) -> Error {
        Error::unavailable(NAME, format!("{} answers what is no answer", self.server), "is it a hawkBit server?")
    }
}

/// What stands behind a URL's host.
fn path_of(url: &str) -> Option<&str> {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.find('/').map(|at| &behind[at..])
}

/// The first byte of a partial answer: `bytes 100-199/200`.
fn begin_of(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}
