//! One camera among many: the real program, a real mosquitto and hawkBit's mock server. Presence and last will, the broker away and back,
//! the doorbell, a model that is pulled and confirmed, one that a stranger signed.

#![allow(clippy::unwrap_used)]

#[path = "common/broker.rs"]
mod broker;
#[path = "common/models.rs"]
mod models;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use broker::{Broker, Ear, free_port};
use firmware_config::PublicKey;
use hawkbit::ddi::{Execution, Finished, Type};
use hawkbit_mock::ddi::{ChunkProtocol, DeploymentBuilder, ServerBuilder};
use models::{Kind, key};
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
