//! Connections of browsers: accepted and counted as those of the control service are, by the same limits.

use std::sync::Arc;

use axum::body::Body;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::gate::Gate;
use super::{Desk, NAME};
use crate::control::limits::{self, Buckets};
use crate::control::listen::{Seats, http, next};

/// Accept browsers for ever.
pub async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let gate = Arc::new(Gate::new(&desk));
    let seats = Arc::new(Seats::default());
    let mut rates = Buckets::new(limits::CONNECTION_RATE);
    loop {
        let Some((stream, peer)) = next(NAME, &listener).await else { continue };
        let origin = limits::origin(peer.ip());
        let seat = if rates.take(origin, desk.clock.now()) { seats.take(origin) } else { None };
        let Some(seat) = seat else {
            log::debug!("{NAME}: {peer} has too many connections");
            continue;
        };
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let served = http(NAME, stream, peer, |request| Arc::clone(&gate).pass(origin, request.map(Body::new)));
            if timeout(limits::CONNECTION_MAX, served).await.is_err() {
                log::debug!("{NAME}: {peer} was connected for too long");
            }
            drop(seat);
        });
    }
}
