//! The one error type of the runtime. Policy (exit codes, retry, health) is decided by [`ErrorKind`], never by
//! reading a message.

/// What sort of thing went wrong, for those who must decide what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The user named something that is not there or cannot be what was asked for (exit code 2).
    InvalidInput,
    /// A file is damaged: truncated, of the wrong form, failing its checksum (exit code 2).
    Corrupt,
    /// A signature is absent, wrong, or by a key that is not trusted (exit code 2).
    Untrusted,
    /// A device, a network peer or a child process is not there now; trying again may help (exit code 1).
    Unavailable,
    /// A disk or a quota is full (exit code 1).
    NoRoom,
    /// The work itself failed (exit code 1).
    Failed,
    /// The work met what cannot be, and panicked: a mistake of ours or of a library (exit code 1).
    Panicked,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InvalidInput,
        Self::Corrupt,
        Self::Untrusted,
        Self::Unavailable,
        Self::NoRoom,
        Self::Failed,
        Self::Panicked,
    ];

    /// The process exit code for an error of this kind: 2 for input, 1 for work.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::InvalidInput | Self::Corrupt | Self::Untrusted => 2,
            Self::Unavailable | Self::NoRoom | Self::Failed | Self::Panicked => 1,
        }
    }
}

/// An error of the runtime: what it is about, what is wrong with it, and what to do next, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{subject}: {problem}; {remedy}")]
pub struct Error {
    /// What sort of error.
    pub kind: ErrorKind,
    /// The file, camera, key or segment that it is about.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What to do next.
    pub remedy: String,
}

/// A result, with the runtime's [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` about `subject`.
    pub fn new(
        kind: ErrorKind,
        subject: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, subject: subject.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// What the user named cannot be used.
    pub fn invalid(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, subject, problem, remedy)
    }

    /// A file that the user named and that cannot be read, for this reason.
    pub fn unreadable(subject: impl Into<String>, error: &dyn std::fmt::Display, remedy: impl Into<String>) -> Self {
        Self::invalid(subject, format!("cannot be read: {error}"), remedy)
    }

    /// A damaged file.
    pub fn corrupt(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, subject, problem, remedy)
    }

    /// The work failed.
    pub fn failed(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, subject, problem, remedy)
    }

    /// Something is not there now.
    pub fn unavailable(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, subject, problem, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_listed() {
        // Whoever adds a kind comes by here, and adds it to the list.
        let place = |kind: ErrorKind| match kind {
            ErrorKind::InvalidInput => 0,
            ErrorKind::Corrupt => 1,
            ErrorKind::Untrusted => 2,
            ErrorKind::Unavailable => 3,
            ErrorKind::NoRoom => 4,
            ErrorKind::Failed => 5,
            ErrorKind::Panicked => 6,
        };
        assert_eq!(ErrorKind::ALL.map(place), [0, 1, 2, 3, 4, 5, 6]);
    }
}
