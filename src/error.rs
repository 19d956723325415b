//! The one error type that reaches the user, and the exit codes.
//!
//! Display is exactly the sentence that is printed on stderr: lower case, no trailing period, and it says
//! what to do next. Layers below the command line have small error enums of their own where a caller branches.

use std::fmt;
use std::path::Path;

/// Result with the program's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, by what the caller (a person, a script, systemd) should do about it.
#[derive(Debug)]
pub enum Error {
    /// The work was tried and failed. Exit code 1.
    Failed(String),
    /// The command line is wrong. Exit code 2.
    Usage(String),
    /// A service or program that is needed is not available. Exit code 69 (`EX_UNAVAILABLE`).
    Unavailable(String),
    /// A resource is in use; trying again later may help. Exit code 75 (`EX_TEMPFAIL`).
    TryAgain(String),
    /// Settings, profile or token are wrong; a restart does not help. Exit code 78 (`EX_CONFIG`).
    Config(String),
    /// The message has been printed already; this is the exit code.
    Silent(u8),
}

/// The exit code of [`Error::Unavailable`].
pub const EXIT_UNAVAILABLE: u8 = 69;

/// The error for a file operation that failed, for `map_err`: "cannot read /x: no such file".
pub fn cannot(verb: &str, path: &Path) -> impl Fn(std::io::Error) -> Error + Copy {
    move |error| Error::Failed(format!("cannot {verb} {}: {}", path.display(), reason(&error)))
}

/// The message of the system for a failed file operation: "no such file", "is a directory", "permission denied".
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    let words = text.split(" (os error").next().unwrap_or_default();
    words.trim_end_matches(" or directory").to_owned()
}

impl Error {
    /// The documented exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Failed(_) => 1,
            Error::Usage(_) => 2,
            Error::Unavailable(_) => EXIT_UNAVAILABLE,
            Error::TryAgain(_) => 75,
            Error::Config(_) => 78,
            Error::Silent(code) => *code,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Failed(text)
            | Error::Usage(text)
            | Error::Unavailable(text)
            | Error::TryAgain(text)
            | Error::Config(text) => f.write_str(text),
            Error::Silent(code) => write!(f, "exit code {code}"),
        }
    }
}

impl std::error::Error for Error {}
