//! The live page: what the cameras see and score comes in, and goes out to the browser of whoever stands at the roadside. docs/ref/page.md
//! is its reference.
//!
//! | file | what |
//! |---|---|
//! | [`board`] | what the cameras leave here: scores, thumbnails, rows; each for a moment, never waiting |
//! | [`frames`] | the newest frame of a camera, when somebody wants to see it |
//! | [`book`] | the alarms, with the segments that raised them |
//! | [`keeper`] | fills the book from the board |
//! | [`desk`] | all that requests see and move |
//! | [`listen`], [`gate`], [`session`] | connections; what a request must pass; who is signed in |
//! | [`routes`] | the requests that there are |
//! | [`api`], [`stream`], [`assets`], [`metrics`] | their answers |
//! | [`picture`] | frames and thumbnails as JPEG |
//! | [`marks`] | what people say of alarms, on disk |
//! | [`masks`] | masks that were drawn, into the config |
//!
//! It lives on one thread, an async runtime inside, with the limits and refusals of the [`control`](crate::control) service. Cameras do without
//! it: they never wait for it, and its end is no failure of theirs. Refused: whoever is not signed in, where there is a password; pages of others
//! that want a browser to do something here.

mod api;
mod assets;
pub mod board;
pub mod book;
pub mod desk;
pub mod frames;
mod gate;
mod keeper;
mod listen;
pub mod marks;
pub mod masks;
pub mod metrics;
mod picture;
pub mod routes;
pub mod session;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::control::Pages;
use crate::{Error, ErrorKind, Result};

pub use board::Board;
pub use desk::Desk;

/// What logs and the journal call it.
pub const NAME: &str = "page";
/// How often it looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(50);
/// Pictures are made, and disks waited for, by this many at a time.
const WORKERS_MAX: usize = 2;

/// The page for those whom the control service lets in: it asks for no password.
pub fn for_known(desk: &Arc<Desk>) -> Pages {
    let gate = Arc::new(gate::Gate::new(desk));
    Arc::new(move |request| Box::pin(Arc::clone(&gate).pass_known(request)))
}

/// Serve the page at `address` until `stopped`. `told` is called with the address once it listens: port 0 is any free one.
///
/// # Errors
/// When nothing can be listened on; trying again may help.
pub fn serve(
    address: SocketAddr,
    desk: &Arc<Desk>,
    told: &dyn Fn(SocketAddr),
    stopped: &dyn Fn() -> bool,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(WORKERS_MAX)
        .thread_name("page-work")
        .build()
        .map_err(|error| Error::failed(NAME, format!("cannot be started: {error}"), "free some memory"))?;
    let ended = runtime.block_on(async {
        let refused = |error: std::io::Error| {
            let remedy = "set `listen` under [page] to an address of this machine and a free port";
            Error::unavailable(NAME, format!("cannot listen on {address}: {error}"), remedy)
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let here = listener.local_addr().map_err(refused)?;
        log::info!("{NAME}: http://{here}/");
        told(here);
        let tasks =
            [tokio::spawn(listen::accept(listener, Arc::clone(desk))), tokio::spawn(keeper::keep(Arc::clone(desk)))];
        while !stopped() {
            if tasks.iter().any(tokio::task::JoinHandle::is_finished) {
                let problem = "a task of it has ended";
                return Err(Error::new(ErrorKind::Panicked, NAME, problem, "report this, with the log"));
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    });
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests;
