//! What goes on: events as they come (`/events`, server-sent), and what a camera sees, as one picture or one after another. Each stream is a task that
//! looks at board and book; whoever reads too slowly gets the newest, later. So many at a time, and none longer than its connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_core::Stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::api::{self, millis};
use super::board::Point;
use super::book::Alarm;
use super::desk::Desk;
use super::picture::Picture;
use crate::control::problem::{Kind, Problem};
use crate::pipeline::watch::lock;

/// How often board and book are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often the machine is told of, in looks.
const DEVICE_EVERY: u32 = 25;
/// A moving picture moves at most so often.
const PICTURE_EVERY: Duration = Duration::from_millis(160);
/// A picture is waited for this long; then the last one is shown.
const PICTURE_WAIT: Duration = Duration::from_millis(1200);
const GLANCE: Duration = Duration::from_millis(20);
/// Between the pictures of a stream.
const BOUNDARY: &str = "tadpole-picture";
/// How old the frame of a picture is, seconds.
const AGE: HeaderName = HeaderName::from_static("x-age-s");

/// Pieces of a body that a task makes.
struct Pieces(mpsc::Receiver<Bytes>);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

fn turn(desk: &Desk) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&desk.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Kind::Busy, "too many look at this device", "close another page of it"))
}

fn streaming(kind: &'static str, pieces: mpsc::Receiver<Bytes>) -> Response {
    let mut response = Body::from_stream(Pieces(pieces)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What a follower has been told.
struct Told {
    /// Segments, of each camera.
    segments: Vec<u64>,
    /// The book's version.
    book: u64,
    /// State and reason, of each camera.
    health: Vec<(Value, String)>,
    looks: u32,
}

/// Follow the device.
pub async fn events(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let turn = turn(&desk)?;
    let (send, pieces) = mpsc::channel(16);
    tokio::spawn(async move {
        let _turn = turn;
        let mut told = Told::at(&desk);
        let mut text = event("time", &json!({ "now_s": millis(desk.clock.now()) }));
        // Whoever has gone away takes nothing any longer.
        while text.is_empty() || send.send(Bytes::from(std::mem::take(&mut text))).await.is_ok() {
            if send.is_closed() {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            text = told.news(&desk);
        }
    });
    Ok(streaming("text/event-stream", pieces))
}

impl Told {
    /// Whoever begins here was told all until now.
    fn at(desk: &Desk) -> Self {
        let cameras = desk.cameras.len();
        let count = |camera| desk.board.panel(camera).map_or(0, |panel| panel.count);
        let health = vec![(Value::Null, String::new()); cameras];
        Self { segments: (0..cameras).map(count).collect(), book: lock(&desk.book).version(), health, looks: 0 }
    }

    /// What is new since the last call.
    fn news(&mut self, desk: &Desk) -> String {
        let mut text = String::new();
        for (camera, name) in desk.cameras.iter().enumerate() {
            self.scores(desk, camera, name, &mut text);
            let Some(health) = desk.healths.get(camera).map(|health| lock(health)) else { continue };
            let now = (json!(health.state()), health.reason().unwrap_or_default().to_owned());
            drop(health);
            if self.health[camera] != now {
                text += &event("health", &json!({ "camera": name, "state": now.0, "reason": now.1 }));
                self.health[camera] = now;
            }
        }
        let book = lock(&desk.book);
        text.extend(book.since(self.book).map(Alarm::json).map(|alarm| event("alarm", &alarm)));
        self.book = book.version();
        drop(book);
        if self.looks.is_multiple_of(DEVICE_EVERY) {
            text += &event("time", &json!({ "now_s": millis(desk.clock.now()) }));
            text += &event("device", &desk.device());
        }
        self.looks += 1;
        text
    }

    fn scores(&mut self, desk: &Desk, camera: usize, name: &str, text: &mut String) {
        let Some(panel) = desk.board.panel(camera) else { return };
        let fresh: Vec<Point> = panel.since(self.segments[camera]).copied().collect();
        let (threshold, alarm) = (panel.threshold, panel.alarm);
        self.segments[camera] = panel.count;
        drop(panel);
        for point in fresh {
            let told = json!({
                "camera": name, "at_s": millis(point.at), "score": point.score, "held": point.held,
                "threshold": threshold, "alarm": alarm,
            });
            *text += &event("score", &told);
        }
    }
}

fn event(name: &str, data: &Value) -> String {
    // JSON has no line breaks.
    format!("event: {name}\ndata: {data}\n\n")
}

/// What a camera sees now, masked; of a camera that is away, what it saw last.
pub async fn snapshot(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let number = api::camera(&desk, &name)?;
    let Picture { jpeg, age } = picture(&desk, number).await?;
    let mut response = jpeg.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(AGE, age.as_secs().into());
    Ok(response)
}

/// What a camera sees, picture after picture.
pub async fn preview(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let number = api::camera(&desk, &name)?;
    let first = picture(&desk, number).await?;
    let turn = turn(&desk)?;
    let (send, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        let _turn = turn;
        let mut next = Ok(first);
        while let Ok(Picture { jpeg, .. }) = next {
            let mut part =
                format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len())
                    .into_bytes();
            part.extend(jpeg);
            part.extend(b"\r\n");
            if send.send(part.into()).await.is_err() {
                break;
            }
            tokio::time::sleep(PICTURE_EVERY).await;
            next = picture(&desk, number).await;
        }
    });
    Ok(streaming("multipart/x-mixed-replace; boundary=tadpole-picture", pieces))
}

async fn picture(desk: &Arc<Desk>, number: usize) -> Result<Picture, Problem> {
    let none = || Problem::new(Kind::NotFound, "this camera has no picture yet", "see its health");
    let latest = Arc::clone(desk.board.frames(number).ok_or_else(none)?);
    if latest.size().is_none() {
        return Err(none());
    }
    let before = latest.want();
    let mut waited = Duration::ZERO;
    while latest.count() == before && waited < PICTURE_WAIT {
        tokio::time::sleep(GLANCE).await;
        waited += GLANCE;
    }
    let desk = Arc::clone(desk);
    let made = tokio::task::spawn_blocking(move || desk.pictures.of(number, &latest)).await?;
    Ok(made.ok_or_else(none)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        assert_eq!(event("score", &json!({ "a": "b\nc" })), "event: score\ndata: {\"a\":\"b\\nc\"}\n\n");
    }
}
