#![allow(clippy::unwrap_used)]

use std::cell::RefCell;

use super::*;

const PATIENCE: Patience =
    Patience { silence: Duration::from_millis(300), trial: Duration::from_secs(5), pause: Duration::from_millis(1) };

/// A camera in memory whose network fails as it is told to.
#[derive(Default)]
struct Camera(RefCell<Inside>);

#[derive(Default)]
struct Inside {
    standing: Standing,
    have: u64,
    /// Two calls of three fail, which ones is this seed's choice; 0: none.
    seed: usize,
    calls: usize,
    /// What fails is done all the same: only the answer is lost.
    answers_lost: bool,
    looks: usize,
    ends: Option<&'static str>,
    refuses: bool,
    dead: bool,
    deaf: bool,
}

impl Camera {
    fn new(set: impl FnOnce(&mut Inside)) -> Self {
        let camera = Self::default();
        set(&mut camera.0.borrow_mut());
        camera
    }

    fn call<T>(&self, work: impl FnOnce(&mut Inside) -> Result<T>) -> Result<T> {
        let mut inside = self.0.borrow_mut();
        inside.calls += 1;
        let luck = (inside.calls * 1_103_515_245 + inside.seed * 12_345) >> 7;
        let fails = inside.dead || inside.seed > 0 && !luck.is_multiple_of(3);
        let cut = || Error::unavailable("pole", "the line is cut", "try again");
        if fails && !inside.answers_lost {
            return Err(cut());
        }
        let done = work(&mut inside)?;
        if fails { Err(cut()) } else { Ok(done) }
    }
}

impl Link for Camera {
    fn standing(&self) -> Result<Standing> {
        self.call(|inside| {
            inside.looks += 1;
            if inside.looks > 6
                && let Some((id, _)) = inside.standing.trial.take()
            {
                let end = inside.ends.map(|reason| ("dropped", reason));
                if end.is_none() {
                    inside.standing.current = Some(id.clone());
                }
                let (word, reason) = end.unwrap_or(("confirmed", ""));
                inside.standing.past.push((id, word.into(), reason.into()));
            }
            Ok(inside.standing.clone())
        })
    }

    fn arrived(&self, bundle: &Package) -> Result<Option<u64>> {
        self.call(|inside| Ok(Some(inside.have).filter(|have| *have < bundle.bytes.len() as u64)))
    }

    fn send(&self, bundle: &Package, at: u64, piece: &[u8]) -> Result<Option<u64>> {
        self.call(|inside| {
            if inside.refuses {
                return Err(Error::new(ErrorKind::Untrusted, "pole", "signed by a stranger", "sign it"));
            }
            if inside.deaf {
                return Err(Error::unavailable("pole", "the line is cut", "try again"));
            }
            if at != inside.have {
                return Err(Error::unavailable("pole", "another offset is wanted", "ask for it"));
            }
            inside.have += piece.len() as u64;
            Ok(Some(inside.have).filter(|have| *have < bundle.bytes.len() as u64))
        })
    }

    fn activate(&self, id: &str) -> Result<()> {
        self.call(|inside| {
            inside.standing.trial = Some((id.into(), "in shadow".into()));
            inside.looks = 0;
            Ok(())
        })
    }
}

fn package() -> Package {
    Package {
        id: "ab".repeat(32),
        name: "roadside".into(),
        release: 2,
        sha256: "cd".repeat(32),
        bytes: vec![7; 3 * PIECE_BYTES + 5],
    }
}

fn bring_to(camera: &Camera) -> End {
    bring(camera, &package(), PATIENCE, &mut |_| {})
}

#[test]
fn it_is_sent_whole_and_confirmed() {
    let camera = Camera::new(|_| {});
    let mut sent = Vec::new();
    let tell = &mut |step: Step<'_>| {
        if let Step::Sent(bytes) = step {
            sent.push(bytes);
        }
    };
    assert_eq!(bring(&camera, &package(), PATIENCE, tell), End::Confirmed);
    assert_eq!(sent.last(), Some(&(3 * PIECE_BYTES as u64 + 5)));
    assert_eq!(sent.len(), 5);
    assert_eq!(bring_to(&camera), End::Already);
}

#[test]
fn cuts_and_lost_answers_cost_nothing_twice() {
    for answers_lost in [false, true] {
        for seed in 1..20 {
            let camera = Camera::new(|inside| (inside.seed, inside.answers_lost) = (seed, answers_lost));
            assert_eq!(bring_to(&camera), End::Confirmed, "seed {seed}, lost answers {answers_lost}");
        }
    }
}

#[test]
fn why_it_is_not_confirmed() {
    let camera = Camera::new(|inside| inside.ends = Some("it gave NaN, which is no score"));
    assert_eq!(bring_to(&camera), End::Failed("dropped: it gave NaN, which is no score".into()));
    // The same end again is told again.
    assert_eq!(bring_to(&camera), End::Failed("dropped: it gave NaN, which is no score".into()));
    let camera = Camera::new(|inside| inside.refuses = true);
    assert_eq!(bring_to(&camera), End::Failed("pole: signed by a stranger; sign it".into()));
    // One that answers, and takes nothing.
    let camera = Camera::new(|inside| inside.deaf = true);
    assert_eq!(bring_to(&camera), End::Failed("pole: the line is cut; try again".into()));
    let camera = Camera::new(|inside| inside.dead = true);
    assert_eq!(bring_to(&camera), End::Failed("pole: the line is cut; try again".into()));
}

#[test]
fn a_trial_that_is_on_is_waited_for() {
    let camera = Camera::new(|inside| inside.standing.trial = Some((package().id, "proved".into())));
    assert_eq!(bring_to(&camera), End::Confirmed);
    assert_eq!(camera.0.borrow().have, 0);
}
