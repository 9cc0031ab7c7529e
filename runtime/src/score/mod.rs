//! Window in, score of the newest segment out.
//!
//! While a window fills, its rows are stretched and the full-window graph `[1, 64, D] -> [1, 64]` scores every position; the
//! newest is the last. Once it is full, [`step`] scores the same position for a fraction of the work, where the bundle
//! holds what it needs.

pub mod step;

use crate::engine::{Engine, Input};
use crate::window::{SEGMENTS, Window};
use crate::{Error, Result};
use step::StepHead;

/// Scores a stream of segment features, one by one.
pub struct Scorer {
    head: Box<dyn Engine>,
    step: Option<StepHead>,
    window: Window,
    stretched: Vec<f32>,
    scores: Vec<f32>,
}

impl Scorer {
    /// A scorer on `head`, a full-window graph `[1, 64, D] -> [1, 64]`, and on `step`, the same model's step.
    ///
    /// # Errors
    /// When the graph is not of that form.
    pub fn new(head: Box<dyn Engine>, step: Option<StepHead>) -> Result<Self> {
        let info = head.info();
        let width = match info.input_shape[..] {
            [1, SEGMENTS, width] if width > 0 && info.output_shape == [1, SEGMENTS] => width,
            _ => {
                return Err(Error::corrupt(
                    "head",
                    format!(
                        "the graph maps {:?} to {:?}, not [1, 64, D] to [1, 64]",
                        info.input_shape, info.output_shape
                    ),
                    "export it again with tadpole-trainer",
                ));
            }
        };
        if let Some(step) = step.as_ref().filter(|step| step.features() != width) {
            return Err(Error::corrupt(
                "step graph",
                format!("takes rows of {}, the head of {width}", step.features()),
                "export it again with tadpole-trainer",
            ));
        }
        Ok(Self {
            head,
            step,
            window: Window::new(width),
            stretched: vec![0.0; SEGMENTS * width],
            scores: vec![0.0; SEGMENTS],
        })
    }

    /// Width `D` of the features that the head takes.
    pub fn width(&self) -> usize {
        self.stretched.len() / SEGMENTS
    }

    /// Segments in the window, at most 64.
    pub fn segments(&self) -> usize {
        self.window.len()
    }

    /// Start anew after a gap: what came before is not contiguous with what comes.
    pub fn restart(&mut self) {
        self.window.clear();
        if let Some(step) = &mut self.step {
            step.restart();
        }
    }

    /// Take in the newest segment's feature and score it, in 0..=1.
    ///
    /// # Errors
    /// On a row of another width or with values that are not finite, when the engine fails, and on a score that is
    /// not a number in 0..=1: such a score is never passed on as "normal".
    pub fn score(&mut self, row: &[f32]) -> Result<f32> {
        if row.len() != self.width() {
            return Err(Error::failed(
                "feature row",
                format!("{} values, the model takes {}", row.len(), self.width()),
                "use features of the model's own contract (tadpole model show)",
            ));
        }
        if let Some(at) = row.iter().position(|x| !x.is_finite()) {
            return Err(Error::failed(
                "feature row",
                format!("value {at} is {}", row[at]),
                "the extractor or the recording is broken; extract the features again",
            ));
        }
        self.window.push(row);
        let stepped = self.step.as_mut().and_then(|step| step.push(row));
        let score = match stepped {
            Some(score) => score,
            None => self.full_window()?,
        };
        if (0.0..=1.0).contains(&score) {
            Ok(score)
        } else {
            Err(Error::failed(
                "score",
                format!("the model gave {score}, not a number in 0..1"),
                "roll back to the previous model (tadpole model show names this one)",
            ))
        }
    }
}

impl Scorer {
    /// The score by the graph over the whole window, as far as it is filled.
    fn full_window(&mut self) -> Result<f32> {
        self.window.stretch_into(&mut self.stretched);
        self.head.run(Input::F32(&self.stretched), &mut self.scores)?;
        Ok(self.scores[SEGMENTS - 1 - self.step.as_ref().map_or(0, StepHead::look_ahead)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineInfo, Provider};

    /// A head that returns the mean of each row, so that a test sees which row a score came from.
    struct Mean(EngineInfo);

    impl Engine for Mean {
        fn info(&self) -> &EngineInfo {
            &self.0
        }
        fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
            let Input::F32(x) = input else { panic!("floats") };
            let width = x.len() / SEGMENTS;
            for (y, row) in output.iter_mut().zip(x.chunks(width)) {
                *y = row.iter().sum::<f32>() / width as f32;
            }
            Ok(())
        }
    }

    fn scorer() -> Scorer {
        let info = EngineInfo {
            engine: "mean",
            version: "0".into(),
            provider: Provider::Cpu,
            input_shape: vec![1, SEGMENTS, 2],
            output_shape: vec![1, SEGMENTS],
        };
        Scorer::new(Box::new(Mean(info)), None).unwrap()
    }

    #[test]
    fn the_newest_segment_is_scored_from_the_first_on() {
        let mut scorer = scorer();
        for t in 0..100u8 {
            let x = f32::from(t) / 100.0;
            assert!((scorer.score(&[x, x]).unwrap() - x).abs() < 1e-6);
        }
        scorer.restart();
        assert_eq!(scorer.segments(), 0);
    }

    #[test]
    fn what_is_not_a_score_is_an_error() {
        assert!(scorer().score(&[2.0, 2.0]).unwrap_err().to_string().contains("not a number in 0..1"));
        assert!(scorer().score(&[f32::NAN, 0.0]).unwrap_err().to_string().contains("value 0 is NaN"));
        assert!(scorer().score(&[0.0]).unwrap_err().to_string().contains("1 values, the model takes 2"));
    }
}
