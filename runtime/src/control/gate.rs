//! What every request must pass before it is answered: the client has a role, the role allows it, the client does not come too often,
//! and the answer does not take too long. Looking wants [`Role::View`]; whatever changes something wants [`Role::Push`], a request that is not
//! known yet among it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as _;

use super::identity::{Client, Role};
use super::limits::{self, Buckets};
use super::problem::{Kind, Problem};
use super::{Desk, NAME, listen, routes};
use crate::pipeline::watch::lock;

/// Stands before the routes.
pub struct Gate {
    router: Router,
    desk: Arc<Desk>,
    rates: Mutex<Buckets<String>>,
}

impl Gate {
    /// Before all routes of a desk.
    pub fn new(desk: &Arc<Desk>) -> Self {
        let rates = Mutex::new(Buckets::new(limits::REQUEST_RATE));
        Self { router: routes::router(desk), desk: Arc::clone(desk), rates }
    }

    /// Serve the requests of a connection whose client is known: all that lies behind the handshake.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        stream: S,
        peer: SocketAddr,
        client: Client,
    ) {
        listen::http(NAME, stream, peer, |request| Arc::clone(self).pass(client.clone(), request.map(Body::new))).await;
    }

    /// Let a request pass, or say why not.
    pub async fn pass(self: Arc<Self>, client: Client, request: Request<Body>) -> Response {
        let line = format!("{} {} of `{}`", request.method(), request.uri().path(), client.name);
        let response = match self.may(&client, request.method()) {
            Ok(()) => self.answer(request).await,
            Err(problem) => problem.into_response(),
        };
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            log::info!("{NAME}: {line}: {status}");
        } else {
            log::debug!("{NAME}: {line}: {status}");
        }
        response
    }

    fn may(&self, client: &Client, method: &Method) -> Result<(), Problem> {
        let (role, method) = (client.role, method.clone());
        let wanted = if matches!(method, Method::GET | Method::HEAD) { Role::View } else { Role::Push };
        let Some(role) = role else {
            let remedy = "use a certificate of `tadpole-trainer site client --role view` or `push`";
            return Err(Problem::new(Kind::NoRole, format!("`{}` has none", client.name), remedy));
        };
        if role < wanted {
            let remedy = "use a certificate of `tadpole-trainer site client --role push`";
            return Err(Problem::new(Kind::Role, format!("`{}` may look, and change nothing", client.name), remedy));
        }
        if !lock(&self.rates).take(client.name.clone(), self.desk.clock.now()) {
            let limits::Rate { per_second, .. } = limits::REQUEST_RATE;
            let detail = format!("`{}` sends more than {per_second} a second", client.name);
            return Err(Problem::new(Kind::Rate, detail, "wait, and send fewer"));
        }
        Ok(())
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let most = if request.method() == Method::PUT { limits::UPLOAD_MAX } else { limits::REQUEST_MAX };
        let answered = async {
            match &self.desk.pages {
                Some(pages) if !request.uri().path().starts_with(routes::PREFIX) => pages(request).await,
                _ => self.router.clone().call(request).await.unwrap_or_else(|never| match never {}),
            }
        };
        tokio::time::timeout(most, answered).await.unwrap_or_else(|_elapsed| {
            let detail = format!("it took more than {} s", most.as_secs());
            Problem::new(Kind::TimeOut, detail, "try again; an upload goes on where it ended").into_response()
        })
    }
}
