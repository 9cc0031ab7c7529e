//! The control service: how a camera is asked how it is, and is given models, over a network. Requests of clients with a certificate
//! come in over HTTPS; answers go out, and bundles into the [`store`](crate::store). docs/ref/http.md is its reference.
//!
//! | file | what |
//! |---|---|
//! | [`door`] | who may connect: how many, how often |
//! | [`listen`] | connections: TLS, how long, from whom |
//! | [`linger`] | their end: the last answer is heard |
//! | [`identity`] | what the device proves itself with, whom it lets in, and as what |
//! | [`gate`] | what every request must pass: a role, a rate, a time |
//! | [`route`], [`routes`] | what a request is; those that there are |
//! | [`status`], [`models`], [`upload`], [`marks`] | their answers |
//! | [`problem`] | refusals |
//! | [`limits`] | how much of everything |
//! | [`probe`] | on loopback, without TLS: is all well? |
//!
//! It lives on one thread, an async runtime of its own inside; what waits for a disk is done on others. A camera's thread never waits for it:
//! they share what [`Desk`] holds, each for a moment. Refused: whoever has no certificate of the site's authority, before a byte of a
//! request is read.

pub(crate) mod door;
pub mod gate;
pub mod identity;
pub mod limits;
mod linger;
pub(crate) mod listen;
pub mod marks;
mod models;
mod probe;
pub mod problem;
pub mod route;
pub mod routes;
mod status;
mod upload;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use firmware_config::config::EngineChoice;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::health::calendar::{self, Calendar};
use crate::health::{Clock, Health};
use crate::pipeline::watch::{Shared, lock};
use crate::store::live::Live;
use crate::store::{Store, Trust};
use crate::{Error, ErrorKind, Result};

/// What logs and the journal call it.
pub const NAME: &str = "control service";
/// How often it looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(50);
/// Between an answer and the end of the run that it announces.
const PARTING: Duration = Duration::from_millis(300);
/// What waits for a disk may do so this many at a time.
const WAITERS_MAX: usize = 4;

/// Where it listens, and what it goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port of HTTPS; the health probe is on loopback, one port higher.
    pub listen: SocketAddr,
    /// Folder of `device.crt`, `device.key` and `clients.crt`.
    pub tls: PathBuf,
    /// What certificates are judged by.
    pub calendar: Arc<Calendar>,
}

/// Answers what is not of this service, to whoever may ask: the live page.
pub type Pages = Arc<dyn Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// What requests see and move of a run.
pub struct Desk {
    /// The health of every camera.
    pub healths: Vec<Shared<Health>>,
    /// The time since the start of the run.
    pub clock: Box<dyn Clock>,
    /// The model that decides.
    pub live: Arc<Live>,
    /// What computes it.
    pub engine: EngineChoice,
    /// Its store; none when the config names a bundle.
    pub store: Option<(Store, Trust)>,
    /// Where free space is told of: the folder of the store or bundle.
    pub folder: PathBuf,
    /// The live page, if there is one.
    pages: Option<Pages>,
    /// One upload at a time.
    uploads: Arc<Semaphore>,
    /// Why the run is to start anew, once somebody wanted that.
    restart: Mutex<Option<String>>,
    /// Where the service and the probe listen, once they do.
    bound: Mutex<Option<[SocketAddr; 2]>>,
}

impl Desk {
    /// A desk with nothing going on.
    pub fn new(
        healths: Vec<Shared<Health>>,
        clock: Box<dyn Clock>,
        live: Arc<Live>,
        engine: EngineChoice,
        store: Option<(Store, Trust)>,
        folder: PathBuf,
    ) -> Self {
        let uploads = Arc::new(Semaphore::new(1));
        let (restart, bound) = Default::default();
        Self { healths, clock, live, engine, store, folder, pages: None, uploads, restart, bound }
    }

    /// As this, and what no request of the service has as its path is asked of the live page.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>) -> Self {
        Self { pages, ..self }
    }

    /// Where the service and the probe listen, once they do.
    pub fn bound(&self) -> Option<[SocketAddr; 2]> {
        *lock(&self.bound)
    }
}

/// Serve until `stopped`, or until a request wants the run to start anew: then the reason.
///
/// # Errors
/// When certificates cannot be read or nothing can be listened on; trying again may help.
pub fn serve(settings: &Settings, desk: &Arc<Desk>, stopped: &dyn Fn() -> bool) -> Result<Option<String>> {
    let tls = Arc::new(identity::server_config(&settings.tls, &settings.calendar)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(WAITERS_MAX)
        .thread_name("control-disk")
        .build()
        .map_err(|error| Error::failed(NAME, format!("cannot be started: {error}"), "free some memory"))?;
    let ended = runtime.block_on(async {
        let ((https, here), (probe, there)) =
            (bind(settings.listen).await?, bind(probe::address(settings.listen)?).await?);
        log::info!("{NAME}: listening on {here}, health probe on {there}");
        *lock(&desk.bound) = Some([here, there]);
        let tasks = [
            tokio::spawn(listen::accept(https, tls, Arc::clone(desk))),
            tokio::spawn(probe::accept(probe, Arc::clone(desk))),
            tokio::spawn(keep(Arc::clone(&settings.calendar))),
        ];
        while !stopped() && lock(&desk.restart).is_none() {
            if tasks.iter().any(tokio::task::JoinHandle::is_finished) {
                return Err(Error::new(
                    ErrorKind::Panicked,
                    NAME,
                    "a task of it has ended",
                    "report this, with the log",
                ));
            }
            tokio::time::sleep(GLANCE).await;
        }
        if !stopped() {
            tokio::time::sleep(PARTING).await;
        }
        Ok(lock(&desk.restart).take())
    });
    // Whoever waits for a disk is left to it: what the store does may end at any point.
    runtime.shutdown_background();
    ended
}

/// Keep the date from time to time, for ever.
async fn keep(calendar: Arc<Calendar>) {
    loop {
        let kept = Arc::clone(&calendar);
        // A panic in there concerns nobody else, and was logged.
        let _ = tokio::task::spawn_blocking(move || kept.keep()).await;
        tokio::time::sleep(calendar::LOOK_EVERY).await;
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let refused = |error: std::io::Error| {
        let remedy = "set `listen` under [control] to an address of this machine and a free port";
        Error::unavailable(NAME, format!("cannot listen on {address}: {error}"), remedy)
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// Where the probe of a service on `port` is.
fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests;
