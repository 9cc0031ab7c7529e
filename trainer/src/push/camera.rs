//! A new model for one camera: a bundle and a [`Link`] come in, how it ended goes out. It is uploaded (an upload that was cut is gone on
//! with), activated, and then waited for: the camera tries it by itself and confirms it or takes the one before back.
//!
//! A link that fails is tried again for as long as [`Patience`] says, so that a camera which restarts meanwhile is not given up.

use std::time::{Duration, Instant};

use runtime::{Error, ErrorKind, Result};

use crate::site::client::{PIECE_BYTES, Package};

/// What a camera says of its models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Id of the model that decides.
    pub current: Option<String>,
    /// Id of the model on trial, and the word for how far it has come.
    pub trial: Option<(String, String)>,
    /// Ends of trials, the newest last: id, the word for its end, why.
    pub past: Vec<(String, String, String)>,
}

/// A camera over the network.
pub trait Link {
    /// How its models stand.
    fn standing(&self) -> Result<Standing>;
    /// How many bytes of the bundle it has; `None` when it has it whole.
    fn arrived(&self, bundle: &Package) -> Result<Option<u64>>;
    /// Send `piece` of the bundle, which begins at byte `at`; how many it has then, `None` when it has it whole.
    fn send(&self, bundle: &Package, at: u64, piece: &[u8]) -> Result<Option<u64>>;
    /// Put the model on trial.
    fn activate(&self, id: &str) -> Result<()>;
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a camera that does not answer.
    pub silence: Duration,
    /// For the end of its trial.
    pub trial: Duration,
    /// Between two looks.
    pub pause: Duration,
}

/// How it ended for one camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The model is confirmed there.
    Confirmed,
    /// It was the current model already.
    Already,
    /// It is not, and why.
    Failed(String),
    /// Its wave did not come, for the waves before failed.
    Skipped,
}

impl End {
    /// True when the camera is on the new model.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Already)
    }
}

/// What is being done, for a progress line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many bytes have arrived.
    Sent(u64),
    /// The camera is at this stage of the trial.
    Trial(&'a str),
    /// It did not answer: why. It is tried again.
    Again(&'a str),
}

/// Bring a model to a camera and wait until it stays.
pub fn bring(link: &dyn Link, package: &Package, patience: Patience, tell: &mut dyn FnMut(Step<'_>)) -> End {
    match try_bring(link, package, patience, tell) {
        Ok(end) => end,
        Err(error) => End::Failed(error.to_string()),
    }
}

fn try_bring(link: &dyn Link, package: &Package, patience: Patience, tell: &mut dyn FnMut(Step<'_>)) -> Result<End> {
    let standing = patience.insist(tell, || link.standing())?;
    if standing.trial.is_none() && standing.current.as_ref() == Some(&package.id) {
        return Ok(End::Already);
    }
    let on = |standing: &Option<(String, String)>| standing.as_ref().is_some_and(|(id, _)| *id == package.id);
    if !on(&standing.trial) {
        upload(link, package, patience, tell)?;
        patience.insist(tell, || match link.activate(&package.id) {
            // The answer to the first try was lost on the way.
            Err(error) if error.kind == ErrorKind::Unavailable => match link.standing() {
                Ok(standing) if on(&standing.trial) => Ok(()),
                _ => Err(error),
            },
            done => done,
        })?;
    }
    let until = Instant::now() + patience.trial;
    loop {
        let standing = patience.insist(tell, || link.standing())?;
        match &standing.trial {
            Some((id, stage)) if *id == package.id => tell(Step::Trial(stage)),
            _ => {
                if standing.current.as_ref() == Some(&package.id) {
                    return Ok(End::Confirmed);
                }
                // It was on trial, so the last end of its is this one.
                let end = standing.past.iter().rev().find(|(id, ..)| *id == package.id);
                return Ok(End::Failed(match end {
                    Some((_, word, reason)) => format!("{word}: {reason}"),
                    None => "the camera is on another model, and does not say why".into(),
                }));
            }
        }
        if Instant::now() > until {
            let problem = format!("is still on trial after {} s", patience.trial.as_secs());
            return Err(Error::unavailable(
                &package.id[..12],
                problem,
                "wait longer: --wait; or look at the camera's log",
            ));
        }
        std::thread::sleep(patience.pause);
    }
}

fn upload(link: &dyn Link, package: &Package, patience: Patience, tell: &mut dyn FnMut(Step<'_>)) -> Result<()> {
    let mut next = patience.insist(tell, || link.arrived(package))?;
    while let Some(at) = next {
        tell(Step::Sent(at));
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(package.bytes.len());
        let end = (start + PIECE_BYTES).min(package.bytes.len());
        let piece = &package.bytes[start..end];
        next = patience.insist(tell, || match link.send(package, at, piece) {
            // How much of it arrived, only the camera knows; nothing is a failure like others.
            Err(error) if error.kind == ErrorKind::Unavailable => match link.arrived(package) {
                Ok(there) if there != Some(at) => Ok(there),
                _ => Err(error),
            },
            done => done,
        })?;
    }
    tell(Step::Sent(package.bytes.len() as u64));
    Ok(())
}

impl Patience {
    /// Try until it works, or the camera has been silent for too long; what is refused is not tried again.
    pub(crate) fn insist<T>(&self, tell: &mut dyn FnMut(Step<'_>), mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let until = Instant::now() + self.silence;
        loop {
            match work() {
                Err(error) if error.kind == ErrorKind::Unavailable && Instant::now() < until => {
                    tell(Step::Again(&error.problem));
                    std::thread::sleep(self.pause);
                }
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests;
