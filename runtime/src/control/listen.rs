//! Connections of clients: accepted, counted, and served one request after another until they end, are too slow or too old. Whoever
//! shows no certificate of ours in the handshake is gone before a request is read.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::gate::Gate;
use super::identity::Client;
use super::limits::{self, Buckets};
use super::{Desk, NAME, linger};
use crate::pipeline::watch::lock;

/// After a failure to accept, such as too many open files.
const BREATH: Duration = Duration::from_secs(1);

/// Who is connected, by address.
#[derive(Default)]
pub(crate) struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// A connection's seat, given back when dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    origin: IpAddr,
}

impl Seats {
    /// A seat for one more, if there is one.
    pub(crate) fn take(self: &Arc<Self>, origin: IpAddr) -> Option<Seat> {
        let mut taken = lock(&self.0);
        let all: usize = taken.values().sum();
        let of_one = taken.get(&origin).copied().unwrap_or(0);
        if all >= limits::CONNECTIONS_MAX || of_one >= limits::CONNECTIONS_OF_ONE_MAX {
            return None;
        }
        taken.insert(origin, of_one + 1);
        Some(Seat { seats: Arc::clone(self), origin })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.0);
        match taken.get_mut(&self.origin) {
            Some(of_one) if *of_one > 1 => *of_one -= 1,
            _ => _ = taken.remove(&self.origin),
        }
    }
}

/// Accept clients for ever.
pub(super) async fn accept(listener: TcpListener, tls: Arc<ServerConfig>, desk: Arc<Desk>) {
    let acceptor = TlsAcceptor::from(tls);
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
        let (acceptor, gate) = (acceptor.clone(), Arc::clone(&gate));
        tokio::spawn(async move {
            if timeout(limits::CONNECTION_MAX, serve(stream, peer, &acceptor, &gate)).await.is_err() {
                log::debug!("{NAME}: {peer} was connected for too long");
            }
            drop(seat);
        });
    }
}

/// The next connection.
pub(crate) async fn next(name: &str, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            log::warn!("{name}: no connection can be accepted: {error}");
            tokio::time::sleep(BREATH).await;
            None
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, acceptor: &TlsAcceptor, gate: &Arc<Gate>) {
    let stream = match timeout(limits::HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return log::info!("{NAME}: {peer} was not let in: {error}"),
        Err(_) => return log::debug!("{NAME}: {peer} did not end its handshake"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(client) = certificate.map(Client::of) else { return };
    gate.serve(stream, peer, client).await;
}

/// Serve the requests of one connection.
pub(crate) async fn http<S, F, A>(name: &str, mut stream: S, peer: SocketAddr, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(hyper::Request<Incoming>) -> A,
    A: Future<Output = axum::response::Response>,
{
    let service = service_fn(|request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADERS_MAX)
        .max_headers(limits::HEADER_FIELDS_MAX)
        .max_buf_size(limits::HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(&mut stream), service)
        .await;
    if let Err(error) = served {
        log::debug!("{name}: the connection of {peer} ended: {error}");
    }
    linger::linger(&mut stream).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_address_and_given_back() {
        let seats = Arc::new(Seats::default());
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let mut of_one: Vec<_> = (0..limits::CONNECTIONS_OF_ONE_MAX).map(|_| seats.take(address(1)).unwrap()).collect();
        assert!(seats.take(address(1)).is_none());
        of_one.pop();
        of_one.push(seats.take(address(1)).unwrap());
        let mut others = Vec::new();
        while let Some(seat) = seats.take(address(2 + others.len() as u8)) {
            others.push(seat);
        }
        assert_eq!(of_one.len() + others.len(), limits::CONNECTIONS_MAX);
        drop((of_one, others));
        assert!(lock(&seats.0).is_empty());
    }
}
