//! The control service of the real program, by real TLS clients, beside a camera that goes on scoring: who is let in, what is taken, a model
//! that is pushed, tried and confirmed, one that is taken back, and who holds on without saying anything.

#![allow(clippy::unwrap_used)]

#[path = "common/disk.rs"]
mod disk;
#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use disk::SmallDisk;
use firmware::Firmware;
use firmware_config::PublicKey;
use models::{Kind, key, release};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use system_tests::program;
use trainer::site::Role;
use trainer::site::authority::Authority;
use trainer::site::client::{Client, Credentials, Failure, Package, Status};

/// The name by which the device proves itself.
const DEVICE: &str = "pole-12";
/// How long each stage of a trial lasts here.
const STAGE_S: u32 = 6;
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// A device with a store whose first bundle is release 1, and a site that knows it.
struct Place {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        let authority = Authority::create(&site).unwrap();
        authority.device(DEVICE, &[]).unwrap();
        authority.client("anna", Role::Push, 1).unwrap();
        authority.client("ben", Role::View, 1).unwrap();
        std::fs::rename(release(folder.path(), 1, Kind::Good, 1), folder.path().join("store.tadpole")).unwrap();
        let config = format!(
            "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1&seconds=3600\"\n[model]\nbundle = \"store\"\n\
             trusted_keys = [\"{}\"]\nengine = \"tract\"\n[control]\nlisten = \"127.0.0.1:0\"\ntls = \"site/devices/{DEVICE}\"\n\
             [output.journal]\npath = \"events.jsonl\"\n[trial]\nstage_s = {STAGE_S}\nmemory_mb = 400\nresident_mb = 900\n",
            PublicKey::from(&key(1))
        );
        std::fs::write(folder.path().join("tadpole.toml"), config).unwrap();
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn credentials(&self, name: &str) -> Credentials {
        Credentials::read(&self.path("site"), name).unwrap()
    }

    /// Release `number`, signed with key `by`, to be pushed.
    fn package(&self, number: u64, by: u8) -> Package {
        Package::read(Path::new(&release(self.folder.path(), number, Kind::Good, by))).unwrap()
    }
}

/// The running firmware, and where it listens.
struct Served {
    run: Firmware,
    address: String,
    probe: String,
}

impl Served {
    fn start(place: &Place) -> Self {
        Self::of(Firmware::start(&place.path("tadpole.toml")))
    }

    fn of(mut run: Firmware) -> Self {
        let line = run.line("control service: listening on ");
        let (address, probe) = line.split_once(", health probe on ").unwrap();
        let address = address.rsplit_once(' ').unwrap().1.into();
        Self { run, address, probe: probe.into() }
    }

    fn client(&self, credentials: &Credentials) -> Client {
        Client::new(credentials, DEVICE, &self.address).unwrap()
    }

    /// Ask for the status until it is as wanted.
    fn wait(&self, client: &Client, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        loop {
            let status = client.status().unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "never {what}: {status:?}\n{}", self.run.log());
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn raw(&self, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(config), DEVICE.try_into().unwrap()).unwrap(), stream)
    }
}

/// TLS with the files of a client, without a client of ours.
fn tls(place: &Place, name: &str) -> Arc<ClientConfig> {
    let file = |name: String| place.path("site").join(name);
    let certificate = |path| CertificateDer::from_pem_file(path).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(file("ca.crt".into()))).unwrap();
    let key = PrivateKeyDer::from_pem_file(file(format!("clients/{name}.key"))).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    Arc::new(builder.with_client_auth_cert(vec![certificate(file(format!("clients/{name}.crt")))], key).unwrap())
}

/// A certificate that the site's own command would not make.
fn odd(place: &Place, unit: Option<&str>, years: (i32, i32)) -> Credentials {
    let read = |name: &str| std::fs::read_to_string(place.path("site").join(name)).unwrap();
    let issuer = rcgen::KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.crt"), issuer).unwrap();
    let mut params = rcgen::CertificateParams::default();
    unit.iter().for_each(|unit| params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, *unit));
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    Credentials::of(&read("ca.crt"), &certificate, &key.serialize_pem()).unwrap()
}

/// Why a request was refused.
fn kind<T>(answer: Result<T, Failure>) -> String {
    match answer {
        Ok(_) => "allowed".into(),
        Err(Failure::Network(_)) => "not let in".into(),
        Err(Failure::Refused(refusal)) => refusal.kind,
    }
}

/// What each request of a client comes to: status, offset, upload, activation, roll-back.
fn all(client: &Client, package: &Package) -> [String; 5] {
    [
        kind(client.status()),
        kind(client.arrived(package)),
        kind(client.put(package, 0, &package.bytes[..1000])),
        kind(client.activate(&package.id)),
        kind(client.roll_back()),
    ]
}

#[test]
fn whoever_should_be_refused_is_and_who_says_nothing_is_let_go_while_the_camera_goes_on() {
    let place = Place::new();
    let firmware = Served::start(&place);
    let package = place.package(2, 1);
    let push = firmware.client(&place.credentials("anna"));
    let before = firmware.wait(&push, "scoring", |status| status.cameras[0].segments > 1);

    // Those who say nothing: no handshake, half a header, half a body, no second request.
    let silent: Vec<_> = [0, 1, 2, 3]
        .map(|n| {
            let begun = Instant::now();
            let mut stream = firmware.raw(&tls(&place, "anna"));
            let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
            let said = match n {
                0 => Ok(()),
                1 => write!(stream, "GET /v1/status HTTP/1.1\r\nho"),
                3 => write!(stream, "GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n"),
                _ => write!(
                    stream,
                    "PUT /v1/models/{} HTTP/1.1\r\nhost: a\r\nrepr-digest: {digest}\r\ncontent-length: 9000\r\n\r\nfew",
                    package.id
                ),
            };
            said.unwrap();
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let heard = if n == 0 { stream.sock.read(&mut [0; 99]) } else { stream.read_to_end(&mut bytes) };
                (n, begun.elapsed(), heard)
            })
        })
        .into();

    let view = firmware.client(&place.credentials("ben"));
    assert_eq!(all(&view, &package), ["allowed", "allowed", "role", "role", "role"]);
    let roleless = firmware.client(&odd(&place, None, (2020, 2100)));
    // The answer to HEAD has no body, and so no word for why.
    assert_eq!(all(&roleless, &package), ["no-role", "", "no-role", "no-role", "no-role"]);
    let expired = firmware.client(&odd(&place, Some("tadpole-push"), (2010, 2020)));
    assert_eq!(all(&expired, &package), ["not let in"; 5]);
    let elsewhere = Authority::create(&place.path("elsewhere")).unwrap();
    elsewhere.client("eve", Role::Push, 1).unwrap();
    let text = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    // One who believes our device, and whom our device does not believe.
    let eve =
        Credentials::of(&text("site/ca.crt"), &text("elsewhere/clients/eve.crt"), &text("elsewhere/clients/eve.key"));
    assert_eq!(all(&firmware.client(&eve.unwrap()), &package), ["not let in"; 5]);
    // One who asks for another device than there is.
    place.authority.device("pole-13", &[]).unwrap();
    let wrong = Client::new(&place.credentials("anna"), "pole-13", &firmware.address).unwrap();
    assert_eq!(kind(wrong.status()), "not let in");
    // Without a certificate, and without TLS.
    let bare = {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(place.path("site/ca.crt")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        Arc::new(
            builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth(),
        )
    };
    let ask = b"GET /v1/status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for mut stream in
        [Box::new(firmware.raw(&bare)) as Box<dyn Stream>, Box::new(TcpStream::connect(&firmware.address).unwrap())]
    {
        let mut heard = Vec::new();
        let _ = stream.write_all(ask).and_then(|()| stream.read_to_end(&mut heard));
        assert!(!heard.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&heard));
    }

    for thread in silent {
        let (n, took, heard) = thread.join().unwrap();
        assert!((8..25).contains(&took.as_secs()), "silent one {n}: {took:?}, {heard:?}");
    }
    let after = push.status().unwrap();
    let (segments, seconds) =
        (after.cameras[0].segments - before.cameras[0].segments, after.uptime_s - before.uptime_s);
    // A segment is .64 s; the machine may be busy with other tests.
    assert!(2 * segments >= seconds * 100 / 64, "{segments} segments in {seconds} s");
    assert!(after.state != "degraded" && after.store.unwrap().candidate.is_none(), "{:?}", after.cameras);

    let mut probe = TcpStream::connect(&firmware.probe).unwrap();
    probe.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut heard = String::new();
    probe.read_to_string(&mut heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.contains("\"reasons\""), "{heard}");
}

trait Stream: std::io::Read + std::io::Write {}
impl<T: std::io::Read + std::io::Write> Stream for T {}

#[test]
fn a_model_that_is_pushed_through_cuts_is_tried_confirmed_and_taken_back() {
    let place = Place::new();
    let firmware = Served::start(&place);
    let push = firmware.client(&place.credentials("anna"));
    assert_eq!(push.status().unwrap().model.release, 1, "the bundle beside the empty store");
    let package = place.package(2, 1);

    // The connection is cut at every 64 KiB: 24 times, or as often as TADPOLE_CUTS says, the whole bundle at most.
    let config = tls(&place, "anna");
    let cuts = std::env::var("TADPOLE_CUTS").map_or(24, |cuts| cuts.parse::<usize>().unwrap());
    let cuts = cuts.min(package.bytes.len() / (64 << 10));
    let mut have = 0;
    while have < cuts * (64 << 10) {
        let mut stream = firmware.raw(&config);
        let digest = base64(&hex(&package.sha256));
        let total = package.bytes.len();
        write!(
            stream,
            "PUT /v1/models/{} HTTP/1.1\r\nhost: a\r\nrepr-digest: sha-256=:{digest}:\r\ncontent-range: bytes {have}-{}/{total}\r\n\
             content-length: {}\r\n\r\n",
            package.id,
            total - 1,
            total - have
        )
        .unwrap();
        stream.write_all(&package.bytes[have..have + (64 << 10)]).unwrap();
        stream.flush().unwrap();
        drop(stream);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{have} bytes are there, and no more come");
            // Whoever asks too often is told to wait.
            match push.arrived(&package) {
                Ok(there) if there.bytes as usize > have => {
                    have = there.bytes as usize;
                    break;
                }
                Ok(_) => {}
                Err(failure) => assert!(failure.may_pass(), "{failure:?}"),
            }
            std::thread::sleep(Duration::from_millis(125));
        }
    }
    println!("{cuts} cuts, at every 64 KiB of {} bytes", package.bytes.len());
    // What breaks the rules is refused, and what has arrived stays.
    assert_eq!(kind(push.put(&package, 5, &package.bytes[5..99])), "offset");
    let Err(Failure::Refused(told)) = push.put(&package, 0, &package.bytes[..99]) else { panic!("taken twice") };
    assert_eq!((told.status, told.offset), (409, Some(have as u64)));
    let mut seen = Vec::new();
    let there = push.upload(&package, |bytes| {
        seen.push(bytes);
        true
    });
    assert!(
        there.unwrap().whole && seen[0] as usize == have && seen.windows(2).all(|pair| pair[0] < pair[1]),
        "{seen:?}"
    );

    let refused = |mut package: Package, change: fn(&mut Package)| {
        change(&mut package);
        kind(push.upload(&package, |_| true))
    };
    assert_eq!(refused(place.package(3, 9), |_| {}), "refused", "a stranger signed it");
    assert_eq!(
        refused(place.package(3, 1), |package| package.bytes[9_000_000] ^= 1),
        "refused",
        "another hash than announced"
    );
    assert_eq!(
        refused(place.package(3, 1), |package| package.id = "0".repeat(64)),
        "refused",
        "another id than announced"
    );
    // A package that would be too large: nothing of it is taken.
    let mut stream = firmware.raw(&config);
    let large = "PUT /v1/models/ID HTTP/1.1\r\nhost: a\r\nrepr-digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n\
                 content-length: 600000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(large.replace("ID", &package.id).as_bytes()).unwrap();
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"HTTP/1.1 413");

    let before = push.status().unwrap().cameras[0].segments;
    assert_eq!(push.activate(&package.id).unwrap().trial.unwrap().stage, "to be proved");
    assert_eq!(push.activate(&package.id).unwrap().candidate.unwrap().release, 2, "it may be asked for again");
    firmware.wait(&push, "in shadow", |status| {
        let stage = status.store.as_ref().and_then(|store| store.trial.as_ref()).map(|trial| trial.stage.clone());
        stage.as_deref() == Some("in shadow")
    });
    let status = firmware.wait(&push, "confirmed", |status| {
        status.store.as_ref().is_some_and(|store| store.trial.is_none() && store.past.len() == 2)
    });
    let store = status.store.unwrap();
    assert_eq!((store.past[1].end.as_str(), store.past[1].model.release), ("confirmed", 2), "{store:?}");
    assert_eq!((status.model.release, store.previous.unwrap().release), (2, 1));
    assert!(status.cameras[0].segments > before && status.state != "degraded");

    // Back to the one before: the firmware ends, for systemd to start it again.
    assert!(push.roll_back().unwrap().restarts);
    let (code, said) = firmware.run.end();
    assert_eq!(code, Some(1), "{said}");
    let again = Served::start(&place);
    let push = again.client(&place.credentials("anna"));
    assert_eq!(push.status().unwrap().model.release, 1);
    let journal = std::fs::read_to_string(place.path("events.jsonl")).unwrap();
    assert!(journal.contains("release 1 is taken back by a new start"), "{journal}");
}

#[test]
fn a_full_or_read_only_disk_takes_no_model_and_the_camera_goes_on() {
    let place = Place::new();
    let store = place.path("store");
    let Some(run) = SmallDisk::under(&program("tadpole"), &store, None) else { return };
    let firmware = Served::of(Firmware::start_by(run, &place.path("tadpole.toml")));
    let disk = SmallDisk::of(firmware.run.id(), store);
    let push = firmware.client(&place.credentials("anna"));
    let before = firmware.wait(&push, "scoring", |status| status.cameras[0].segments > 1);
    let package = place.package(2, 1);
    let half = package.bytes.len() / 2;
    let arrived = || push.arrived(&package).unwrap().bytes as usize;

    // Too little room to begin; enough, and gone half-way.
    disk.leave(33);
    assert_eq!(kind(push.put(&package, 0, &package.bytes[..half])), "no-room");
    assert_eq!(arrived(), 0);
    disk.leave(128);
    assert_eq!(kind(push.put(&package, 0, &package.bytes[..half])), "allowed");
    disk.leave(1);
    assert_eq!(kind(push.put(&package, half as u64, &package.bytes[half..])), "no-room");
    assert_eq!(arrived(), half, "what has arrived stays");
    disk.leave(128);

    // Enough to begin, and full in the middle of a request.
    let (digest, total) = (base64(&hex(&package.sha256)), package.bytes.len());
    let mut stream = firmware.raw(&tls(&place, "anna"));
    write!(
        stream,
        "PUT /v1/models/{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nrepr-digest: sha-256=:{digest}:\r\n\
         content-range: bytes {half}-{}/{total}\r\ncontent-length: {}\r\n\r\n",
        package.id,
        total - 1,
        total - half
    )
    .unwrap();
    let begun = half + (1 << 20);
    stream.write_all(&package.bytes[half..begun]).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    disk.fill();
    // The refusal comes before all is sent, and whoever goes on to send hears it all the same.
    stream.write_all(&package.bytes[begun..]).and_then(|()| stream.flush()).unwrap();
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"HTTP/1.1 507", "{}", String::from_utf8_lossy(&heard));
    let have = arrived();
    assert!((half + (512 << 10)..total).contains(&have), "{have}");
    assert_eq!(kind(push.put(&package, have as u64, &package.bytes[have..])), "no-room");
    disk.leave(128);
    assert_eq!(arrived(), have);

    disk.read_only(true);
    assert_eq!(kind(push.put(&package, have as u64, &package.bytes[have..])), "failed");
    assert!(push.roll_back().is_err());
    let status = push.status().unwrap();
    assert_eq!((status.model.release, status.store.unwrap().current.unwrap().release), (1, 1));
    disk.read_only(false);

    assert!(push.upload(&package, |_| true).unwrap().whole, "it goes on where it ended");
    push.activate(&package.id).unwrap();
    let after = firmware.wait(&push, "confirmed", |status| {
        status.model.release == 2 && status.store.as_ref().is_some_and(|store| store.trial.is_none())
    });
    let segments = after.cameras[0].segments - before.cameras[0].segments;
    let seconds = after.uptime_s - before.uptime_s;
    // A segment is .64 s; the machine may be busy with other tests.
    assert!(2 * segments >= seconds * 100 / 64, "{segments} segments in {seconds} s");
}

#[test]
fn sigterm_ends_it_within_two_seconds_whoever_is_connected() {
    let place = Place::new();
    let firmware = Served::start(&place);
    let package = place.package(2, 1);
    let push = firmware.client(&place.credentials("anna"));
    push.put(&package, 0, &package.bytes[..1 << 20]).unwrap();
    let mut half = firmware.raw(&tls(&place, "anna"));
    let digest = base64(&hex(&package.sha256));
    let (first, total) = (1 << 20, package.bytes.len());
    write!(
        half,
        "PUT /v1/models/{} HTTP/1.1\r\nhost: a\r\nrepr-digest: sha-256=:{digest}:\r\ncontent-range: bytes {first}-{}/{total}\r\n\
         content-length: {}\r\n\r\nfew",
        package.id,
        total - 1,
        total - first
    )
    .unwrap();
    half.flush().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let (took, said) = firmware.run.stop();
    assert!(took < Duration::from_secs(2), "{took:?}: {said}");
    // What had arrived is there still.
    let again = Served::start(&place);
    let there = again.client(&place.credentials("anna")).arrived(&package).unwrap();
    assert!(!there.whole && there.bytes >= 1 << 20, "{there:?}");
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).unwrap()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let whole = chunk.iter().chain([&0, &0]).take(3).fold(0usize, |whole, byte| whole << 8 | usize::from(*byte));
        (0..4).map(move |n| if n <= chunk.len() { DIGITS[whole >> (18 - 6 * n) & 63] as char } else { '=' })
    });
    digits.collect()
}
