//! The workstation's side of a device's control service (docs/ref/http.md): who asks, which device and where it is come in; answers go
//! out. The device must prove by the site's authority that it has the name it is asked for, whatever the address is.
//!
//! Errors are of two sorts, [`Failure`]: those of the way there, where trying again may help, and refusals, which say why.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use runtime::bundle::{Bundle, SignatureStatus};
use runtime::{Error, ErrorKind, Result};
use rustls::crypto::ring;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

use super::authority::{AUTHORITY, read};
use crate::provision::check_name;

/// Where a device listens, unless its address says otherwise.
pub const PORT: u16 = 8443;
/// Bytes of a bundle that are sent at a time.
pub const PIECE_BYTES: usize = 1 << 20;
/// How long the connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// How long a connection is kept for a next request; the device keeps it for 10 s.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// How long nothing may come or go.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long one request may take: a piece on a slow line, and at the last one the check of all.
const REQUEST_MAX: Duration = Duration::from_mins(5);
/// How long a device may take to say that it wants a body.
const CONTINUE_MAX: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// The longest answer with marks; a device sends 8 MiB at most.
const MARKS_BYTES_MAX: u64 = 9 << 20;

/// Who asks: a client's certificate and key, and the authority by which devices are known.
#[derive(Clone)]
pub struct Credentials {
    client: ClientCert,
    roots: RootCerts,
}

impl Credentials {
    /// Those of client `name` of a site.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there are none.
    pub fn read(site: &Path, name: &str) -> Result<Self> {
        let file = |ending: &str| site.join("clients").join(format!("{name}.{ending}"));
        Self::of(&read(&site.join(AUTHORITY))?, &read(&file("crt"))?, &read(&file("key"))?)
    }

    /// Of PEM texts.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when they are none.
    pub fn of(authority: &str, certificate: &str, key: &str) -> Result<Self> {
        let none = |what: &'static str| {
            move |error: ureq::Error| Error::invalid(what, format!("is none: {error}"), "take the files of the site")
        };
        let authority = Certificate::from_pem(authority.as_bytes()).map_err(none("the authority's certificate"))?;
        let certificate = Certificate::from_pem(certificate.as_bytes()).map_err(none("the client's certificate"))?;
        let key = PrivateKey::from_pem(key.as_bytes()).map_err(none("the client's key"))?;
        Ok(Self {
            client: ClientCert::new_with_certs(&[certificate], key),
            roots: RootCerts::new_with_certs(&[authority]),
        })
    }
}

/// A bundle to be sent.
pub struct Package {
    /// The model's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its release.
    pub release: u64,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

impl Package {
    /// Read a bundle; its signature must fit, whoever made it.
    ///
    /// # Errors
    /// Those of [`Bundle::inspect`]; of kind `Untrusted` when its signature does not fit.
    pub fn read(path: &Path) -> Result<Self> {
        let found = Bundle::inspect(path)?;
        if !matches!(found.signature, SignatureStatus::Fits(_)) {
            let (problem, remedy) = ("its signature does not fit it", "export it again: `tadpole-trainer export`");
            return Err(Error::new(ErrorKind::Untrusted, path.display().to_string(), problem, remedy));
        }
        let bytes = std::fs::read(path)
            .map_err(|error| Error::unreadable(path.display().to_string(), &error, "name a `.tadpole` bundle"))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Self { id: found.id, name: found.manifest.name, release: found.manifest.release, bytes, sha256 })
    }
}

/// Why there is no answer as it was hoped for.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The device was not reached, is not who it should be, does not let this client in, or broke off.
    Network(String),
    /// It answered, and refused.
    Refused(Refusal),
}

/// A device's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What sort: the last word of the problem's `type`, such as `offset` or `role`.
    pub kind: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// How many bytes of a bundle have arrived, where the device says so.
    pub offset: Option<u64>,
    /// After how long to try again, where it says so.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Whether the same request may well be answered otherwise a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Network(_) => true,
            Self::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500..=506),
        }
    }

    /// As an error about `device`.
    pub fn of(self, device: &str) -> Error {
        match self {
            Self::Network(problem) => {
                Error::unavailable(device, problem, "see that it is on, at this address, and knows your certificate")
            }
            Self::Refused(Refusal { status, kind, detail, remedy, .. }) => {
                let sort = match status {
                    408 | 409 | 429 => ErrorKind::Unavailable,
                    500.. => ErrorKind::Failed,
                    403 => ErrorKind::Untrusted,
                    _ => ErrorKind::InvalidInput,
                };
                Error::new(sort, device, format!("refuses ({kind}): {detail}"), remedy)
            }
        }
    }
}

/// What is there of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes: the next piece begins behind them.
    pub bytes: u64,
    /// It is in the store.
    pub whole: bool,
}

/// How a device is. What is not of use here is left out.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// The firmware's version.
    pub firmware: String,
    /// Since the start of the firmware, in seconds.
    pub uptime_s: u64,
    /// Of the worst camera: `ok`, `reduced` or `degraded`.
    pub state: String,
    /// What computes.
    pub engine: String,
    /// The cameras.
    pub cameras: Vec<CameraStatus>,
    /// The model that decides now.
    pub model: Running,
    /// The store; absent when there is none or it cannot be read.
    pub store: Option<StoreStatus>,
    /// Bytes that are free on the device's disk.
    pub free_bytes: Option<u64>,
}

/// How a camera is.
#[derive(Clone, Debug, Deserialize)]
pub struct CameraStatus {
    /// Its name.
    pub name: String,
    /// `ok`, `reduced` or `degraded`.
    pub state: String,
    /// Why it is not `ok`.
    pub reason: String,
    /// Segments scored since the start.
    pub segments: u64,
    /// Frames that came and were passed over, since the start.
    pub frames_dropped: u64,
    /// Times that frames were missed, since the start.
    pub gaps: u64,
    /// The newest score.
    pub last_score: Option<f32>,
}

/// The model that decides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its release.
    pub release: u64,
}

/// What a store holds.
#[derive(Clone, Debug, Deserialize)]
pub struct StoreStatus {
    /// What the next start loads.
    pub current: Option<Running>,
    /// What was sent last.
    pub candidate: Option<Running>,
    /// What is gone back to.
    pub previous: Option<Running>,
    /// The trial that is on.
    pub trial: Option<TrialStatus>,
    /// How trials ended, the newest last.
    pub past: Vec<Outcome>,
    /// After a roll-back: the firmware starts anew to load the model.
    #[serde(default)]
    pub restarts: bool,
}

/// A trial.
#[derive(Clone, Debug, Deserialize)]
pub struct TrialStatus {
    /// `to be proved`, `proved`, `in shadow` or `unconfirmed`.
    pub stage: String,
}

/// How a trial ended.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// Of which model.
    pub model: Running,
    /// `confirmed`, `dropped`, `reverted` or `rolled back`.
    pub end: String,
    /// Why; empty when confirmed.
    pub reason: String,
}

/// A way to one device.
pub struct Client {
    agent: Agent,
    device: String,
}

impl Client {
    /// To the device called `device`, at `address`: `HOST` or `HOST:PORT`. Nothing is sent yet.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the name is none.
    pub fn new(credentials: &Credentials, device: &str, address: &str) -> Result<Self> {
        check_name(device)?;
        let tls = TlsConfig::builder()
            .client_cert(Some(credentials.client.clone()))
            .root_certs(credentials.roots.clone())
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tadpole-trainer/", env!("CARGO_PKG_VERSION")))
            .max_idle_age(IDLE_MAX)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .timeout_per_write(Some(SILENCE_MAX))
            .timeout_await_100(Some(CONTINUE_MAX))
            .timeout_global(Some(REQUEST_MAX))
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), At(with_port(address)));
        Ok(Self { agent, device: device.into() })
    }

    /// The device's name.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// How it is.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn status(&self) -> Result<Status, Failure> {
        Self::json(self.agent.get(self.url("status")).call())
    }

    /// How much of a bundle is there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn arrived(&self, package: &Package) -> Result<Arrived, Failure> {
        let url = self.url(&format!("models/{}?sha256={}", package.id, package.sha256));
        let response = Self::answer(self.agent.head(url).call())?;
        Ok(arrived(&response))
    }

    /// Send the next piece of a bundle, from byte `first` on.
    ///
    /// # Errors
    /// See [`Failure`]; of kind `offset` when another was wanted.
    pub fn put(&self, package: &Package, first: u64, piece: &[u8]) -> Result<Arrived, Failure> {
        let digest = hex::decode(&package.sha256).unwrap_or_default();
        let range = format!("bytes {first}-{}/{}", (first + piece.len() as u64).saturating_sub(1), package.bytes.len());
        let request = self
            .agent
            .put(self.url(&format!("models/{}", package.id)))
            .header("expect", "100-continue")
            .header("content-type", "application/octet-stream")
            .header("content-range", range)
            .header("repr-digest", format!("sha-256=:{}:", BASE64_STANDARD.encode(digest)));
        let response = Self::answer(request.send(piece))?;
        Ok(arrived(&response))
    }

    /// Send a bundle, from where an earlier attempt ended; `progress` is told how many bytes are there, and ends it by `false`.
    ///
    /// # Errors
    /// See [`Failure`]; what has arrived stays.
    pub fn upload(&self, package: &Package, mut progress: impl FnMut(u64) -> bool) -> Result<Arrived, Failure> {
        let mut there = self.arrived(package)?;
        while progress(there.bytes) && !there.whole {
            let first = there.bytes.min(package.bytes.len() as u64);
            let rest = &package.bytes[first as usize..];
            there = self.put(package, first, &rest[..rest.len().min(PIECE_BYTES)])?;
        }
        Ok(there)
    }

    /// Put a model on trial.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn activate(&self, id: &str) -> Result<StoreStatus, Failure> {
        Self::json(self.agent.post(self.url(&format!("models/{id}/activate"))).send_empty())
    }

    /// End a trial, or go back to the model before.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn roll_back(&self) -> Result<StoreStatus, Failure> {
        Self::json(self.agent.post(self.url("models/rollback")).send_empty())
    }

    /// What people said of alarms, from byte `from` of the device's file on: whole lines, a part of what there is; nothing when there is no
    /// more.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn marks(&self, from: u64) -> Result<Vec<u8>, Failure> {
        let mut response = Self::answer(self.agent.get(self.url(&format!("marks?from={from}"))).call())?;
        let read = response.body_mut().with_config().limit(MARKS_BYTES_MAX).read_to_vec();
        read.map_err(|error| Failure::Network(told(&error)))
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/v1/{path}", self.device)
    }

    fn json<T: DeserializeOwned>(sent: Result<Response<Body>, ureq::Error>) -> Result<T, Failure> {
        let mut response = Self::answer(sent)?;
        let text = body(&mut response)?;
        serde_json::from_str(&text).map_err(|error| Failure::Network(format!("its answer is not understood: {error}")))
    }

    /// An answer that is no refusal.
    fn answer(sent: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Failure> {
        let mut response = sent.map_err(|error| Failure::Network(told(&error)))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let problem: Problem =
            body(&mut response).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Err(Failure::Refused(Refusal {
            status,
            kind: problem.kind.rsplit(':').next().unwrap_or_default().into(),
            detail: if problem.detail.is_empty() { format!("it answered {status}") } else { problem.detail },
            remedy: if problem.remedy.is_empty() { "see docs/ref/http.md".into() } else { problem.remedy },
            offset: number(&response, "upload-offset"),
            retry_after: number(&response, "retry-after").map(Duration::from_secs),
        }))
    }
}

/// What a device says of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    remedy: String,
}

fn body(response: &mut Response<Body>) -> Result<String, Failure> {
    let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    read.map_err(|error| Failure::Network(told(&error)))
}

fn arrived(response: &Response<Body>) -> Arrived {
    let whole = response.headers().get("upload-complete").is_some_and(|value| value == "?1");
    Arrived { bytes: number(response, "upload-offset").unwrap_or(0), whole }
}

fn number(response: &Response<Body>, header: &str) -> Option<u64> {
    response.headers().get(header)?.to_str().ok()?.parse().ok()
}

fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        error => format!("cannot be asked: {error}"),
    }
}

/// An address with its port.
fn with_port(address: &str) -> String {
    let port = |text: &str| text.parse::<u16>().is_ok();
    match (address.parse::<IpAddr>(), address.rsplit_once(':')) {
        (Ok(ip), _) => SocketAddr::new(ip, PORT).to_string(),
        (Err(_), Some((_, end))) if port(end) => address.to_owned(),
        (Err(_), _) => format!("{address}:{PORT}"),
    }
}

/// Wherever the name may point to, the device is at this address.
#[derive(Debug)]
struct At(String);

impl Resolver for At {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        // Eight are more than any host has, and fewer than there is room for.
        self.0.to_socket_addrs()?.take(8).for_each(|address| found.push(address));
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_do_without_its_port() {
        for (given, meant) in [
            ("192.0.2.7", "192.0.2.7:8443"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("pole-12", "pole-12:8443"),
            ("pole-12.example.org:8444", "pole-12.example.org:8444"),
            ("2001:db8::7", "[2001:db8::7]:8443"),
            ("[2001:db8::7]:1", "[2001:db8::7]:1"),
        ] {
            assert_eq!(with_port(given), meant);
        }
    }

    #[test]
    fn a_refusal_is_an_error_that_says_what_to_do() {
        let refusal = |status| {
            Failure::Refused(Refusal {
                status,
                kind: "busy".into(),
                detail: "one at a time".into(),
                remedy: "try again".into(),
                offset: None,
                retry_after: None,
            })
        };
        assert_eq!(refusal(422).of("pole-12").to_string(), "pole-12: refuses (busy): one at a time; try again");
        assert!(refusal(429).may_pass() && !refusal(422).may_pass() && !refusal(507).may_pass());
        assert_eq!(refusal(429).of("a").kind, ErrorKind::Unavailable);
    }
}
