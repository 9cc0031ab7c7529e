//! A trained model to the field: a run and a signing key come in, a signed bundle goes out.
//!
//! | module | what |
//! |---|---|
//! | [`agree`] | int8 against float32 on the run's recordings |
//! | [`calibrate`] | a threshold for a stated false-alarm rate |
//! | [`command`] | `tadpole-trainer export` and `keygen` |
//! | [`denet`] | DE-Net's graph |
//! | [`head`] | trained weights into the graph that engines run: what all models' graphs are made of |
//! | [`keys`] | making and reading the key that signs |
//! | [`nnef`] | a graph in tract's own form |
//! | [`package`] | manifest and files into one signed bundle |
//! | [`products`] | the head's large products in float32, int8 for tract, int8 for the others |
//! | [`quantise`] | weights to int8 |
//! | [`ranges`] | how large the products' inputs become, on real windows |
//! | [`step`] | the same weights into the graph that scores one segment at a time |

pub mod agree;
pub mod calibrate;
pub mod command;
pub mod denet;
pub mod head;
pub mod keys;
pub mod nnef;
pub mod package;
pub mod products;
pub mod quantise;
pub mod ranges;
pub mod step;

use burn::backend::Flex;
use runtime::Result;

use crate::dataset::Statistics;
use crate::model::Detector;
use products::Form;
use step::Precision;

/// A model that can leave the trainer.
pub trait Exporter: Detector<Flex> {
    /// Its full-window graph, standardisation included: `window [1, T, D_in]` of raw features to `scores [1, T]` ([`head`] has the parts).
    fn head(&self, config: &Self::Config, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>>;

    /// Its step graph, asking for the position `look_ahead` before the newest; none for a model that the firmware's step
    /// cannot run: cameras then score every segment by the full window.
    fn step(
        &self,
        _config: &Self::Config,
        _statistics: &Statistics,
        _look_ahead: usize,
        _precision: Precision,
    ) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
