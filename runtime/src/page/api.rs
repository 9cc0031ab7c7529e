//! Answers in JSON, and what people can do: say what an alarm was, try the relay, silence alarms, draw masks, sign in and out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firmware_config::config::Polygon;
use serde::Deserialize;
use serde_json::{Value, json};

use super::board::Point;
use super::book::{Alarm, Mark};
use super::desk::{Desk, TEST_CAMERA};
use super::gate::Origin;
use super::marks::Said;
use super::session::{self, Refused};
use super::{NAME, masks};
use crate::control::problem::{Kind, Problem};
use crate::output::gpio::button::TEST_MIN;
use crate::output::{AlarmEvent, Phase};
use crate::pipeline::watch::lock;
use crate::source::mask::{PrivacyMask, Shapes};

/// The longest that alarms are silenced.
const MUTE_MAX: Duration = Duration::from_hours(24);

type Answer = Result<Json<Value>, Problem>;

/// A body that should be JSON.
type Body<T> = Result<Json<T>, JsonRejection>;

fn body<T>(body: Body<T>) -> Result<T, Problem> {
    body.map(|Json(body)| body).map_err(|e| Problem::new(Kind::Request, e.body_text(), "see docs/ref/page.md"))
}

fn not_found(what: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no such {what}"), "load the page again")
}

/// The number of a camera.
pub fn camera(desk: &Desk, name: &str) -> Result<usize, Problem> {
    desk.number(name).ok_or_else(|| not_found("camera"))
}

/// `[at_s, score, held]`.
fn point(point: &Point) -> Value {
    json!([millis(point.at), point.score, point.held])
}

/// Seconds, to the millisecond.
pub fn millis(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

/// All cameras, with their last minutes.
pub async fn cameras(State(desk): State<Arc<Desk>>) -> Answer {
    let cameras = desk.cameras.clone();
    let told = cameras.iter().enumerate().map(|(number, name)| {
        let mut told = json!({ "name": name });
        if let Some(health) = desk.healths.get(number).map(|health| lock(health)) {
            let counters = health.counters();
            told["state"] = json!(health.state());
            told["reason"] = health.reason().unwrap_or_default().into();
            told["frames_dropped"] = counters.frames_dropped.into();
            told["gaps"] = counters.gaps.into();
            told["segments"] = counters.scores.into();
            told["segments_held"] = counters.segments_held.into();
            told["alarms"] = counters.alarms.into();
        }
        let size = desk.board.frames(number).and_then(|frames| frames.size());
        told["pictures"] = size.is_some().into();
        told["width"] = size.map(|(width, _)| width).into();
        told["height"] = size.map(|(_, height)| height).into();
        let shapes = desk.masks.get(number).map(PrivacyMask::shapes).unwrap_or_default();
        (told["masks"], told["regions"]) = (json!(shapes.mask), json!(shapes.region));
        if let Some(panel) = desk.board.panel(number) {
            let (threshold, alarm, points) = (panel.threshold, panel.alarm, panel.points.clone());
            // The camera passes by meanwhile.
            drop(panel);
            told["threshold"] = threshold.into();
            told["alarm"] = alarm.into();
            told["scores"] = points.iter().map(point).collect();
        }
        told
    });
    let told: Vec<_> = told.collect();
    Ok(Json(json!({ "now_s": millis(desk.clock.now()), "cameras": told })))
}

/// All alarms, the newest first.
pub async fn alarms(State(desk): State<Arc<Desk>>) -> Answer {
    let alarms: Vec<_> = lock(&desk.book).all().rev().map(super::book::Alarm::json).collect();
    Ok(Json(json!({ "now_s": millis(desk.clock.now()), "alarms": alarms })))
}

/// The segments that raised an alarm.
pub async fn contact_sheet(State(desk): State<Arc<Desk>>, Path(key): Path<u64>) -> Answer {
    let book = lock(&desk.book);
    let alarm = book.get(key).ok_or_else(|| not_found("alarm"))?;
    let segments = alarm.cells.iter().map(|cell| {
        let Point { number, at, start_s, end_s, score, .. } = cell.point;
        let image = cell.jpeg.as_ref().map(|jpeg| format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg)));
        json!({
            "number": number, "at_s": millis(at), "start_s": start_s, "end_s": end_s, "score": score,
            "raised": number == alarm.raised, "image": image,
        })
    });
    let segments: Vec<_> = segments.collect();
    let camera = &alarm.event.camera;
    Ok(Json(json!({ "key": key.to_string(), "camera": camera, "threshold": alarm.threshold, "segments": segments })))
}

/// What somebody says of an alarm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marked {
    /// `null` takes it back.
    mark: Option<Mark>,
}

/// Say what an alarm was. It is on disk when this is answered.
pub async fn mark(State(desk): State<Arc<Desk>>, Path(key): Path<u64>, said: Body<Marked>) -> Answer {
    let mark = body(said)?.mark;
    let alarm = lock(&desk.book).get(key).cloned().ok_or_else(|| not_found("alarm"))?;
    if alarm.test {
        return Err(Problem::new(Kind::Conflict, "that was a test", "mark alarms of cameras"));
    }
    let early = alarm.rows.is_none();
    keep(&desk, alarm, mark).await?;
    let marked = {
        let mut book = lock(&desk.book);
        book.mark(key, mark);
        book.get(key).cloned().ok_or_else(|| not_found("alarm"))?
    };
    let told = marked.json();
    // Rows that came while the mark was written found none to go with.
    if early && marked.rows.is_some() {
        keep(&desk, marked, mark).await?;
    }
    Ok(Json(told))
}

/// Keep what somebody says of an alarm, where marks are kept.
async fn keep(desk: &Arc<Desk>, alarm: Alarm, mark: Option<Mark>) -> Result<(), Problem> {
    let keeper = Arc::clone(desk);
    let kept = tokio::task::spawn_blocking(move || {
        keeper.marks.as_ref().map_or(Ok(()), |marks| marks.keep(&Said { alarm: &alarm, mark }))
    });
    kept.await??;
    Ok(())
}

/// The machine and the model.
pub async fn device(State(desk): State<Arc<Desk>>) -> Answer {
    Ok(Json(desk.device()))
}

/// Try the relay and everybody who is told of alarms, for [`TEST_MIN`].
pub async fn test_alarm(State(desk): State<Arc<Desk>>) -> Result<StatusCode, Problem> {
    let Ok(turn) = Arc::clone(&desk.testing).try_acquire_owned() else {
        return Err(Problem::new(Kind::Conflict, "a test alarm is on", "wait until it is over"));
    };
    let id = desk.tests.fetch_add(1, Ordering::Relaxed) + 1;
    let begun = desk.clock.now();
    let event = move |phase, now: Duration| AlarmEvent {
        phase,
        camera: TEST_CAMERA.into(),
        id,
        segment: 0,
        start_s: begun.as_secs_f64(),
        end_s: now.as_secs_f64(),
        first_frame: 0,
        last_frame: 0,
        peak: 0.0,
        quiet: false,
        test: true,
    };
    let tell = move |desk: &Desk, phase| {
        let failures = lock(&desk.outputs).alarm(&event(phase, desk.clock.now()));
        failures.iter().for_each(|error| log::error!("{NAME}: {error}"));
    };
    log::warn!("{NAME}: somebody tries the alarm");
    tell(&desk, Phase::Started);
    tokio::spawn(async move {
        tokio::time::sleep(TEST_MIN).await;
        tell(&desk, Phase::Ended);
        drop(turn);
    });
    Ok(StatusCode::ACCEPTED)
}

/// For how long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// 0 ends it.
    minutes: u32,
}

/// Silence alarms for a while.
pub async fn mute(State(desk): State<Arc<Desk>>, silence: Body<Silence>) -> Answer {
    let time = Duration::from_secs(60 * u64::from(body(silence)?.minutes));
    if time > MUTE_MAX {
        return Err(Problem::new(Kind::Request, "that is more than a day", "mute for less, and again"));
    }
    let Some(mute) = &desk.mute else {
        return Err(Problem::new(Kind::Conflict, "alarms cannot be silenced here", "run a config with `tadpole run`"));
    };
    mute.mute(time);
    log::warn!("{NAME}: alarms are silenced for {} min", time.as_secs() / 60);
    Ok(Json(desk.device()))
}

/// Masks that were drawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    mask: Vec<Polygon>,
    region: Vec<Polygon>,
}

/// Mask a camera from the next frame on, and in the config.
pub async fn draw(State(desk): State<Arc<Desk>>, Path(name): Path<String>, drawn: Body<Drawn>) -> Answer {
    let number = camera(&desk, &name)?;
    let Drawn { mask, region } = body(drawn)?;
    let shapes = Shapes { mask, region };
    masks::check(&shapes).map_err(|why| Problem::new(Kind::Request, why, "draw it anew"))?;
    let Some(held) = desk.masks.get(number) else {
        return Err(Problem::new(Kind::Conflict, "this camera has no pictures", "mask what its rows are made of"));
    };
    held.set(shapes.clone());
    desk.forget(number);
    log::warn!("{NAME}: {name} is masked anew");
    let Some(config) = desk.config.clone() else {
        return Ok(Json(json!({ "saved": false, "detail": "It holds until the end of this run." })));
    };
    let saved = tokio::task::spawn_blocking(move || masks::save(&config, &name, &shapes)).await?;
    let detail = match &saved {
        Ok(()) => "Saved, and in force.".to_owned(),
        Err(why) => format!("In force until the next start, and not saved: {why}. Paste it into the config."),
    };
    Ok(Json(json!({ "saved": saved.is_ok(), "detail": detail })))
}

/// A password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    password: String,
}

/// Sign in.
pub async fn enter(
    State(desk): State<Arc<Desk>>,
    Extension(Origin(origin)): Extension<Origin>,
    password: Body<Password>,
) -> Result<Response, Problem> {
    let password = body(password)?.password;
    let entered = lock(&desk.sessions).enter(&password, origin, desk.clock.now());
    let token = entered.map_err(|refused| match refused {
        Refused::Wrong => {
            log::warn!("{NAME}: a wrong password from {origin}");
            Problem::new(Kind::Role, "that is not the password", "it was set at provisioning")
        }
        Refused::TooMany => Problem::new(Kind::Rate, "there were too many wrong ones", "wait a few seconds"),
        Refused::NoToken => Problem::new(Kind::Failed, "there is no randomness for a session", "try again"),
    })?;
    Ok(with_cookie(Some(&token)))
}

/// Sign out.
pub async fn leave(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    lock(&desk.sessions).leave(cookies);
    with_cookie(None)
}

fn with_cookie(token: Option<&str>) -> Response {
    let mut response = Json(json!({})).into_response();
    if let Ok(value) = HeaderValue::from_str(&session::cookie(token)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
