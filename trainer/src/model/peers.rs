//! What the parts of one batch, each on a thread of its own, tell each other.

use std::sync::mpsc::{Receiver, Sender, channel};

/// One part's way to the others: a channel to each and one from each, so that what a fast part says next is never taken
/// for a slow part's word.
#[derive(Debug)]
pub struct Peers {
    part: usize,
    /// To every other part.
    to: Vec<Sender<Vec<f32>>>,
    /// From every other part, in their order; closed once that part is gone.
    from: Vec<Receiver<Vec<f32>>>,
}

impl Peers {
    /// The whole batch is one part.
    pub fn none() -> Self {
        Self { part: 0, to: Vec::new(), from: Vec::new() }
    }

    /// Those of `parts` parts.
    pub fn of(parts: usize) -> Vec<Self> {
        let mut all: Vec<Self> = (0..parts).map(|part| Self { part, ..Self::none() }).collect();
        for sender in 0..parts {
            for receiver in (0..parts).filter(|&receiver| receiver != sender) {
                let (to, from) = channel();
                all[sender].to.push(to);
                all[receiver].from.push(from);
            }
        }
        all
    }

    /// The values of all parts, one part's after another's; every part calls it equally often. It never waits for a
    /// part that failed: the others then get what there is.
    pub fn gather(&self, values: Vec<f32>) -> Vec<f32> {
        for other in &self.to {
            let _gone = other.send(values.clone());
        }
        let mut all: Vec<Vec<f32>> = self.from.iter().map(|other| other.recv().unwrap_or_default()).collect();
        all.insert(self.part, values);
        all.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_get_the_same_values_in_order_and_none_waits_for_one_that_failed() {
        assert_eq!(Peers::none().gather(vec![1.0]), [1.0]);
        // Often, because a part that is ahead of the others is a matter of luck.
        for _ in 0..200 {
            let mut parts = Peers::of(3);
            let failed = parts.pop();
            let got: Vec<Vec<Vec<f32>>> = std::thread::scope(|scope| {
                let run = |peers: Peers, value: f32| {
                    scope.spawn(move || vec![peers.gather(vec![value]), peers.gather(vec![value + 10.0, value])])
                };
                let last = scope.spawn(|| failed.map(|peers| peers.gather(vec![2.0])));
                let threads: Vec<_> = parts.drain(..).zip([0.0, 1.0]).map(|(peers, value)| run(peers, value)).collect();
                assert_eq!(last.join().unwrap(), Some(vec![0.0, 1.0, 2.0]));
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for one in got {
                assert_eq!(one, [vec![0.0, 1.0, 2.0], vec![10.0, 0.0, 11.0, 1.0]]);
            }
        }
    }
}
