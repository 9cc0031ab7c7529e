//! `GET /v1/models`, `POST /v1/models/{id}/activate`, `POST /v1/models/rollback`: the store, from afar. Both answer with where things
//! stand then; the trial itself is the driver's, and `GET /v1/status` tells how far it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::problem::{Kind, Problem};
use super::upload::check_id;
use super::{Desk, NAME};
use crate::pipeline::watch::lock;
use crate::store::report::{models, report};
use crate::store::{Model, Store, Trust, Turn};

/// List them.
pub async fn list(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Problem> {
    at_store(desk, |_, store, _| Ok(Json(json!({ "models": models(&store.state()?) })))).await
}

/// Put one on trial. One that is current or on trial already is no error: the wish is fulfilled.
pub async fn activate(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    check_id(&id)?;
    at_store(desk, move |_, store, _| {
        let state = store.state()?;
        let is = |model: Option<&Model>| model.is_some_and(|model| model.id == id);
        if is(state.current.as_ref()) || is(state.on_trial()) {
            return Ok((StatusCode::OK, Json(report(&state))));
        }
        if !state.named().any(|model| model.id == id) {
            return Err(Problem::new(
                Kind::NotFound,
                format!("no model {id} is in the store"),
                "send its bundle first",
            ));
        }
        let model = store.activate(Some(&id), false, false)?;
        log::info!("{NAME}: {} release {} is on trial", model.name, model.release);
        Ok((StatusCode::ACCEPTED, Json(report(&store.state()?))))
    })
    .await
}

/// End a trial, or go back to the model before: then the run starts anew, to load it.
pub async fn roll_back(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Problem> {
    at_store(desk, |desk, store, _| {
        let on_trial = store.state()?.trial.is_some();
        let turn = store.roll_back("rolled back over the network")?;
        let state = store.state()?;
        // The driver ends a trial by itself, without a new start.
        let restarts = !on_trial && matches!(turn, Turn::Reverted(_));
        if let Some(model) = state.current.as_ref().filter(|_| restarts) {
            let why = format!("{} release {} is taken back by a new start", model.name, model.release);
            *lock(&desk.restart) = Some(why);
        }
        let mut told = report(&state);
        told["restarts"] = restarts.into();
        Ok(Json(told))
    })
    .await
}

/// Work at the store, where waiting for a disk harms nobody.
pub async fn at_store<T: Send + 'static>(
    desk: Arc<Desk>,
    work: impl FnOnce(&Desk, &Store, &Trust) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(move || match &desk.store {
        Some((store, trust)) => work(&desk, store, trust),
        None => Err(no_store()),
    })
    .await?
}

/// The config names a bundle.
pub fn no_store() -> Problem {
    let remedy = "set `bundle` under [model] in its config to a folder, such as \"/var/lib/tadpole/store\"";
    Problem::new(Kind::Conflict, "this device runs a bundle, and has no store for others", remedy)
}
