//! The requests that there are, in one table; docs/ref/page.md tells of them, and a test holds it to that.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{Desk, api, assets, metrics, stream};
use crate::control::problem::{Kind, Problem};

/// What people look at.
pub const PAGES: [&str; 2] = ["/", "/masks"];
/// The longest that a request's body may be.
const BODY_BYTES_MAX: usize = 64 << 10;

/// One request: method, path, and who answers it.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with its parameters in braces.
    pub path: &'static str,
    answer: MethodRouter<Arc<Desk>>,
}

fn route<T: 'static, H: Handler<T, Arc<Desk>>>(method: Method, path: &'static str, handler: H) -> Route {
    // Every method in the table is a standard one; another would match nothing.
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
    Route { method, path, answer: on(filter, handler) }
}

/// All of them but the files of [`assets`].
pub fn table() -> Vec<Route> {
    let get = Method::GET;
    let post = || Method::POST;
    vec![
        route(get.clone(), "/api/cameras", api::cameras),
        route(get.clone(), "/api/cameras/{name}/snapshot.jpg", stream::snapshot),
        route(get.clone(), "/api/cameras/{name}/preview.mjpeg", stream::preview),
        route(post(), "/api/cameras/{name}/masks", api::draw),
        route(get.clone(), "/api/alarms", api::alarms),
        route(get.clone(), "/api/alarms/{key}/contact-sheet", api::contact_sheet),
        route(post(), "/api/alarms/{key}/mark", api::mark),
        route(get.clone(), "/api/device", api::device),
        route(post(), "/api/test-alarm", api::test_alarm),
        route(post(), "/api/mute", api::mute),
        route(post(), "/api/enter", api::enter),
        route(post(), "/api/leave", api::leave),
        route(get.clone(), "/events", stream::events),
        route(get, "/metrics", metrics::get),
    ]
}

/// What answers them, and refuses others.
pub(super) fn router(desk: &Arc<Desk>) -> Router {
    let add = |router: Router<Arc<Desk>>, Route { path, answer, .. }| router.route(path, answer);
    let router = table().into_iter().fold(Router::new(), add);
    assets::add(router)
        .fallback(async || Problem::new(Kind::NotFound, "no request has this path", "see docs/ref/page.md"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::Method, "no request has this path and method", "see docs/ref/page.md")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(desk))
}
