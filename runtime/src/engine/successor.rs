//! An engine that is being built while another goes on: TensorRT compiles a graph for minutes, and a camera does not wait.
//!
//! The builder runs on a thread of its own. When it is done, the next input goes through both engines: if their answers
//! agree the new one takes over, else it is dropped, and the log says so. Either way no input is lost.

use std::thread::JoinHandle;

use super::{Engine, EngineInfo, Input, largest_difference};
use crate::{Error, Result};

/// How far the answers of two engines may be apart when one takes over: a GPU rounds products otherwise, yet a threshold
/// must mean the same.
pub const AGREEMENT: f32 = 5e-3;

/// An engine at work, and the one that is to follow it.
pub struct Successor {
    present: Box<dyn Engine>,
    next: Option<JoinHandle<Result<Box<dyn Engine>>>>,
}

impl Successor {
    /// Run `present` until what `build` makes is there.
    pub fn new(present: Box<dyn Engine>, build: impl FnOnce() -> Result<Box<dyn Engine>> + Send + 'static) -> Self {
        let next = std::thread::Builder::new().name("engine-build".into()).spawn(build);
        let next = next.map_err(|error| log::warn!("no engine is built in the background: {error}")).ok();
        Self { present, next }
    }

    /// The engine that was built, once it is there.
    fn built(&mut self) -> Option<Result<Box<dyn Engine>>> {
        let done = self.next.take_if(|thread| thread.is_finished())?;
        Some(done.join().unwrap_or_else(|_| Err(Error::failed("engine", "its building panicked", "report this"))))
    }

    /// Put `next` in the present one's place if it answers `input` as that did.
    fn take_over(&mut self, mut next: Box<dyn Engine>, input: Input<'_>, answer: &[f32]) -> Result<()> {
        let mut other = vec![0.0; answer.len()];
        next.run(input, &mut other)?;
        let gap = largest_difference(&other, answer);
        let (old, new) = (self.present.info().to_string(), next.info().to_string());
        if gap.is_nan() || gap > AGREEMENT {
            return Err(Error::failed(
                new,
                format!("its answers differ by {gap} from those of {old}"),
                "report this, with the model",
            ));
        }
        log::info!("{new} takes over from {old}; largest difference {gap:e}");
        self.present = next;
        Ok(())
    }
}

impl Engine for Successor {
    fn info(&self) -> &EngineInfo {
        self.present.info()
    }

    fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
        self.present.run(input, output)?;
        if let Some(built) = self.built() {
            let taken = built.and_then(|next| self.take_over(next, input, output));
            if let Err(error) = taken {
                log::error!("{} goes on: {error}", self.present.info());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::engine::Provider;

    /// Adds a number to its input.
    struct Plus(f32, EngineInfo);

    fn plus(number: f32, engine: &'static str) -> Box<dyn Engine> {
        let (input_shape, output_shape) = (vec![1], vec![1]);
        let info = EngineInfo { engine, version: "0".into(), provider: Provider::Cpu, input_shape, output_shape };
        Box::new(Plus(number, info))
    }

    impl Engine for Plus {
        fn info(&self) -> &EngineInfo {
            &self.1
        }

        fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
            let Input::F32(x) = input else { return Err(Error::failed("input", "no floats", "none")) };
            output[0] = x[0] + self.0;
            Ok(())
        }
    }

    /// The engine's name and answer before and after the builder was let go.
    fn followed_by(build: impl FnOnce() -> Result<Box<dyn Engine>> + Send + 'static) -> [(&'static str, f32); 2] {
        let (go, wait) = mpsc::channel::<()>();
        let mut engine = Successor::new(plus(1.0, "old"), move || {
            let _ = wait.recv();
            build()
        });
        let mut output = [0.0];
        engine.run(Input::F32(&[5.0]), &mut output).unwrap();
        let before = (engine.info().engine, output[0]);
        go.send(()).unwrap();
        while engine.next.is_some() {
            engine.run(Input::F32(&[5.0]), &mut output).unwrap();
            std::thread::yield_now();
        }
        engine.run(Input::F32(&[5.0]), &mut output).unwrap();
        [before, (engine.info().engine, output[0])]
    }

    #[test]
    fn the_present_engine_answers_until_the_next_is_there() {
        assert_eq!(followed_by(|| Ok(plus(1.001, "new"))), [("old", 6.0), ("new", 6.001)]);
    }

    #[test]
    fn an_engine_that_answers_otherwise_or_fails_never_takes_over() {
        assert_eq!(followed_by(|| Ok(plus(1.1, "new"))), [("old", 6.0); 2]);
        assert_eq!(followed_by(|| Ok(plus(f32::NAN, "new"))), [("old", 6.0); 2]);
        assert_eq!(followed_by(|| Err(Error::failed("x", "y", "z"))), [("old", 6.0); 2]);
        assert_eq!(followed_by(|| panic!("on purpose")), [("old", 6.0); 2]);
    }
}
