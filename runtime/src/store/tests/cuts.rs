//! The power is cut at every operation of everything that the store does, and whatever was not synced may be gone: a fresh start
//! finds a valid model and a valid config, in the wanted state or the former one.

use std::path::{Path, PathBuf};

use firmware_config::{Config, wire};

use super::power::{Accident, PowerDisk, Survives};
use super::*;
use crate::store::place;

/// Something that the store does, and where it begins.
struct Deed {
    name: &'static str,
    /// Brings a disk to where the deed begins.
    before: fn(&Store),
    /// The deed. A second time, after the first was done, it may fail.
    act: fn(Store) -> Result<()>,
    /// A state between the former and the wanted one in which it may be caught.
    between: Option<fn(&mut State)>,
}

const DEEDS: &[Deed] = &[
    Deed { name: "install the first", before: |_| {}, act: |s| install(&s, 1), between: None },
    Deed { name: "install another", before: |s| adopt(s, 1), act: |s| install(&s, 2), between: None },
    Deed {
        name: "install in a candidate's place",
        before: |s| {
            adopt(s, 1);
            install(s, 2).unwrap();
        },
        act: |s| install(&s, 3),
        between: None,
    },
    Deed {
        name: "install where there is no room",
        before: |s| {
            adopt(s, 1);
            install(s, 2).unwrap();
        },
        act: |s| {
            let bytes = bundle_of(1).len() as u64;
            install(&s.with_quota(2 * bytes + 100), 3)
        },
        between: Some(|state| state.candidate = None),
    },
    Deed { name: "receive in pieces", before: |s| adopt(s, 1), act: |s| receive(&s, 2), between: None },
    Deed {
        name: "receive the rest",
        before: |s| {
            adopt(s, 1);
            let bytes = bundle_of(2);
            s.receive(&sha256(&bytes), bytes.len() as u64).unwrap().write(&bytes[..1000]).unwrap();
        },
        act: |s| receive(&s, 2),
        between: None,
    },
    Deed {
        name: "activate",
        before: |s| {
            adopt(s, 1);
            install(s, 2).unwrap();
        },
        act: |s| s.activate(None, false, false).map(|_| ()),
        between: None,
    },
    Deed {
        name: "proof of the first",
        before: |s| {
            install(s, 1).unwrap();
            s.activate(None, false, false).unwrap();
        },
        act: |s| advance(&s, &Event::Proved(EVIDENCE)),
        between: None,
    },
    Deed {
        name: "proof",
        before: |s| on_trial(s, Stage::Installed),
        act: |s| advance(&s, &Event::Proved(EVIDENCE)),
        between: None,
    },
    Deed {
        name: "shadow",
        before: |s| on_trial(s, Stage::Proved),
        act: |s| advance(&s, &Event::ShadowBegun),
        between: None,
    },
    Deed {
        name: "switch",
        before: |s| on_trial(s, Stage::Shadow),
        act: |s| advance(&s, &Event::Passed),
        between: None,
    },
    Deed {
        name: "confirm",
        before: |s| on_trial(s, Stage::Unconfirmed),
        act: |s| advance(&s, &Event::Passed),
        between: None,
    },
    Deed {
        name: "drop",
        before: |s| on_trial(s, Stage::Shadow),
        act: |s| advance(&s, &Event::Failed("NaN".into())),
        between: None,
    },
    Deed {
        name: "revert",
        before: |s| on_trial(s, Stage::Unconfirmed),
        act: |s| advance(&s, &Event::Failed("NaN".into())),
        between: None,
    },
    Deed {
        name: "roll back",
        before: |s| {
            adopt(s, 1);
            adopt(s, 2);
        },
        act: |s| s.roll_back("by the operator").map(|_| ()),
        between: None,
    },
    Deed {
        name: "first start on trial",
        before: |s| on_trial(s, Stage::Unconfirmed),
        act: |s| s.boot(&trust()).map(|_| ()),
        between: None,
    },
    Deed {
        name: "second start on trial",
        before: |s| {
            on_trial(s, Stage::Unconfirmed);
            s.boot(&trust()).unwrap();
        },
        act: |s| s.boot(&trust()).map(|_| ()),
        between: None,
    },
    Deed {
        name: "collect",
        before: |s| {
            (1..=4).for_each(|n| adopt(s, n));
            assert!(s.state().unwrap().named().count() == 2);
        },
        act: |s| s.collect().map(|_| ()),
        between: None,
    },
];

fn advance(store: &Store, event: &Event) -> Result<()> {
    store.advance(event).map(|_| ())
}

fn on_trial(store: &Store, stage: Stage) {
    adopt(store, 1);
    put_on_trial(store, 2, stage);
}

/// As a sender does it: what a power cut has spoilt of an earlier try is found out at the end, and sent anew.
fn receive(store: &Store, number: u64) -> Result<()> {
    let sent = send(store, number);
    if sent.as_ref().is_err_and(|error| error.kind == crate::ErrorKind::Corrupt) { send(store, number) } else { sent }
}

/// Three pieces, gone on with where an earlier try ended.
fn send(store: &Store, number: u64) -> Result<()> {
    let bytes = bundle_of(number);
    let mut incoming = store.receive(&sha256(&bytes), bytes.len() as u64)?;
    for piece in bytes[incoming.have() as usize..].chunks(bytes.len() / 3 + 1) {
        incoming.write(piece)?;
    }
    incoming.finish(&trust()).map(|_| ())
}

/// How many cuts were tried, and how many of them recovered.
#[derive(Default)]
struct Tally {
    tried: usize,
    recovered: usize,
}

impl Tally {
    fn count(&mut self, case: &str, recovered: std::result::Result<(), String>) {
        self.tried += 1;
        match recovered {
            Ok(()) => self.recovered += 1,
            Err(why) => eprintln!("{case}: {why}"),
        }
    }

    fn tell(&self, what: &str) {
        eprintln!("{what}: {} tried, {} recovered", self.tried, self.recovered);
        assert_eq!(self.recovered, self.tried);
    }
}

impl Deed {
    /// A disk where the deed begins, everything on it synced.
    fn begin(&self) -> PowerDisk {
        let disk = PowerDisk::new();
        (self.before)(&store(&disk));
        disk.power_cut(Survives::All)
    }

    /// The states in which a cut may leave the store: former, wanted, and what may be between.
    fn states(&self) -> (Vec<State>, usize) {
        let disk = self.begin();
        let former = store(&disk).state().unwrap();
        let begun = disk.operations();
        (self.act)(store(&disk)).unwrap();
        let operations = disk.operations() - begun;
        let wanted = store(&disk).state().unwrap();
        let mut states = vec![wanted, former.clone()];
        if let Some(between) = self.between {
            let mut state = former;
            between(&mut state);
            states.push(state);
        }
        (states, operations)
    }

    /// Whether a start on this disk finds what it should, and whether the deed can still be done.
    fn recovers(&self, disk: &PowerDisk, states: &[State]) -> std::result::Result<(), String> {
        let found = store(disk).state().map_err(|error| error.to_string())?;
        if !states.contains(&found) {
            return Err(format!("neither the former state nor the wanted one: {found:?}"));
        }
        starts(disk, &found)?;
        if found != states[0] {
            (self.act)(store(disk)).map_err(|error| format!("done again: {error}"))?;
        }
        let now = store(disk).state().map_err(|error| error.to_string())?;
        if now != states[0] {
            return Err(format!("done again, it came to {now:?}"));
        }
        // What was done again is there to stay,
        let disk = disk.power_cut(Survives::Nothing);
        starts(&disk, &now)?;
        // and life goes on.
        match install(&store(&disk), 9) {
            Err(error) if error.kind != crate::ErrorKind::Unavailable => Err(format!("the next: {error}")),
            _ => starts(&disk, &store(&disk).state().map_err(|error| error.to_string())?),
        }
    }
}

/// Whether a start runs the model that it should, on a copy of the disk; every model that a pointer names is whole, also after
/// a collection, which leaves nothing else.
fn starts(disk: &PowerDisk, state: &State) -> std::result::Result<(), String> {
    let disk = disk.power_cut(Survives::All);
    let store = store(&disk);
    let mut expected = state.clone();
    expected.advance(Event::Started).map_err(|error| error.to_string())?;
    match (&expected.current, store.boot(&trust())) {
        (Some(model), Ok(boot)) if boot.bundle.id == model.id => {}
        (None, Err(error)) if error.kind == crate::ErrorKind::InvalidInput => {}
        (model, boot) => return Err(format!("{model:?} should start, and {boot:?} did")),
    }
    if state.current.is_some() {
        store.collect().map_err(|error| format!("collecting: {error}"))?;
        let blobs = disk_names(&disk, "blobs");
        let mut named: Vec<_> = expected.named().map(|model| model.blob.clone()).collect();
        named.sort();
        named.dedup();
        if blobs != named {
            return Err(format!("blobs {blobs:?}, named {named:?}"));
        }
    }
    for model in expected.named() {
        store.load(model, &trust()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn disk_names(disk: &PowerDisk, inside: &str) -> Vec<String> {
    disk.list(&folder().join(inside)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_power_cut_at_any_operation_is_survived() {
    let mut all = Tally::default();
    for deed in DEEDS {
        let mut tally = Tally::default();
        let (states, operations) = deed.states();
        let begin = deed.begin();
        for number in 0..operations {
            for accident in [Accident::End, Accident::EndWithin] {
                let disk = begin.power_cut(Survives::All);
                disk.at(number, accident);
                let done = (deed.act)(store(&disk));
                assert!(disk.ended(), "{}: operation {number} of {operations} never came", deed.name);
                for way in Survives::WAYS {
                    let after = disk.power_cut(way);
                    let mut recovered = deed.recovers(&after, &states);
                    // What was said to be done is done.
                    if done.is_ok() && store(&disk.power_cut(way)).state().ok().as_ref() != Some(&states[0]) {
                        recovered = Err("it was said to be done".into());
                    }
                    tally.count(&format!("{}, {accident:?} at {number}, {way:?}", deed.name), recovered);
                }
            }
        }
        // And after the last of them.
        for way in Survives::WAYS {
            let disk = begin.power_cut(Survives::All);
            (deed.act)(store(&disk)).unwrap();
            let after = disk.power_cut(way);
            tally.count(&format!("{}, done, {way:?}", deed.name), deed.recovers(&after, &states[..1]));
        }
        eprintln!("{:>5} cuts: {} ({operations} operations)", tally.tried, deed.name);
        all.tried += tally.tried;
        all.recovered += tally.recovered;
    }
    all.tell("power cuts");
}

#[test]
fn a_killed_process_and_then_a_power_cut_are_survived() {
    let mut tally = Tally::default();
    for deed in DEEDS {
        let (states, operations) = deed.states();
        let begin = deed.begin();
        for killed in 0..operations {
            // The machine goes on, with what was not synced; another process does it again, and the power is cut.
            let again = |cut: usize| {
                let disk = begin.power_cut(Survives::All);
                disk.at(killed, Accident::EndWithin);
                let _ = (deed.act)(store(&disk));
                let disk = disk.new_process();
                let found = store(&disk).state().unwrap();
                disk.at(cut, Accident::End);
                if found != states[0] {
                    let _ = (deed.act)(store(&disk));
                }
                disk
            };
            for cut in (0..).step_by(2) {
                let disk = again(cut);
                for way in [Survives::Nothing, Survives::Some(cut as u64 + 7)] {
                    let recovered = deed.recovers(&disk.power_cut(way), &states);
                    tally.count(&format!("{}, killed at {killed}, cut at {cut}, {way:?}", deed.name), recovered);
                }
                if !disk.ended() {
                    break;
                }
            }
        }
    }
    tally.tell("kills and power cuts");
}

#[test]
fn an_error_at_any_operation_leaves_the_store_as_it_was_or_as_it_should_be() {
    let mut tally = Tally::default();
    for deed in DEEDS {
        let (states, operations) = deed.states();
        let begin = deed.begin();
        for number in 0..operations {
            let disk = begin.power_cut(Survives::All);
            disk.at(number, Accident::Error);
            let done = (deed.act)(store(&disk));
            let disk = disk.new_process();
            let found = store(&disk).state().unwrap();
            let recovered = if deed.name.contains("start") {
                // It counts, or gives the trial up; either way something starts, now and again.
                match done {
                    Err(error) if !error.problem.starts_with("cannot be read") => Err(error.to_string()),
                    _ => starts(&disk, &found),
                }
            } else if done.is_ok() && found != states[0] {
                Err("it was said to be done".into())
            } else {
                deed.recovers(&disk.power_cut(Survives::All), &states)
            };
            tally.count(&format!("{}, error at {number}", deed.name), recovered);
        }
    }
    tally.tell("errors of the disk");
}

#[test]
fn a_config_is_the_former_or_the_wanted_one() {
    let config = |camera: &str| {
        let key = firmware_config::PublicKey::from(&key(1));
        let text = format!(
            "[[camera]]\nname = \"{camera}\"\nsource = \"sim://\"\n[model]\nbundle = \"m\"\ntrusted_keys = [\"{key}\"]\n"
        );
        Config::from_toml(&text).unwrap()
    };
    let path = PathBuf::from("/var/lib/tadpole/config");
    let (former, wanted) = (config("former"), config("wanted"));
    let begin = || {
        let disk = PowerDisk::new();
        place::save_config(&disk, &path, &former).unwrap();
        disk.power_cut(Survives::All)
    };
    let found = |disk: &PowerDisk, path: &Path| {
        wire::decode(&place::read(disk, path, 1 << 20).unwrap().unwrap()).map_err(|error| error.to_string())
    };
    let disk = begin();
    place::save_config(&disk, &path, &wanted).unwrap();
    let mut tally = Tally::default();
    for number in 0..=disk.operations() {
        for accident in [Accident::End, Accident::EndWithin, Accident::Error] {
            let disk = begin();
            disk.at(number, accident);
            let done = place::save_config(&disk, &path, &wanted);
            for way in Survives::WAYS {
                let after = disk.power_cut(way);
                let kept = found(&after, &path);
                let right = match &kept {
                    Ok(config) => *config == wanted || done.is_err() && *config == former,
                    Err(_) => false,
                };
                let again =
                    place::save_config(&after, &path, &wanted).is_ok() && found(&after, &path) == Ok(wanted.clone());
                let recovered = if right && again { Ok(()) } else { Err(format!("{kept:?}")) };
                tally.count(&format!("config, {accident:?} at {number}, {way:?}"), recovered);
            }
        }
    }
    tally.tell("config saves");
}
