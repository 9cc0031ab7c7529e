//! `PUT /v1/models/{id}`: a bundle, or the next piece of it, into the store; `HEAD /v1/models/{id}`: how much of it is there. What has
//! arrived stays when a connection breaks, and is gone on with.
//!
//! ```text
//! PUT /v1/models/ID
//! Repr-Digest: sha-256=:BASE64:            of the whole bundle, whatever piece this is
//! Content-Range: bytes FIRST-LAST/TOTAL    without it the body is the whole bundle
//! Expect: 100-continue                     so that a refusal comes before the body goes
//! ```
//!
//! Refused before a byte is taken: no length or digest, more than a bundle may have, another offset than what has arrived, a second
//! upload at a time. Refused at the end, and then it is gone: another hash than announced, another id than the path's, whatever the
//! store refuses.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use super::models::{at_store, no_store};
use super::problem::{Kind, OFFSET, Problem};
use super::{Desk, NAME, limits};
use crate::ErrorKind;
use crate::store::receive::{Installed, RECEIVED_BYTES_MAX};
use crate::store::{Model, State as Record, Store, Trust};

/// Whether a bundle is whole, as structured fields write it.
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// Bytes that are written at a time.
const WRITE_BYTES: usize = 256 << 10;
/// Pieces of a body between the network and the disk.
const PIECES: usize = 4;

/// Which file is asked for.
#[derive(Deserialize)]
pub struct Asked {
    /// SHA-256 of the bundle, hexadecimal.
    sha256: String,
}

/// Tell how much of a bundle is there.
pub async fn arrived(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Query(Asked { sha256 }): Query<Asked>,
) -> Result<Response, Problem> {
    check_id(&id)?;
    check_id(&sha256)?;
    at_store(desk, move |_, store, _| match whole(&store.state()?, &id, &sha256) {
        Some((model, _)) => Ok(offset(StatusCode::OK, model.bytes, true, String::new())),
        None => Ok(offset(StatusCode::OK, store.arrived(&sha256)?, false, String::new())),
    })
    .await
}

/// Take a bundle, or a piece of it.
pub async fn put(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_id(&id)?;
    let piece = Piece::read(&headers, body.size_hint().exact())?;
    if desk.store.is_none() {
        return Err(no_store());
    }
    let Ok(turn) = Arc::clone(&desk.uploads).try_acquire_owned() else {
        return Err(Problem::new(Kind::Busy, "one bundle is taken at a time", "try again when it has arrived"));
    };
    let (send, pieces) = mpsc::channel(PIECES);
    let (open, opened) = oneshot::channel();
    let taking = at_store(desk, move |_, store, trust| take(store, trust, &id, &piece, (open, pieces), turn));
    let taking = tokio::spawn(taking);
    if opened.await.is_err() {
        // It was refused, or is there already.
        return Ok(taking.await??.answer());
    }
    let fed = feed(body.into_data_stream(), &send).await;
    drop(send);
    match (taking.await??, fed) {
        (Taken::Part(have), Err(problem)) => Err(problem.at(have)),
        (taken, _) => Ok(taken.answer()),
    }
}

/// What a request brings.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// SHA-256 of the bundle, hexadecimal.
    sha256: String,
    /// Where this piece begins in it.
    first: u64,
    /// Bytes of the bundle.
    total: u64,
}

impl Piece {
    /// From a request's headers and the length of its body.
    fn read(headers: &HeaderMap, length: Option<u64>) -> Result<Self, Problem> {
        let Some(length) = length.filter(|length| *length > 0) else {
            return Err(Problem::new(Kind::Length, "the body has none", "send `Content-Length`"));
        };
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let Some(sha256) = text(&REPR_DIGEST).and_then(digest) else {
            let remedy = "send `Repr-Digest: sha-256=:BASE64:` of the whole bundle";
            return Err(Problem::new(Kind::Request, "the bundle's SHA-256 is not there", remedy));
        };
        let (first, total) = match text(&header::CONTENT_RANGE) {
            None => (0, length),
            Some(text) => range(text, length).ok_or_else(|| {
                let detail = format!("`Content-Range: {text}` does not fit a body of {length} bytes");
                Problem::new(Kind::Request, detail, "send `bytes FIRST-LAST/TOTAL`")
            })?,
        };
        if total > RECEIVED_BYTES_MAX {
            let detail = format!("it has {total} bytes, and a bundle has {RECEIVED_BYTES_MAX} at most");
            return Err(Problem::new(Kind::TooLarge, detail, "send a `.tadpole` bundle"));
        }
        Ok(Self { sha256, first, total })
    }
}

/// The SHA-256 of an RFC 9530 field, hexadecimal.
fn digest(field: &str) -> Option<String> {
    let value = field.split(',').find_map(|part| part.trim().strip_prefix("sha-256="))?;
    let bytes = BASE64_STANDARD.decode(value.strip_prefix(':')?.strip_suffix(':')?).ok()?;
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

/// First byte and total of `bytes FIRST-LAST/TOTAL`, for a body of `length` bytes.
fn range(field: &str, length: u64) -> Option<(u64, u64)> {
    let (piece, total) = field.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = piece.split_once('-')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    let fits = first <= last && last < total && (last - first).checked_add(1) == Some(length);
    fits.then_some((first, total))
}

/// A model's id, or the hash of a bundle.
pub fn check_id(id: &str) -> Result<(), Problem> {
    if id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(Problem::new(Kind::Request, "that is no id and no SHA-256", "send 64 small hexadecimal digits"))
}

/// The model `id` of the store, if the file with this hash is it, and what points to it.
fn whole(state: &Record, id: &str, sha256: &str) -> Option<(Model, &'static str)> {
    let pointers = [("current", &state.current), ("candidate", &state.candidate), ("previous", &state.previous)];
    let is = |model: &&Model| model.id == id && model.blob == sha256;
    pointers.into_iter().find_map(|(pointer, model)| Some((model.as_ref().filter(is)?.clone(), pointer)))
}

/// What became of a piece.
enum Taken {
    /// So many bytes are there, and more are missing.
    Part(u64),
    /// It was there already.
    Already(Model, &'static str),
    /// It is the candidate, or what its manifest names already.
    Whole(Box<Installed>, &'static str),
}

impl Taken {
    fn answer(self) -> Response {
        let told = |model: &Model, state: &str| json!({ "id": model.id, "name": model.name, "release": model.release, "bytes": model.bytes, "state": state });
        let whole = |status, model: &Model, state| {
            let body: Value = told(model, state);
            let mut response = offset(status, model.bytes, true, body.to_string());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        };
        match self {
            Self::Part(have) => offset(StatusCode::ACCEPTED, have, false, String::new()),
            Self::Already(model, state) => whole(StatusCode::OK, &model, state),
            Self::Whole(installed, state) => whole(StatusCode::CREATED, &installed.model, state),
        }
    }
}

/// Where the next piece begins.
type Offered = (oneshot::Sender<()>, mpsc::Receiver<Bytes>);

/// Take pieces of a body to the store, for as long as they come.
fn take(
    store: &Store,
    trust: &Trust,
    id: &str,
    piece: &Piece,
    (open, mut pieces): Offered,
    _turn: OwnedSemaphorePermit,
) -> Result<Taken, Problem> {
    if let Some((model, state)) = whole(&store.state()?, id, &piece.sha256) {
        return Ok(Taken::Already(model, state));
    }
    check_offset(piece, store.arrived(&piece.sha256)?)?;
    let mut incoming = store.receive(&piece.sha256, piece.total).map_err(|error| {
        // Somebody else receives it, such as the hawkBit client, or holds the store: that passes.
        let passes = error.kind == ErrorKind::Unavailable;
        let problem = Problem::from(error);
        if passes { Problem { kind: Kind::Busy, ..problem } } else { problem }
    })?;
    check_offset(piece, incoming.have())?;
    if open.send(()).is_err() {
        return Ok(Taken::Part(incoming.have()));
    }
    let mut buffer = Vec::with_capacity(WRITE_BYTES);
    while let Some(bytes) = pieces.blocking_recv() {
        buffer.extend_from_slice(&bytes);
        if buffer.len() >= WRITE_BYTES {
            incoming.write(&buffer)?;
            buffer.clear();
        }
    }
    incoming.write(&buffer)?;
    if incoming.have() < piece.total {
        return Ok(Taken::Part(incoming.have()));
    }
    let installed = incoming.finish_as(Some(id), trust)?;
    let Model { name, release, .. } = &installed.model;
    log::info!("{NAME}: {name} release {release} has arrived");
    let state = whole(&store.state()?, id, &piece.sha256).map_or("candidate", |(_, state)| state);
    Ok(Taken::Whole(Box::new(installed), state))
}

fn check_offset(piece: &Piece, have: u64) -> Result<(), Problem> {
    if piece.first == have {
        return Ok(());
    }
    let detail = format!("it begins at byte {}, and {have} have arrived", piece.first);
    Err(Problem::new(Kind::Offset, detail, "send from `Upload-Offset` on").at(have))
}

/// Hand a body on, piece by piece; an error when it breaks off or falls silent.
async fn feed(mut body: BodyDataStream, send: &mpsc::Sender<Bytes>) -> Result<(), Problem> {
    loop {
        match timeout(limits::SILENCE_MAX, next(&mut body)).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(piece))) => {
                if send.send(piece).await.is_err() {
                    // Who takes them has stopped, and says why.
                    return Ok(());
                }
            }
            Ok(Some(Err(error))) => {
                return Err(Problem::new(
                    Kind::Request,
                    format!("the body broke off: {error}"),
                    "go on where it ended",
                ));
            }
            Err(_) => {
                let detail = format!("nothing came for {} s", limits::SILENCE_MAX.as_secs());
                return Err(Problem::new(Kind::TimeOut, detail, "go on where it ended"));
            }
        }
    }
}

async fn next(body: &mut BodyDataStream) -> Option<Result<Bytes, axum::Error>> {
    use futures_core::Stream as _;
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_next(context)).await
}

fn offset(status: StatusCode, have: u64, complete: bool, body: String) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(OFFSET, have.into());
    headers.insert(COMPLETE, HeaderValue::from_static(if complete { "?1" } else { "?0" }));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

    #[test]
    fn digests_are_those_of_rfc_9530() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(DIGEST).as_deref(), Some(hex));
        assert_eq!(digest(&format!("sha-512=:AA==:, {DIGEST}")).as_deref(), Some(hex));
        for wrong in ["", "sha-256=47DEQpj8", "sha-256=:AAAA:", "md5=:AAAA:", "sha-256=:!:", hex] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_fit_their_body() {
        assert_eq!(range("bytes 0-9/10", 10), Some((0, 10)));
        assert_eq!(range("bytes 5-9/100", 5), Some((5, 100)));
        for wrong in [
            "",
            "bytes 0-9/*",
            "bytes */10",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "items 0-9/10",
            "bytes +0-9/10",
            "bytes 0-8/10",
        ] {
            assert_eq!(range(wrong, 10), None, "{wrong}");
        }
        assert_eq!(range(&format!("bytes 0-{0}/{0}", u64::MAX), 10), None);
        assert_eq!(range("bytes 0-18446744073709551614/18446744073709551615", u64::MAX), Some((0, u64::MAX)));
    }

    #[test]
    fn what_a_request_lacks_is_said() {
        let read = |pairs: &[(&'static str, &str)], length| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            Piece::read(&headers, length).map_err(|problem| problem.kind)
        };
        assert_eq!(read(&[], None), Err(Kind::Length));
        assert_eq!(read(&[("repr-digest", DIGEST)], Some(0)), Err(Kind::Length));
        assert_eq!(read(&[], Some(9)), Err(Kind::Request));
        assert_eq!(read(&[("repr-digest", DIGEST), ("content-range", "bytes 0-8/9")], Some(8)), Err(Kind::Request));
        assert_eq!(read(&[("repr-digest", DIGEST)], Some(RECEIVED_BYTES_MAX + 1)), Err(Kind::TooLarge));
        let total = RECEIVED_BYTES_MAX + 1;
        let range = format!("bytes 0-8/{total}");
        assert_eq!(read(&[("repr-digest", DIGEST), ("content-range", &range)], Some(9)), Err(Kind::TooLarge));
        let piece = read(&[("repr-digest", DIGEST), ("content-range", "bytes 3-8/9")], Some(6)).unwrap();
        assert_eq!((piece.first, piece.total), (3, 9));
    }
}
