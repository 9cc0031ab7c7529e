//! The requests that there are, in one table; docs/ref/page.md tells of them, and a test holds it to that.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;

use super::{Desk, api, assets, metrics, stream};
use crate::control::route::{Route, join, route};

/// What people look at.
pub const PAGES: [&str; 2] = ["/", "/masks"];
/// The longest that a request's body may be.
const BODY_BYTES_MAX: usize = 64 << 10;

/// All of them but the files of [`assets`].
pub fn table() -> Vec<Route<Desk>> {
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
    join(table().into_iter().chain(assets::routes()), "see docs/ref/page.md")
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(desk))
}
