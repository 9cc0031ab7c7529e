//! The live page of a run: `[page]` of a config and what the run holds come in, a supervised thread goes out. A page that fails is served
//! again for ever and ends no run: alarms need nobody who looks.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use firmware_config::config::{Config, PASSWORD_BYTES_MIN, Page as Settings};
use runtime::alarm::duty::Arming;
use runtime::control::Pages;
use runtime::health::clock::SystemClock;
use runtime::health::sensors::Sensors;
use runtime::health::supervision::{Stage, Supervisor};
use runtime::health::{Clock as _, Health};
use runtime::output::{AlarmEvent, Outputs};
use runtime::page::desk::{Ear, Mute, Parts};
use runtime::page::marks::Marks;
use runtime::page::{Board, Desk, NAME, for_known, serve};
use runtime::pipeline::watch::{Shared, lock};
use runtime::store::{Store, is_store};
use runtime::{Error, Result};

use super::super::page::View;
use super::beside;
use super::camera::Site;

/// A page that is to be.
pub struct Page {
    listen: SocketAddr,
    password: Option<String>,
    board: Arc<Board>,
    alarms: Receiver<(Duration, AlarmEvent)>,
}

/// A page that can be served.
pub struct Service {
    listen: SocketAddr,
    desk: Arc<Desk>,
}

impl Page {
    /// What a config asks for, and an ear among the outputs; nothing when it has no `[page]`.
    ///
    /// # Errors
    /// Of kind `InvalidInput` for an address that is none, or a password that cannot be read or is too short.
    pub fn of(config: &Config, file: &Path, clock: SystemClock, outputs: &mut Outputs) -> Result<Option<Self>> {
        let Some(Settings { listen, password_file, .. }) = &config.page else { return Ok(None) };
        let listen = listen.parse().map_err(|error| {
            Error::invalid("page.listen", format!("is no address with a port: {error}"), "write `127.0.0.1:8480`")
        })?;
        let password = password_file.as_ref().map(|path| password(&beside(file, path))).transpose()?;
        let (ear, alarms) = Ear::new(Box::new(clock));
        outputs.push(ear);
        Ok(Some(Self { listen, password, board: Arc::new(Board::new(config.cameras.len())), alarms }))
    }

    /// Where cameras leave what it shows.
    pub fn view(&self) -> View {
        View::on(&self.board)
    }

    /// The page of a run.
    pub fn service(self, config: &Config, file: &Path, site: &Site, healths: &[Shared<Health>]) -> Service {
        let bundle = beside(file, &config.model.bundle);
        let folder = bundle.parent().unwrap_or(Path::new(".")).to_owned();
        let live = Arc::clone(site.live);
        let desk = Desk::new(Parts {
            cameras: config.cameras.iter().map(|camera| camera.name.clone()).collect(),
            masks: site.masks.clone(),
            healths: healths.to_vec(),
            board: self.board,
            clock: Box::new(site.clock),
            outputs: Arc::clone(&site.outputs),
            alarms: self.alarms,
            model: Box::new(move || super::super::page::model(&live.lead().bundle)),
            shed: Arc::clone(&site.shed),
            sensors: Sensors::find(Path::new("/")),
            store: is_store(&bundle).then(|| Store::new(bundle)),
            password: self.password,
            marks: Some(Marks::new(folder)),
            config: Some(file.to_owned()),
            mute: Some(Box::new(Silence { arming: Arc::clone(&site.arming), clock: site.clock })),
            outbox: site.outbox.clone(),
            recorder: site.recorder.clone(),
        });
        Service { listen: self.listen, desk: Arc::new(desk) }
    }
}

/// Mutes the cameras of a run.
struct Silence {
    arming: Shared<Arming>,
    clock: SystemClock,
}

impl Mute for Silence {
    fn mute(&self, time: Duration) {
        lock(&self.arming).mute(self.clock.now(), time);
    }

    fn left(&self) -> Duration {
        lock(&self.arming).muted(self.clock.now()).unwrap_or_default()
    }
}

impl Service {
    /// The page for those whom the control service lets in.
    pub fn for_known(&self) -> Pages {
        for_known(&self.desk)
    }

    /// Serve until the run is `done`.
    ///
    /// # Errors
    /// None that ends a run.
    pub fn run(self, supervisor: &Supervisor<'_>, site: &Site, done: &AtomicBool) -> Result<()> {
        let stopped = || done.load(Ordering::Relaxed) || site.stop.asked();
        supervisor.attend(Stage::Aside(NAME), || serve(self.listen, &self.desk, &|_| {}, &stopped))
    }
}

/// The password that a file holds; a line break at its end is none of it.
fn password(path: &Path) -> Result<String> {
    let told = path.display().to_string();
    let remedy = "write it there, for this user alone to read, or let `tadpole-trainer provision` do it";
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::invalid(&told, format!("the page's password cannot be read: {error}"), remedy))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.len() < PASSWORD_BYTES_MIN {
        let problem = format!("the page's password has fewer than {PASSWORD_BYTES_MIN} bytes");
        return Err(Error::invalid(told, problem, "choose a longer one"));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line_of_some_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        assert!(password(&path).is_err());
        std::fs::write(&path, "wide verge \r\n").unwrap();
        assert_eq!(password(&path).unwrap(), "wide verge ");
        std::fs::write(&path, "short\n").unwrap();
        assert!(password(&path).unwrap_err().to_string().contains("fewer than 8"));
    }
}
