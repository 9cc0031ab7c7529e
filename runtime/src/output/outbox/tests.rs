//! The outbox on a disk whose power is cut at every operation, on one that turns read-only, on a slow one, and with its threads.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::output::{Outputs, Phase};
use crate::store::disk::{Entry, Held, RealDisk};
use crate::store::tests::power::{Accident, PowerDisk, Survives};

/// How long a thread may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const RECEIVERS: [&str; 2] = ["mqtt", "webhook"];

/// The beginning or end of an alarm; its id is `r-ID` or `r-IDe`.
pub(super) fn message(camera: &str, id: u64, phase: Phase) -> Message {
    let alarm = AlarmEvent { phase, ..crate::output::event::tests::started(camera, id) };
    let end = if phase == Phase::Ended { "e" } else { "" };
    let event_id = format!("r-{id}{end}");
    Message {
        event_id,
        device: "pole-12".into(),
        unix_s: 1_790_000_000,
        interrupted: false,
        event: Event::Alarm(alarm),
    }
}

fn folder() -> PathBuf {
    PathBuf::from("/var/lib/tadpole/outbox")
}

/// A queue and its file, without a thread.
struct Bare(Queue, File);

impl Bare {
    fn on(disk: &PowerDisk) -> Self {
        let (file, found) = File::open(Box::new(disk.clone()), &folder(), 100).unwrap();
        let mut queue = Queue::new(&RECEIVERS, 100);
        queue.restore(found.lines, found.problem.is_none() && !found.absent && file.is_ours());
        Self(queue, file)
    }

    /// True when it is on the disk.
    fn save(&mut self) -> bool {
        let saved = self.0.take_unsaved().is_none_or(|unsaved| self.1.save(&unsaved).is_ok());
        if !saved || self.1.has_grown() {
            self.0.not_saved();
        }
        saved
    }

    fn give(&mut self, receiver: &str) -> Option<u64> {
        let record = self.0.next(receiver).cloned()?;
        self.0.done(receiver, record.seq);
        record.message.alarm().map(|alarm| alarm.id)
    }
}

/// What is known of a life, from outside.
#[derive(Default)]
struct Known {
    /// Alarms that were on the disk.
    saved: u64,
    /// What each receiver was given, and how much of it was on the disk as given.
    given: [Vec<u64>; 2],
    given_saved: [usize; 2],
}

/// Six alarms come, and receivers take them at different speeds.
fn live(disk: &PowerDisk) -> Known {
    let (mut bare, mut known) = (Bare::on(disk), Known::default());
    for id in 1..=6 {
        bare.0.push(message("north", id, Phase::Ended));
        if id % 3 == 0 {
            // The file is written anew.
            bare.0.not_saved();
        }
        if bare.save() {
            known.saved = id;
        }
        if disk.ended() {
            break;
        }
        for (n, receiver) in RECEIVERS.iter().enumerate().take(1 + (id % 2) as usize) {
            known.given[n].extend(bare.give(receiver));
        }
        if bare.save() {
            known.given_saved = [known.given[0].len(), known.given[1].len()];
        }
    }
    known
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_saved_and_repeats_only_what_was_not() {
    let whole = PowerDisk::new();
    live(&whole);
    let operations = whole.operations();
    assert!(operations > 30);
    for number in 0..operations {
        for accident in [Accident::End, Accident::EndWithin] {
            let disk = PowerDisk::new();
            disk.at(number, accident);
            let known = live(&disk);
            let mut after: Vec<_> = Survives::WAYS.map(|way| disk.power_cut(way)).into();
            // A killed process: nothing that was written is lost.
            after.push(disk.new_process());
            for (way, disk) in after.iter().enumerate() {
                let mut bare = Bare::on(disk);
                for (n, receiver) in RECEIVERS.iter().enumerate() {
                    let told = format!("operation {number}, {accident:?}, way {way}, {receiver}");
                    let rest: Vec<_> = std::iter::from_fn(|| bare.give(receiver)).collect();
                    let first = rest.first().copied().unwrap_or(7);
                    assert!(first > known.given_saved[n] as u64, "{told}: {rest:?} was given before");
                    let given = known.given[n].len() as u64;
                    assert!(given >= (first - 1).min(known.saved), "{told}: {rest:?} after {given} of {}", known.saved);
                    assert!(rest.windows(2).all(|pair| pair[1] == pair[0] + 1), "{told}: {rest:?}");
                    assert!(
                        rest.is_empty() || rest.last() >= Some(&known.saved),
                        "{told}: {rest:?} of {}",
                        known.saved
                    );
                }
                assert!(bare.save(), "the next start goes on");
            }
        }
    }
}

#[test]
fn one_refusal_of_the_disk_at_any_operation_costs_nothing() {
    let whole = PowerDisk::new();
    live(&whole);
    for number in 0..whole.operations() {
        let disk = PowerDisk::new();
        disk.at(number, Accident::Error);
        let known = live(&disk);
        let mut bare = Bare::on(&disk.new_process());
        for (n, receiver) in RECEIVERS.iter().enumerate() {
            let rest: Vec<_> = std::iter::from_fn(|| bare.give(receiver)).collect();
            let given = known.given[n].len() as u64;
            // The very last save may be the one that failed.
            let expected: Vec<_> = (given + 1..=6).collect();
            assert!(rest.ends_with(&expected) && rest.len() <= expected.len() + 1, "operation {number}: {rest:?}");
        }
    }
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn alarm(id: u64, phase: Phase) -> AlarmEvent {
    AlarmEvent { phase, ..crate::output::event::tests::started("north", id) }
}

#[test]
fn a_disk_that_turns_read_only_is_a_fault_and_alarms_go_on_and_it_heals_by_itself() {
    let disk = PowerDisk::new();
    let (outbox, writing) = Outbox::open(Box::new(disk.clone()), &folder(), 100, &RECEIVERS, "pole-12").unwrap();
    let mut outputs = Outputs::default();
    outputs.push(outbox.output());
    disk.set_read_only();
    let begun = Instant::now();
    for id in 1..=3 {
        assert!(outputs.alarm(&alarm(id, Phase::Started)).is_empty());
        assert!(outputs.alarm(&alarm(id, Phase::Ended)).is_empty());
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for the disk");
    eventually("a fault", || {
        outputs.fault().is_some_and(|fault| fault.contains("outbox") && fault.contains("messages"))
    });
    // They are delivered all the same.
    let first = outbox.wait("mqtt", PATIENCE).unwrap();
    assert_eq!(first.message.alarm().unwrap().id, 1);
    outbox.done("mqtt", first.seq);
    disk.set_writable();
    eventually("it heals", || outputs.fault().is_none());
    writing.end(PATIENCE);
    let (again, _writing) = Outbox::open(Box::new(disk.new_process()), &folder(), 100, &RECEIVERS, "pole-12").unwrap();
    assert_eq!((again.standing("mqtt"), again.standing("webhook")), ((5, 0), (6, 0)));
}

/// A disk on which no byte is written before it is told to hurry.
struct SlowDisk(Arc<AtomicBool>);

impl Disk for SlowDisk {
    fn append(&self, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let begun = Instant::now();
        while !self.0.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        RealDisk.append(file, bytes)
    }

    fn make_folder(&self, folder: &Path) -> std::io::Result<()> {
        RealDisk.make_folder(folder)
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<Entry>> {
        RealDisk.list(folder)
    }

    fn open(&self, file: &Path) -> std::io::Result<(Box<dyn std::io::Read>, u64)> {
        RealDisk.open(file)
    }

    fn create(&self, file: &Path) -> std::io::Result<()> {
        RealDisk.create(file)
    }

    fn sync(&self, file: &Path) -> std::io::Result<()> {
        RealDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, file: &Path) -> std::io::Result<()> {
        RealDisk.remove(file)
    }

    fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
        RealDisk.sync_folder(folder)
    }

    fn free_bytes(&self, folder: &Path) -> std::io::Result<u64> {
        RealDisk.free_bytes(folder)
    }

    fn lock(&self, file: &Path) -> std::io::Result<Held> {
        RealDisk.lock(file)
    }

    fn own(&self, file: &Path) -> std::io::Result<Option<Held>> {
        RealDisk.own(file)
    }
}

#[test]
fn nobody_waits_for_a_slow_disk_which_is_said_and_forgotten_when_it_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let hurry = Arc::new(AtomicBool::new(false));
    let disk = Box::new(SlowDisk(Arc::clone(&hurry)));
    let (outbox, writing) = Outbox::open(disk, &path, 1000, &["mqtt"], "pole-12").unwrap();
    let mut outputs = Outputs::default();
    outputs.push(outbox.output());
    let begun = Instant::now();
    for id in 1..=500 {
        assert!(outputs.alarm(&alarm(id, Phase::Started)).is_empty());
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits: {:?}", begun.elapsed());
    let first = outbox.wait("mqtt", PATIENCE).unwrap();
    assert_eq!(first.message.alarm().unwrap().id, 1, "from memory");
    eventually("it is said", || outputs.fault().is_some_and(|fault| fault.contains("not answered")));
    hurry.store(true, Ordering::SeqCst);
    eventually("it is forgotten", || outputs.fault().is_none());
    writing.end(PATIENCE);
    let (again, _writing) = Outbox::open(Box::new(RealDisk), &path, 1000, &["mqtt"], "pole-12").unwrap();
    // And the end of the alarm that was on.
    assert_eq!(again.standing("mqtt"), (501, 0));
}

#[test]
fn ids_are_never_given_twice_and_a_second_start_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut ids = std::collections::HashSet::new();
    for life in 1..=3 {
        let (outbox, writing) = Outbox::open(Box::new(RealDisk), &path, 100, &["mqtt"], "pole-12").unwrap();
        let mut output = outbox.output();
        output.alarm(&alarm(1, Phase::Started)).unwrap();
        output.alarm(&alarm(1, Phase::Ended)).unwrap();
        assert_eq!(outbox.standing("mqtt"), (2 + usize::from(life > 1), 0));
        // One stays behind, for the next.
        while outbox.standing("mqtt").0 > 1 || life == 3 {
            let Some(record) = outbox.next("mqtt") else { break };
            assert!(ids.insert(record.message.event_id.clone()));
            outbox.done("mqtt", record.seq);
        }
        writing.end(PATIENCE);
    }
    assert_eq!(ids.len(), 6);
}

#[test]
fn who_waits_is_woken_by_an_alarm_and_by_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, writing) =
        Outbox::open(Box::new(RealDisk), &folder.path().join("outbox"), 100, &["mqtt"], "pole-12").unwrap();
    let waiting = {
        let outbox = outbox.clone();
        std::thread::spawn(move || outbox.wait("mqtt", PATIENCE).map(|record| record.seq))
    };
    outbox.output().alarm(&alarm(1, Phase::Started)).unwrap();
    assert_eq!(waiting.join().unwrap(), Some(1));
    outbox.done("mqtt", 1);
    let waiting = std::thread::spawn(move || outbox.wait("mqtt", PATIENCE));
    writing.end(PATIENCE);
    assert_eq!(waiting.join().unwrap(), None);
}
