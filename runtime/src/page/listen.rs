//! Connections of browsers: let in as those of the control service are, by the same limits.

use std::sync::Arc;

use axum::body::Body;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::gate::Gate;
use super::{Desk, NAME};
use crate::control::door::{Door, Guest};
use crate::control::limits;
use crate::control::listen::http;

/// Accept browsers for ever.
pub async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let gate = Arc::new(Gate::new(&desk));
    let mut door = Door::new(NAME, listener, Some(limits::CONNECTION_RATE));
    loop {
        let Guest { stream, peer, seat } = door.next(&*desk.clock).await;
        let (gate, origin) = (Arc::clone(&gate), limits::origin(peer.ip()));
        tokio::spawn(async move {
            let served = http(NAME, stream, peer, |request| Arc::clone(&gate).pass(origin, request.map(Body::new)));
            if timeout(limits::CONNECTION_MAX, served).await.is_err() {
                log::debug!("{NAME}: {peer} was connected for too long");
            }
            drop(seat);
        });
    }
}
