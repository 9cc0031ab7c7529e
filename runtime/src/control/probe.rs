//! `GET /healthz` on loopback, without TLS: 200 when all is well, 503 when a camera is degraded, with the reasons. For whoever watches over
//! the machine itself. Nothing else is answered there.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::door::{Door, Guest};
use super::listen::http;
use super::problem::{Kind, Problem};
use super::{Desk, limits, loopback, status};
use crate::output::HealthState;
use crate::pipeline::watch::lock;
use crate::{Error, Result};

/// The one path.
const PATH: &str = "/healthz";

/// Where the probe of a service at `listen` is: one port higher, on loopback; any free one for any free one.
///
/// # Errors
/// When there is no higher port.
pub fn address(listen: SocketAddr) -> Result<SocketAddr> {
    let port = if listen.port() == 0 { Some(0) } else { listen.port().checked_add(1) };
    port.map(loopback).ok_or_else(|| {
        let remedy = "set `listen` under [control] to a lower one";
        Error::invalid(super::NAME, "the health probe is one port higher, and there is none", remedy)
    })
}

/// Answer for ever.
pub(super) async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut door = Door::new(super::NAME, listener, None);
    loop {
        let Guest { stream, peer, seat } = door.next(&*desk.clock).await;
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let answer = |request: hyper::Request<_>| {
                let response = if request.uri().path() != PATH {
                    Problem::new(Kind::NotFound, "only /healthz is here", "ask the control service").into_response()
                } else if request.method() == Method::GET {
                    health(&desk)
                } else {
                    Problem::new(Kind::Method, "only GET is answered here", "ask the control service").into_response()
                };
                async { response }
            };
            // One that hangs on is let go with its seat.
            let _ = timeout(limits::REQUEST_MAX, http(super::NAME, stream, peer, answer)).await;
            drop(seat);
        });
    }
}

fn health(desk: &Desk) -> Response {
    let state = status::worst(desk);
    let reason = |health: &crate::health::Health| {
        health.reason().map(|reason| json!({ "camera": health.camera(), "state": health.state(), "reason": reason }))
    };
    let reasons: Vec<_> = desk.healths.iter().filter_map(|health| reason(&lock(health))).collect();
    let status = if state == HealthState::Degraded { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({ "state": state, "reasons": reasons }).to_string();
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
