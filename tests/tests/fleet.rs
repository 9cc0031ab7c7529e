//! One camera among many: the real program, a real mosquitto and hawkBit's mock server. Presence and last will, the broker away and back,
//! the doorbell, a model that is pulled and confirmed, one that a stranger signed; a broker behind TLS, and a clock that was never set.

#![allow(clippy::unwrap_used)]

#[path = "common/broker.rs"]
mod broker;
#[path = "common/clock.rs"]
mod clock;
#[path = "common/models.rs"]
mod models;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use broker::{Broker, Ear, free_port};
use firmware_config::PublicKey;
use hawkbit::ddi::{Execution, Finished, Type};
use hawkbit_mock::ddi::{ChunkProtocol, DeploymentBuilder, ServerBuilder};
use models::{Kind, key};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rumqttc::QoS;
use runtime::bundle::{Bundle, demo_keys};
use serde_json::Value;
use system_tests::{program, shipped, succeed};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The shipped model as another release, signed with key `by`.
fn release(folder: &Path, number: u64, by: u8) -> PathBuf {
    models::release(folder, number, Kind::Good, by).into()
}

fn sha256(path: &Path) -> String {
    let told = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(told.stdout).unwrap()[..64].to_owned()
}

/// A config with a store that holds release 1, and what else is given.
fn config(folder: &Path, more: &str) -> String {
    let key = PublicKey::from(&key(1));
    let text = format!(
        "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1&seconds=3600\"\n[model]\nbundle = \"store\"\n\
         trusted_keys = [\"{key}\"]\nengine = \"tract\"\n[trial]\nstage_s = 5\nsegment_ms = 640\ndrift = 1\n{more}"
    );
    let path = folder.join("tadpole.toml");
    std::fs::write(&path, text).unwrap();
    let config = path.display().to_string();
    let file = release(folder, 1, 1).display().to_string();
    succeed("tadpole", ["model", "install", &file, "--config", &config]);
    succeed("tadpole", ["model", "activate", "--config", &config]);
    config
}

/// A process that is killed when its test is over.
struct Running(Child);

impl Running {
    fn firmware(config: &str) -> Self {
        let mut command = Command::new(program("tadpole"));
        Self(command.args(["run", "--config", config]).env("RUST_LOG", "info").spawn().unwrap())
    }

    /// As [`Running::firmware`], started by a command that becomes it; its log goes into a file.
    fn logged(mut command: Command, config: &str, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        Self(command.args(["run", "--config", config]).env("RUST_LOG", "info").stderr(log).spawn().unwrap())
    }

    /// As a power cut would.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// As systemd would; how long it took.
    fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
        begun.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

#[test]
fn a_broker_knows_who_is_there_and_what_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(mosquitto) = Broker::start(port, folder.path()) else { return };
    let mqtt = format!("[output.mqtt]\nbroker = \"mqtt://127.0.0.1:{port}\"\ntopic = \"pole/12\"\n");
    let config = config(folder.path(), &mqtt);
    let ear = Ear::at(port);

    let mut firmware = Running::firmware(&config);
    ear.hears("pole/12/presence", |told| told == "online");
    let model: Value = serde_json::from_str(&ear.hears("pole/12/model", |_| true)).unwrap();
    assert_eq!((&model["release"], &model["stage"], &model["trial"]), (&1.into(), &"confirmed".into(), &Value::Null));
    assert_eq!(model["id"].as_str().unwrap().len(), 64);

    // Its last will.
    firmware.kill();
    ear.hears("pole/12/presence", |told| told == "offline");

    let mut firmware = Running::firmware(&config);
    ear.hears("pole/12/presence", |told| told == "online");
    // The broker is away, and has forgotten everything when it is back.
    drop(mosquitto);
    ear.forget();
    std::thread::sleep(Duration::from_secs(1));
    let again = Broker::start(port, folder.path()).unwrap();
    ear.hears("pole/12/presence", |told| told == "online");
    ear.hears("pole/12/model", |told| told.contains("confirmed"));

    let took = firmware.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    ear.hears("pole/12/presence", |told| told == "offline");

    // A broker that is not there at all holds nobody up.
    drop(again);
    let mut firmware = Running::firmware(&config);
    std::thread::sleep(Duration::from_secs(3));
    assert!(firmware.stop() < Duration::from_secs(2));
}

/// A broker's certificate that is good from 1 January of a year until that of another, its key, and who vouches for it.
fn papers(folder: &Path, years: (i32, i32)) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "broker");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("broker.crt"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(folder.join("broker.key"), key.serialize_pem()).unwrap();
}

/// Wait until a log says this.
fn says(log: &Path, text: &str) {
    let begun = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap();
        if said.contains(text) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "`{text}` never came: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_broker_behind_tls_is_judged_by_the_date_that_the_device_knows() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, encrypted) = (free_port(), free_port());
    let at = |name: &str| folder.path().join(name);
    // Root's mosquitto would become somebody else, who may not read the key.
    let tls = format!(
        "user root\nlistener {encrypted} 127.0.0.1\ncertfile {}\nkeyfile {}\n",
        at("broker.crt").display(),
        at("broker.key").display()
    );
    papers(folder.path(), (2060, 2100));
    let Some(mosquitto) = Broker::start_with(plain, folder.path(), &tls) else { return };
    let mqtt =
        format!("[output.mqtt]\nbroker = \"mqtts://127.0.0.1:{encrypted}\"\ntopic = \"pole/12\"\nca = \"ca.crt\"\n");
    let config = config(folder.path(), &mqtt);
    let ear = Ear::at(plain);
    let stands = clock::library(folder.path(), clock::IN_1970);
    let never_set = || {
        let mut command = Command::new(program("tadpole"));
        command.env("LD_PRELOAD", &stands);
        command
    };

    // This machine's clock was set, and the certificate has not begun.
    let firmware = Running::logged(Command::new(program("tadpole")), &config, &at("log"));
    says(&at("log"), "certificate not valid yet");
    drop(firmware);
    // A clock that was never set cannot know.
    let mut firmware = Running::logged(never_set(), &config, &at("log"));
    ear.hears("pole/12/presence", |told| told == "online");
    assert!(firmware.stop() < Duration::from_secs(2));
    ear.hears("pole/12/presence", |told| told == "offline");
    // But that this one had ended when the firmware was built, it does.
    drop(mosquitto);
    papers(folder.path(), (2010, 2020));
    let _mosquitto = Broker::start_with(plain, folder.path(), &tls).unwrap();
    let _firmware = Running::logged(never_set(), &config, &at("log"));
    says(&at("log"), "certificate expired");
}

#[test]
fn a_ring_at_the_door_and_a_model_is_pulled_and_confirmed_and_a_strangers_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(_mosquitto) = Broker::start(port, folder.path()) else { return };
    let server = ServerBuilder::default().build();
    let target = server.add_target("pole-12");
    std::fs::write(folder.path().join("token"), "Keypole-12\n").unwrap();
    let more = format!(
        "[hawkbit]\nserver = \"{}\"\ndevice = \"pole-12\"\ntoken_file = \"token\"\n\
         [output.mqtt]\nbroker = \"mqtt://127.0.0.1:{port}\"\ntopic = \"pole/12\"\n",
        server.base_url()
    );
    let config = config(folder.path(), &more);
    let ear = Ear::at(port);
    let mut firmware = Running::firmware(&config);
    ear.hears("pole/12/model", |told| told.contains("\"release\":1"));
    // The first poll comes by itself, the next one would come a minute later.
    let until = |what: &str, is: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let ring = || ear.client.clone().publish("pole/12/doorbell", QoS::AtLeastOnce, false, "ring").unwrap();
    until("the first poll", &|| target.poll_hits() > 0);
    let (polls, rung) = (target.poll_hits(), Instant::now());
    ring();
    until("the doorbell", &|| target.poll_hits() > polls);
    assert!(rung.elapsed() < Duration::from_secs(30));

    let deploy = |id: &str, file: PathBuf| {
        let hash = sha256(&file);
        let files = vec![(file, "-", "-", hash.as_str())];
        let plan = DeploymentBuilder::new(id, Type::Forced, Type::Forced);
        target.push_deployment(plan.chunk(ChunkProtocol::BOTH, "bApp", "1", "roadside", files).build());
        hash
    };
    let name = Bundle::open(shipped(), &demo_keys()).unwrap().manifest.name;
    let expect = |id: &'static str, execution, finished, text: &str| {
        target.expect_deployment_feedback(id, execution, finished, None, vec![text])
    };
    let _downloads = ["7", "8"].map(|id| expect(id, Execution::Download, Finished::None, "is being downloaded"));
    let stages = ["to be proved", "proved", "in shadow", "unconfirmed"];
    let _stages = stages.map(|stage| {
        expect("7", Execution::Proceeding, Finished::None, &format!("{name} release 2 is on trial: {stage}"))
    });
    let success = expect("7", Execution::Closed, Finished::Success, &format!("{name} release 2 is confirmed"));
    deploy("7", release(folder.path(), 2, 1));
    ring();
    ear.hears("pole/12/model", |told| told.contains("in shadow"));
    ear.hears("pole/12/model", |told| told.contains("\"release\":2") && told.contains("\"stage\":\"confirmed\""));
    until("success", &|| success.calls() > 0);

    let file = release(folder.path(), 3, 9);
    let error = Bundle::open(&file, &firmware_config::TrustedKeys::only((&key(1)).into())).unwrap_err();
    let told = format!("{}: {}; {}", sha256(&file), error.problem, error.remedy);
    let failure = expect("8", Execution::Closed, Finished::Failure, &told);
    deploy("8", file);
    ring();
    until("failure", &|| failure.calls() > 0);
    assert!(firmware.stop() < Duration::from_secs(2));
    let held: Value =
        serde_json::from_str(&succeed("tadpole", ["model", "list", "--json", "--config", &config])).unwrap();
    assert_eq!((&held["current"]["release"], &held["trial"]), (&2.into(), &Value::Null));
}
