//! A request that there is, as one entry of a service's table: tables go in, and a router that refuses all else comes out.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::problem::{Kind, Problem};

/// One request: method, path, and who answers it, from what `S` holds.
pub struct Route<S> {
    /// Its method.
    pub method: Method,
    /// Its path, with its parameters in braces.
    pub path: &'static str,
    answer: MethodRouter<Arc<S>>,
}

/// A request that `handler` answers.
pub fn route<S, T, H>(method: Method, path: &'static str, handler: H) -> Route<S>
where
    S: Send + Sync + 'static,
    T: 'static,
    H: Handler<T, Arc<S>>,
{
    // Every method in a table is a standard one; another would match nothing.
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
    Route { method, path, answer: on(filter, handler) }
}

/// What answers `routes`, and refuses others; `remedy` says where all of them stand.
pub fn join<S>(routes: impl IntoIterator<Item = Route<S>>, remedy: &'static str) -> Router<Arc<S>>
where
    S: Send + Sync + 'static,
{
    let add = |router: Router<Arc<S>>, Route { path, answer, .. }| router.route(path, answer);
    routes
        .into_iter()
        .fold(Router::new(), add)
        .fallback(async move || Problem::new(Kind::NotFound, "no request has this path", remedy))
        .method_not_allowed_fallback(async move || {
            Problem::new(Kind::Method, "no request has this path and method", remedy)
        })
}
