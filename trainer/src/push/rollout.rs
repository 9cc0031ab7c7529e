//! A roll-out over many cameras: targets, waves and what to do for one camera come in, how it ended for each goes out. Cameras of a
//! wave are served at the same time, a few at once; the next wave begins when all of this one have ended, unless too many failed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::camera::End;
use super::targets::Target;
use super::waves::Waves;

/// How a roll-out goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who is served when.
    pub waves: Waves,
    /// Failures, of all waves together, with which it goes on.
    pub failures_max: usize,
    /// Cameras at once.
    pub parallel: usize,
}

impl Plan {
    /// Serve everybody, as the plan says; `serve` is called from several threads, `wave` before each wave with its number from 1,
    /// and its cameras.
    pub fn run(
        &self,
        targets: &[Target],
        wave: &mut dyn FnMut(usize, &[Target]),
        serve: &(dyn Fn(&Target) -> End + Sync),
    ) -> Vec<End> {
        let mut ends: Vec<End> = Vec::with_capacity(targets.len());
        for (n, size) in self.waves.sizes(targets.len()).into_iter().enumerate() {
            if ends.iter().filter(|end| !end.is_good()).count() > self.failures_max {
                break;
            }
            let these = &targets[ends.len()..ends.len() + size];
            wave(n + 1, these);
            ends.extend(in_parallel(these, self.parallel, serve));
        }
        ends.resize(targets.len(), End::Skipped);
        ends
    }
}

/// Do something for each camera, for at most `parallel` at once; how it ended for each, in their order.
pub fn in_parallel<T: Send>(targets: &[Target], parallel: usize, serve: &(dyn Fn(&Target) -> T + Sync)) -> Vec<T> {
    let (next, ends) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(targets.len())));
    std::thread::scope(|scope| {
        for _ in 0..parallel.clamp(1, targets.len().max(1)) {
            scope.spawn(|| {
                while let Some((n, target)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, targets.get(n)?)))
                {
                    let end = serve(target);
                    ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((n, end));
                }
            });
        }
    });
    let mut ends: Vec<(usize, T)> = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ends.sort_by_key(|(n, _)| *n);
    ends.into_iter().map(|(_, end)| end).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn targets(count: usize) -> Vec<Target> {
        (0..count).map(|n| Target { name: n.to_string(), address: String::new() }).collect()
    }

    fn roll_out(failures_max: usize, bad: &[&str]) -> (Vec<usize>, Vec<End>) {
        let plan = Plan { waves: "1,50%".parse().unwrap(), failures_max, parallel: 3 };
        let mut waves = Vec::new();
        let ends = plan.run(&targets(8), &mut |_, these| waves.push(these.len()), &|target| {
            if bad.contains(&target.name.as_str()) { End::Failed("no".into()) } else { End::Confirmed }
        });
        (waves, ends)
    }

    #[test]
    fn everybody_in_waves() {
        let (waves, ends) = roll_out(0, &[]);
        assert_eq!((waves, ends), (vec![1, 3, 4], vec![End::Confirmed; 8]));
    }

    #[test]
    fn too_many_failures_end_it_before_the_next_wave() {
        let (waves, ends) = roll_out(0, &["0"]);
        assert_eq!(waves, [1]);
        assert_eq!(ends.iter().filter(|end| **end == End::Skipped).count(), 7);
        let (waves, ends) = roll_out(1, &["0", "2"]);
        assert_eq!(waves, [1, 3]);
        assert_eq!(ends[2], End::Failed("no".into()));
        assert_eq!(ends[4..], vec![End::Skipped; 4]);
        assert_eq!(roll_out(2, &["0", "2"]).0, [1, 3, 4]);
    }

    #[test]
    fn as_many_at_once_as_it_says() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let plan = Plan { waves: "100%".parse().unwrap(), failures_max: 0, parallel: 3 };
        plan.run(&targets(9), &mut |_, _| {}, &|_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
            now.fetch_sub(1, Ordering::SeqCst);
            End::Confirmed
        });
        assert!((2..=3).contains(&most.into_inner()));
    }
}
