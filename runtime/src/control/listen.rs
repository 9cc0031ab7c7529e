//! Connections of clients: let in by a [`Door`], and served one request after another until they end, are too slow or too old. Whoever
//! shows no certificate of ours in the handshake is gone before a request is read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::door::{Door, Guest};
use super::gate::Gate;
use super::identity::Client;
use super::{Desk, NAME, limits, linger};

/// Accept clients for ever.
pub(super) async fn accept(listener: TcpListener, tls: Arc<ServerConfig>, desk: Arc<Desk>) {
    let acceptor = TlsAcceptor::from(tls);
    let gate = Arc::new(Gate::new(&desk));
    let mut door = Door::new(NAME, listener, Some(limits::CONNECTION_RATE));
    loop {
        let Guest { stream, peer, seat } = door.next(&*desk.clock).await;
        let (acceptor, gate) = (acceptor.clone(), Arc::clone(&gate));
        tokio::spawn(async move {
            if timeout(limits::CONNECTION_MAX, serve(stream, peer, &acceptor, &gate)).await.is_err() {
                log::debug!("{NAME}: {peer} was connected for too long");
            }
            drop(seat);
        });
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
