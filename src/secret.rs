//! A string that must not be shown: tokens and keys. No Display, Debug prints `***`, and it is wiped when dropped.
//!
//! `sys::log` redacts it from log lines as well.

use std::ffi::OsStr;
use std::fmt;
use zeroize::Zeroizing;

/// Whether a word of the command line is a token of the service.
pub fn looks_like_token(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"wtt-tok-")
}

/// A secret value. Read it with [`Secret::expose`] at the one place that sends it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(Zeroizing::new(value.into()))
    }
    /// The plain value, for network requests only: never for a log, an error, an argument or an environment.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("CANARY");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert_eq!(secret.clone().expose(), "CANARY");
    }
}
