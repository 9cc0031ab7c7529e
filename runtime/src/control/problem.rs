//! Refusals, as RFC 9457 has them: an [`Error`] or what a request lacks comes in, `application/problem+json` goes out, with what to do
//! about it. Programs go by `type`; the words are for people.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::{Error, ErrorKind};

/// How many bytes have arrived.
pub const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// What `type` begins with.
const PREFIX: &str = "urn:tadpole:";
/// Seconds after which somebody who was too quick may try again.
const RETRY_S: u64 = 5;

/// What sort of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood.
    Request,
    /// The certificate has no role.
    NoRole,
    /// The role does not allow it.
    Role,
    /// There is no such thing.
    NotFound,
    /// There is such a thing, and this is not done with it.
    Method,
    /// It took too long.
    TimeOut,
    /// The piece begins at another place than the last one ended.
    Offset,
    /// What is going on does not allow it now.
    Conflict,
    /// Without a length nothing is taken.
    Length,
    /// More than a bundle may have.
    TooLarge,
    /// The bundle is not what a camera runs.
    Refused,
    /// Too many requests.
    Rate,
    /// Another upload is going on.
    Busy,
    /// The disk is full.
    NoRoom,
    /// The work failed.
    Failed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Request,
        Self::NoRole,
        Self::Role,
        Self::NotFound,
        Self::Method,
        Self::TimeOut,
        Self::Offset,
        Self::Conflict,
        Self::Length,
        Self::TooLarge,
        Self::Refused,
        Self::Rate,
        Self::Busy,
        Self::NoRoom,
        Self::Failed,
    ];

    /// Status, the last word of `type`, and `title`.
    pub fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Request => (StatusCode::BAD_REQUEST, "request", "The request cannot be understood"),
            Self::NoRole => (StatusCode::FORBIDDEN, "no-role", "The certificate has no role"),
            Self::Role => (StatusCode::FORBIDDEN, "role", "The role does not allow this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "This is not done with it"),
            Self::TimeOut => (StatusCode::REQUEST_TIMEOUT, "time-out", "It took too long"),
            Self::Offset => (StatusCode::CONFLICT, "offset", "The piece does not follow the last one"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "It cannot be done now"),
            Self::Length => (StatusCode::LENGTH_REQUIRED, "length", "The length is missing"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "It is too large"),
            Self::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "refused", "The model is refused"),
            Self::Rate => (StatusCode::TOO_MANY_REQUESTS, "rate", "Too many requests"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy", "Another upload is going on"),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, "no-room", "The disk is full"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed", "It failed"),
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort.
    pub kind: Kind,
    /// What is wrong.
    pub detail: String,
    /// What to do next.
    pub remedy: String,
    /// How many bytes have arrived, where that matters.
    pub offset: Option<u64>,
}

impl Problem {
    /// A refusal of `kind`.
    pub fn new(kind: Kind, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), remedy: remedy.into(), offset: None }
    }

    /// As this, and so many bytes have arrived.
    #[must_use]
    pub fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::InvalidInput | ErrorKind::Corrupt | ErrorKind::Untrusted => Kind::Refused,
            ErrorKind::Unavailable => Kind::Conflict,
            ErrorKind::NoRoom => Kind::NoRoom,
            ErrorKind::Failed | ErrorKind::Panicked => Kind::Failed,
        };
        Self::new(kind, format!("{}: {}", error.subject, error.problem), error.remedy)
    }
}

impl From<tokio::task::JoinError> for Problem {
    fn from(_: tokio::task::JoinError) -> Self {
        Self::new(Kind::Failed, "the work panicked", "report this, with the device's log")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, word, title) = self.kind.parts();
        let body = json!({
            "type": format!("{PREFIX}{word}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
            "remedy": self.remedy,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(offset) = self.offset {
            headers.insert(OFFSET, offset.into());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, RETRY_S.into());
        }
        response
    }
}
