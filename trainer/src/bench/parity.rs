//! The same training steps on two devices: the first one's gradients and every one's loss in, the largest differences out.
//!
//! Without dropout, whose masks differ with the parts that a batch is computed in. Differences of losses are relative to the loss; those of
//! gradients to the largest gradient of all weights, because some are zero but for rounding (a key's bias moves no softmax).

use runtime::{Error, Result};
use serde::Serialize;

use super::parameters::Parameter;
use super::step::Workload;
use crate::train::Device;

/// Steps whose losses are compared: from the second on, the optimiser is compared too.
pub const STEPS: usize = 3;

/// How far two devices are apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parity {
    /// The largest relative difference of a step's loss.
    pub loss: f64,
    /// The largest difference of a gradient, of the largest gradient.
    pub gradient: f64,
    /// Whose gradient that is.
    pub parameter: String,
    /// The first steps' losses here.
    pub losses: Vec<f32>,
    /// The first step's windows of which something was erased here; the other device must agree.
    pub erased_windows: usize,
}

impl Parity {
    /// Take the steps on both devices.
    ///
    /// # Errors
    /// When one of them fails, or they do not erase the same number of windows.
    pub fn of(workload: &Workload, device: Device, reference: Device) -> Result<Self> {
        let workload = workload.without_dropout();
        let (mut here, mut there) = (workload.begin(device)?, workload.begin(reference)?);
        let ((first, ours), (other, theirs)) = (here.gradients()?, there.gradients()?);
        if first.erased_windows != other.erased_windows {
            let problem = format!(
                "erases of {} windows, where {reference} erases of {}: their scores differ too much",
                first.erased_windows, other.erased_windows
            );
            return Err(Error::failed(device.to_string(), problem, "report this"));
        }
        let (gradient, parameter) = largest(&ours, &theirs).ok_or_else(|| {
            Error::failed(device.to_string(), format!("has gradients of other weights than {reference}"), "report this")
        })?;
        let (mut loss, mut losses) = (0.0_f64, Vec::new());
        for _ in 0..STEPS {
            let (a, b) = (here.step()?.loss, there.step()?.loss);
            // A loss that is no number is no parity.
            let difference = f64::from((a - b).abs() / b.abs().max(f32::MIN_POSITIVE));
            loss = if difference.is_nan() { f64::INFINITY } else { loss.max(difference) };
            losses.push(a);
        }
        Ok(Self { loss, gradient, parameter, losses, erased_windows: first.erased_windows })
    }

    /// Refuse differences above `tolerance`.
    ///
    /// # Errors
    /// Naming what differs.
    pub fn check(&self, workload: &str, device: Device, tolerance: f64) -> Result<()> {
        if self.loss <= tolerance && self.gradient <= tolerance {
            return Ok(());
        }
        let problem = format!(
            "{workload} differs from the CPU: losses by {:.1e} of themselves, gradients by {:.1e} of the largest, at {}",
            self.loss, self.gradient, self.parameter
        );
        Err(Error::failed(device.to_string(), problem, format!("do not train on it (--tolerance is {tolerance:e})")))
    }
}

/// The largest difference of two lists of gradients, relative to the second's largest number, and where; none where they are of different
/// weights.
fn largest(ours: &[Parameter], theirs: &[Parameter]) -> Option<(f64, String)> {
    let alike = ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(a, b)| a.name == b.name && a.values.len() == b.values.len());
    if !alike || ours.is_empty() {
        return None;
    }
    let scale = theirs.iter().flat_map(|b| &b.values).fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let mut worst = (0.0_f64, String::new());
    for (a, b) in ours.iter().zip(theirs) {
        for (x, y) in a.values.iter().zip(&b.values) {
            let difference = f64::from((x - y).abs() / scale);
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            if difference > worst.0 {
                worst = (difference, a.name.clone());
            }
        }
    }
    Some(worst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Preset;

    fn parameter(name: &str, values: &[f32]) -> Parameter {
        Parameter { name: name.into(), shape: vec![values.len()], values: values.to_vec() }
    }

    #[test]
    fn differences_are_of_the_largest_gradient() {
        let theirs = [parameter("a", &[0.0, 1e-9]), parameter("b", &[-2.0, 1.0])];
        let ours = [parameter("a", &[0.0, 3e-9]), parameter("b", &[-2.0, 0.5])];
        assert_eq!(largest(&ours, &theirs), Some((0.25, "b".into())));
        assert_eq!(largest(&theirs, &theirs), Some((0.0, String::new())));
        assert_eq!(largest(&ours[..1], &theirs), None);
        assert_eq!(largest(&[parameter("c", &[0.0, 0.0]), ours[1].clone()], &theirs), None);
        let broken = [parameter("a", &[f32::NAN, 0.0]), theirs[1].clone()];
        assert_eq!(largest(&broken, &theirs), Some((f64::INFINITY, "a".into())));
    }

    #[test]
    fn two_backends_of_one_machine_agree() {
        let workload = Workload::new(Preset::Edge, 16, 4).unwrap();
        let same = Parity::of(&workload, Device::Cpu, Device::Cpu).unwrap();
        assert_eq!((same.loss, same.gradient, same.losses.len()), (0.0, 0.0, STEPS));
        let other = Parity::of(&workload, Device::Ndarray, Device::Cpu).unwrap();
        assert!(other.gradient > 0.0, "two implementations do not agree to the last bit: {other:?}");
        other.check("denet", Device::Ndarray, 1e-4).unwrap();
        let error = other.check("denet", Device::Ndarray, 0.0).unwrap_err().to_string();
        assert!(
            error.starts_with("ndarray: denet differs from the CPU") && error.contains(&other.parameter),
            "{error}"
        );
    }
}
