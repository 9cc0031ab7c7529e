//! Messages that wait for their receivers: alarms go in, each receiver takes them out in order, one by one, and says when it has one.
//! What of this the file does not hold yet is known here. Pure: no disk, no clock, no thread.
//!
//! It is bounded: when more than `events_max` wait, the oldest goes, is counted for every receiver that has not had it, and
//! [`Queue::overflow`] says so until that receiver has caught up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::record::{Line, Message, Record};
use crate::output::Phase;

/// Somebody who is to have every message.
#[derive(Clone, Debug)]
struct Receiver {
    name: String,
    /// It has all up to this number.
    done: u64,
    /// Messages that it acknowledged, since the start.
    delivered: u64,
    /// Messages that went before it had them.
    lost: u64,
    /// Those of them since it had everything.
    lost_lately: u64,
    /// It refused a message, and has acknowledged none since.
    refuses: bool,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Unsaved {
    /// These, behind what the file holds.
    More(Vec<Line>),
    /// These, in the place of what the file holds.
    All(Vec<Line>),
}

/// Messages, oldest first, and how far each receiver is.
#[derive(Clone, Debug)]
pub struct Queue {
    events_max: usize,
    receivers: Vec<Receiver>,
    waiting: VecDeque<Record>,
    /// The next number.
    next: u64,
    /// Alarms that are on, by camera: the messages of their beginnings.
    on: BTreeMap<String, Arc<Message>>,
    /// Lines that the file lacks.
    unsaved: Vec<Line>,
    /// The file is to be written anew.
    anew: bool,
}

impl Queue {
    /// An empty one for these receivers. Nothing of it is in any file.
    pub fn new(receivers: &[&str], events_max: usize) -> Self {
        let receiver = |name: &&str| Receiver {
            name: (*name).to_owned(),
            done: 0,
            delivered: 0,
            lost: 0,
            lost_lately: 0,
            refuses: false,
        };
        Self {
            events_max: events_max.max(1),
            receivers: receivers.iter().map(receiver).collect(),
            waiting: VecDeque::new(),
            next: 1,
            on: BTreeMap::new(),
            unsaved: Vec::new(),
            anew: true,
        }
    }

    /// As `lines` of a file left it; `whole` when the file held nothing else, and can be written on. A receiver that the file does not
    /// know gets what is there; one that is no receiver any more holds nothing up.
    pub fn restore(&mut self, lines: Vec<Line>, whole: bool) {
        for line in lines {
            match line {
                Line::Next(next) => self.next = self.next.max(next),
                Line::On(message) => self.track(&message),
                Line::Done(name, seq) => {
                    self.next = self.next.max(seq.saturating_add(1));
                    self.reach(&name, seq);
                }
                // Numbers rise; a line that repeats one was damaged in a way that nobody foresaw.
                Line::Sent(seq, _) if self.waiting.back().is_some_and(|last| seq <= last.seq) => {}
                Line::Sent(seq, message) => {
                    self.next = self.next.max(seq.saturating_add(1));
                    self.track(&message);
                    self.waiting.push_back(Record { seq, message });
                }
            }
        }
        self.forget_done();
        while self.waiting.len() > self.events_max {
            self.waiting.pop_front();
        }
        self.anew = !whole;
        // The firmware ended while these were on: they do not go on for ever.
        let cut: Vec<_> = self.on.values().filter_map(|begun| begun.cut_off()).collect();
        cut.into_iter().for_each(|end| self.push(end));
    }

    /// What a file held that could not be read at the start: what waited there waits behind what waits here.
    pub fn adopt(&mut self, lines: Vec<Line>) {
        let names: Vec<_> = self.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let mut late = Self::new(&names, self.events_max);
        late.restore(lines, true);
        late.waiting.into_iter().for_each(|record| self.enqueue(record.message));
    }

    /// Put a message behind the others.
    pub fn push(&mut self, message: Message) {
        let message = Arc::new(message);
        self.track(&message);
        self.enqueue(message);
    }

    fn enqueue(&mut self, message: Arc<Message>) {
        let seq = self.next;
        self.next += 1;
        self.write_down(Line::Sent(seq, Arc::clone(&message)));
        self.waiting.push_back(Record { seq, message });
        while self.waiting.len() > self.events_max {
            let Some(oldest) = self.waiting.pop_front() else { break };
            for receiver in self.receivers.iter_mut().filter(|receiver| receiver.done < oldest.seq) {
                receiver.done = oldest.seq;
                receiver.lost += 1;
                receiver.lost_lately += 1;
            }
        }
    }

    /// What a receiver is to have next.
    pub fn next(&self, receiver: &str) -> Option<&Record> {
        let done = self.receivers.iter().find(|known| known.name == receiver)?.done;
        self.waiting.get(self.behind(done))
    }

    /// A receiver has what its [`Queue::next`] was, which has this number.
    pub fn done(&mut self, receiver: &str, seq: u64) {
        if let Some(known) = self.pass(receiver, seq) {
            known.delivered += 1;
            known.refuses = false;
        }
        self.forget_done();
    }

    /// A receiver will not take what its [`Queue::next`] was, which has this number: it is never given that again.
    pub fn set_aside(&mut self, receiver: &str, seq: u64) {
        if let Some(known) = self.pass(receiver, seq) {
            known.lost += 1;
            known.refuses = true;
        }
        self.forget_done();
    }

    /// The receiver, if it had not come as far as this number, and now has.
    fn pass(&mut self, receiver: &str, seq: u64) -> Option<&mut Receiver> {
        let before = self.reached(receiver);
        self.reach(receiver, seq);
        if self.reached(receiver) == before {
            return None;
        }
        self.write_down(Line::Done(receiver.to_owned(), seq));
        self.receivers.iter_mut().find(|known| known.name == receiver)
    }

    /// Messages that wait for a receiver.
    pub fn waiting(&self, receiver: &str) -> usize {
        self.waiting.len() - self.behind(self.reached(receiver))
    }

    /// How many wait that have numbers up to `done`.
    fn behind(&self, done: u64) -> usize {
        self.waiting.partition_point(|record| record.seq <= done)
    }

    /// Messages that a receiver will never have, since the start.
    pub fn lost(&self, receiver: &str) -> u64 {
        self.receivers.iter().find(|known| known.name == receiver).map_or(0, |known| known.lost)
    }

    /// Messages that a receiver acknowledged, since the start.
    pub fn delivered(&self, receiver: &str) -> u64 {
        self.receivers.iter().find(|known| known.name == receiver).map_or(0, |known| known.delivered)
    }

    /// The receivers' names.
    pub fn receivers(&self) -> impl Iterator<Item = &str> {
        self.receivers.iter().map(|receiver| receiver.name.as_str())
    }

    /// Who has been away for too long, and what that cost; until it has caught up.
    pub fn overflow(&self) -> Option<String> {
        let behind = self.receivers.iter().find(|receiver| receiver.lost_lately > 0)?;
        let Receiver { name, lost_lately, .. } = behind;
        Some(format!("`{name}` was away for too long: {lost_lately} messages went that it never had"))
    }

    /// Who refuses what it is sent; until it takes something again.
    pub fn refusal(&self) -> Option<String> {
        let refuses = self.receivers.iter().find(|receiver| receiver.refuses)?;
        Some(format!("`{}` refuses what it is sent, and a message was set aside: the log has its id", refuses.name))
    }

    /// What the file lacks, if anything. It counts as written until [`Queue::not_saved`].
    pub fn take_unsaved(&mut self) -> Option<Unsaved> {
        let more = std::mem::take(&mut self.unsaved);
        if std::mem::take(&mut self.anew) {
            return Some(Unsaved::All(self.lines()));
        }
        if more.is_empty() { None } else { Some(Unsaved::More(more)) }
    }

    /// Whether the file lacks anything.
    pub fn is_unsaved(&self) -> bool {
        self.anew || !self.unsaved.is_empty()
    }

    /// Nobody knows what the file holds, or it has grown: it is to be written anew.
    pub fn not_saved(&mut self) {
        self.anew = true;
        self.unsaved.clear();
    }

    /// All that a file need hold.
    fn lines(&self) -> Vec<Line> {
        let on = self.on.values().map(|message| Line::On(Arc::clone(message)));
        let done = self.receivers.iter().map(|receiver| Line::Done(receiver.name.clone(), receiver.done));
        let sent = self.waiting.iter().map(|record| Line::Sent(record.seq, Arc::clone(&record.message)));
        std::iter::once(Line::Next(self.next)).chain(on).chain(done).chain(sent).collect()
    }

    /// A disk that is away for long must not cost memory: then all is written anew when it is back.
    fn write_down(&mut self, line: Line) {
        if !self.anew {
            self.unsaved.push(line);
            if self.unsaved.len() > 2 * self.events_max + 16 {
                self.not_saved();
            }
        }
    }

    fn track(&mut self, message: &Arc<Message>) {
        let Some(alarm) = message.alarm() else { return };
        match alarm.phase {
            Phase::Started => _ = self.on.insert(alarm.camera.clone(), Arc::clone(message)),
            Phase::Ended => _ = self.on.remove(&alarm.camera),
        }
    }

    fn reached(&self, receiver: &str) -> u64 {
        self.receivers.iter().find(|known| known.name == receiver).map_or(0, |known| known.done)
    }

    fn reach(&mut self, receiver: &str, seq: u64) {
        let newest = self.next - 1;
        if let Some(known) = self.receivers.iter_mut().find(|known| known.name == receiver) {
            known.done = known.done.max(seq.min(newest));
            if known.done == newest {
                known.lost_lately = 0;
            }
        }
    }

    /// What everybody has is kept no longer.
    fn forget_done(&mut self) {
        let all = self.receivers.iter().map(|receiver| receiver.done).min().unwrap_or(u64::MAX);
        while self.waiting.front().is_some_and(|oldest| oldest.seq <= all) {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::message;
    use super::*;

    fn queue(events_max: usize) -> Queue {
        let mut queue = Queue::new(&["a", "b"], events_max);
        queue.restore(Vec::new(), true);
        queue
    }

    fn start(queue: &mut Queue, camera: &str, id: u64) {
        queue.push(message(camera, id, Phase::Started));
    }

    fn end(queue: &mut Queue, camera: &str, id: u64) {
        queue.push(message(camera, id, Phase::Ended));
    }

    /// Everything that a receiver is given, in order.
    fn drain(queue: &mut Queue, receiver: &str) -> Vec<String> {
        let mut ids = Vec::new();
        while let Some(record) = queue.next(receiver).cloned() {
            ids.push(record.message.event_id.clone());
            queue.done(receiver, record.seq);
        }
        ids
    }

    /// The queue of a process that starts with what this one's file holds.
    fn restarted(file: &[Line]) -> Queue {
        let mut queue = Queue::new(&["a", "b"], 100);
        queue.restore(file.to_vec(), true);
        queue
    }

    /// What is unsaved, written.
    fn save(queue: &mut Queue, file: &mut Vec<Line>) {
        match queue.take_unsaved() {
            Some(Unsaved::All(lines)) => *file = lines,
            Some(Unsaved::More(lines)) => file.extend(lines),
            None => {}
        }
    }

    #[test]
    fn each_receiver_has_each_message_once_and_in_order() {
        let mut queue = queue(10);
        start(&mut queue, "x", 1);
        end(&mut queue, "x", 1);
        assert_eq!(drain(&mut queue, "a"), ["r-1", "r-1e"]);
        start(&mut queue, "x", 2);
        assert_eq!((queue.waiting("a"), queue.waiting("b")), (1, 3));
        assert_eq!(drain(&mut queue, "b"), ["r-1", "r-1e", "r-2"]);
        assert_eq!(drain(&mut queue, "a"), ["r-2"]);
        assert!(queue.waiting.is_empty() && queue.next("nobody").is_none());
    }

    #[test]
    fn the_oldest_goes_is_counted_and_told_until_its_receiver_has_caught_up() {
        let mut queue = queue(3);
        start(&mut queue, "x", 1);
        assert_eq!(drain(&mut queue, "a"), ["r-1"]);
        (2..=5).for_each(|id| start(&mut queue, "x", id));
        assert_eq!((queue.lost("a"), queue.lost("b")), (1, 2));
        assert_eq!((queue.delivered("a"), queue.delivered("b")), (1, 0));
        assert!(queue.overflow().unwrap().contains("`a` was away"));
        assert_eq!(drain(&mut queue, "a"), ["r-3", "r-4", "r-5"]);
        assert!(queue.overflow().unwrap().contains("`b` was away for too long: 2 messages"));
        assert_eq!(drain(&mut queue, "b"), ["r-3", "r-4", "r-5"]);
        assert_eq!((queue.overflow(), queue.lost("b")), (None, 2));
    }

    #[test]
    fn what_is_refused_is_set_aside_counted_and_told_until_something_is_taken() {
        let (mut queue, mut file) = (queue(10), Vec::new());
        (1..=3).for_each(|id| start(&mut queue, "x", id));
        let refused = queue.next("a").unwrap().seq;
        queue.set_aside("a", refused);
        queue.set_aside("a", refused);
        assert_eq!((queue.lost("a"), queue.lost("b"), queue.delivered("a")), (1, 0, 0));
        assert!(queue.refusal().unwrap().contains("`a` refuses"));
        // Nor after a restart.
        save(&mut queue, &mut file);
        assert_eq!(restarted(&file).next("a").unwrap().seq, refused + 1);
        assert_eq!(drain(&mut queue, "a"), ["r-2", "r-3"]);
        assert_eq!((queue.refusal(), queue.lost("a"), queue.delivered("a")), (None, 1, 2));
        assert_eq!(drain(&mut queue, "b"), ["r-1", "r-2", "r-3"]);
    }

    #[test]
    fn one_that_went_while_it_was_on_its_way_is_not_taken_for_a_later_one() {
        let mut queue = queue(2);
        start(&mut queue, "x", 1);
        let on_its_way = queue.next("a").unwrap().seq;
        (2..=4).for_each(|id| start(&mut queue, "x", id));
        queue.done("a", on_its_way);
        assert_eq!(drain(&mut queue, "a"), ["r-3", "r-4"]);
    }

    #[test]
    fn an_alarm_that_was_on_when_the_firmware_ended_is_over_and_that_is_said_once() {
        let (mut first, mut file) = (Queue::new(&["a", "b"], 100), Vec::new());
        start(&mut first, "x", 1);
        save(&mut first, &mut file);
        for receiver in ["a", "b"] {
            assert_eq!(drain(&mut first, receiver), ["r-1"]);
        }
        // Its beginning is in no message any more.
        first.not_saved();
        save(&mut first, &mut file);
        let mut second = restarted(&file);
        assert_eq!(drain(&mut second, "a"), ["r-1-cut"]);
        save(&mut second, &mut file);
        let mut third = restarted(&file);
        assert_eq!((drain(&mut third, "a"), drain(&mut third, "b")), (vec![], vec!["r-1-cut".to_owned()]));
    }

    #[test]
    fn a_receiver_that_is_new_gets_what_waits_and_one_that_is_gone_holds_nothing_up() {
        let mut file = vec![Line::Done("gone".into(), 0), Line::Done("a".into(), 1)];
        file.extend((1..=2).map(|id| Line::Sent(id, Arc::new(message("x", id, Phase::Ended)))));
        let mut queue = restarted(&file);
        assert_eq!((drain(&mut queue, "a").len(), drain(&mut queue, "b").len()), (1, 2));
        assert!(queue.waiting.is_empty());
    }

    #[test]
    fn a_disk_that_is_away_for_long_costs_no_memory() {
        let mut queue = queue(3);
        (0..1000).for_each(|id| start(&mut queue, "x", id));
        assert!(queue.unsaved.len() < 30 && queue.is_unsaved());
        let Some(Unsaved::All(lines)) = queue.take_unsaved() else { panic!("all is to be written anew") };
        assert_eq!(lines.iter().filter(|line| matches!(line, Line::Sent(..))).count(), 3);
        assert!(!queue.is_unsaved());
    }

    #[derive(Clone, Debug)]
    enum Move {
        Alarm,
        Take(bool),
        Save,
        Fail,
        /// `kill -9`, and a new start.
        Kill,
    }

    proptest! {
        #[test]
        fn whatever_happens_nothing_saved_is_lost_nothing_comes_twice_but_what_was_not_saved_as_done(
            moves in prop::collection::vec(prop_oneof![
                Just(Move::Alarm), any::<bool>().prop_map(Move::Take), Just(Move::Save), Just(Move::Fail), Just(Move::Kill)
            ], 0..80)
        ) {
            let (mut queue, mut file) = (Queue::new(&["a", "b"], 100), Vec::new());
            let mut given: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
            let (mut count, mut kills) = (0u64, 0);
            for step in moves {
                match step {
                    Move::Alarm => {
                        count += 1;
                        end(&mut queue, "x", count);
                    }
                    Move::Take(a) => {
                        let receiver = if a { "a" } else { "b" };
                        if let Some(record) = queue.next(receiver).cloned() {
                            given.entry(receiver).or_default().push(record.message.alarm().unwrap().id);
                            queue.done(receiver, record.seq);
                        }
                    }
                    Move::Save => save(&mut queue, &mut file),
                    Move::Fail => queue.not_saved(),
                    Move::Kill => {
                        save(&mut queue, &mut file);
                        queue = restarted(&file);
                        kills += 1;
                    }
                }
            }
            for receiver in ["a", "b"] {
                let mut ids = given.remove(receiver).unwrap_or_default();
                ids.extend(std::iter::from_fn(|| {
                    let record = queue.next(receiver).cloned()?;
                    queue.done(receiver, record.seq);
                    Some(record.message.alarm().unwrap().id)
                }));
                // Saved before each kill: exactly once, however often it was killed.
                prop_assert_eq!(ids, (1..=count).collect::<Vec<_>>(), "{} after {} kills", receiver, kills);
            }
        }
    }
}
