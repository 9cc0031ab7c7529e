//! The requests that there are, in one table. docs/ref/http.md tells people of them and docs/ref/openapi.json programs; a test holds
//! both to it.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;

use super::route::{Route, join, route};
use super::{Desk, marks, models, status, upload};

/// What the paths of all of them begin with.
pub(super) const PREFIX: &str = "/v1/";

/// All of them.
pub fn table() -> Vec<Route<Desk>> {
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
    join(table(), "see docs/ref/http.md").with_state(Arc::clone(desk))
}
