//! The service as clients meet it: over TLS on loopback, with certificates made for the test, before a store of tiny bundles. The whole
//! program is tried in the package `system-tests`.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, StreamOwned};
use serde_json::Value;

use super::problem::{Kind, Problem};
use super::*;
use crate::bundle::Bundle;
use crate::engine::Engines;
use crate::health::SystemClock;
use crate::store::live::Lead;
use crate::store::tests::{adopt, bundle_of, id_of, install, packed, release, sha256, trust};

/// An authority.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
type Papers = (String, String);

/// What a certificate is made for.
struct Made<'a> {
    unit: Option<&'a str>,
    usage: ExtendedKeyUsagePurpose,
    years: (i32, i32),
}

const CLIENT: Made =
    Made { unit: Some("tadpole-push"), usage: ExtendedKeyUsagePurpose::ClientAuth, years: (2020, 2100) };

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, made: Made<'_>) -> Papers {
        let mut params = CertificateParams::new(["pole-12".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "anna");
        if let Some(unit) = made.unit {
            params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
        }
        params.extended_key_usages = vec![made.usage];
        params.not_before = rcgen::date_time_ymd(made.years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(made.years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Write a device's folder.
    fn device(&self, folder: &Path) {
        let (certificate, key) = self.sign(Made { unit: None, usage: ExtendedKeyUsagePurpose::ServerAuth, ..CLIENT });
        for (file, text) in [("device.crt", &certificate), ("device.key", &key), ("clients.crt", &self.certificate)] {
            std::fs::write(folder.join(file), text).unwrap();
        }
    }

    /// TLS of a client with these papers, who believes this authority.
    fn client(&self, papers: Option<&Papers>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match papers {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        })
    }
}

/// A service that is running, and a client that may push to it.
struct Running {
    desk: Arc<Desk>,
    authority: Authority,
    folder: tempfile::TempDir,
    push: Arc<ClientConfig>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Option<String>>>>,
}

impl Running {
    /// Before a store whose current model is release 1.
    fn new() -> Self {
        Self::with_pages(None)
    }

    /// And with a page beside it.
    fn with_pages(pages: Option<Pages>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.device(folder.path());
        let store = Store::new(folder.path().join("store"));
        adopt(&store, 1);
        let bytes = bundle_of(1);
        let bundle = Bundle::from_reader("bundle", &bytes[..], bytes.len() as u64, &trust().keys).unwrap();
        let lead = Lead { bundle: Arc::new(bundle), engines: Engines::new(EngineChoice::Tract) };
        let clock = Box::new(SystemClock::start());
        let healths = vec![Shared::new(Mutex::new(Health::new("north", false, Duration::ZERO)))];
        let live = Arc::new(Live::new(lead, 0));
        let engine = EngineChoice::Tract;
        let desk = Desk::new(healths, clock, live, engine, Some((store, trust())), folder.path().into());
        let desk = Arc::new(desk.with_pages(pages));
        let settings = Settings {
            listen: loopback(0),
            tls: folder.path().into(),
            calendar: Arc::new(Calendar::open(&folder.path().join("date"))),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, served) = (Arc::clone(&stop), Arc::clone(&desk));
        let thread = std::thread::spawn(move || serve(&settings, &served, &|| stopped.load(Ordering::SeqCst)));
        let push = authority.client(Some(&authority.sign(CLIENT)));
        let running = Self { desk, authority, folder, push, stop, thread: Some(thread) };
        let begun = Instant::now();
        while running.desk.bound().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never listened");
            std::thread::sleep(Duration::from_millis(5));
        }
        running
    }

    fn store(&self) -> &Store {
        &self.desk.store.as_ref().unwrap().0
    }

    fn connect(&self, client: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let stream = TcpStream::connect(self.desk.bound().unwrap()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(client), "pole-12".try_into().unwrap()).unwrap(), stream)
    }

    /// Send a request, and read to the end of the connection; what was heard, if anything.
    fn try_ask(&self, client: &Arc<ClientConfig>, head: &str, body: &[u8]) -> Option<Answer> {
        let mut stream = self.connect(client);
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("{head}\r\nhost: pole-12\r\nconnection: close\r\n{length}\r\n");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()?;
        read(&mut stream)
    }

    fn ask(&self, head: &str, body: &[u8]) -> Answer {
        self.try_ask(&self.push, head, body).unwrap()
    }

    /// Send bytes `from..to` of a bundle that has the hash of `whole`.
    fn put(&self, id: &str, whole: &[u8], range: std::ops::Range<usize>) -> Answer {
        self.ask(&put_head(id, whole, &range), &whole[range])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().unwrap().join();
        assert!(std::thread::panicking() || ended.unwrap().is_ok());
    }
}

fn put_head(id: &str, whole: &[u8], range: &std::ops::Range<usize>) -> String {
    let digest = BASE64_STANDARD.encode(hex::decode(sha256(whole)).unwrap());
    let (first, last, total) = (range.start, range.end - 1, whole.len());
    format!(
        "PUT /v1/models/{id} HTTP/1.1\r\nrepr-digest: sha-256=:{digest}:\r\ncontent-range: bytes {first}-{last}/{total}"
    )
}

/// What was heard.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().trim_start_matches("urn:tadpole:")
    }

    fn offset(&self) -> u64 {
        let line = self.head.lines().find_map(|line| line.strip_prefix("upload-offset: "));
        line.unwrap_or_else(|| panic!("no offset in {}", self.head)).parse().unwrap()
    }
}

fn read(stream: &mut impl std::io::Read) -> Option<Answer> {
    let mut heard = Vec::new();
    // A connection may end without a farewell.
    let _ = stream.read_to_end(&mut heard);
    let heard = String::from_utf8(heard).unwrap();
    let (head, body) = heard.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.into(), body: serde_json::from_str(body).unwrap_or_default() })
}

const STATUS: &str = "GET /v1/status HTTP/1.1";

#[test]
fn nobody_is_heard_without_a_certificate_of_ours_that_is_made_for_clients_and_has_not_ended() {
    let service = Running::new();
    let ours = &service.authority;
    let strangers = Authority::new();
    let stranger = strangers.sign(CLIENT);
    let ended = ours.sign(Made { years: (2010, 2020), ..CLIENT });
    let not_begun = ours.sign(Made { years: (2090, 2100), ..CLIENT });
    let server = ours.sign(Made { usage: ExtendedKeyUsagePurpose::ServerAuth, ..CLIENT });
    for (who, papers) in [
        ("without a certificate", None),
        ("another authority's", Some(&stranger)),
        ("ended", Some(&ended)),
        ("not begun", Some(&not_begun)),
        ("a device's", Some(&server)),
    ] {
        assert!(service.try_ask(&ours.client(papers), STATUS, &[]).is_none(), "{who}");
    }
    // And it does not hear of the device whose authority it does not believe.
    let blind = strangers.client(Some(&ours.sign(CLIENT)));
    assert!(service.try_ask(&blind, STATUS, &[]).is_none());
    // Plain HTTP.
    let mut plain = TcpStream::connect(service.desk.bound().unwrap()[0]).unwrap();
    plain.write_all(b"GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert!(read(&mut plain).is_none());
    assert_eq!(service.ask(STATUS, &[]).status, 200);
}

#[test]
fn a_role_allows_what_it_is_for_and_none_allows_nothing() {
    let service = Running::new();
    let client = |unit| service.authority.client(Some(&service.authority.sign(Made { unit, ..CLIENT })));
    let (view, none, other) = (client(Some("tadpole-view")), client(None), client(Some("tadpole")));
    let id = id_of(1);
    for route in routes::table() {
        let line = format!("{} {}?sha256={id} HTTP/1.1", route.method, route.path.replace("{id}", &id));
        for guest in [&none, &other] {
            let told = service.try_ask(guest, &line, &[]).unwrap();
            assert_eq!(told.status, 403, "{line}");
            assert!(route.method == "HEAD" || told.kind() == "no-role", "{told:?}");
        }
        let told = service.try_ask(&view, &line, &[]).unwrap();
        let looks = route.method == "GET" || route.method == "HEAD";
        assert_eq!(told.status, if looks { 200 } else { 403 }, "{line}: {told:?}");
        assert!(looks || told.kind() == "role", "{told:?}");
    }
    assert_eq!(service.try_ask(&view, "DELETE /v1/status HTTP/1.1", &[]).unwrap().status, 403);
    assert_eq!(service.ask("DELETE /v1/status HTTP/1.1", &[]).kind(), "method");
    assert_eq!(service.ask("GET /v2/status HTTP/1.1", &[]).kind(), "not-found");
    assert_eq!(service.store().state().unwrap().current.unwrap().release, 1);
}

#[test]
fn the_page_beside_it_wants_the_same_roles() {
    use axum::response::IntoResponse as _;
    let pages: Pages = Arc::new(|request| {
        let line = format!("{} {}", request.method(), request.uri().path());
        Box::pin(async move { axum::Json(line).into_response() })
    });
    let service = Running::with_pages(Some(pages));
    let client = |unit| service.authority.client(Some(&service.authority.sign(Made { unit, ..CLIENT })));
    let (view, none) = (client(Some("tadpole-view")), client(None));
    let ask = |who: &Arc<ClientConfig>, line: &str| {
        let told = service.try_ask(who, &format!("{line} HTTP/1.1"), &[]).unwrap();
        (told.status, told.kind().to_owned())
    };
    assert_eq!(ask(&view, "GET /api/cameras"), (200, String::new()));
    assert_eq!(ask(&view, "POST /api/leave"), (403, "role".into()));
    assert_eq!(ask(&none, "GET /"), (403, "no-role".into()));
    assert_eq!(service.ask("POST /api/leave HTTP/1.1", &[]).body, "POST /api/leave");
    assert_eq!(service.ask(STATUS, &[]).body["model"]["release"], 1, "what is the service's stays its own");
}

#[test]
fn the_status_tells_of_cameras_model_and_store() {
    let service = Running::new();
    lock(&service.desk.healths[0]).score(0.25);
    let told = service.ask(STATUS, &[]).body;
    assert_eq!((&told["state"], &told["firmware"]), (&"ok".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!((&told["cameras"][0]["name"], &told["cameras"][0]["last_score"]), (&"north".into(), &0.25.into()));
    assert_eq!((&told["model"]["id"], &told["store"]["current"]["release"]), (&id_of(1).into(), &1.into()));
    assert!(told["free_bytes"].as_u64().unwrap() > 0);
    let models = service.ask("GET /v1/models HTTP/1.1", &[]).body;
    assert_eq!((&models["models"][0]["state"], &models["models"][0]["counter"]), (&"current".into(), &1.into()));
    std::fs::write(service.folder.path().join("store/state"), b"damaged").unwrap();
    let told = service.ask(STATUS, &[]).body;
    assert!(told["store"].is_null() && told["store_fault"].as_str().unwrap().contains("state"), "{told}");
}

#[test]
fn a_bundle_comes_in_pieces_and_is_put_on_trial() {
    let service = Running::new();
    let (bytes, id) = (bundle_of(2), id_of(2));
    let ask_offset = || service.ask(&format!("HEAD /v1/models/{id}?sha256={} HTTP/1.1", sha256(&bytes)), &[]);
    assert_eq!(ask_offset().offset(), 0);
    let told = service.put(&id, &bytes, 0..1000);
    assert_eq!((told.status, told.offset(), ask_offset().offset()), (202, 1000, 1000));
    for wrong in [0..10, 999..1010, 1001..1010] {
        let told = service.put(&id, &bytes, wrong);
        assert_eq!((told.status, told.kind(), told.offset()), (409, "offset", 1000));
    }
    let told = service.put(&id, &bytes, 1000..bytes.len());
    assert_eq!((told.status, &told.body["state"], &told.body["release"]), (201, &"candidate".into(), &2.into()));
    assert!(ask_offset().head.contains("upload-complete: ?1"));
    assert_eq!(service.put(&id, &bytes, 0..bytes.len()).status, 200, "it is there already");

    let activate = format!("POST /v1/models/{id}/activate HTTP/1.1");
    assert_eq!(service.ask(&activate, &[]).status, 202);
    let told = service.ask(&activate, &[]);
    assert_eq!((told.status, &told.body["trial"]["stage"]), (200, &"to be proved".into()));
    let told = service.put(&id_of(3), &bundle_of(3), 0..bundle_of(3).len());
    assert_eq!((told.status, told.kind()), (409, "conflict"), "another is on trial");
    let told = service.ask("POST /v1/models/rollback HTTP/1.1", &[]);
    assert_eq!((told.status, &told.body["restarts"]), (200, &false.into()));
    assert_eq!(told.body["past"][1]["reason"], "rolled back over the network");
}

#[test]
fn what_breaks_off_is_gone_on_with() {
    let service = Running::new();
    let (bytes, id) = (bundle_of(2), id_of(2));
    let mut have = 0;
    let mut cuts = 0;
    // Whoever hangs up with the last byte is not waited for, and sends it again.
    while have + 700 < bytes.len() {
        let mut stream = service.connect(&service.push);
        let rest = have..bytes.len();
        let head = put_head(&id, &bytes, &rest);
        write!(stream, "{head}\r\nhost: a\r\ncontent-length: {}\r\n\r\n", rest.len()).unwrap();
        stream.write_all(&bytes[have..have + 700]).unwrap();
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = read(&mut stream);
        cuts += 1;
        let ask = format!("HEAD /v1/models/{id}?sha256={} HTTP/1.1", sha256(&bytes));
        let begun = Instant::now();
        loop {
            let there = service.ask(&ask, &[]).offset() as usize;
            if there > have {
                have = there;
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{have} of {} after {cuts} cuts", bytes.len());
            std::thread::sleep(Duration::from_millis(60));
        }
    }
    assert!(cuts > 3, "{cuts}");
    assert_eq!(service.put(&id, &bytes, have..bytes.len()).status, 201);
    assert_eq!(service.store().state().unwrap().candidate.unwrap().id, id);
}

#[test]
fn a_bundle_that_is_not_what_a_camera_runs_is_refused_and_leaves_nothing() {
    let service = Running::new();
    let bytes = bundle_of(2);
    let stranger = packed(&release(2), 9);
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let all = 0..bytes.len();
    let refusals = [
        ("another id", service.put(&id_of(3), &bytes, all.clone()), "and not"),
        ("a stranger's", service.put(&id_of(2), &stranger, 0..stranger.len()), "trusted"),
        ("damaged", service.put(&id_of(2), &damaged, all.clone()), ""),
        ("another hash", service.ask(&put_head(&id_of(2), &bytes, &all), &damaged), "SHA-256"),
    ];
    for (what, told, word) in refusals {
        assert_eq!((told.status, told.kind()), (422, "refused"), "{what}: {told:?}");
        assert!(told.body["detail"].as_str().unwrap().contains(word), "{what}: {told:?}");
    }
    // Older than what was confirmed: it may lie there, and is not activated.
    adopt(service.store(), 5);
    install(service.store(), 4).unwrap();
    let told = service.ask(&format!("POST /v1/models/{}/activate HTTP/1.1", id_of(4)), &[]);
    assert_eq!((told.status, told.kind()), (422, "refused"), "{told:?}");
    let told = service.ask(&format!("POST /v1/models/{}/activate HTTP/1.1", id_of(7)), &[]);
    assert_eq!((told.status, told.kind()), (404, "not-found"));
    let left: Vec<_> = std::fs::read_dir(service.store().folder().join("incoming")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_cannot_be_taken_is_refused_before_it_comes() {
    let service = Running::new();
    let id = id_of(2);
    let head = put_head(&id, &bundle_of(2), &(0..10));
    let digest = head.lines().nth(1).unwrap();
    let large =
        format!("PUT /v1/models/{id} HTTP/1.1\r\n{digest}\r\nexpect: 100-continue\r\ncontent-length: 999999999999");
    let told = service.ask(&large, &[]);
    assert_eq!((told.status, told.kind()), (413, "too-large"));
    let chunked = format!("PUT /v1/models/{id} HTTP/1.1\r\n{digest}\r\ntransfer-encoding: chunked");
    assert_eq!(service.ask(&chunked, &[]).kind(), "length");
    assert_eq!(service.ask(&format!("PUT /v1/models/{id} HTTP/1.1"), b"x").kind(), "request");
    assert_eq!(service.ask(&head.replace(&id, "../../etc"), b"0123456789").kind(), "not-found");
    assert_eq!(service.ask(&head.replace(&id, &"X".repeat(64)), b"0123456789").kind(), "request");
    let many = format!("{STATUS}{}", "\r\na: b".repeat(100));
    assert_eq!(service.ask(&many, &[]).status, 431);
    let long = format!("{STATUS}\r\na: {}", "b".repeat(20_000));
    assert_eq!(service.try_ask(&service.push, &long, &[]).map_or(431, |told| told.status), 431);
}

#[test]
fn a_refusal_is_heard_by_a_client_that_sends_all_the_same() {
    let service = Running::new();
    // More than what lies in the system's buffers on the way; none of it is wanted.
    let body = vec![7; 24 << 20];
    let head = put_head(&id_of(2), &body, &(0..body.len()));
    let refused =
        |head: &str| service.try_ask(&service.push, head, &body).map(|told| (told.status, told.kind().to_owned()));
    let offset = head.replace(
        &format!("bytes 0-{}/{}", body.len() - 1, body.len()),
        &format!("bytes 5-{}/{}", body.len() + 4, body.len() + 9),
    );
    assert_ne!(head, offset);
    assert_eq!(refused(&offset), Some((409, "offset".into())));
    let view = service.authority.client(Some(&service.authority.sign(Made { unit: Some("tadpole-view"), ..CLIENT })));
    assert_eq!(service.try_ask(&view, &head, &body).map(|told| told.status), Some(403));
    let turn = Arc::clone(&service.desk.uploads).try_acquire_owned().unwrap();
    assert_eq!(refused(&head), Some((429, "busy".into())));
    drop(turn);
    // And in the middle of it: the disk gives way.
    let mut stream = service.connect(&service.push);
    write!(stream, "{head}\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body[..1 << 20]).unwrap();
    let begun = Instant::now();
    while service.store().arrived(&sha256(&body)).unwrap() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir_all(service.store().folder().join("incoming")).unwrap();
    stream.write_all(&body[1 << 20..]).unwrap();
    let told = read(&mut stream).unwrap();
    assert_eq!((told.status, told.kind()), (500, "failed"), "{told:?}");
}

#[test]
fn an_upload_and_a_download_let_each_other_be() {
    let service = Running::new();
    let (bytes, other) = (bundle_of(2), bundle_of(3));
    // As the hawkBit client does, which has a store of its own in the same folder.
    let fetching = Store::new(service.store().folder());
    let mut part = fetching.receive(&sha256(&bytes), bytes.len() as u64).unwrap();
    part.write(&bytes[..1000]).unwrap();
    // The same bundle: whoever has begun goes on, and the other tries again.
    let told = service.put(&id_of(2), &bytes, 1000..bytes.len());
    assert_eq!((told.status, told.kind()), (429, "busy"), "{told:?}");
    // Another one: both arrive.
    assert_eq!(service.put(&id_of(3), &other, 0..other.len()).status, 201);
    part.write(&bytes[1000..]).unwrap();
    assert_eq!(part.finish(&trust()).unwrap().model.id, id_of(2));
}

#[test]
fn one_upload_at_a_time() {
    let service = Running::new();
    let (bytes, id) = (bundle_of(2), id_of(2));
    let mut first = service.connect(&service.push);
    write!(first, "{}\r\nhost: a\r\ncontent-length: {}\r\n\r\n", put_head(&id, &bytes, &(0..bytes.len())), bytes.len())
        .unwrap();
    first.write_all(&bytes[..500]).unwrap();
    first.flush().unwrap();
    let begun = Instant::now();
    while service.desk.uploads.available_permits() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = service.put(&id_of(3), &bundle_of(3), 0..10);
    assert_eq!((told.status, told.kind()), (429, "busy"));
    assert!(told.head.contains("retry-after: "));
    first.write_all(&bytes[500..]).unwrap();
    first.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut heard = [0; 12];
    first.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"HTTP/1.1 201");
}

#[test]
fn whoever_asks_too_often_is_told_to_wait() {
    let service = Running::new();
    let mut stream = service.connect(&service.push);
    let asked = 2 * limits::REQUEST_RATE.burst as usize;
    let wrote = (0..asked).try_for_each(|n| {
        let close = if n + 1 == asked { "connection: close\r\n" } else { "" };
        write!(stream, "GET /v1/models HTTP/1.1\r\nhost: a\r\n{close}\r\n")
    });
    wrote.unwrap();
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard);
    assert!(heard.matches("HTTP/1.1 200").count() >= limits::REQUEST_RATE.burst as usize);
    assert!(heard.contains("urn:tadpole:rate"));
}

#[test]
fn one_address_has_only_so_many_connections() {
    let service = Running::new();
    let address = service.desk.bound().unwrap()[0];
    // They say nothing, and keep their seats until their handshake takes too long.
    let silent: Vec<_> = (0..limits::CONNECTIONS_OF_ONE_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(service.try_ask(&service.push, STATUS, &[]).is_none());
    drop(silent);
    let begun = Instant::now();
    while service.try_ask(&service.push, STATUS, &[]).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(5), "their seats are not given back");
        std::thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn the_probe_says_whether_all_is_well_and_nothing_else() {
    let service = Running::new();
    let ask = |line: &str| {
        let mut stream = TcpStream::connect(service.desk.bound().unwrap()[1]).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        read(&mut stream).unwrap()
    };
    assert_eq!(ask("GET /healthz").status, 200);
    lock(&service.desk.healths[0]).gap("camera gone");
    let told = ask("GET /healthz");
    assert_eq!((told.status, &told.body["reasons"][0]["reason"]), (503, &"camera gone".into()));
    assert_eq!((ask("GET /v1/status").status, ask("POST /healthz").status), (404, 405));
}

#[test]
fn going_back_from_a_confirmed_model_starts_the_run_anew() {
    let mut service = Running::new();
    adopt(service.store(), 2);
    let told = service.ask("POST /v1/models/rollback HTTP/1.1", &[]);
    assert_eq!((told.status, &told.body["restarts"], &told.body["current"]["release"]), (200, &true.into(), &1.into()));
    let ended = service.thread.take().unwrap().join().unwrap().unwrap();
    assert!(ended.unwrap().contains("release 1"));
    service.thread = Some(std::thread::spawn(|| Ok(None)));
}

#[test]
fn a_folder_without_certificates_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let calendar = Arc::new(Calendar::open(&folder.path().join("date")));
    let told = || identity::server_config(folder.path(), &calendar).unwrap_err().to_string();
    assert!(told().contains("device.crt") && told().contains("tadpole-trainer site device"), "{}", told());
    Authority::new().device(folder.path());
    assert!(identity::server_config(folder.path(), &calendar).is_ok());
    let (_, key) = Authority::new().sign(CLIENT);
    std::fs::write(folder.path().join("device.key"), key).unwrap();
    assert!(told().contains("device.crt"), "{}", told());
}

/// Whether a client with a certificate of these years is let in, by a device whose clock shows 1 January of `clock`, built in 2026, that
/// kept the first of `kept`.
fn let_in(clock: i32, kept: i32, years: (i32, i32)) -> bool {
    use std::cell::Cell;
    thread_local!(static CLOCK: Cell<u64> = const { Cell::new(0) });
    let seconds = |year| rcgen::date_time_ymd(year, 1, 1).unix_timestamp() as u64;
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.device(folder.path());
    let file = folder.path().join("date");
    // A date is kept in steps, one at each start.
    CLOCK.set(seconds(kept));
    (0..60).for_each(|_| Calendar::by(|| CLOCK.get(), seconds(2026), &file).keep());
    CLOCK.set(seconds(clock));
    let calendar = Arc::new(Calendar::by(|| CLOCK.get(), seconds(2026), &file));
    let server = Arc::new(identity::server_config(folder.path(), &calendar).unwrap());
    let client = authority.client(Some(&authority.sign(Made { years, ..CLIENT })));
    let mut client = ClientConnection::new(client, "pole-12".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    for _ in 0..4 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        server.read_tls(&mut &bytes[..]).unwrap();
        if server.process_new_packets().is_err() {
            return false;
        }
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    !server.is_handshaking()
}

#[test]
fn certificates_are_judged_by_the_latest_date_that_is_known() {
    assert!(let_in(2027, 1970, (2026, 2028)));
    assert!(!let_in(2029, 1970, (2026, 2028)), "ended");
    assert!(!let_in(2027, 1970, (2028, 2030)), "not begun");
    // The clock was never set.
    assert!(let_in(1970, 1970, (2024, 2027)), "good when the firmware was built");
    assert!(let_in(1970, 1970, (2027, 2028)), "begun since the firmware was built, as far as anybody can tell");
    assert!(!let_in(1970, 1970, (2020, 2025)), "it had ended when the firmware was built");
    assert!(!let_in(1970, 2028, (2024, 2027)), "it had ended at the date that was kept");
    // It is ten years ahead, or was.
    assert!(!let_in(2037, 1970, (2026, 2028)));
    assert!(!let_in(2027, 2037, (2026, 2028)), "a wrong date that was kept for long is kept");
}

#[test]
fn the_openapi_file_names_exactly_the_requests_and_problems_that_there_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/openapi.json");
    let api: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let mut told = HashSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        told.extend(
            item.as_object().unwrap().keys().filter(|k| methods.contains(&k.as_str())).map(|m| format!("{m} {path}")),
        );
    }
    let served: HashSet<_> = routes::table()
        .iter()
        .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
        .collect();
    assert_eq!(told, served);
    let told = api["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap();
    let told: HashSet<_> = told.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/http.md")).unwrap();
    let given: HashSet<_> = Kind::ALL.map(|kind| format!("urn:tadpole:{}", kind.parts().1)).into_iter().collect();
    assert_eq!(told, given);
    given.iter().for_each(|word| assert!(page.contains(&format!("`{word}`")), "{word}"));
    served.iter().for_each(|line| {
        let (method, path) = line.split_once(' ').unwrap();
        assert!(page.contains(&format!("`{} {path}", method.to_uppercase())), "{line}");
    });
}

#[test]
fn a_problem_says_what_to_do() {
    use axum::response::IntoResponse as _;
    let problem: Problem = Error::new(ErrorKind::NoRoom, "blobs", "is full", "make room").into();
    let response = problem.at(7).into_response();
    assert_eq!((response.status().as_u16(), &response.headers()["upload-offset"]), (507, &"7".parse().unwrap()));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}
