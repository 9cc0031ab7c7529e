//! A trained model to the field: a run and a signing key come in, a signed bundle goes out.
//!
//! | module | what |
//! |---|---|
//! | [`agree`] | int8 against float32 on the run's recordings |
//! | [`calibrate`] | a threshold for a stated false-alarm rate |
//! | [`command`] | `tadpole-trainer export` and `keygen` |
//! | [`head`] | trained weights into the graph that engines run |
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
pub mod head;
pub mod keys;
pub mod nnef;
pub mod package;
pub mod products;
pub mod quantise;
pub mod ranges;
pub mod step;
