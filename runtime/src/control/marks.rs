//! `GET /v1/marks?from=BYTES`: what people said of alarms on the live page, as it is kept, line after line from a place on. Whoever
//! collects them asks again from `Next-Byte` on until nothing comes; a line is whole or not there.

use std::fs::File;
use std::io::{ErrorKind as Io, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::Desk;
use super::problem::{Kind, Problem};

/// Name of the file, in the folder of the store.
pub const FILE: &str = "marks.jsonl";
/// The most that is answered at once; the longest line is far shorter.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Where to go on.
const NEXT: HeaderName = HeaderName::from_static("next-byte");

/// From where on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    from: u64,
}

/// Answer.
pub async fn get(State(desk): State<Arc<Desk>>, Query(Asked { from }): Query<Asked>) -> Result<Response, Problem> {
    let path = desk.folder.join(FILE);
    let lines = tokio::task::spawn_blocking(move || read(&path, from)).await?;
    let lines =
        lines.map_err(|error| Problem::new(Kind::Failed, format!("{FILE}: {error}"), "see to the device's disk"))?;
    let next = from + lines.len() as u64;
    let mut response = lines.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(NEXT, next.into());
    Ok(response)
}

/// Whole lines from a place on; nothing when there is no file, or no more of it.
fn read(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == Io::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(from))?;
    let mut lines = Vec::new();
    file.take(ANSWER_BYTES_MAX).read_to_end(&mut lines)?;
    let whole = lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    lines.truncate(whole);
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_come_and_the_rest_with_the_next_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(read(&path, 0).unwrap(), b"");
        std::fs::write(&path, "{\"a\":1}\n{\"b\":2}\n{\"c\"").unwrap();
        assert_eq!(read(&path, 0).unwrap(), b"{\"a\":1}\n{\"b\":2}\n");
        assert_eq!(read(&path, 8).unwrap(), b"{\"b\":2}\n");
        assert_eq!((read(&path, 16).unwrap(), read(&path, 900).unwrap()), (vec![], vec![]));
    }
}
