//! The files of the page, part of the program: nothing is fetched from anywhere else, so it works without a network of its own.

use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};

use super::Desk;
use crate::control::route::{Route, route};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, type and content of each.
pub const FILES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("assets/index.html")),
    ("/masks", HTML, include_str!("assets/masks.html")),
    ("/login", HTML, include_str!("assets/login.html")),
    ("/common.js", SCRIPT, include_str!("assets/common.js")),
    ("/chart.js", SCRIPT, include_str!("assets/chart.js")),
    ("/page.js", SCRIPT, include_str!("assets/page.js")),
    ("/masks.js", SCRIPT, include_str!("assets/masks.js")),
    ("/login.js", SCRIPT, include_str!("assets/login.js")),
    ("/style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// The requests for them.
pub fn routes() -> impl Iterator<Item = Route<Desk>> {
    FILES.into_iter().map(|(path, kind, text)| route(Method::GET, path, async move || file(kind, text)))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // After an update of the firmware nothing old is shown.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_files_that_there_are_and_nothing_elsewhere() {
        for (path, kind, text) in FILES {
            // The one address is a name: that of SVG.
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "").contains("://");
            assert!(!elsewhere, "{path} names something elsewhere");
            if kind != HTML {
                continue;
            }
            assert!(
                !text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick"),
                "{path}: the policy forbids it"
            );
            for named in text.split(['"']).filter(|part| part.starts_with('/')) {
                assert!(FILES.iter().any(|(path, ..)| *path == named), "{path} names {named}");
            }
        }
        let size: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(size < 64 << 10, "{size} bytes are much for a phone at the roadside");
    }
}
