//! The live page of a demo, on loopback: what it watches comes in, a thread that serves goes out, and ends with the demo.

use runtime::source::open::Opened;

use super::super::page::View;

/// A page, in firmware that was built without the feature `page`: there is none.
#[cfg(not(feature = "page"))]
pub enum Page {}

#[cfg(not(feature = "page"))]
impl Page {
    /// As the one with the feature.
    pub fn view(&self) -> View {
        match *self {}
    }

    /// As the one with the feature.
    pub fn over(&self, _source: Opened) -> Opened {
        match *self {}
    }
}

#[cfg(feature = "page")]
pub use served::Page;

#[cfg(feature = "page")]
mod served {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::sync_channel;
    use std::thread::JoinHandle;

    use runtime::bundle::Bundle;
    use runtime::health::sensors::Sensors;
    use runtime::page::desk::{Ear, Parts};
    use runtime::page::{Board, Desk, NAME, serve};
    use runtime::pipeline::watch::{Shared, lock};
    use runtime::source::mask::{PrivacyMask, Shapes};
    use runtime::{Error, Result};

    use super::super::super::page::model;
    use super::super::super::show::Told;
    use super::{Opened, View};

    /// A page that is served.
    pub struct Page {
        board: Arc<Board>,
        mask: PrivacyMask,
        ended: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Page {
        /// Serve what `told` hears of, at this port of loopback.
        ///
        /// # Errors
        /// When the port is not free.
        pub fn start(port: u16, told: &Told, bundle: &Bundle) -> Result<Self> {
            let (ear, alarms) = Ear::new(Box::new(told.clock));
            lock(&told.outputs).push(ear);
            let (board, mask) = (Arc::new(Board::new(1)), PrivacyMask::new(Shapes::default()));
            let model = model(bundle);
            let desk = Arc::new(Desk::new(Parts {
                cameras: vec![told.camera.to_owned()],
                masks: vec![mask.clone()],
                healths: vec![Shared::clone(&told.health)],
                board: Arc::clone(&board),
                clock: Box::new(told.clock),
                outputs: Shared::clone(&told.outputs),
                alarms,
                model: Box::new(move || model.clone()),
                shed: Shared::default(),
                sensors: Sensors::find(Path::new("/")),
                store: None,
                password: None,
                marks: None,
                config: None,
                mute: None,
                outbox: None,
                recorder: None,
            }));
            let ended = Arc::new(AtomicBool::new(false));
            let (say, hear) = sync_channel(1);
            let stop = Arc::clone(&ended);
            let run = move || {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let listens = |_: SocketAddr| _ = say.try_send(Ok(()));
                let served = serve(address, &desk, &listens, &|| stop.load(Ordering::Relaxed));
                if let Err(error) = served {
                    // Whoever started it is told if it still listens, and reads the log otherwise.
                    log::error!("{error}");
                    let _ = say.try_send(Err(error));
                }
            };
            let no_thread = |e| Error::failed(NAME, format!("no thread can be started: {e}"), "free some memory");
            let thread = std::thread::Builder::new().name(NAME.into()).spawn(run).map_err(no_thread)?;
            let died = || Error::failed(NAME, "has ended", "see the log");
            hear.recv().map_err(|_| died())??;
            Ok(Self { board, mask, ended, thread: Some(thread) })
        }

        /// Where the demo leaves what it shows.
        pub fn view(&self) -> View {
            View::on(&self.board)
        }

        /// Let the frames of `source` be masked and seen.
        pub fn over(&self, source: Opened) -> Opened {
            self.view().of(0, self.mask.over(source))
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            self.ended.store(true, Ordering::Relaxed);
            // One that panicked has left nothing behind to clean up.
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}
