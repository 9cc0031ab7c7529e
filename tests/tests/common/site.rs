//! A site with running cameras on this machine: certificates, configs, and stores with a first model.

#![allow(dead_code, clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use firmware_config::PublicKey;
use serde_json::Value;
use system_tests::{run, succeed};
use trainer::site::client::{Client, Credentials, Status};

use super::firmware::Firmware;
use super::models::{Kind, key, release};

/// Cameras' firmware, and the site that they belong to.
pub struct Site {
    /// Where all of it lies.
    pub folder: tempfile::TempDir,
    /// The cameras.
    pub poles: Vec<Pole>,
}

/// A camera.
pub struct Pole {
    name: String,
    port: u16,
    /// Its config.
    pub config: PathBuf,
}

impl Site {
    /// Cameras of these names with the good model's first release, which trust key 1; `trial` is their `[trial]`.
    pub fn new(names: &[&str], trial: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site").display().to_string();
        succeed("tadpole-trainer", ["site", "new", &site]);
        succeed("tadpole-trainer", ["site", "client", &site, "anna", "--role", "push"]);
        let first = release(folder.path(), 1, Kind::Good, 1);
        let poles = names.iter().map(|name| Pole::new(folder.path(), name, trial, &first)).collect();
        Self { folder, poles }
    }

    /// The site's folder.
    pub fn path(&self) -> String {
        self.folder.path().join("site").display().to_string()
    }

    /// The cameras, as the command line names them.
    pub fn to(&self) -> String {
        self.poles.iter().map(|pole| format!("{}=127.0.0.1:{}", pole.name, pole.port)).collect::<Vec<_>>().join(",")
    }

    /// Push a bundle to both; the exit code and what was printed.
    pub fn push(&self, bundle: &str) -> (i32, Value) {
        self.push_with(bundle, &[])
    }

    /// As [`Site::push`], with more flags.
    pub fn push_with(&self, bundle: &str, more: &[&str]) -> (i32, Value) {
        let (to, site) = (self.to(), self.path());
        let args = ["push", bundle, "--to", &to, "--site", &site, "--json"];
        let output = run("tadpole-trainer", args.iter().chain(more));
        let told = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
        (output.status.code().unwrap(), json)
    }

    /// A way to a camera.
    pub fn client(&self, pole: &Pole) -> Client {
        let credentials = Credentials::read(&self.folder.path().join("site"), "anna").unwrap();
        Client::new(&credentials, &pole.name, &format!("127.0.0.1:{}", pole.port)).unwrap()
    }

    /// How a camera is.
    pub fn status(&self, pole: &Pole) -> Status {
        self.client(pole).status().unwrap_or_else(|failure| panic!("{failure:?}"))
    }
}

impl Pole {
    fn new(folder: &Path, name: &str, trial: &str, model: &str) -> Self {
        let site = folder.join("site").display().to_string();
        succeed("tadpole-trainer", ["site", "device", &site, name]);
        let own = folder.join(name);
        std::fs::create_dir(&own).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "[[camera]]\nname = \"{name}\"\nsource = \"sim://?seed=1&seconds=900&incident=none\"\n[model]\nbundle = \"store\"\n\
             trusted_keys = [\"{}\"]\nengine = \"tract\"\n[output.gpio]\nkind = \"memory\"\n[output.journal]\npath = \"events.jsonl\"\n\
             [control]\nlisten = \"127.0.0.1:{port}\"\ntls = \"../site/devices/{name}\"\n[trial]\n{trial}\n",
            PublicKey::from(&key(1))
        );
        let config = own.join("tadpole.toml");
        std::fs::write(&config, text).unwrap();
        let at = config.display().to_string();
        succeed("tadpole", ["model", "install", model, "--config", &at]);
        succeed("tadpole", ["model", "activate", "--config", &at]);
        Self { name: name.into(), port, config }
    }

    /// Run its firmware until it has loaded its model.
    pub fn start(&self) -> Firmware {
        let mut firmware = Firmware::start(&self.config);
        firmware.wait_for("extractor runs on");
        firmware
    }
}
