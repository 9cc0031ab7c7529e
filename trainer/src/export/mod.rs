//! A trained model to the field: a run and a signing key come in, a signed bundle goes out.
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | making and reading the key that signs |
//! | [`package`] | manifest and files into one signed bundle |

pub mod keys;
pub mod package;
