//! What the parts of one batch, each on a thread of its own, tell each other.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};

/// One part's way to the others.
#[derive(Debug)]
pub struct Peers {
    part: usize,
    others: Vec<Sender<Option<(usize, Vec<f32>)>>>,
    inbox: Receiver<Option<(usize, Vec<f32>)>>,
    gone: Cell<usize>,
}

impl Peers {
    /// The whole batch is one part.
    pub fn none() -> Self {
        Self { part: 0, others: Vec::new(), inbox: channel().1, gone: Cell::new(0) }
    }

    /// Those of `parts` parts.
    pub fn of(parts: usize) -> Vec<Self> {
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..parts).map(|_| channel()).unzip();
        let others = |part: usize| (0..parts).filter(|&i| i != part).map(|i| senders[i].clone()).collect();
        inboxes
            .into_iter()
            .enumerate()
            .map(|(part, inbox)| Self { part, others: others(part), inbox, gone: Cell::new(0) })
            .collect()
    }

    /// The values of all parts, one part's after another's; every part calls it equally often. It never waits for a
    /// part that failed: the others then get what there is.
    pub fn gather(&self, values: Vec<f32>) -> Vec<f32> {
        for other in &self.others {
            let _gone = other.send(Some((self.part, values.clone())));
        }
        let mut all = vec![(self.part, values)];
        while all.len() + self.gone.get() <= self.others.len() {
            match self.inbox.recv() {
                Ok(Some(one)) => all.push(one),
                Ok(None) => self.gone.set(self.gone.get() + 1),
                Err(_) => break,
            }
        }
        all.sort_by_key(|(part, _)| *part);
        all.into_iter().flat_map(|(_, values)| values).collect()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for other in &self.others {
            let _gone = other.send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_get_the_same_values_in_order_and_none_waits_for_one_that_failed() {
        assert_eq!(Peers::none().gather(vec![1.0]), [1.0]);
        let mut parts = Peers::of(3);
        let failed = parts.pop();
        let got: Vec<Vec<Vec<f32>>> = std::thread::scope(|scope| {
            let run = |peers: Peers, value: f32| {
                scope.spawn(move || vec![peers.gather(vec![value]), peers.gather(vec![value + 10.0, value])])
            };
            let last = scope.spawn(|| failed.map(|peers| peers.gather(vec![2.0])));
            let mut threads: Vec<_> = parts.drain(..).zip([0.0, 1.0]).map(|(peers, value)| run(peers, value)).collect();
            assert_eq!(last.join().unwrap(), Some(vec![0.0, 1.0, 2.0]));
            threads.drain(..).map(|thread| thread.join().unwrap()).collect()
        });
        for one in got {
            assert_eq!(one, [vec![0.0, 1.0, 2.0], vec![10.0, 0.0, 11.0, 1.0]]);
        }
    }
}
