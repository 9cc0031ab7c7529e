//! What every request must pass before it is answered: it does not come too often, it was not sent by a page of somebody else, whoever sends it is
//! signed in, and the answer does not take too long.
//!
//! A browser can be made to send requests by any page that it shows. Three things keep those out: a name in `Host` that is not this machine's is
//! refused where there is no password (a name that somebody else lets point here); whatever changes something must carry the header
//! `X-Tadpole`, which no form can send and no script of another origin may; and its `Origin`, if there is one, must be this.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use tower_service::Service as _;

use super::{Desk, NAME, routes};
use crate::control::limits::{self, Buckets};
use crate::control::problem::{Kind, Problem};
use crate::pipeline::watch::lock;

/// What a request that changes something carries.
pub const OURS: HeaderName = HeaderName::from_static("x-tadpole");
/// What a page of ours may do: nothing but with this device.
const POLICY: &str = "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; \
    form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
/// What answers also those that are not signed in.
const OPEN: [&str; 6] = ["/login", "/login.js", "/common.js", "/style.css", "/icon.svg", "/api/enter"];

/// Where somebody comes from, for those who judge passwords.
#[derive(Clone, Copy, Debug)]
pub struct Origin(pub IpAddr);

/// Stands before the routes.
pub struct Gate {
    router: Router,
    desk: Arc<Desk>,
    rates: Mutex<Buckets<IpAddr>>,
}

impl Gate {
    /// Before all routes of a desk.
    pub fn new(desk: &Arc<Desk>) -> Self {
        let rates = Mutex::new(Buckets::new(limits::REQUEST_RATE));
        Self { router: routes::router(desk), desk: Arc::clone(desk), rates }
    }

    /// Let a request pass, or say why not.
    pub async fn pass(self: Arc<Self>, origin: IpAddr, mut request: Request<Body>) -> Response {
        let line = format!("{} {} from {origin}", request.method(), request.uri().path());
        request.extensions_mut().insert(Origin(origin));
        let response = match self.may(origin, &request) {
            Ok(()) => self.answer(request).await,
            Err(refusal) => *refusal,
        };
        log::debug!("{NAME}: {line}: {}", response.status());
        with_policy(response)
    }

    /// Let a request pass that may be sent, as whoever hands it on has made sure: only pages of others are kept out.
    pub async fn pass_known(self: Arc<Self>, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(Origin(Ipv4Addr::LOCALHOST.into()));
        let response = if changes(request.method()) && !is_ours(request.headers()) {
            another().into_response()
        } else {
            self.answer(request).await
        };
        with_policy(response)
    }

    fn may(&self, origin: IpAddr, request: &Request<Body>) -> Result<(), Box<Response>> {
        let (headers, path, now) = (request.headers(), request.uri().path(), self.desk.clock.now());
        let refuse = |problem: Problem| Err(Box::new(problem.into_response()));
        if !lock(&self.rates).take(origin, now) {
            let detail = format!("more than {} requests a second", limits::REQUEST_RATE.per_second);
            return refuse(Problem::new(Kind::Rate, detail, "wait, and send fewer"));
        }
        let mut sessions = lock(&self.desk.sessions);
        if !sessions.wants_password() && !host(headers).is_some_and(is_loopback) {
            let detail = "without a password this page is for this machine alone";
            return refuse(Problem::new(
                Kind::Role,
                detail,
                "ask for `localhost`, or set `password_file` under [page]",
            ));
        }
        if changes(request.method()) && !is_ours(headers) {
            return refuse(another());
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let known = !sessions.wants_password()
            || OPEN.contains(&path)
            || sessions.knows(text(header::COOKIE), now)
            || (request.method() == Method::GET && sessions.knows_basic(text(header::AUTHORIZATION), origin, now));
        if known { Ok(()) } else { Err(Box::new(sign_in(path))) }
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        match tokio::time::timeout(limits::REQUEST_MAX, self.router.clone().call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let detail = format!("it took more than {} s", limits::REQUEST_MAX.as_secs());
                Problem::new(Kind::TimeOut, detail, "try again").into_response()
            }
        }
    }
}

/// What a browser is told to allow.
fn with_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a request of this method changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

fn another() -> Problem {
    let remedy = "send `X-Tadpole: 1`, from the page itself";
    Problem::new(Kind::Role, "another page's request changes nothing here", remedy)
}

/// What somebody gets who is not signed in: a page, or a refusal for what is no page.
fn sign_in(path: &str) -> Response {
    if routes::PAGES.contains(&path) {
        return Redirect::to("/login").into_response();
    }
    let mut response = Problem::new(Kind::NoRole, "you are not signed in", "sign in at /login").into_response();
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tadpole\""));
    response
}

/// The name that a request asks for, with its port.
fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a request that changes something comes from a page of ours, or from no browser.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let same = |origin: &str| {
        let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        name.is_some() && name == host(headers)
    };
    text(&OURS) == Some("1") && text(&header::ORIGIN).is_none_or(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["localhost", "localhost:8480", "127.0.0.1:8480", "[::1]:8480", "[::1]", "LOCALHOST"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example:8480", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn pages_of_others_change_nothing() {
        let ours = |origin: Option<&str>, mark: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("pole-12:8480"));
            let mut put = |name: HeaderName, value: Option<&str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_str(value).unwrap()));
            };
            put(header::ORIGIN, origin);
            put(OURS, mark);
            is_ours(&headers)
        };
        assert!(ours(Some("http://pole-12:8480"), Some("1")) && ours(None, Some("1")));
        for origin in ["http://evil.example", "null", "http://pole-12", "http://pole-12:8480.evil.example", ""] {
            assert!(!ours(Some(origin), Some("1")), "{origin}");
        }
        assert!(!ours(Some("http://pole-12:8480"), None) && !ours(None, None) && !ours(None, Some("yes")));
    }
}
