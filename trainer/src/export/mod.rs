//! A trained model to the field: a run and a signing key come in, a signed bundle goes out.
//!
//! | module | what |
//! |---|---|
//! | [`head`] | trained weights into the graph that engines run |
//! | [`keys`] | making and reading the key that signs |
//! | [`package`] | manifest and files into one signed bundle |

pub mod head;
pub mod keys;
pub mod package;
