//! A trained model to the field: a run and a signing key come in, a signed bundle goes out.
//!
//! | module | what |
//! |---|---|
//! | [`calibrate`] | a threshold for a stated false-alarm rate |
//! | [`command`] | `tadpole-trainer export` and `keygen` |
//! | [`head`] | trained weights into the graph that engines run |
//! | [`keys`] | making and reading the key that signs |
//! | [`package`] | manifest and files into one signed bundle |
//! | [`step`] | the same weights into the graph that scores one segment at a time |

pub mod calibrate;
pub mod command;
pub mod head;
pub mod keys;
pub mod package;
pub mod step;
