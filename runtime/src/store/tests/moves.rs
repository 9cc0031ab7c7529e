//! Every stage of a trial, whatever happens to it: events that belong there and events that do not, errors, kills.

use std::fmt::Write as _;

use super::power::{PowerDisk, Survives};
use super::*;
use crate::store::state::{End, Evidence, NAMES_MAX, PAST_MAX, Trial};

fn model(release: u64) -> Model {
    let hash = format!("{release:064x}");
    Model { id: hash.clone(), name: "roadside".into(), release, blob: hash, bytes: 1 }
}

/// Release 1 is current, or was, and release 2 on trial.
fn at(stage: Stage) -> State {
    let (one, two) = (Some(model(1)), Some(model(2)));
    let trial = Some(Trial { stage, starts: 0, evidence: None, by_hand: false });
    if stage.switched() {
        State { current: two, previous: one, trial, ..State::default() }
    } else {
        State { current: one, candidate: two, trial, ..State::default() }
    }
}

fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("proved", Event::Proved(EVIDENCE)),
        ("shadow begun", Event::ShadowBegun),
        ("shadow skipped", Event::ShadowSkipped),
        ("passed", Event::Passed),
        ("failed", Event::Failed("NaN".into())),
        ("started", Event::Started),
    ]
}

fn names(state: &State) -> String {
    let release = |model: &Option<Model>| model.as_ref().map_or("-".into(), |model| model.release.to_string());
    format!(
        "current {}, candidate {}, previous {}, {}",
        release(&state.current),
        release(&state.candidate),
        release(&state.previous),
        state.trial.as_ref().map_or("no trial", |trial| trial.stage.word())
    )
}

#[test]
fn every_event_at_every_stage() {
    let mut table = String::new();
    for stage in Stage::ALL {
        for (name, event) in events() {
            let mut state = at(stage);
            let before = state.clone();
            let turn = if let Ok(turn) = state.advance(event) {
                format!("{turn:?}; {}", names(&state))
            } else {
                assert_eq!(state, before, "what cannot happen moves nothing");
                "cannot happen".into()
            };
            assert!(state.is_sound(), "{stage:?} {name}");
            writeln!(table, "{:<13}{name:<16}{turn}", stage.word()).unwrap();
        }
    }
    insta::assert_snapshot!(table, @r#"
    to be proved proved          At(Proved); current 1, candidate 2, previous -, proved
    to be proved shadow begun    cannot happen
    to be proved shadow skipped  cannot happen
    to be proved passed          cannot happen
    to be proved failed          Dropped("NaN"); current 1, candidate -, previous -, no trial
    to be proved started         At(Installed); current 1, candidate 2, previous -, to be proved
    proved       proved          cannot happen
    proved       shadow begun    At(Shadow); current 1, candidate 2, previous -, in shadow
    proved       shadow skipped  Switched; current 2, candidate -, previous 1, unconfirmed
    proved       passed          cannot happen
    proved       failed          Dropped("NaN"); current 1, candidate -, previous -, no trial
    proved       started         At(Installed); current 1, candidate 2, previous -, to be proved
    in shadow    proved          cannot happen
    in shadow    shadow begun    cannot happen
    in shadow    shadow skipped  cannot happen
    in shadow    passed          Switched; current 2, candidate -, previous 1, unconfirmed
    in shadow    failed          Dropped("NaN"); current 1, candidate -, previous -, no trial
    in shadow    started         At(Installed); current 1, candidate 2, previous -, to be proved
    unconfirmed  proved          cannot happen
    unconfirmed  shadow begun    cannot happen
    unconfirmed  shadow skipped  cannot happen
    unconfirmed  passed          Confirmed; current 2, candidate -, previous 1, no trial
    unconfirmed  failed          Reverted("NaN"); current 1, candidate -, previous -, no trial
    unconfirmed  started         None; current 2, candidate -, previous 1, unconfirmed
    "#);
}

#[test]
fn the_second_start_gives_a_trial_up_at_every_stage() {
    for stage in Stage::ALL {
        let mut state = at(stage);
        state.advance(Event::Started).unwrap();
        let turn = state.advance(Event::Started).unwrap();
        let reason = "the firmware started 2 times before its trial was over".to_owned();
        let expected = if stage.switched() { Turn::Reverted(reason.clone()) } else { Turn::Dropped(reason.clone()) };
        assert_eq!(turn, expected);
        assert_eq!((state.current.as_ref(), state.trial.as_ref()), (Some(&model(1)), None));
        assert_eq!(state.past.last().map(|end| (end.model.release, &end.reason)), Some((2, &reason)));
    }
}

#[test]
fn starts_before_the_switch_do_not_count_after_it() {
    let mut state = at(Stage::Installed);
    for event in [Event::Started, Event::Proved(EVIDENCE), Event::ShadowBegun, Event::Passed, Event::Started] {
        state.advance(event).unwrap();
    }
    assert_eq!(names(&state), "current 2, candidate -, previous 1, unconfirmed");
}

/// Every stage x {error, kill, two kills}, with the power cut after each: on the disk, and not only in the record.
#[test]
fn every_stage_with_an_error_or_a_kill_starts_what_it_should() {
    let mut table = String::new();
    for stage in Stage::ALL {
        let begin = || {
            let disk = PowerDisk::new();
            adopt(&store(&disk), 1);
            put_on_trial(&store(&disk), 2, stage);
            disk.power_cut(Survives::Nothing)
        };
        let disk = begin();
        store(&disk).advance(&Event::Failed("it panicked".into())).unwrap();
        let disk = disk.power_cut(Survives::Nothing);
        let error = booted(&store(&disk));
        assert_eq!(store(&disk).state().unwrap().past.last().unwrap().reason, "it panicked");

        let disk = begin();
        let kill = booted(&store(&disk));
        let disk = disk.power_cut(Survives::Nothing);
        let boot = store(&disk).boot(&trust()).unwrap();
        let kills = boot.bundle.manifest.release;
        assert_eq!(boot.told.len(), 1, "{:?}", boot.told);
        assert!(boot.told[0].contains("roadside release 2 was "), "{:?}", boot.told);
        // And from then on.
        let disk = disk.power_cut(Survives::Nothing);
        assert_eq!((booted(&store(&disk)), store(&disk).state().unwrap().trial), (kills, None));
        writeln!(table, "{:<13}error {error}  kill {kill}  two kills {kills}", stage.word()).unwrap();
    }
    insta::assert_snapshot!(table, @r"
    to be proved error 1  kill 1  two kills 1
    proved       error 1  kill 1  two kills 1
    in shadow    error 1  kill 1  two kills 1
    unconfirmed  error 1  kill 2  two kills 1
    ");
}

#[test]
fn the_first_model_is_confirmed_by_its_proof() {
    let mut state = State::default();
    state.install(model(1)).unwrap();
    state.activate(None, false, false).unwrap();
    assert_eq!(state.advance(Event::Proved(EVIDENCE)).unwrap(), Turn::Confirmed);
    assert_eq!(names(&state), "current 1, candidate -, previous -, no trial");
    let mut state = State::default();
    state.install(model(1)).unwrap();
    state.activate(None, false, false).unwrap();
    assert_eq!(state.advance(Event::Failed("slow".into())).unwrap(), Turn::Dropped("slow".into()));
    assert_eq!(names(&state), "current -, candidate -, previous -, no trial");
}

#[test]
fn counters_only_rise_and_an_operator_may_go_below_them() {
    let disk = PowerDisk::new();
    let s = store(&disk);
    adopt(&s, 5);
    adopt(&s, 6);
    let highest = || s.state().unwrap().highest("roadside").unwrap().release;
    install(&s, 4).unwrap();
    let refused = s.activate(None, false, false).unwrap_err();
    assert_eq!(refused.kind, crate::ErrorKind::Untrusted);
    assert_eq!(refused.problem, "release 4 of roadside is older than release 6");
    assert_eq!(booted(&s), 6);
    s.activate(None, true, false).unwrap();
    for event in [Event::Proved(EVIDENCE), Event::ShadowSkipped, Event::Passed] {
        s.advance(&event).unwrap();
    }
    assert_eq!((booted(&s), highest()), (4, 6));
    // The very model that raised the counter may come back, another of its number may not.
    s.activate(Some(&id_of(6)[..8]), false, false).unwrap();
    s.roll_back("no").unwrap();
    let (mut other, contents) = release(6);
    other.created = "2026-02-01".into();
    let bytes = packed(&(other, contents), 1);
    s.install_from("b", &bytes[..], bytes.len() as u64, &trust()).unwrap();
    let refused = s.activate(None, false, false).unwrap_err();
    assert_eq!(refused.problem, "another model was confirmed as release 6 of roadside");
    adopt(&s, 7);
    assert_eq!((booted(&s), highest()), (7, 7));
}

#[test]
fn rolling_back_goes_to_the_model_before_and_forward_again() {
    let disk = PowerDisk::new();
    let s = store(&disk);
    assert!(s.roll_back("why").unwrap_err().to_string().contains("nothing to roll back to"));
    adopt(&s, 1);
    adopt(&s, 2);
    assert_eq!(s.roll_back("by the operator").unwrap(), Turn::Reverted("by the operator".into()));
    assert_eq!(booted(&s), 1);
    assert_eq!(s.state().unwrap().past.last().unwrap().end, End::RolledBack);
    s.roll_back("and back").unwrap();
    assert_eq!(booted(&s), 2);
}

#[test]
fn one_trial_at_a_time() {
    for stage in Stage::ALL {
        let mut state = at(stage);
        assert_eq!(state.activate(None, true, false).unwrap_err().kind, crate::ErrorKind::Unavailable);
        let third = state.install(model(3));
        assert_eq!(third.is_ok(), stage.switched(), "{stage:?}: a candidate on trial is not pushed aside");
        assert!(state.is_sound());
    }
}

#[test]
fn the_same_manifest_under_another_signature_takes_its_place() {
    for stage in Stage::ALL {
        let mut state = at(stage);
        let again = Model { blob: "f".repeat(64), ..model(2) };
        state.install(again.clone()).unwrap();
        assert_eq!((state.on_trial(), state.is_sound()), (Some(&again), true));
    }
}

#[test]
fn the_record_has_its_limits() {
    let mut state = at(Stage::Proved);
    for _ in 0..100 {
        state.candidate = Some(model(2));
        state.trial = Some(Trial { stage: Stage::Proved, starts: 0, evidence: None, by_hand: false });
        state.advance(Event::Failed("line\n".repeat(1000))).unwrap();
    }
    assert_eq!(state.past.len(), PAST_MAX);
    assert!(state.past.iter().all(|end| end.reason.len() == 400 && !end.reason.contains('\n')));
    for n in 0..NAMES_MAX {
        let name = format!("n{n}");
        state.releases.push(crate::store::state::Release { name, release: 1, id: model(1).id });
    }
    assert!(state.check_release(&model(2)).unwrap_err().to_string().contains("no room for `roadside`"));
    let evidence = Some(Evidence { difference: 1.0, segment_ms: 1.0, memory_mb: 1.0 });
    state.trial = Some(Trial { stage: Stage::Installed, starts: 1, evidence, by_hand: true });
    state.candidate = Some(model(7));
    assert_eq!(State::decode(&state.encode().unwrap()).unwrap(), state);
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let lost_candidate = State { candidate: None, ..at(Stage::Shadow) };
    let lost_previous = State { previous: None, ..at(Stage::Unconfirmed) };
    let climbs = State { current: Some(Model { blob: "../../x".into(), ..model(1) }), ..State::default() };
    for state in [lost_candidate, lost_previous, climbs] {
        assert!(State::decode(&state.encode().unwrap()).is_err(), "{state:?}");
    }
}
