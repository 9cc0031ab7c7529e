//! What a store holds, as a value for programs: `tadpole model list --json` prints it, and whoever asks over a network gets it.

use serde_json::{Value, json};

use super::state::{Model, Outcome, State, Trial};

/// The record: pointers, trial, counters, and how trials ended.
pub fn report(state: &State) -> Value {
    let pointer = |named: &Option<Model>| named.as_ref().map(model);
    let past = |past: &Outcome| json!({ "model": model(&past.model), "end": past.end.word(), "reason": past.reason });
    json!({
        "current": pointer(&state.current),
        "candidate": pointer(&state.candidate),
        "previous": pointer(&state.previous),
        "trial": state.trial.as_ref().map(trial),
        "releases": state.releases.iter().map(|known| json!({ "name": known.name, "release": known.release })).collect::<Vec<_>>(),
        "past": state.past.iter().map(past).collect::<Vec<_>>(),
    })
}

/// The models that pointers name, each once, with all that is known of it.
pub fn models(state: &State) -> Vec<Value> {
    let pointers = [("current", &state.current), ("candidate", &state.candidate), ("previous", &state.previous)];
    let trial_of = |id: &str| state.trial.as_ref().filter(|_| state.on_trial().is_some_and(|model| model.id == id));
    let mut all: Vec<(&str, &Model)> = Vec::new();
    for (pointer, named) in pointers {
        // A model that is taken up again is both previous and candidate.
        all.extend(
            named.as_ref().filter(|named| !all.iter().any(|(_, known)| known.id == named.id)).map(|m| (pointer, m)),
        );
    }
    let told = |(pointer, named): (&str, &Model)| {
        let mut value = model(named);
        value["blob"] = named.blob.as_str().into();
        value["counter"] = state.highest(&named.name).map(|highest| highest.release).into();
        value["state"] = pointer.into();
        value["trial"] = trial_of(&named.id).map(trial).into();
        value
    };
    all.into_iter().map(told).collect()
}

fn model(model: &Model) -> Value {
    json!({ "id": model.id, "name": model.name, "release": model.release, "bytes": model.bytes })
}

fn trial(trial: &Trial) -> Value {
    json!({
        "stage": trial.stage.word(),
        "starts": trial.starts,
        "difference": trial.evidence.map(|evidence| evidence.difference),
        "segment_ms": trial.evidence.map(|evidence| evidence.segment_ms),
        "memory_mb": trial.evidence.map(|evidence| evidence.memory_mb),
    })
}

#[cfg(test)]
mod tests {
    use super::super::state::{Evidence, Release, Stage};
    use super::*;

    fn model(release: u64) -> Model {
        Model {
            id: format!("{release:064x}"),
            name: "road".into(),
            release,
            blob: format!("{release:063x}b"),
            bytes: 9,
        }
    }

    #[test]
    fn nothing_is_null_that_is_known() {
        let evidence = Some(Evidence { difference: 0.0, segment_ms: 32.0, memory_mb: 41.0 });
        let state = State {
            current: Some(model(3)),
            previous: Some(model(2)),
            trial: Some(Trial { stage: Stage::Unconfirmed, starts: 1, evidence, by_hand: false }),
            releases: vec![Release { name: "road".into(), release: 2, id: model(2).id }],
            ..State::default()
        };
        let whole = report(&state);
        assert_eq!((&whole["current"]["release"], &whole["candidate"]), (&3.into(), &Value::Null));
        assert_eq!(whole["trial"]["segment_ms"], 32.0);
        let all = models(&state);
        assert_eq!(all.len(), 2);
        assert_eq!(
            (&all[0]["state"], &all[0]["counter"], &all[0]["trial"]["stage"]),
            (&"current".into(), &2.into(), &"unconfirmed".into())
        );
        assert_eq!(
            (&all[1]["state"], &all[1]["trial"], &all[1]["blob"]),
            (&"previous".into(), &Value::Null, &model(2).blob.into())
        );
    }

    #[test]
    fn a_model_that_is_taken_up_again_is_listed_once() {
        let state =
            State { current: Some(model(3)), candidate: Some(model(2)), previous: Some(model(2)), ..State::default() };
        assert_eq!(models(&state).len(), 2);
    }
}
