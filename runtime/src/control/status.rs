//! `GET /v1/status`: how the device is, in one object.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Desk;
use super::problem::Problem;
use crate::health::Health;
use crate::output::HealthState;
use crate::pipeline::watch::lock;
use crate::store::disk::{Disk as _, RealDisk};
use crate::store::report::report;

/// Answer.
pub async fn get(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Problem> {
    Ok(Json(tokio::task::spawn_blocking(move || status(&desk)).await?))
}

/// How the worst camera is.
pub fn worst(desk: &Desk) -> HealthState {
    let states: Vec<_> = desk.healths.iter().map(|health| lock(health).state()).collect();
    [HealthState::Degraded, HealthState::Reduced]
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or(HealthState::Ok)
}

fn status(desk: &Desk) -> Value {
    let cameras: Vec<_> = desk.healths.iter().map(|health| camera(&lock(health))).collect();
    let lead = desk.live.lead();
    let runs = json!({
        "id": lead.bundle.id,
        "name": lead.bundle.manifest.name,
        "release": lead.bundle.manifest.release,
    });
    drop(lead);
    // A store that cannot be read is told of, and is no reason to say nothing.
    let (store, fault) = match desk.store.as_ref().map(|(store, _)| store.state()) {
        None => (None, None),
        Some(Ok(state)) => (Some(report(&state)), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    json!({
        "firmware": env!("CARGO_PKG_VERSION"),
        "uptime_s": desk.clock.now().as_secs(),
        "state": worst(desk),
        "engine": desk.engine.to_string(),
        "cameras": cameras,
        "model": runs,
        "store": store,
        "store_fault": fault,
        "free_bytes": RealDisk.free_bytes(&desk.folder).ok(),
    })
}

fn camera(health: &Health) -> Value {
    let counters = health.counters();
    json!({
        "name": health.camera(),
        "state": health.state(),
        "reason": health.reason().unwrap_or_default(),
        "frames": counters.frames,
        "frames_dropped": counters.frames_dropped,
        "gaps": counters.gaps,
        "segments": counters.scores,
        "segments_held": counters.segments_held,
        "alarms": counters.alarms,
        "last_score": health.last_score().filter(|score| score.is_finite()),
    })
}
