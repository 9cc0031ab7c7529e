//! The requests that there are, in one table. docs/ref/http.md tells people of them and docs/ref/openapi.json programs; a test holds
//! both to it.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::problem::{Kind, Problem};
use super::{Desk, marks, models, status, upload};

/// What the paths of all of them begin with.
pub(super) const PREFIX: &str = "/v1/";

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

/// All of them.
pub fn table() -> Vec<Route> {
    vec![
        route(Method::GET, "/v1/status", status::get),
        route(Method::GET, "/v1/models", models::list),
        route(Method::HEAD, "/v1/models/{id}", upload::arrived),
        route(Method::PUT, "/v1/models/{id}", upload::put),
        route(Method::POST, "/v1/models/{id}/activate", models::activate),
        route(Method::POST, "/v1/models/rollback", models::roll_back),
        route(Method::GET, "/v1/marks", marks::get),
    ]
}

/// What answers them, and refuses others.
pub(super) fn router(desk: &Arc<Desk>) -> Router {
    let add = |router: Router<Arc<Desk>>, Route { path, answer, .. }| router.route(path, answer);
    table()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(async || Problem::new(Kind::NotFound, "no request has this path", "see docs/ref/http.md"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::Method, "no request has this path and method", "see docs/ref/http.md")
        })
        .with_state(Arc::clone(desk))
}
